//! Traffic Mirror targets as facts: the decision never asks what kind of thing a target is.

use std::sync::Arc;

use crate::id::{AccountId, InterfaceId, TargetId, VpcId};

/// A Traffic Mirror target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// The account that owns it; another account where the target is shared with this one.
    pub account: AccountId,
    /// What receives the packets. For people to read: what follows from it is in the fields below.
    pub endpoint: Endpoint,
    /// Where it is.
    pub location: Location,
    /// How many sources it takes.
    pub capacity: Capacity,
    /// Whether what receives the packets is there.
    pub state: TargetState,
    /// Its tag [`DRAIN_TAG`](crate::policy::tag::DRAIN_TAG) says that its sessions should leave it.
    pub draining: bool,
    /// The interfaces that receive the packets, which are never sources.
    pub interfaces: Vec<InterfaceId>,
}

/// What receives the packets of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Endpoint {
    /// A network interface.
    Interface(InterfaceId),
    /// A Network Load Balancer, by the end of its ARN: `net/NAME/ID`.
    NetworkLoadBalancer(Arc<str>),
    /// A Gateway Load Balancer endpoint, by its id: `vpce-…`.
    GatewayLoadBalancerEndpoint(Arc<str>),
    /// A kind that this version does not know, by EC2's name for it.
    Other(Arc<str>),
}

/// Where a target is, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Location {
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its Availability Zones.
    pub zones: Vec<Arc<str>>,
}

/// How many sources a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Capacity {
    /// Any number.
    Unlimited,
    /// At most this many.
    Sources(usize),
    /// Not known: EC2's refusal tells.
    Unknown,
}

impl Capacity {
    /// The most sources, where there is a limit that is known.
    #[must_use]
    pub const fn limit(self) -> Option<usize> {
        match self {
            Self::Sources(limit) => Some(limit),
            Self::Unlimited | Self::Unknown => None,
        }
    }
}

/// Whether what receives the packets of a target is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TargetState {
    /// Nobody has looked.
    Unread,
    /// Somebody has looked, and nothing that EC2 shows tells.
    Unknown,
    /// As far as can be seen, it is. What another account owns cannot be seen.
    Ready,
    /// It is, and EC2 has refused a source for lack of room since the target was read.
    Full,
    /// Its instance does not run.
    Stopped,
    /// EC2 says that its interface does not exist, or shows it attached to nothing or to an instance
    /// that is terminated. The target itself stays listed ("Traffic Mirror targets").
    Gone,
}
