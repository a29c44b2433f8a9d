//! What became of a plan, and of each of its steps.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::{
    id::SessionId,
    step::{Action, Step},
};

use crate::failure::Failure;

/// What became of a plan.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The steps that were not tried: there was nothing to do, or it was not to be done.
    pub(crate) noted: Vec<Step>,
    /// The others.
    pub(crate) tried: Vec<(Step, Outcome)>,
    /// EC2 said that the account has all the sessions it may have: the creations left were not tried.
    pub(crate) account_full: bool,
}

impl Carried {
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.noted.iter().chain(self.tried.iter().map(|(step, _)| step))
    }

    /// The creations that were left because the account is full.
    pub(crate) fn untried(&self) -> impl Iterator<Item = &Step> {
        self.noted.iter().filter(|step| self.account_full && step.action.is_change())
    }

    /// Adds what a further look has changed, or would have.
    pub(crate) fn add_changes(&mut self, mut again: Self) {
        again.noted.retain(|step| step.action.is_change());
        self.noted.extend(again.noted);
        self.tried.extend(again.tried);
        self.account_full |= again.account_full;
    }
}

/// Whether the account may have room for sessions.
#[derive(Default)]
pub(crate) struct AccountRoom {
    freed: AtomicUsize,
    refused: AtomicUsize,
}

impl AccountRoom {
    /// A refusal may come from before a deletion was counted, but not more often than that.
    pub(crate) fn may_be_there(&self) -> bool {
        self.refused.load(Ordering::Relaxed) <= self.freed.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, action: &Action, outcome: &Outcome) {
        match (action, outcome) {
            (Action::Delete(_), Outcome::Done(_)) => &self.freed,
            (Action::Create(_), Outcome::Failed(failure)) if failure.is_account_full() => {
                &self.refused
            }
            _ => return,
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

/// What became of a step that changes EC2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Carried out.
    Done(SessionId),
    /// EC2 refused or did not answer.
    Failed(Failure),
    /// Not started, or cut short: the time was up.
    OutOfTime,
}

impl Outcome {
    /// The session that was made, changed or deleted.
    pub(crate) fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Done(session) => Some(session),
            Self::Failed(_) | Self::OutOfTime => None,
        }
    }
}
