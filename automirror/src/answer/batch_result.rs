//! What became of an invocation's records, and what must be retried.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use serde::Serialize;
use shared::{
    id::{InstanceId, InterfaceId},
    plan::step::Step,
    text::sanitize,
};
use shared_ec2::{ObserveError, selector::Selector};
use tracing::warn;

use super::{
    inventory::Inventory,
    ledger::Ledger,
    summary::{RoomNumbers, Summary},
};
use crate::{
    act::outcome::{Executed, Execution, Outcome, RetryPolicy},
    event::parsed::{Launch, Scope},
};

/// How long to wait for an instance that an event has just named but EC2 does not show yet, in seconds:
/// EC2's answers may lag behind by minutes ("Eventual consistency in the EC2 API").
const MAX_LAG: i64 = 300;

/// What only the next read can explain is tried so often in an invocation, and the rest of a sweep that made
/// changes is delivered so often. It is less than the receives after which the queue gives up.
const MAX_TRIES: u32 = 3;

/// So many sources are looked at again within an invocation; with more the queue delivers the records again.
const MAX_LOOKED_AT_AGAIN: usize = 200;

/// The most characters of why nothing was done. Part of it is what EC2 says.
const MAX_MESSAGE: usize = 4_000;

/// The most steps of an answer to a direct call: Lambda takes 6 MB.
const MAX_REPORTED: usize = 1_000;

/// A record that asks for something.
pub(crate) struct Request {
    pub(crate) message: Option<String>,
    pub(crate) receives: u32,
    pub(crate) scope: Scope,
}

/// What became of the records that were worked as one.
#[derive(Default)]
pub(crate) struct BatchResult {
    /// Why nothing could be concluded at all.
    pub(crate) failed: Option<ReadFailure>,
    /// Steps that must be retried.
    pub(crate) unfinished: Vec<Unfinished>,
    /// How often this invocation has tried what only the next read can explain, by source.
    pub(crate) tries: BTreeMap<InterfaceId, u32>,
    /// Pending instances with a step that EC2 refused permanently.
    pub(crate) refused_while_pending: BTreeSet<InstanceId>,
    pub(crate) inventory: Inventory,
    pub(crate) ledger: Ledger,
    /// The room on the allowed targets, where every session was read.
    pub(crate) room: Option<RoomNumbers>,
    /// Instances that an event named, but EC2 does not show.
    pub(crate) not_shown: Vec<String>,
    /// The changes that were carried out.
    pub(crate) done: Vec<Executed>,
    /// The steps, for the answer to a direct call.
    pub(crate) reported: Vec<Reported>,
}

/// Why EC2 could not be read.
pub(crate) struct ReadFailure {
    pub(crate) message: String,
    /// It lies in what was asked about, so the other half of it may be read.
    is_divisible: bool,
}

/// A step that must be retried.
pub(crate) struct Unfinished {
    pub(crate) step: Step,
    pub(crate) policy: RetryPolicy,
}

/// A step in the answer to a direct call.
#[derive(Debug, Serialize)]
pub(crate) struct Reported {
    instance: Option<String>,
    interface: String,
    action: &'static str,
    reason: &'static str,
    text: String,
    /// What became of a change.
    outcome: Option<&'static str>,
}

impl ReadFailure {
    pub(crate) fn of(error: ObserveError) -> Self {
        let is_divisible = error.is_about_content();
        let message = sanitize(&format!("{:#}", anyhow::Error::from(error)), MAX_MESSAGE);
        Self { message, is_divisible }
    }

    pub(crate) fn out_of_time() -> Self {
        let message = "EC2 could not be read before the time was up".to_owned();
        Self { message, is_divisible: false }
    }
}

impl BatchResult {
    pub(crate) fn failed(why: ReadFailure) -> Self {
        warn!("nothing was done: {}", why.message);
        Self { failed: Some(why), ..Self::default() }
    }

    /// The numbers.
    pub(crate) fn summary(&self) -> Summary {
        let Self { room, not_shown, .. } = self;
        Summary { room: *room, not_shown: not_shown.clone(), ..Summary::of(&self.ledger) }
    }

    /// Whether half of what was asked about may be read.
    pub(crate) fn is_divisible(&self) -> bool {
        self.failed.as_ref().is_some_and(|failure| failure.is_divisible)
    }

