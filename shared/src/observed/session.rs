//! Traffic Mirror sessions.

use std::sync::Arc;

use crate::{
    id::{AccountId, FilterId, InterfaceId, SessionId, TargetId},
    number::{PacketLength, SessionNumber, Vni},
    policy::Policy,
};

/// A Traffic Mirror session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// The value of its `Installation` tag: which installation of that owner created it.
    pub installation: Option<Arc<str>>,
}

impl Session {
    /// Whether this installation, in this account, created the session: it is *owned*, every other session
    /// is *foreign*. Another account's session is foreign whatever its tags: who shares a target sees the
    /// sessions of others on it. One without the tag `Installation` is from before there was one.
    #[must_use]
    pub fn is_owned(&self, policy: &Policy, account: &AccountId) -> bool {
        self.has_owner(&policy.owner, account) && self.other_installation(policy).is_none()
    }

    /// The name of the other installation with the same owner that created the session, if one did.
    #[must_use]
    pub fn twin(&self, policy: &Policy, account: &AccountId) -> Option<&str> {
        self.other_installation(policy).filter(|_| self.has_owner(&policy.owner, account))
    }

    /// Whether an installation with this owner, in this account, created the session.
    #[must_use]
    pub fn has_owner(&self, owner: &str, account: &AccountId) -> bool {
        self.account == *account && self.managed_by.as_deref() == Some(owner)
    }

    fn other_installation(&self, policy: &Policy) -> Option<&str> {
        let own = policy.installation.as_deref()?;
        self.installation.as_deref().filter(|installation| *installation != own)
    }
}
