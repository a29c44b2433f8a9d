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
    /// Well formed, and not about mirroring here; with the reason.
    Ignored(String),
    /// Nobody can read it, so it comes again until it is a dead letter, which rings. With what is wrong.
    Unreadable(String),
    /// It was not looked at, since there are too many others in its batch: it comes again.
    Unread,
}

/// What an event asks to look at.
#[derive(Debug, Default, PartialEq)]
pub struct Scope {
    /// What it names.
    pub selectors: BTreeSet<Selector>,
    /// An instance that has just started.
    pub launched: Option<Launch>,
    /// A session that somebody else has deleted. Where it was is not in the event.
    pub deleted: Option<Deletion>,
    /// Somebody else has created a target: what was read of them before is out of date.
    pub new_target: bool,
    /// What happened, and who did it if that is known: for the log.
    pub cause: String,
    /// What a caller may ask for beyond a look.
    pub orders: Orders,
}

/// What only a direct call can ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Change nothing.
    pub detect: bool,
    /// Delete as many sessions as the plan asks for, whatever `MIRROR_DELETION_LIMIT` says.
    pub unlimited: bool,
    /// Delete every owned session.
    pub remove: bool,
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

/// A session that somebody else has deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// That session.
    pub session: SessionId,
    /// Seconds since 1970, where the event says it.
    pub time: Option<i64>,
}

/// At most this many ids are taken from one record. EventBridge's events name one resource, at most a
/// handful; a message of 256 KiB could name 29,000.
pub const MAX_IDS: usize = 100;

/// The most characters that are said about an event.
const MAX_EXPLANATION: usize = 250;

impl ParsedEvent {
    pub(crate) fn reconcile(selectors: impl IntoIterator<Item = Selector>) -> Self {
        let selectors = selectors.into_iter().collect();
        Self::Reconcile(Scope { selectors, ..Scope::default() })
    }

    /// The reason may quote what was sent, so it is sanitized for the log.
    pub(crate) fn ignored(why: impl AsRef<str>) -> Self {
        Self::Ignored(sanitize(why.as_ref(), MAX_EXPLANATION))
    }

    /// What is wrong may quote what was sent, so it is sanitized for the log.
    pub(crate) fn unreadable(what: impl AsRef<str>) -> Self {
        Self::Unreadable(sanitize(what.as_ref(), MAX_EXPLANATION))
    }
}
