//! The log of an invocation's steps: a line for each change, and a line for each new obstacle.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use shared::{
    id::{FilterId, InstanceId, TargetId},
    number::SessionNumber,
    plan::{
        reason::Reason,
        restrict::WithheldBy,
        step::{Action, Step},
    },
};
use shared_ec2::selector::Selector;
use tracing::{debug, error, info, warn};

use super::{
    inventory::Inventory,
    ledger::{Fate, fate},
};
use crate::act::{
    failure::Failure,
    outcome::{Executed, Execution, Outcome},
    usage::Usage,
};

/// What lasts is said again after this time, so that the log of a day has all of it.
const REPETITION: Duration = Duration::from_hours(24);

/// The sessions that an account may have ("Traffic Mirroring quotas"), if nobody has raised that.
const ACCOUNT_SESSIONS: usize = 10_000;

/// From this share of its room on, something is said to be nearly full.
const NEARLY_FULL: usize = 80;

/// What that is remembered by, and what is about no source.
const NEARLY_FULL_CODE: &str = "nearly-full";
const ACCOUNT: &str = "account";

/// How many of the instances of a held back deletion the log names.
const MAX_NAMED: usize = 5;

/// Writes the log.
#[derive(Default)]
pub(crate) struct StepLog {
    /// What is in the log already, and since when: it is said once while it lasts and then once a day, not
    /// at every sweep. By what it is about, and a code.
    logged: Mutex<BTreeMap<(String, String), SystemTime>>,
}

/// A step that is blocked, or that EC2 refused permanently.
struct Obstacle<'a> {
    step: &'a Step,
    failure: Option<&'a Failure>,
}

impl StepLog {
    /// Logs what became of a plan, but for the changes, which were logged when they happened.
    pub(crate) fn log(
        &self,
        inventory: &Inventory,
        execution: &Execution,
        selectors: &BTreeSet<Selector>,
        now: SystemTime,
    ) {
        let mut obstacles = Vec::new();
        let sweep = selectors.contains(&Selector::Sweep);
        log_withheld(execution);
        for step in &execution.not_executed {
            if matches!(step.reason, Reason::SettingBroken { .. }) {
                // Said once for all of them.
            } else if step.action == Action::Block {
                obstacles.push(Obstacle { step, failure: None });
            } else if !step.action.is_change() {
                log_unchanged(inventory, step);
            }
        }
        for Executed { step, outcome } in &execution.executed {
            match (outcome, fate(step, outcome, &inventory.pending)) {
                (Outcome::Done(_), _) => {}
                (Outcome::OutOfTime, _) => debug!("out of time: {step}"),
                (Outcome::Failed(failure), Fate::Unfinished) => {
                    log_failed(
                        step,
                        failure,
                        "automirror retries it, at the latest in the next sweep",
                    );
                }
                (Outcome::Failed(failure), Fate::Nothing) => {
                    log_failed(step, failure, "the instance is pending, so its next event follows");
                }
                (Outcome::Failed(failure), _) => {
                    obstacles.push(Obstacle { step, failure: Some(failure) });
                }
            }
        }
        log_left(execution);
        log_broken_setting(execution);
        if let Some(usage) = &execution.usage {
            self.log_usage(usage, now);
        }
        self.log_obstacles(execution, &obstacles, sweep, now);
    }

