//! What became of each source in an invocation. The numbers of the summary are counted from it, so that a later
//! look at some of the sources replaces what was said of these and of no others.

use std::collections::BTreeSet;

use shared::{
    id::{InstanceId, InterfaceId},
    plan::{
        reason::Level,
        restrict::WithheldBy,
        step::{Action, Step},
    },
};

use crate::act::outcome::{Executed, Execution, Outcome};

/// The steps of an invocation, without what nobody counts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Vec<Entry>,
}

/// A step.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) source: InterfaceId,
    /// None once a later look has seen the source: then all that counts is that something was changed.
    pub(crate) reason: Option<&'static str>,
    pub(crate) fate: Fate,
    /// What it says about its source.
    pub(crate) fact: Option<Fact>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There was nothing to do, or it waits for an event that is sure to come.
    Nothing,
    /// Something permanent prevents it.
    Blocked,
    Done(Change),
    /// EC2 refused it permanently, or there is no room to try it.
    Refused,
    /// It must be retried.
    Unfinished,
    Withheld(WithheldBy),
}

/// A change that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    Modified,
    Deleted,
}

/// What a step says about its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// It should be mirrored.
    Wanted,
    /// It has a session that is as it should be by now.
    Mirrored,
    /// EC2 cannot mirror it.
    Cannot,
    /// Somebody must do something.
    MustAct,
}

impl Ledger {
    /// `pending` are the instances of which a refusal says nothing that lasts.
    pub(crate) fn of(execution: &Execution, pending: &BTreeSet<InstanceId>) -> Self {
        let mut ledger = Self::default();
        for step in &execution.not_executed {
            let fate = match step.action {
                Action::Block => Fate::Blocked,
                _ if step.action.is_change() => Fate::Refused,
                _ => Fate::Nothing,
            };
            ledger.push(step, fate, fact(step));
        }
        for Executed { step, outcome } in &execution.executed {
            let fate = fate(step, outcome, pending);
            let makes_it_right = matches!(fate, Fate::Done(Change::Created | Change::Modified));
            let fact = if makes_it_right { Some(Fact::Mirrored) } else { fact(step) };
            ledger.push(step, fate, fact);
        }
        for withheld in &execution.withheld {
            let is_unstable = withheld.by == WithheldBy::Unstable;
            let fact = if is_unstable { Some(Fact::MustAct) } else { fact(&withheld.step) };
            ledger.push(&withheld.step, Fate::Withheld(withheld.by), fact);
        }
        ledger
    }

    fn push(&mut self, step: &Step, fate: Fate, fact: Option<Fact>) {
        let (source, reason) = (step.source.clone(), Some(step.reason.code()));
        self.entries.push(Entry { source, reason, fate, fact });
    }

    /// The sources that there is a step about.
    pub(crate) fn sources(&self) -> BTreeSet<InterfaceId> {
        self.entries.iter().map(|entry| entry.source.clone()).collect()
    }

    /// Takes over what a later look at some of the sources has come to. What was changed before was changed.
    pub(crate) fn update(&mut self, later: Self) {
        let seen = later.sources();
        self.entries.retain_mut(|entry| {
            let is_replaced = seen.contains(&entry.source);
            if is_replaced {
                (entry.reason, entry.fact) = (None, None);
            }
            !is_replaced || matches!(entry.fate, Fate::Done(_))
        });
        self.entries.extend(later.entries);
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// What became of a step that was tried.
pub(crate) fn fate(step: &Step, outcome: &Outcome, pending: &BTreeSet<InstanceId>) -> Fate {
    match (outcome, &step.action) {
        (Outcome::Done(_), Action::Create(_)) => Fate::Done(Change::Created),
        (Outcome::Done(_), Action::Modify(..)) => Fate::Done(Change::Modified),
        (Outcome::Done(_), _) => Fate::Done(Change::Deleted),
        _ if outcome.retry_policy().is_some() => Fate::Unfinished,
        _ if is_pending(pending, step) => Fate::Nothing,
        _ => Fate::Refused,
    }
}

/// Whether the step's instance is pending, so that its next event follows.
fn is_pending(pending: &BTreeSet<InstanceId>, step: &Step) -> bool {
    step.instance.as_ref().is_some_and(|instance| pending.contains(instance))
}

fn fact(step: &Step) -> Option<Fact> {
    match (&step.action, step.reason.level()) {
        (Action::Keep(_), _) => Some(Fact::Mirrored),
        (Action::Block, Level::Unsupported) => Some(Fact::Cannot),
        (Action::Block, _) => Some(Fact::MustAct),
        (Action::Create(_) | Action::Modify(..), _) => Some(Fact::Wanted),
        (Action::Delete(_) | Action::Ignore, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use shared::plan::reason::Reason;

    use super::*;
    use crate::{
        act::failure::{Failure, Kind},
        answer::summary::Summary,
    };

    fn step(source: &str, action: Action, reason: Reason) -> Step {
        Step { instance: None, source: source.parse().unwrap(), before: None, action, reason }
    }

    fn blocked(source: &str) -> Step {
        step(source, Action::Block, Reason::NoTarget)
    }

    fn deletion(source: &str, outcome: Outcome) -> Executed {
        let action = Action::Delete("tms-1".parse().unwrap());
        Executed { step: step(source, action, Reason::Detached), outcome }
    }

    fn ledger(not_executed: Vec<Step>, executed: Vec<Executed>) -> Ledger {
        let execution = Execution { not_executed, executed, ..Execution::default() };
        Ledger::of(&execution, &BTreeSet::new())
    }

    fn conflict() -> Outcome {
        Outcome::Failed(Failure { code: None, message: String::new(), kind: Kind::Conflict })
    }

    /// Somebody must act, blocked, to retry, deleted, steps.
    fn numbers(ledger: &Ledger) -> [usize; 5] {
        let Summary { must_act, blocked, unfinished, deleted, steps, .. } = Summary::of(ledger);
        [must_act, blocked, unfinished, deleted, steps]
    }

    #[test]
    fn a_later_look_replaces_what_was_said_of_what_it_saw_and_of_nothing_else() {
        let mut ledger = ledger(vec![blocked("eni-1")], vec![deletion("eni-2", conflict())]);
        assert_eq!(numbers(&ledger), [1, 1, 1, 0, 2]);
        ledger.update(self::ledger(vec![blocked("eni-2")], vec![]));
        assert_eq!(numbers(&ledger), [2, 2, 0, 0, 2]);
        ledger.update(self::ledger(vec![blocked("eni-2")], vec![]));
        assert_eq!(numbers(&ledger), [2, 2, 0, 0, 2], "the same look once more");
        let ignored = step("eni-1", Action::Ignore, Reason::Detached);
        ledger.update(self::ledger(vec![ignored], vec![]));
        assert_eq!(numbers(&ledger), [1, 1, 0, 0, 2], "it is over");
    }

    #[test]
    fn what_was_changed_before_a_later_look_was_changed() {
        let done = Outcome::Done("tms-1".parse().unwrap());
        let mut ledger = ledger(vec![], vec![deletion("eni-1", done)]);
        ledger.update(self::ledger(vec![blocked("eni-1")], vec![]));
        assert_eq!(numbers(&ledger), [1, 1, 0, 1, 1]);
    }
}
