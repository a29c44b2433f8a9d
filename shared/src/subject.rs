//! Where to look: what events and callers name. It says nothing about what to do there.

use crate::id::{InstanceId, InterfaceId, SessionId};

/// A part of the account to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Every instance and every session.
    Everything,
    /// Every session, and every instance that may be wanted or has a session of ours.
    Sweep,
    /// An instance with its interfaces.
    Instance(InstanceId),
    /// An interface, and the instance it is on.
    Interface(InterfaceId),
    /// A session, its interface, and the instance that is on.
    Session(SessionId),
    /// The interfaces that are attached to nothing, where sessions outlive their instance.
    Detached,
}
