//! What EC2 says now, as plain data: nothing here decides.

use std::sync::Arc;

use crate::id::{
    AccountId, FilterId, InstanceId, InterfaceId, SessionId, SessionNumber, TargetId, VpcId,
};

/// The part of one account and region that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The account we work for.
    pub account: AccountId,
    /// The instances looked at, with their interfaces.
    pub instances: Vec<Instance>,
    /// Interfaces looked at that belong to no instance in `instances`.
    pub loose: Vec<LooseInterface>,
    /// Every session on an interface looked at, ours or not, and those that fill the targets.
    pub sessions: Vec<Session>,
    /// Every target this account can see.
    pub targets: Vec<Target>,
    /// Every filter of this account.
    pub filters: Vec<Filter>,
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// Its type, such as `m5.large`.
    pub instance_type: Arc<str>,
    /// Its Availability Zone.
    pub zone: Option<Arc<str>>,
    /// Its tags, key and value as written, by key; those that nothing depends on may be left out.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// Its interfaces. A terminated instance has none.
    pub interfaces: Vec<Interface>,
}

impl Instance {
    /// Whether EC2 shows all of it: at first it may show an instance without its interfaces.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_coming = matches!(self.state, InstanceState::Pending | InstanceState::Running);
        !is_coming || !self.interfaces.is_empty()
    }
}

/// The state of an instance (EC2 API, `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are EC2's")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl InstanceState {
    /// The word EC2 uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }
}

/// An interface on an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its id.
    pub id: InterfaceId,
    /// `interface`, `efa`, `trunk`, …
    pub kind: Arc<str>,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Device index 0 on network card 0.
    pub primary: bool,
    /// Being detached, or detached already.
    pub detaching: bool,
    /// It has IPv6 addresses and no IPv4 address, so its subnet is IPv6-only.
    pub ipv6_only: bool,
    /// The service it was made by and is managed by, such as `amazon-elb`; none for the user's own.
    pub requester: Option<String>,
}

/// An interface that is on no instance looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseInterface {
    /// Its id.
    pub id: InterfaceId,
    /// Where it is.
    pub place: LoosePlace,
}

/// Where an interface is that is on no instance looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoosePlace {
    /// EC2 does not know it: it was deleted.
    Gone,
    /// It is attached to nothing.
    Available(Option<VpcId>),
    /// It is in use by something that is not an instance we can see.
    InUse,
}

/// A Traffic Mirror session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The account that made it.
    pub account: AccountId,
    /// The source.
    pub interface: InterfaceId,
    /// Where the packets go.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Evaluation order on the source, lowest first.
    pub number: SessionNumber,
    /// Bytes kept of each packet; none is the default.
    pub packet_length: Option<i32>,
    /// The VXLAN network identifier.
    pub vni: Option<i32>,
    /// The value of its `ManagedBy` tag: the installation it belongs to.
    pub managed_by: Option<String>,
}

/// A Traffic Mirror target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// The account that owns it; another one where it is shared with us.
    pub account: AccountId,
    /// What stands behind it.
    pub kind: TargetKind,
    /// EC2 refused a source for lack of room since this was read.
    pub refused: bool,
}

/// What stands behind a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A network interface, of an instance where that is known.
    Interface {
        /// The interface.
        id: InterfaceId,
        /// The instance's type, which decides how many sources fit.
        instance_type: Option<Arc<str>>,
        /// The instance's Availability Zone.
        zone: Option<Arc<str>>,
    },
    /// A Network Load Balancer.
    NetworkLoadBalancer,
    /// A Gateway Load Balancer endpoint.
    GatewayLoadBalancerEndpoint,
}

/// A Traffic Mirror filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its id.
    pub id: FilterId,
    /// It has a rule that accepts packets, or takes Amazon DNS.
    pub accepts: bool,
    /// The value of its `ManagedBy` tag.
    pub managed_by: Option<String>,
}
