//! The numbers of an invocation: a line in the log, and the answer to a direct call.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::plan::step::Action;
use tracing::{info, warn};

/// The numbers of an invocation.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Steps of the plan, one or more for each source.
    pub(crate) steps: usize,
    pub(crate) created: usize,
    pub(crate) modified: usize,
    pub(crate) deleted: usize,
    /// Changes that the limits do not allow: in detect mode, all.
    pub(crate) withheld: usize,
    /// Steps that something permanent prevents.
    pub(crate) blocked: usize,
    /// Changes that EC2 refused permanently.
    pub(crate) refused: usize,
    /// Changes that must be retried.
    pub(crate) unfinished: usize,
    /// Instances that an event named, but EC2 does not show.
    pub(crate) not_shown: Vec<String>,
    /// How often each reason was given.
    pub(crate) reasons: BTreeMap<&'static str, usize>,
}

impl Summary {
    /// Whether anything was changed.
    pub(crate) const fn has_changes(&self) -> bool {
        self.created + self.modified + self.deleted > 0
    }

    pub(crate) fn count_change(&mut self, action: &Action) {
        match action {
            Action::Create(_) => self.created += 1,
            Action::Modify(..) => self.modified += 1,
            Action::Delete(_) => self.deleted += 1,
            Action::Keep(_) | Action::Block | Action::Ignore => {}
        }
    }

    /// Writes the line about the whole invocation.
    pub(crate) fn log(&self, records: usize, returned: usize) {
        let Self {
            steps, created, modified, deleted, withheld, blocked, refused, unfinished, ..
        } = self;
        if !self.not_shown.is_empty() {
            warn!("EC2 does not show {}", self.not_shown.join(", "));
        }
        let reasons: Vec<_> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        info!(
            records,
            records.returned = returned,
            plan.steps = steps,
            plan.changes = created + modified + deleted,
            plan.withheld = withheld,
            plan.blocked = blocked,
            plan.refused = refused,
            plan.unfinished = unfinished,
            plan.reasons = reasons.join(", "),
            "records: {records}, steps: {steps}, of them created: {created}, modified: {modified}, \
             deleted: {deleted}, blocked: {blocked}, refused: {refused}, to retry: {unfinished}"
        );
    }
}
