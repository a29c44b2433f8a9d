//! Traffic Mirror targets as facts: the decision never asks what kind of thing a target is.

use std::sync::Arc;

use crate::{
    id::{AccountId, InterfaceId, TargetId, VpcId},
    number::PacketLength,
};

/// A Traffic Mirror target.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whether it can take new sessions.
    pub state: TargetState,
    /// The interfaces that receive the packets, which are never sources.
    pub interfaces: Vec<InterfaceId>,
    /// The packet length that EC2 shows for a session that was created without one.
    pub default_packet_length: Option<PacketLength>,
}

/// What receives the packets of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A network interface.
    Interface(InterfaceId),
    /// A Network Load Balancer.
    NetworkLoadBalancer,
    /// A Gateway Load Balancer endpoint.
    GatewayLoadBalancerEndpoint,
    /// A kind that this version does not know, by EC2's name for it.
    Other(Arc<str>),
}

/// Where a target is, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its Availability Zones.
    pub zones: Vec<Arc<str>>,
}

/// How many sources a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// Any number.
    Unlimited,
    /// At most this many.
    Sources(usize),
    /// Not known. A session gets such a target only where its instance names it.
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

/// Whether a target can take new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// As far as is known, it can.
    Ready,
    /// EC2 has refused a source for lack of room since the target was read.
    Full,
}
