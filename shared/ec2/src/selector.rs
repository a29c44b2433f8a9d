//! What to read: events and callers name it. It says nothing about what should be done there.

use shared::id::{InstanceId, InterfaceId, SessionId, TargetId};

/// A part of the account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// Every session, and every instance that should be mirrored or has an owned session.
    Sweep,
    /// An instance with its interfaces.
    Instance(InstanceId),
    /// An instance that has just started, with its interfaces. If it should not be mirrored, nobody
    /// looks for owned sessions on it: the event that removed its tag was the one to do so.
    Started(InstanceId),
    /// An instance whose tags, as an event shows them, select it. If EC2 shows it without those tags, a
    /// second read decides.
    Tagged(InstanceId),
    /// An interface, and the instance it is on.
    Interface(InterfaceId),
    /// A session, its interface, and the instance that the interface is on.
    Session(SessionId),
    /// A target.
    Target(TargetId),
    /// The interfaces that are attached to nothing, where sessions outlive their instance.
    Unattached,
}

impl Selector {
    /// The instance that the selector names.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Instance(id) | Self::Started(id) | Self::Tagged(id) => Some(id),
            Self::Sweep
            | Self::Interface(_)
            | Self::Session(_)
            | Self::Target(_)
            | Self::Unattached => None,
        }
    }
}
