//! What became of a plan, and of each of its steps.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use shared::{
    id::{SessionId, TargetId},
    plan::{
        restrict::Withheld,
        step::{Action, Step},
    },
};

use super::{
    failure::{Failure, Kind},
    usage::Usage,
};

/// What became of a plan.
#[derive(Debug, Default)]
pub(crate) struct Execution {
    /// The steps that were not tried: those that change nothing, and those that were left when EC2 said that
    /// there is no room.
    pub(crate) not_executed: Vec<Step>,
    /// The others.
    pub(crate) executed: Vec<Executed>,
    /// The changes that the limits do not allow.
    pub(crate) withheld: Vec<Withheld>,
    /// How full things are after it, where every session was read.
    pub(crate) usage: Option<Usage>,
}

/// A step that was tried.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) step: Step,
    pub(crate) outcome: Outcome,
}

/// What became of a step that changes EC2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, with the session that was created, modified or deleted.
    Done(SessionId),
    /// EC2 refused, or did not answer.
    Failed(Failure),
    /// Not started, or cancelled: the time was up.
    OutOfTime,
}

/// How long a step that was not carried out is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryPolicy {
    /// As long as the queue delivers its message.
    UntilQueueGivesUp,
    /// A few times: the next read may explain EC2's answer, and if it does not, no read will.
    FewTimes,
}

impl Outcome {
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// The session that was created, modified or deleted.
    pub(crate) const fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Done(session) => Some(session),
            Self::Failed(_) | Self::OutOfTime => None,
        }
    }

    /// Whether the step must be retried, and how long.
    pub(crate) fn retry_policy(&self) -> Option<RetryPolicy> {
        match self {
            Self::Done(_) => None,
            Self::Failed(failure) => match failure.kind {
                Kind::Transient => Some(RetryPolicy::UntilQueueGivesUp),
                // What EC2 does not find was there a moment ago.
                Kind::Conflict | Kind::NotFound => Some(RetryPolicy::FewTimes),
                Kind::TargetFull | Kind::Permanent => None,
            },
            Self::OutOfTime => Some(RetryPolicy::UntilQueueGivesUp),
        }
    }
}

impl Executed {
    /// The session, if the step deleted it.
    pub(crate) fn deleted_session(&self) -> Option<&SessionId> {
        match (&self.step.action, &self.outcome) {
            (Action::Delete(_), Outcome::Done(session)) => Some(session),
            _ => None,
        }
    }
}

impl Execution {
    /// Every step.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        let executed = self.executed.iter().map(|executed| &executed.step);
        let withheld = self.withheld.iter().map(|withheld| &withheld.step);
        self.not_executed.iter().chain(executed).chain(withheld)
    }

    /// The changes that were not tried because there is no room for them.
    pub(crate) fn untried(&self) -> impl Iterator<Item = &Step> {
        self.not_executed.iter().filter(|step| step.action.is_change())
    }

    /// Adds what another round did.
    pub(crate) fn add(&mut self, round: Self) {
        // There may be a hundred thousand steps: the first ones are not copied.
        if self.not_executed.is_empty() {
            self.not_executed = round.not_executed;
        } else {
            self.not_executed.extend(round.not_executed);
        }
        self.executed.extend(round.executed);
        self.withheld.extend(round.withheld);
    }

    /// Adds what a further look changed or would have changed, and nothing that it left as it was. What is
    /// withheld on the same source is withheld once.
    pub(crate) fn add_changes(&mut self, mut again: Self) {
        again.not_executed.retain(|step| step.action.is_change());
        again.withheld.retain(|withheld| !self.withheld.contains(withheld));
        self.add(again);
    }
}

/// What EC2 has said about room, so that it is not asked again for each source.
#[derive(Default)]
pub(crate) struct Room {
    freed: AtomicUsize,
    refused: AtomicUsize,
    /// The targets that have no room.
    full: Mutex<BTreeSet<TargetId>>,
}

impl Room {
    /// Whether the account and the target may have room for what the action adds. EC2 may have refused
    /// before it counted a deletion, but not more often than there were deletions.
    pub(crate) fn may_have_room(&self, action: &Action) -> bool {
        let is_full = action.target().is_some_and(|target| self.full().contains(target));
        let is_new = matches!(action, Action::Create(_));
        let is_account_full =
            self.refused.load(Ordering::Relaxed) > self.freed.load(Ordering::Relaxed);
        !(is_full || is_new && is_account_full)
    }

    pub(crate) fn note(&self, action: &Action, outcome: &Outcome) {
        match (action, outcome) {
            (Action::Delete(_), Outcome::Done(_)) => {
                self.freed.fetch_add(1, Ordering::Relaxed);
            }
            (Action::Create(_), Outcome::Failed(failure)) if failure.is_account_full() => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            (action, Outcome::Failed(Failure { kind: Kind::TargetFull, .. })) => {
                self.full().extend(action.target().cloned());
            }
            _ => {}
        }
    }

    /// Forgets a target that something has left since.
    pub(crate) fn forget(&self, target: &TargetId) {
        self.full().remove(target);
    }

    fn full(&self) -> MutexGuard<'_, BTreeSet<TargetId>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::plan::{reason::Reason, restrict::WithheldBy};

    use super::*;

    #[test]
    fn what_a_further_look_withholds_again_counts_once() {
        let withheld = |session: &str| Withheld {
            step: Step {
                instance: None,
                source: "eni-1".parse().unwrap(),
                before: None,
                action: Action::Delete(session.parse().unwrap()),
                reason: Reason::Detached,
            },
            by: WithheldBy::DeletionLimit,
        };
        let of = |sessions: &[&str]| Execution {
            withheld: sessions.iter().map(|session| withheld(session)).collect(),
            ..Execution::default()
        };
        let mut total = of(&["tms-1"]);
        total.add_changes(of(&["tms-1", "tms-2"]));
        assert_eq!(total.withheld, of(&["tms-1", "tms-2"]).withheld);
    }
}
