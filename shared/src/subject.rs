//! Where to look: what events and callers name. It says nothing about what to do there.

use crate::id::{InstanceId, InterfaceId, SessionId};

/// A part of the account to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Every session, and every instance that is wanted or has a session of ours.
    Sweep,
    /// An instance with its interfaces.
    Instance(InstanceId),
    /// An instance that has just started, with its interfaces. If it is not wanted, nothing of ours is
    /// looked for on it: the event that ended the wish was the one to do so.
    Started(InstanceId),
    /// An interface, and the instance it is on.
    Interface(InterfaceId),
    /// A session, its interface, and the instance that is on.
    Session(SessionId),
    /// The interfaces that are attached to nothing, where sessions outlive their instance.
    Detached,
}