    /// Logs the obstacles that are new, and each day the others.
    fn log_obstacles(
        &self,
        execution: &Execution,
        obstacles: &[Obstacle<'_>],
        sweep: bool,
        now: SystemTime,
    ) {
        let mut present = BTreeSet::new();
        for Obstacle { step, failure } in obstacles {
            let code = failure
                .map_or(step.reason.code(), |failure| failure.code.as_deref().unwrap_or("refused"));
            // Each sweep, another one of those without room is the first to be refused.
            let is_of_account = failure.is_some_and(Failure::is_account_full);
            let about = if is_of_account { ACCOUNT } else { step.source.as_str() };
            let key = (about.to_owned(), code.to_owned());
            if self.is_due(&key, now) {
                match failure {
                    Some(failure) => log_failed(step, failure, "it is left to the next sweep"),
                    None => log_blocked(step),
                }
            }
            present.insert(key);
        }
        // What prevented these sources from being mirrored before may be over.
        let sources: BTreeSet<_> = execution.steps().map(|step| step.source.as_str()).collect();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|key, _| {
            let (about, code) = key;
            let is_looked_at = sweep && (about.starts_with("eni-") || about == ACCOUNT);
            let is_over = is_looked_at || sources.contains(about.as_str());
            !is_over || code == NEARLY_FULL_CODE || present.contains(key)
        });
    }

    /// Whether this is to be said now; remembers that it is.
    fn is_due(&self, key: &(String, String), now: SystemTime) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = logged
            .get(key)
            .is_some_and(|said| now.duration_since(*said).is_ok_and(|age| age < REPETITION));
        if !is_recent {
            logged.insert(key.clone(), now);
        }
        !is_recent
    }

    /// Warns, once a day, of what is nearly full.
    fn log_usage(&self, usage: &Usage, now: SystemTime) {
        let is_nearly_full = |used: usize, room: usize| used * 100 >= room * NEARLY_FULL;
        let targets = usage.room.targets.iter();
        for (target, (used, room)) in targets.filter_map(|(id, it)| Some((id, it.used?))) {
            let key = (target.to_string(), NEARLY_FULL_CODE.to_owned());
            if is_nearly_full(used, room) && self.is_due(&key, now) {
                warn!(
                    target_id = target.as_str(),
                    sources = used,
                    room,
                    "target {target} is nearly full: {used} of {room} sources"
                );
            }
        }
        let used = usage.sessions;
        let key = (ACCOUNT.to_owned(), NEARLY_FULL_CODE.to_owned());
        if is_nearly_full(used, ACCOUNT_SESSIONS) && self.is_due(&key, now) {
            warn!(
                sessions = used,
                room = ACCOUNT_SESSIONS,
                "the account has {used} sessions, and its quota is {ACCOUNT_SESSIONS} if nobody has raised it"
            );
        }
    }
}

/// Logs a change that was carried out, and what it was done for.
pub(crate) fn log_done(executed: &Executed, cause: &str) {
    let Executed { step, outcome: Outcome::Done(session) } = executed else { return };
    info!(
        instance_id = step.instance.as_ref().map(InstanceId::as_str),
        source_id = %step.source,
        session_id = session.as_str(),
        session_number = step.action.number().map(SessionNumber::get),
        target_id = step.action.target().map(TargetId::as_str),
        filter_id = step.action.filter().map(FilterId::as_str),
        action = step.action.name(),
        reason = step.reason.code(),
        cause,
        "done: {step} (because of: {cause})"
    );
}

/// Says why an instance that somebody tagged is or is not mirrored; of all others it is detail.
fn log_unchanged(inventory: &Inventory, step: &Step) {
    if step.instance.as_ref().is_some_and(|it| inventory.with_key.contains(it)) {
        info!(
            instance_id = step.instance.as_ref().map(InstanceId::as_str),
            source_id = %step.source,
            action = step.action.name(),
            reason = step.reason.code(),
            "{step}"
        );
    } else {
        debug!("{step}");
    }
}

fn log_blocked(step: &Step) {
    // What the other installation does is worth an alarm: the two would undo each other's changes.
    if matches!(step.reason, Reason::OtherInstallation { .. }) {
        error!(source_id = %step.source, reason = step.reason.code(), "{step}");
        return;
    }
    warn!(
        instance_id = step.instance.as_ref().map(InstanceId::as_str),
        source_id = %step.source,
        action = step.action.name(),
        reason = step.reason.code(),
        "{step}"
    );
}

