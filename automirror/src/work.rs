//! What came of an invocation's records, and how it is answered: what must come again is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde_json::Value;
use shared::{
    id::{InstanceId, InterfaceId, SessionId},
    observed::{Instance, InstanceState, Observed},
    step::Step,
    subject::Subject,
    text::fit,
};
use tracing::error;

use crate::{
    event::{Launched, Look},
    report::{Patience, Report},
};

/// An instance that an event has just seen but EC2 does not show yet is waited for this long, in
/// seconds: EC2's answers may lag behind by minutes ("Eventual consistency in the EC2 API").
const LAG: i64 = 300;

/// A record is brought again at most this often for what only the next look can explain, and for the
/// rest of a sweep that got on. It stays below the receives after which the queue gives up.
const RECEIVES: u32 = 3;

/// The most characters of why nothing was done. Part of it is what EC2 says.
const LONGEST: usize = 4_000;

/// A record that asks for something.
pub(crate) struct Asked {
    pub(crate) message: Option<String>,
    pub(crate) receives: u32,
    pub(crate) look: Look,
}

/// What came of an invocation's records.
#[derive(Default)]
pub(crate) struct Work {
    /// Nothing could be concluded at all.
    pub(crate) failed: Option<String>,
    /// Steps that must be tried again.
    pub(crate) unfinished: Vec<(Step, Patience)>,
    /// Pending instances with a step that EC2 refused for good.
    pub(crate) refused: BTreeSet<InstanceId>,
    pub(crate) seen: Seen,
    pub(crate) report: Report,
}

/// What is needed of the observed after the plan was carried out.
#[derive(Default)]
pub(crate) struct Seen {
    /// Instances that EC2 shows, with an interface where they should have one.
    pub(crate) instances: BTreeSet<InstanceId>,
    pub(crate) pending: BTreeSet<InstanceId>,
    /// Instances that EC2 shows as stopping or stopped.
    stopped: BTreeSet<InstanceId>,
    /// The instance of each interface.
    interfaces: BTreeMap<InterfaceId, InstanceId>,
    /// The interface of each session.
    sessions: BTreeMap<SessionId, InterfaceId>,
}

impl Seen {
    /// For a sweep alone only what is pending is asked for later, and there may be very many instances.
    pub(crate) fn new(observed: &Observed, subjects: &BTreeSet<Subject>) -> Self {
        let is_sweep_alone = subjects.iter().all(|subject| *subject == Subject::Sweep);
        let mut seen = Self::default();
        for instance in &observed.instances {
            if instance.state == InstanceState::Pending {
                seen.pending.insert(instance.id.clone());
            }
            if !is_sweep_alone {
                seen.enter(instance);
            }
        }
        if !is_sweep_alone {
            let sessions = observed.sessions.iter().map(|it| (it.id.clone(), it.interface.clone()));
            seen.sessions = sessions.collect();
        }
        seen
    }

    fn enter(&mut self, instance: &Instance) {
        let Instance { id, state, interfaces, .. } = instance;
        self.interfaces.extend(interfaces.iter().map(|found| (found.id.clone(), id.clone())));
        if instance.is_whole() {
            self.instances.insert(id.clone());
        }
        if matches!(state, InstanceState::Stopping | InstanceState::Stopped) {
            self.stopped.insert(id.clone());
        }
    }
}

impl Work {
    pub(crate) fn failed(why: &str) -> Self {
        let why = fit(why, LONGEST);
        error!("nothing was done, the records come again: {why}");
        Self { failed: Some(why), ..Self::default() }
    }

    pub(crate) fn note_refused<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>) {
        let instances = steps.into_iter().filter_map(|step| step.instance.as_ref());
        let pending = instances.filter(|instance| self.seen.pending.contains(*instance));
        self.refused.extend(pending.cloned());
    }

    /// Whether a record must come again.
    fn is_unfinished(&self, asked: &Asked, now: SystemTime) -> bool {
        let Asked { receives, look, .. } = asked;
        if self.failed.is_some() || look.launched.as_ref().is_some_and(|it| self.lags(it, now)) {
            return true;
        }
        let is_fresh = *receives < RECEIVES;
        let gets_on = look.subjects.contains(&Subject::Sweep) && self.report.has_changes();
        self.unfinished.iter().any(|(step, patience)| {
            look.subjects.iter().any(|subject| self.concerns(subject, step))
                && (is_fresh || (*patience == Patience::Long && !gets_on))
        })
    }

    /// Whether EC2 shows less of an instance than the event that told of it.
    fn lags(&self, launched: &Launched, now: SystemTime) -> bool {
        let Launched { instance, running, time } = launched;
        let refused_as_pending = *running && self.refused.contains(instance);
        // Its last event: nothing else would tell that it runs.
        let not_running_yet = *running && self.seen.stopped.contains(instance);
        let is_behind =
            refused_as_pending || not_running_yet || !self.seen.instances.contains(instance);
        is_behind && age(*time, now) < LAG
    }

    /// Whether a step is about what a record names, or about its neighbours on the same instance.
    fn concerns(&self, subject: &Subject, step: &Step) -> bool {
        let on_same_instance = |interface: &InterfaceId| {
            let instance = self.seen.interfaces.get(interface);
            step.interface == *interface
                || (instance.is_some() && step.instance.as_ref() == instance)
        };
        match subject {
            Subject::Sweep => true,
            Subject::Detached => step.instance.is_none(),
            Subject::Instance(instance) | Subject::Started(instance) => {
                step.instance.as_ref() == Some(instance)
            }
            Subject::Interface(interface) => on_same_instance(interface),
            Subject::Session(session) => {
                self.seen.sessions.get(session).is_some_and(on_same_instance)
            }
        }
    }
}

/// Seconds from `time`, itself in seconds since 1970, to `now`.
fn age(time: i64, now: SystemTime) -> i64 {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX).saturating_sub(time)
}

pub(crate) fn answer_batch(
    records: &[Asked],
    work: &Work,
    now: SystemTime,
) -> Result<Value, Diagnostic> {
    let mut answer = SqsBatchResponse::default();
    for asked in records.iter().filter(|asked| work.is_unfinished(asked, now)) {
        match &asked.message {
            Some(message) => answer.add_failure(message),
            // It cannot be named, so the whole batch must come again.
            None => return Err(diagnostic("Unfinished", "a message without an id".to_owned())),
        }
    }
    let returned = answer.batch_item_failures.len();
    work.report.summary(records.len(), returned);
    serde_json::to_value(answer).map_err(|error| diagnostic("Answer", error.to_string()))
}

pub(crate) fn answer_single(
    records: &[Asked],
    work: &Work,
    now: SystemTime,
) -> Result<Value, Diagnostic> {
    let unfinished = records.iter().any(|asked| work.is_unfinished(asked, now));
    work.report.summary(records.len(), usize::from(unfinished));
    if let Some(why) = &work.failed {
        return Err(diagnostic("ReadFailed", why.clone()));
    }
    if unfinished {
        let steps: Vec<_> =
            work.unfinished.iter().take(3).map(|(step, _)| step.to_string()).collect();
        let count = work.unfinished.len();
        let message = format!("{count} steps must be tried again, such as {steps:?}");
        return Err(diagnostic("Unfinished", message));
    }
    serde_json::to_value(&work.report).map_err(|error| diagnostic("Answer", error.to_string()))
}

pub(crate) fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nothing_was_done_stays_on_one_line_of_the_log() {
        let work = Work::failed("could not describe instances: two\nlines");
        assert_eq!(work.failed.unwrap(), "could not describe instances: two\u{fffd}lines");
    }
}