    pub(crate) fn note_refused<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>) {
        let instances = steps.into_iter().filter_map(|step| step.instance.as_ref());
        let pending = instances.filter(|instance| self.inventory.pending.contains(*instance));
        self.refused_while_pending.extend(pending.cloned());
    }

    /// Keeps the steps for the answer: all of named instances, of a sweep what it changes or cannot do.
    pub(crate) fn report(&mut self, selectors: &BTreeSet<Selector>, execution: &Execution) {
        let sweep = selectors.contains(&Selector::Sweep);
        let executed = execution.executed.iter().map(|it| (&it.step, Some(word(&it.outcome))));
        let withheld = execution.withheld.iter().map(|it| (&it.step, Some("withheld")));
        let left = execution.not_executed.iter().map(|step| (step, None));
        let matters =
            |step: &Step| !sweep || step.action.is_change() || step.action.name() == "block";
        let steps = executed.chain(withheld).chain(left).filter(|(step, _)| matters(step));
        self.reported = steps.take(MAX_REPORTED).map(|(step, it)| Reported::of(step, it)).collect();
    }

    /// Takes over what a later look at what was unfinished has come to.
    pub(crate) fn update(&mut self, later: Self) {
        if self.failed.is_some() {
            *self = later;
            return;
        }
        if later.failed.is_some() {
            return;
        }
        // What the later look was not shown stays unfinished.
        let seen = later.ledger.sources();
        self.unfinished.retain(|it| !seen.contains(&it.step.source));
        self.unfinished.extend(later.unfinished);
        for (source, tries) in later.tries {
            *self.tries.entry(source).or_default() += tries;
        }
        self.refused_while_pending.retain(|it| !later.inventory.instances.contains(it));
        self.refused_while_pending.extend(later.refused_while_pending);
        self.inventory.update(later.inventory);
        self.ledger.update(later.ledger);
        self.room = later.room.or(self.room);
        self.not_shown = later.not_shown;
        self.done.extend(later.done);
        self.reported.extend(later.reported);
    }

    /// Whether a record must be looked at again.
    pub(crate) fn is_unfinished(&self, request: &Request, now: SystemTime) -> bool {
        self.failed.is_some()
            || self.lagging(request, now).is_some()
            || self.unfinished.iter().any(|it| self.must_retry(request, it))
    }

    /// Whether a step that is not done makes the record come again.
    fn must_retry(&self, request: &Request, unfinished: &Unfinished) -> bool {
        let Request { receives, scope, .. } = request;
        let Unfinished { step, policy } = unfinished;
        let makes_progress = scope.selectors.contains(&Selector::Sweep) && !self.done.is_empty();
        let goes_on = match policy {
            RetryPolicy::FewTimes => {
                let tries = self.tries.get(&step.source).copied().unwrap_or_default();
                tries < MAX_TRIES && *receives <= MAX_TRIES
            }
            RetryPolicy::UntilQueueGivesUp => !makes_progress || *receives < MAX_TRIES,
        };
        goes_on && scope.selectors.iter().any(|it| self.inventory.concerns(it, step))
    }

    /// The instance of which EC2 shows less than the event that told of it.
    fn lagging<'r>(&self, request: &'r Request, now: SystemTime) -> Option<&'r InstanceId> {
        let launch = request.scope.launched.as_ref()?;
        let Launch { instance, running, time } = launch;
        let refused_as_pending = *running && self.refused_while_pending.contains(instance);
        // `running` is the last event of a start: no later one would tell that the instance runs.
        let not_running_yet = *running && self.inventory.stopped.contains(instance);
        let is_behind =
            refused_as_pending || not_running_yet || !self.inventory.instances.contains(instance);
        (is_behind && age(*time, request.receives, now) < MAX_LAG).then_some(instance)
    }

    /// What to look at again in this invocation, of what these records ask for.
    pub(crate) fn look_again(&self, requests: &[&Request], now: SystemTime) -> BTreeSet<Selector> {
        let lagging = requests.iter().filter_map(|request| self.lagging(request, now));
        let mut selectors: BTreeSet<_> = lagging.cloned().map(Selector::Started).collect();
        for unfinished in &self.unfinished {
            if requests.iter().any(|request| self.must_retry(request, unfinished)) {
                selectors.insert(Selector::Interface(unfinished.step.source.clone()));
            }
            if selectors.len() > MAX_LOOKED_AT_AGAIN {
                return BTreeSet::new();
            }
        }
        selectors
    }
}

impl Reported {
    fn of(step: &Step, outcome: Option<&'static str>) -> Self {
        Self {
            instance: step.instance.as_ref().map(ToString::to_string),
            interface: step.source.to_string(),
            action: step.action.name(),
            reason: step.reason.code(),
            text: step.to_string(),
            outcome,
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Failed(_) if outcome.retry_policy().is_some() => "failed, to be tried again",
        Outcome::Failed(_) => "refused",
        Outcome::OutOfTime => "not tried, the time was up",
    }
}

/// Seconds from `time`, itself in seconds since 1970, to `now`. A time in the future is now, when the
/// message comes for the first time; afterwards it says nothing.
fn age(time: i64, receives: u32, now: SystemTime) -> i64 {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX).saturating_sub(time);
    if age < 0 && receives > 1 { i64::MAX } else { age.max(0) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_in_the_future_is_waited_for_once() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        assert_eq!(age(990, 5, now), 10);
        assert_eq!(age(7_226_582_400, 1, now), 0);
        assert!(age(7_226_582_400, 2, now) > MAX_LAG);
        assert!(age(i64::MIN, 1, now) > MAX_LAG);
    }
}
