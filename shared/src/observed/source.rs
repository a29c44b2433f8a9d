//! Mirror sources: the network interfaces that sessions are on.

use std::sync::Arc;

use super::{Instance, Shown, Tag};
use crate::id::{InstanceId, InterfaceId, VpcId};

/// A mirror source: a network interface, and what EC2 shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Source {
    /// Its id.
    pub id: InterfaceId,
    /// What EC2 shows of it.
    pub interface: Shown<Interface>,
}

impl Source {
    /// The instance that owns it, where EC2 shows one.
    #[must_use]
    pub fn instance(&self) -> Option<&Arc<Instance>> {
        match &self.interface {
            Shown::Yes(Interface { owner: Owner::Instance(instance), .. }) => Some(instance),
            Shown::Yes(_) | Shown::NotInList | Shown::NotFound => None,
        }
    }

    /// Its VPC, where EC2 shows it.
    #[must_use]
    pub fn vpc(&self) -> Option<&VpcId> {
        self.interface.as_ref().yes()?.vpc.as_ref()
    }

    /// Its Availability Zone, where EC2 shows it.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.interface.as_ref().yes()?.zone.as_deref()
    }
}

/// An instance with its network interfaces, as one item of `DescribeInstances` shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DescribedInstance {
    /// The instance.
    pub instance: Arc<Instance>,
    /// Its network interfaces. A terminated instance has none.
    pub sources: Vec<Source>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Interface {
    /// `interface`, `efa`, `trunk`, …
    pub kind: Arc<str>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its Availability Zone.
    pub zone: Option<Arc<str>>,
    /// It has IPv6 addresses and no IPv4 address, so its subnet is IPv6-only.
    pub ipv6_only: bool,
    /// It has IPv6 addresses.
    pub has_ipv6: bool,
    /// The service that created and manages it, such as `amazon-elb`; none for the user's own.
    pub requester: Option<Arc<str>>,
    /// Its own tags by key. `DescribeInstances` does not show them, and the decision reads the tags of
    /// the owner only.
    pub tags: Vec<Tag>,
    /// How it is attached; none where it is attached to nothing.
    pub attachment: Option<Attachment>,
    /// What it belongs to.
    pub owner: Owner,
}

/// How an interface is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attachment {
    /// Device index 0 on network card 0.
    pub primary: bool,
    /// Whether it stays attached.
    pub status: AttachmentStatus,
}

/// Whether an interface stays attached (EC2 API, `AttachmentStatus`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AttachmentStatus {
    /// It is attached, or about to be.
    #[default]
    Attached,
    /// It is being detached. Until that is done its packets flow.
    Detaching,
    /// It is detached.
    Detached,
}

/// What an interface belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Owner {
    /// An EC2 instance.
    Instance(Arc<Instance>),
    /// An AWS service, which created the interface for a resource of its own.
    Service,
    /// Nothing: it is attached to nothing.
    Nobody,
    /// It is in use, by nothing that was read: this instance, where EC2 names one.
    NotVisible(Option<InstanceId>),
}
