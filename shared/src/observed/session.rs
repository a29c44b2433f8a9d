//! Traffic Mirror sessions.

use std::sync::Arc;

use crate::{
    id::{AccountId, FilterId, InterfaceId, SessionId, TargetId},
    number::{PacketLength, SessionNumber, Vni},
};

/// A Traffic Mirror session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The account that created it.
    pub account: AccountId,
    /// The source: the network interface whose packets are mirrored.
    pub interface: InterfaceId,
    /// Where the packets go.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Its place in the order of evaluation on the source, lowest first.
    pub number: SessionNumber,
    /// Bytes mirrored of each packet; none is the default.
    pub packet_length: Option<PacketLength>,
    /// The VXLAN network identifier.
    pub vni: Option<Vni>,
    /// The value of its `ManagedBy` tag: the owner.
    pub managed_by: Option<Arc<str>>,
}

impl Session {
    /// Whether the installation with this owner, in this account, created the session: it is *owned*,
    /// every other session is *foreign*. Another account's session is foreign whatever its tags: who
    /// shares a target sees the sessions of others on it.
    #[must_use]
    pub fn is_owned_by(&self, owner: &str, account: &AccountId) -> bool {
        self.account == *account && self.managed_by.as_deref() == Some(owner)
    }
}
