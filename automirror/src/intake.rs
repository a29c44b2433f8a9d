//! What a payload asks for: its records sorted into those to work on and those that come again as they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use shared::id::{InterfaceId, SessionId};
use shared_ec2::selector::Selector;
use tracing::{error, info, warn};

use crate::{
    answer::batch_result::Request,
    event::parsed::{Deletion, Orders, ParsedEvent, Record, Shape},
    memory::{AfterDeletion, Memory},
};

/// So many records that cannot be read, or that are ignored, have a line of their own in the log.
const MAX_LOGGED: usize = 10;

/// So many causes are named as what set an invocation off.
const MAX_CAUSES: usize = 3;

/// What a payload asks for.
#[derive(Default)]
pub(crate) struct Intake {
    /// The records to work on.
    pub(crate) requests: Vec<Request>,
    /// The message ids of the others that come again.
    pub(crate) returned: Vec<Option<String>>,
    /// Of these, how many nobody can read, and what is wrong with the first.
    pub(crate) unreadable: usize,
    pub(crate) first_unreadable: Option<String>,
    /// Sessions that somebody else deleted, and where they were if that is known.
    pub(crate) deleted: BTreeMap<SessionId, Option<InterfaceId>>,
    ignored: usize,
}

impl Intake {
    pub(crate) fn new(
        records: Vec<Record>,
        shape: Shape,
        memory: &Memory,
        now: SystemTime,
    ) -> Self {
        let mut intake = Self::default();
        for record in records {
            intake.take(record, shape, memory, now);
        }
        if intake.unreadable > MAX_LOGGED {
            error!("{} records in all cannot be read", intake.unreadable);
        }
        if intake.ignored > MAX_LOGGED {
            info!("ignored {} events in all", intake.ignored);
        }
        intake
    }

    fn take(&mut self, record: Record, shape: Shape, memory: &Memory, now: SystemTime) {
        let Record { message, receives, event } = record;
        let id = message.as_deref().unwrap_or("none");
        match event {
            ParsedEvent::Reconcile(scope) => {
                let mut request = Request { message, receives, scope };
                match self.locate(&mut request, shape, memory, now) {
                    Located::Yes => self.requests.push(request),
                    Located::Done => {
                        self.ignore(
                            request.message.as_deref(),
                            "a later sweep has seen what it left",
                        );
                    }
                    Located::Later => self.returned.push(request.message),
                }
            }
            ParsedEvent::Ignored(why) => self.ignore(message.as_deref(), &why),
            ParsedEvent::Unreadable(why) => {
                if self.unreadable < MAX_LOGGED {
                    error!(message_id = id, "a message cannot be read and comes again: {why}");
                }
                self.unreadable += 1;
                self.first_unreadable.get_or_insert(why);
                self.returned.push(message);
            }
            ParsedEvent::Unread => self.returned.push(message),
        }
    }

    fn ignore(&mut self, message: Option<&str>, why: &str) {
        if self.ignored < MAX_LOGGED {
            let id = message.unwrap_or("none");
            info!(message_id = id, "ignored an event: {why}");
        }
        self.ignored += 1;
    }

    /// Finds out where to look after somebody has deleted a session.
    fn locate(
        &mut self,
        request: &mut Request,
        shape: Shape,
        memory: &Memory,
        now: SystemTime,
    ) -> Located {
        let Some(Deletion { session, time }) = &request.scope.deleted else { return Located::Yes };
        let interface = match memory.after_deletion(session, *time, now) {
            AfterDeletion::Look(interface) => Some(interface),
            AfterDeletion::Nothing => return Located::Done,
            AfterDeletion::Wait if shape == Shape::Batch => return Located::Later,
            AfterDeletion::Sweep | AfterDeletion::Wait => None,
        };
        let selector = interface.clone().map_or(Selector::Sweep, Selector::Interface);
        self.deleted.insert(session.clone(), interface);
        request.scope.selectors.insert(selector);
        Located::Yes
    }

    /// What a direct call asks for beyond a look.
    pub(crate) fn orders(&self) -> Orders {
        self.requests.first().map(|request| request.scope.orders).unwrap_or_default()
    }

    /// What set the invocation off.
    pub(crate) fn trigger(&self) -> String {
        let causes: BTreeSet<_> =
            self.requests.iter().map(|request| request.scope.cause.as_str()).collect();
        let named: Vec<_> = causes.iter().take(MAX_CAUSES).copied().collect();
        match (named.join(", "), causes.len().saturating_sub(MAX_CAUSES)) {
            (named, 0) if named.is_empty() => "nothing to do".to_owned(),
            (named, 0) => named,
            (named, more) => format!("{named} and {more} more"),
        }
    }

    /// Warns of what comes again without having been looked at.
    pub(crate) fn warn_of_unread(&self) {
        let unread = self.returned.len().saturating_sub(self.unreadable);
        if unread > 0 {
            warn!("{unread} messages come again without having been looked at");
        }
    }
}

/// Whether it is known where to look.
enum Located {
    Yes,
    /// Nothing is left to look for.
    Done,
    /// Not now: the record comes again.
    Later,
}
