//! What events come to.

use std::collections::BTreeSet;

use shared::{
    id::{InstanceId, SessionId},
    text::sanitize,
};
use shared_ec2::selector::Selector;

/// What Lambda handed over.
#[derive(Debug, PartialEq)]
pub struct Payload {
    /// How it came.
    pub shape: Shape,
    /// What it consists of.
    pub records: Vec<Record>,
}

/// How the work came, which decides how it is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// An SQS batch: the answer names the messages that must be retried.
    Batch,
    /// An event or a direct call: the answer is a summary or an error.
    Single,
}

/// One message of a batch, or the only event.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// The SQS message id.
    pub message: Option<String>,
    /// How often SQS has delivered the message, this time included.
    pub receives: u32,
    /// What it comes to.
    pub event: ParsedEvent,
}

/// What an event comes to.
#[derive(Debug, PartialEq)]
pub enum ParsedEvent {
    /// Something to look at.
    Reconcile(Scope),
    /// Well formed, and not about mirroring; with the reason.
    Ignored(String),
    /// Nobody will ever be able to read it, so it is not retried: the sweep does what it asked for.
    /// With what is wrong.
    Unreadable(String),
}

/// What an event asks to look at.
#[derive(Debug, Default, PartialEq)]
pub struct Scope {
    /// What it names.
    pub selectors: BTreeSet<Selector>,
    /// An instance that has just started.
    pub launched: Option<Launch>,
    /// A session that somebody else has deleted.
    pub deleted: Option<SessionId>,
    /// Somebody else has created a target: what was read of them before is out of date.
    pub new_target: bool,
}

/// An instance that an event says is pending or running.
#[derive(Debug, PartialEq)]
pub struct Launch {
    /// That instance.
    pub instance: InstanceId,
    /// It was running, not pending.
    pub running: bool,
    /// Seconds since 1970.
    pub time: i64,
}

/// The most characters that are said about an event.
const MAX_EXPLANATION: usize = 250;

impl ParsedEvent {
    pub(crate) fn reconcile(selectors: impl IntoIterator<Item = Selector>) -> Self {
        let selectors = selectors.into_iter().collect();
        Self::Reconcile(Scope { selectors, ..Scope::default() })
    }

    /// What is wrong may quote what was sent, so it is sanitized for the log.
    pub(crate) fn unreadable(what: impl AsRef<str>) -> Self {
        Self::Unreadable(sanitize(what.as_ref(), MAX_EXPLANATION))
    }
}