/// Logs what is not carried out, and why.
fn log_withheld(execution: &Execution) {
    let by = |by| execution.withheld.iter().filter(move |it| it.by == by).map(|it| &it.step);
    for step in by(WithheldBy::DetectMode) {
        info!(
            instance_id = step.instance.as_ref().map(InstanceId::as_str),
            source_id = %step.source,
            action = step.action.name(),
            reason = step.reason.code(),
            "only looked, not done: {step}"
        );
    }
    let left = by(WithheldBy::DrainLimit).count();
    if left > 0 {
        info!("{left} more sessions leave targets that are being drained with the next sweeps");
    }
    log_held_back(&by(WithheldBy::DeletionLimit).collect::<Vec<_>>());
    for step in by(WithheldBy::Unstable) {
        error!(
            instance_id = step.instance.as_ref().map(InstanceId::as_str),
            source_id = %step.source,
            action = step.action.name(),
            reason = "unstable",
            "the interface was changed more than three times in ten minutes, so for ten minutes it is left \
             as it is; not done: {step}"
        );
    }
}

/// Logs, once in each invocation, that more sessions would go than `MIRROR_DELETION_LIMIT` allows.
fn log_held_back(steps: &[&Step]) {
    if steps.is_empty() {
        return;
    }
    let instances: BTreeSet<_> = steps.iter().filter_map(|step| step.instance.as_ref()).collect();
    let named: Vec<_> = instances.iter().take(MAX_NAMED).map(|it| it.as_str()).collect();
    let first = steps.first().map(ToString::to_string).unwrap_or_default();
    error!(
        held_back = steps.len(),
        instances = named.join(", "),
        "MIRROR_DELETION_LIMIT: {} sessions stay that tags or settings no longer ask for, such as: {first}. \
         If that is meant, invoke the function with {{\"sweep\":true,\"unlimited\":true}}",
        steps.len(),
    );
}

fn log_failed(step: &Step, failure: &Failure, then: &str) {
    let Failure { code, message, .. } = failure;
    error!(
        instance_id = step.instance.as_ref().map(InstanceId::as_str),
        source_id = %step.source,
        action = step.action.name(),
        reason = step.reason.code(),
        error_code = code.as_deref(),
        "{step}: EC2 refused it, and {then}: {message}"
    );
}

/// Logs, once in each invocation, that the settings cannot be right.
fn log_broken_setting(execution: &Execution) {
    let mut reasons = execution.not_executed.iter().map(|step| &step.reason);
    if let Some(reason) = reasons.find(|reason| matches!(reason, Reason::SettingBroken { .. })) {
        error!(reason = reason.code(), "{reason}");
    }
}

/// Logs how many changes were not tried.
fn log_left(execution: &Execution) {
    let out_of_time = execution.executed.iter().filter(|it| it.outcome == Outcome::OutOfTime);
    let left = out_of_time.count();
    if left > 0 {
        warn!(left, "the time was up with {left} changes left: automirror retries them");
    }
    let untried = execution.untried().count();
    if untried > 0 {
        warn!(
            untried,
            "the account has reached its quota of sessions: {untried} more should be created"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_once_a_day_and_each_thing_by_its_own_day() {
        let log = StepLog::default();
        let at = |hours: u64| SystemTime::UNIX_EPOCH + Duration::from_hours(1_000 + hours);
        let key = |about: &str, code: &str| (about.to_owned(), code.to_owned());
        let (full, other) = (key("eni-1", "target-full"), key("eni-1", "filter-empty"));
        let said: Vec<u64> = (0..60).filter(|hours| log.is_due(&full, at(*hours))).collect();
        assert_eq!(said, [0, 24, 48]);
        // The same interface's other obstacle, and the same obstacle of another one, have days of their own.
        assert!(log.is_due(&other, at(50)) && log.is_due(&key("eni-2", "target-full"), at(50)));
        assert!(!log.is_due(&other, at(73)) && log.is_due(&other, at(74)));
        // A clock that is put back says it once more than needed, and not less.
        assert!(log.is_due(&full, at(40)) && !log.is_due(&full, at(63)));
    }
}
