//! The log of an invocation's steps: a line for each change, and a line for each new obstacle.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use shared::{
    id::{FilterId, InstanceId, InterfaceId, TargetId},
    number::SessionNumber,
    plan::{
        reason::Reason,
        restrict::{Withheld, WithheldBy},
        step::{Action, Step},
    },
};
use tracing::{debug, error, info, warn};

use super::summary::Summary;
use crate::act::{
    failure::Failure,
    outcome::{Executed, Execution, Outcome},
};

/// Writes the log.
#[derive(Default)]
pub(crate) struct StepLog {
    /// Obstacles and refusals that are in the log already: each is logged once while it lasts, not at
    /// every sweep.
    logged: Mutex<BTreeSet<(InterfaceId, String)>>,
}

/// A step that is blocked, or that EC2 refused permanently.
struct Obstacle<'a> {
    step: &'a Step,
    failure: Option<&'a Failure>,
}

impl StepLog {
    /// Logs what became of a plan, but for the changes, which were logged when they happened. `pending`
    /// are the instances that EC2 showed as pending.
    pub(crate) fn log(
        &self,
        pending: &BTreeSet<InstanceId>,
        execution: &Execution,
        sweep: bool,
    ) -> Summary {
        let mut summary = summary(execution);
        let mut obstacles = Vec::new();
        for withheld in execution.withheld.iter().filter(|it| it.by == WithheldBy::DetectMode) {
            log_withheld(withheld);
        }
        log_draining(execution);
        for step in &execution.not_executed {
            if step.action == Action::Block {
                summary.blocked += 1;
                obstacles.push(Obstacle { step, failure: None });
            } else if !step.action.is_change() {
                debug!("{step}");
            }
        }
        for Executed { step, outcome } in &execution.executed {
            match outcome {
                Outcome::Done(_) => summary.count_change(&step.action),
                Outcome::OutOfTime => debug!("out of time: {step}"),
                Outcome::Failed(failure) if outcome.retry_policy().is_some() => {
                    log_failed(
                        step,
                        failure,
                        "automirror retries it, at the latest in the next sweep",
                    );
                }
                Outcome::Failed(failure) if is_pending(pending, step) => {
                    log_failed(step, failure, "the instance is pending, so its next event follows");
                }
                Outcome::Failed(failure) => {
                    summary.refused += 1;
                    obstacles.push(Obstacle { step, failure: Some(failure) });
                }
            }
        }
        log_left(execution);
        log_broken_setting(execution);
        self.log_obstacles(execution, &obstacles, sweep);
        summary
    }

    /// Logs the obstacles that are new.
    fn log_obstacles(&self, execution: &Execution, obstacles: &[Obstacle<'_>], sweep: bool) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeSet::new();
        for Obstacle { step, failure } in obstacles {
            let code = failure
                .map_or(step.reason.code(), |failure| failure.code.as_deref().unwrap_or("refused"));
            let key = (step.source.clone(), code.to_owned());
            if !logged.contains(&key) {
                match failure {
                    Some(failure) => log_failed(step, failure, "it is left to the next sweep"),
                    None => log_blocked(step),
                }
            }
            now.insert(key);
        }
        if sweep {
            *logged = now;
        } else {
            // What prevented these sources from being mirrored before may be over.
            let sources: BTreeSet<_> = execution.steps().map(|step| &step.source).collect();
            logged.retain(|(source, _)| !sources.contains(source));
            logged.extend(now);
        }
    }
}

/// What can be counted without looking at single failures.
fn summary(execution: &Execution) -> Summary {
    let Execution { not_executed, executed, withheld, .. } = execution;
    let unfinished = executed.iter().filter(|it| it.outcome.retry_policy().is_some());
    let mut summary = Summary {
        steps: not_executed.len() + executed.len() + withheld.len(),
        withheld: withheld.len(),
        refused: execution.over_quota().count(),
        unfinished: unfinished.count(),
        ..Summary::default()
    };
    for step in execution.steps() {
        *summary.reasons.entry(step.reason.code()).or_default() += 1;
    }
    summary
}

fn is_pending(pending: &BTreeSet<InstanceId>, step: &Step) -> bool {
    step.instance.as_ref().is_some_and(|instance| pending.contains(instance))
}

/// Logs a change that was carried out.
pub(crate) fn log_done(executed: &Executed) {
    let Executed { step, outcome: Outcome::Done(session) } = executed else { return };
    info!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.source,
        session.id = session.as_str(),
        session.number = step.action.number().map(SessionNumber::get),
        target.id = step.action.target().map(TargetId::as_str),
        filter.id = step.action.filter().map(FilterId::as_str),
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "done: {step}"
    );
}

fn log_blocked(step: &Step) {
    warn!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.source,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "{step}"
    );
}

fn log_withheld(withheld: &Withheld) {
    let step = &withheld.step;
    info!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.source,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        "detect mode, not done: {step}"
    );
}

/// Logs how many sessions still have to leave targets that are being drained.
fn log_draining(execution: &Execution) {
    let drained = execution.withheld.iter().filter(|it| it.by == WithheldBy::DrainLimit);
    let left = drained.count();
    if left > 0 {
        info!("{left} more sessions leave targets that are being drained with the next sweeps");
    }
}

fn log_failed(step: &Step, failure: &Failure, then: &str) {
    let Failure { code, message, .. } = failure;
    error!(
        instance.id = step.instance.as_ref().map(InstanceId::as_str),
        source.id = %step.source,
        step.action = step.action.name(),
        step.reason = step.reason.code(),
        error.code = code.as_deref(),
        "{step}: EC2 refused it, and {then}: {message}"
    );
}

/// Logs, once in each invocation, that the settings cannot be right.
fn log_broken_setting(execution: &Execution) {
    let mut reasons = execution.not_executed.iter().map(|step| &step.reason);
    if let Some(reason) = reasons.find(|reason| matches!(reason, Reason::SettingBroken { .. })) {
        error!(step.reason = reason.code(), "{reason}");
    }
}

/// Logs how many changes were not tried.
fn log_left(execution: &Execution) {
    let out_of_time = execution.executed.iter().filter(|it| it.outcome == Outcome::OutOfTime);
    let left = out_of_time.count();
    if left > 0 {
        warn!(
            plan.left = left,
            "the time was up with {left} changes left: automirror retries them"
        );
    }
    let untried = execution.over_quota().count();
    if untried > 0 {
        warn!(
            plan.untried = untried,
            "the account has reached its quota of sessions: {untried} more should be created"
        );
    }
}
