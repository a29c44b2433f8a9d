//! One invocation: read the events, look at what they name, plan, act, answer.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::sqs::SqsBatchResponse;
use aws_sdk_ec2::Client;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{
    id::{AccountId, InstanceId, InterfaceId, SessionId},
    observe::observe,
    observed::{InstanceState, Observed},
    plan::plan,
    policy::{Mode, Policy},
    step::Step,
    subject::Subject,
};
use tracing::{error, info, warn};

use crate::{
    cloudtrail::Identity,
    deadline::{Deadline, now},
    event::{Look, Reader, Reading, Record, Request, Shape},
    execute::{Executor, Invocation, Outcome},
    report::{Report, Reporter},
};

/// An instance that an event has just seen but EC2 does not show yet is waited for this long, in
/// seconds: EC2's answers may lag behind by minutes ("Eventual consistency in the EC2 API").
const LAG: i64 = 300;

/// The function.
pub(crate) struct Handler {
    policy: Policy,
    us: Identity,
    ec2: Client,
    executor: Executor,
    reporter: Reporter,
}

impl Handler {
    pub(crate) fn new(policy: Policy, us: Identity, ec2: Client) -> Self {
        let executor = Executor::new(ec2.clone());
        Self { policy, us, ec2, executor, reporter: Reporter::default() }
    }

    /// Answers one invocation: a batch with the messages that must come again, anything else with
    /// a summary, or with an error where it must come again as a whole.
    pub(crate) async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let reader = Reader { policy: &self.policy, us: &self.us };
        let Request { shape, records } = reader.request(payload);
        let records: Vec<_> =
            records.into_iter().filter_map(|record| look(record, shape)).collect();
        let records = records.into_iter().collect::<Result<Vec<_>, _>>()?;
        let subjects = records.iter().flat_map(|(_, look)| look.subjects.clone()).collect();
        let deleted = records.iter().filter_map(|(_, look)| look.deleted.clone()).collect();
        let work = self.reconcile(&context, &subjects, &deleted).await;
        match shape {
            Shape::Batch => answer_batch(&records, &work),
            Shape::Single => answer_single(&records, &work),
        }
    }

    async fn reconcile(
        &self,
        context: &Context,
        subjects: &BTreeSet<Subject>,
        deleted: &BTreeSet<SessionId>,
    ) -> Work {
        let deadline = Deadline::at(context.deadline);
        if subjects.is_empty() {
            return Work::default();
        }
        let account = match account(&context.invoked_function_arn) {
            Ok(account) => account,
            Err(why) => return Work::failed(why),
        };
        let read = observe(&self.ec2, &self.policy, &account, subjects);
        let observed = match deadline.cut(read).await {
            Some(Ok(observed)) => observed,
            Some(Err(error)) => return Work::failed(format!("{:#}", anyhow::Error::from(error))),
            None => return Work::failed("EC2 could not be read before the time was up".to_owned()),
        };
        let seen = Seen::new(&observed);
        let steps = match self.policy.mode {
            Mode::Enforce => {
                let id = &context.request_id;
                let invocation = Invocation { policy: &self.policy, id, deleted, deadline };
                self.executor.execute(invocation, observed).await
            }
            Mode::Detect => {
                let steps = plan(&self.policy, &observed).steps;
                steps.into_iter().map(|step| (step, Outcome::Noted)).collect()
            }
        };
        let sweep = subjects.contains(&Subject::Everything);
        let mut report = self.reporter.report(&seen.pending, &steps, sweep);
        report.not_shown = subjects
            .iter()
            .filter_map(|subject| match subject {
                Subject::Instance(id) if !seen.instances.contains(id) => Some(id.to_string()),
                _ => None,
            })
            .collect();
        let unfinished = steps.into_iter().filter(|(_, outcome)| outcome.comes_again());
        let unfinished = unfinished.map(|(step, _)| step).collect();
        Work { failed: None, unfinished, seen, report }
    }
}

/// What came of an invocation's records.
#[derive(Default)]
struct Work {
    /// Nothing could be concluded at all.
    failed: Option<String>,
    /// Steps that must be tried again.
    unfinished: Vec<Step>,
    seen: Seen,
    report: Report,
}

/// What is needed of the observed after the plan was carried out.
#[derive(Default)]
struct Seen {
    instances: BTreeSet<InstanceId>,
    pending: BTreeSet<InstanceId>,
    /// The interface of each session.
    sessions: BTreeMap<SessionId, InterfaceId>,
}

