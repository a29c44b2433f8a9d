//! What is said about the steps of an invocation: a line for each change, a line for each new
//! obstacle, and a summary.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use shared::{
    id::{FilterId, InstanceId, InterfaceId, TargetId},
    step::{Action, Step},
};
use tracing::{debug, error, info, warn};

use crate::{
    failure::{Failure, Kind},
    outcome::{Carried, Outcome},
};

/// The numbers of an invocation.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Steps of the plan, one or more for each interface.
    steps: usize,
    created: usize,
    modified: usize,
    deleted: usize,
    /// In detect mode: changes that were not made.
    withheld: usize,
    /// Steps that something lasting prevents.
    blocked: usize,
    /// Changes EC2 refused for good.
    refused: usize,
    /// Changes that must be tried again.
    unfinished: usize,
    /// Instances that were named, but EC2 does not show.
    pub(crate) not_shown: Vec<String>,
    /// How often each reason was given.
    reasons: BTreeMap<&'static str, usize>,
}

/// Writes the log.
#[derive(Default)]
pub(crate) struct Reporter {
    /// Obstacles and refusals that were said already: each is said once while it lasts, not at every
    /// sweep.
    said: Mutex<BTreeSet<(InterfaceId, String)>>,
}

/// How long a step that was not carried out is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as the queue brings it.
    Long,
    /// A few times: the next look may show what EC2 meant, and if not, no look will.
    Short,
}

impl Outcome {
    /// Whether the step must be tried again, and how long.
    pub(crate) fn patience(&self) -> Option<Patience> {
        match self {
            Self::Done(_) => None,
            Self::Failed(failure) => match failure.kind {
                Kind::Passing => Some(Patience::Long),
                // What EC2 does not find was there a moment ago.
                Kind::Disputed | Kind::NotFound => Some(Patience::Short),
                Kind::TargetFull | Kind::Lasting => None,
            },
            Self::OutOfTime => Some(Patience::Long),
        }
    }
}

impl Reporter {
    pub(crate) fn report(
        &self,
        pending: &BTreeSet<InstanceId>,
        carried: &Carried,
        sweep: bool,
    ) -> Report {
        let Carried { noted, tried, account_full } = carried;
        let mut report = Report { steps: noted.len() + tried.len(), ..Report::default() };
        for step in carried.steps() {
            *report.reasons.entry(step.reason.code()).or_default() += 1;
        }
        let (mut lasting, mut left) = (Vec::new(), 0_usize);
        let untried = carried.untried().count();
        report.refused += untried;
        for step in noted {
            if step.action == Action::Block {
                report.blocked += 1;
                lasting.push((step, None));
            } else if step.action.is_change() && !account_full {
                report.withheld += 1;
                say_withheld(step);
            } else {
                debug!("{step}");
            }
        }
        for (step, outcome) in tried {
            match outcome {
                Outcome::Done(session) => {
                    report.count_change(&step.action);
                    say_done(step, session.as_str());
                }
                Outcome::Failed(failure) if outcome.patience().is_some() => {
                    report.unfinished += 1;
                    say_failed(step, failure, "it is tried again, at the latest by the next sweep");
                }
                Outcome::Failed(failure) if is_pending(pending, step) => {
                    let then = "the instance is pending, so its next event follows";
                    say_failed(step, failure, then);
                }
                Outcome::Failed(failure) => {
                    report.refused += 1;
                    lasting.push((step, Some(failure)));
                }
                Outcome::OutOfTime => {
                    report.unfinished += 1;
                    left += 1;
                    debug!("out of time: {step}");
                }
            }
        }
        if left > 0 {
            warn!(plan.left = left, "the time was up with {left} changes left: they come again");
        }
        if untried > 0 {
            warn!(
                plan.untried = untried,
                "the account has all the sessions it may have: {untried} more are wanted"
            );
        }
        self.say_lasting(carried, &lasting, sweep);
        report
    }

    fn say_lasting(&self, carried: &Carried, lasting: &[(&Step, Option<&Failure>)], sweep: bool) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeSet::new();
        for (step, failure) in lasting {
            let code = failure
                .map_or(step.reason.code(), |failure| failure.code.as_deref().unwrap_or("refused"));
            let key = (step.interface.clone(), code.to_owned());
            if !said.contains(&key) {
                match failure {
                    Some(failure) => say_failed(step, failure, "it is left to the next sweep"),
                    None => say_blocked(step),
                }
            }
            now.insert(key);
        }
        if sweep {
            *said = now;
        } else {
            // What these interfaces suffered from before may be over.
            let looked_at: BTreeSet<_> = carried.steps().map(|step| &step.interface).collect();
            said.retain(|(interface, _)| !looked_at.contains(interface));
            said.extend(now);
        }
    }
}

impl Report {
    /// Whether anything was changed.
    pub(crate) const fn has_changes(&self) -> bool {
        self.created + self.modified + self.deleted > 0
    }

    /// The line about the whole invocation.
    pub(crate) fn summary(&self, records: usize, returned: usize) {
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
             deleted: {deleted}, blocked: {blocked}, refused: {refused}, to try again: {unfinished}"
        );
    }

    fn count_change(&mut self, action: &Action) {
        match action {
            Action::Create(_) => self.created += 1,
            Action::Modify(..) => self.modified += 1,
            Action::Delete(_) => self.deleted += 1,
            Action::Keep(_) | Action::Block | Action::Ignore => {}
        }
    }
}

fn is_pending(pending: &BTreeSet<InstanceId>, step: &Step) -> bool {
    step.instance.as_ref().is_some_and(|instance| pending.contains(instance))
}

fn say_done(step: &Step, session: &str) {
    info!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.interface,
        session.id = session,
        session.number = step.action.number(),
        target.id = step.action.target().map(TargetId::as_str),
        filter.id = step.action.filter().map(FilterId::as_str),
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "done: {step}"
    );
}

fn say_blocked(step: &Step) {
    warn!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.interface,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "{step}"
    );
}

fn say_withheld(step: &Step) {
    info!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.interface,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "detect mode, not done: {step}"
    );
}

fn say_failed(step: &Step, failure: &Failure, then: &str) {
    let Failure { code, message, .. } = failure;
    error!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.interface,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        error.code = code.as_deref(),
        "{step}: EC2 refused it, and {then}: {message}"
    );
}
