//! What became of an invocation's records, and the answer, which names what must be retried.

use std::{collections::BTreeSet, time::SystemTime};

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde_json::Value;
use shared::{id::InstanceId, plan::step::Step, text::sanitize};
use shared_ec2::selector::Selector;
use tracing::error;

use super::{inventory::Inventory, summary::Summary};
use crate::{
    act::outcome::RetryPolicy,
    event::parsed::{Launch, Scope},
};

/// How long to wait for an instance that an event has just named but EC2 does not show yet, in seconds:
/// EC2's answers may lag behind by minutes ("Eventual consistency in the EC2 API").
const MAX_LAG: i64 = 300;

/// A record is retried at most this often for what only the next read can explain, and for the rest of a
/// sweep that made changes. It is less than the receives after which the queue gives up.
const MAX_RECEIVES: u32 = 3;

/// The most characters of why nothing was done. Part of it is what EC2 says.
const MAX_MESSAGE: usize = 4_000;

/// A record that asks for something.
pub(crate) struct Request {
    pub(crate) message: Option<String>,
    pub(crate) receives: u32,
    pub(crate) scope: Scope,
}

/// What became of an invocation's records.
#[derive(Default)]
pub(crate) struct BatchResult {
    /// Why nothing could be concluded at all.
    pub(crate) failed: Option<String>,
    /// Steps that must be retried.
    pub(crate) unfinished: Vec<Unfinished>,
    /// Pending instances with a step that EC2 refused permanently.
    pub(crate) refused_while_pending: BTreeSet<InstanceId>,
    pub(crate) inventory: Inventory,
    pub(crate) summary: Summary,
}

/// A step that must be retried.
pub(crate) struct Unfinished {
    pub(crate) step: Step,
    pub(crate) policy: RetryPolicy,
}

impl BatchResult {
    pub(crate) fn failed(why: &str) -> Self {
        let why = sanitize(why, MAX_MESSAGE);
        error!("nothing was done, and the records are retried: {why}");
        Self { failed: Some(why), ..Self::default() }
    }

    pub(crate) fn note_refused<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>) {
        let instances = steps.into_iter().filter_map(|step| step.instance.as_ref());
        let pending = instances.filter(|instance| self.inventory.pending.contains(*instance));
        self.refused_while_pending.extend(pending.cloned());
    }

    /// Whether a record must be retried.
    fn is_unfinished(&self, request: &Request, now: SystemTime) -> bool {
        let Request { receives, scope, .. } = request;
        if self.failed.is_some() || scope.launched.as_ref().is_some_and(|it| self.lags(it, now)) {
            return true;
        }
        let is_fresh = *receives < MAX_RECEIVES;
        let makes_progress =
            scope.selectors.contains(&Selector::Sweep) && self.summary.has_changes();
        self.unfinished.iter().any(|Unfinished { step, policy }| {
            let mut selectors = scope.selectors.iter();
            let goes_on = *policy == RetryPolicy::UntilQueueGivesUp && !makes_progress;
            selectors.any(|it| self.inventory.concerns(it, step)) && (is_fresh || goes_on)
        })
    }

    /// Whether EC2 shows less of an instance than the event that told of it.
    fn lags(&self, launch: &Launch, now: SystemTime) -> bool {
        let Launch { instance, running, time } = launch;
        let refused_as_pending = *running && self.refused_while_pending.contains(instance);
        // `running` is the last event of a start: no later one would tell that the instance runs.
        let not_running_yet = *running && self.inventory.stopped.contains(instance);
        let is_behind =
            refused_as_pending || not_running_yet || !self.inventory.instances.contains(instance);
        is_behind && age(*time, now) < MAX_LAG
    }
}

/// Seconds from `time`, itself in seconds since 1970, to `now`.
fn age(time: i64, now: SystemTime) -> i64 {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX).saturating_sub(time)
}

pub(crate) fn answer_batch(
    requests: &[Request],
    result: &BatchResult,
    now: SystemTime,
) -> Result<Value, Diagnostic> {
    let mut answer = SqsBatchResponse::default();
    for request in requests.iter().filter(|request| result.is_unfinished(request, now)) {
        match &request.message {
            Some(message) => answer.add_failure(message),
            // Nothing names it, so the whole batch must be retried.
            None => return Err(diagnostic("Unfinished", "a message without an id".to_owned())),
        }
    }
    let returned = answer.batch_item_failures.len();
    result.summary.log(requests.len(), returned);
    serde_json::to_value(answer).map_err(|error| diagnostic("Answer", error.to_string()))
}

pub(crate) fn answer_single(
    requests: &[Request],
    result: &BatchResult,
    now: SystemTime,
) -> Result<Value, Diagnostic> {
    let unfinished = requests.iter().any(|request| result.is_unfinished(request, now));
    result.summary.log(requests.len(), usize::from(unfinished));
    if let Some(why) = &result.failed {
        return Err(diagnostic("ReadFailed", why.clone()));
    }
    if unfinished {
        let steps = result.unfinished.iter().take(3).map(|unfinished| unfinished.step.to_string());
        let steps: Vec<_> = steps.collect();
        let count = result.unfinished.len();
        let message = format!("{count} steps must be retried, such as {steps:?}");
        return Err(diagnostic("Unfinished", message));
    }
    serde_json::to_value(&result.summary).map_err(|error| diagnostic("Answer", error.to_string()))
}

pub(crate) fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_was_done_stays_on_one_line_of_the_log() {
        let result = BatchResult::failed("could not describe instances: two\nlines");
        assert_eq!(result.failed.unwrap(), "could not describe instances: two\u{fffd}lines");
    }
}