impl Seen {
    fn new(observed: &Observed) -> Self {
        let pending = observed.instances.iter().filter(|i| i.state == InstanceState::Pending);
        let sessions = observed.sessions.iter().map(|s| (s.id.clone(), s.interface.clone()));
        Self {
            instances: observed.instances.iter().map(|i| i.id.clone()).collect(),
            pending: pending.map(|i| i.id.clone()).collect(),
            sessions: sessions.collect(),
        }
    }
}

impl Work {
    fn failed(why: String) -> Self {
        error!("nothing was done, the records come again: {why}");
        Self { failed: Some(why), ..Self::default() }
    }

    /// Whether a record must come again.
    fn is_unfinished(&self, look: &Look) -> bool {
        if self.failed.is_some() {
            return true;
        }
        let lagging = look.launched.as_ref().is_some_and(|(instance, time)| {
            !self.seen.instances.contains(instance) && age(*time) < LAG
        });
        lagging
            || self
                .unfinished
                .iter()
                .any(|step| look.subjects.iter().any(|subject| self.concerns(subject, step)))
    }

    fn concerns(&self, subject: &Subject, step: &Step) -> bool {
        match subject {
            Subject::Everything => true,
            Subject::Detached => step.instance.is_none(),
            Subject::Instance(instance) => step.instance.as_ref() == Some(instance),
            Subject::Interface(interface) => step.interface == *interface,
            Subject::Session(session) => self.seen.sessions.get(session) == Some(&step.interface),
        }
    }
}

/// Seconds since `time`, itself in seconds since 1970.
fn age(time: i64) -> i64 {
    let since_1970 = now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX).saturating_sub(time)
}

/// What a record asks to look at. One that asks for nothing is said in the log and done with; only
/// a caller who made it by hand gets an error.
fn look(record: Record, shape: Shape) -> Option<Result<(Option<String>, Look), Diagnostic>> {
    let Record { message, reading } = record;
    let id = message.as_deref().unwrap_or("none");
    match (reading, shape) {
        (Reading::Look(look), _) => Some(Ok((message, look))),
        (Reading::Ignored(why), _) => {
            info!(message.id = id, "ignored an event: {why}");
            None
        }
        (Reading::Unreadable(why), Shape::Batch) => {
            warn!(message.id = id, "dropped a message that cannot be read: {why}");
            None
        }
        (Reading::Unreadable(why), Shape::Single) => {
            warn!("cannot read the event: {why}");
            Some(Err(diagnostic("UnreadableEvent", why)))
        }
    }
}

fn answer_batch(records: &[(Option<String>, Look)], work: &Work) -> Result<Value, Diagnostic> {
    let mut answer = SqsBatchResponse::default();
    for (message, look) in records {
        if !work.is_unfinished(look) {
            continue;
        }
        match message {
            Some(message) => answer.add_failure(message),
            // It cannot be named, so the whole batch must come again.
            None => return Err(diagnostic("Unfinished", "a message without an id".to_owned())),
        }
    }
    let returned = answer.batch_item_failures.len();
    work.report.summary(records.len(), returned);
    serde_json::to_value(answer).map_err(|error| diagnostic("Answer", error.to_string()))
}

fn answer_single(records: &[(Option<String>, Look)], work: &Work) -> Result<Value, Diagnostic> {
    let unfinished = records.iter().any(|(_, look)| work.is_unfinished(look));
    work.report.summary(records.len(), usize::from(unfinished));
    if let Some(why) = &work.failed {
        return Err(diagnostic("ReadFailed", why.clone()));
    }
    if unfinished {
        let steps: Vec<_> = work.unfinished.iter().take(3).map(ToString::to_string).collect();
        let count = work.unfinished.len();
        let message = format!("{count} steps must be tried again, such as {steps:?}");
        return Err(diagnostic("Unfinished", message));
    }
    serde_json::to_value(&work.report).map_err(|error| diagnostic("Answer", error.to_string()))
}

/// The account in the function's own ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
fn account(function_arn: &str) -> Result<AccountId, String> {
    let account = function_arn.split(':').nth(4).and_then(|account| account.parse().ok());
    account.ok_or_else(|| format!("the function's ARN {function_arn:?} names no account"))
}

fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}
