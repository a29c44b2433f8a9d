//! One invocation: read the events, look at what they name, plan, act, answer.

use std::{collections::BTreeSet, time::SystemTime};

use aws_sdk_ec2::Client;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{
    id::{AccountId, SessionId},
    observe::{ObserveError, Observer, warm_up},
    observed::Observed,
    plan::plan,
    policy::{Mode, Policy},
    step::{Action, Step},
    subject::Subject,
    surroundings::Memory,
    text::quoted,
};
use tracing::{info, warn};

use crate::{
    cloudtrail::Identity,
    deadline::Deadline,
    event::{Reader, Reading, Record, Request, Shape},
    execute::{Executor, Invocation},
    failure::{Failure, Kind},
    outcome::{Carried, Outcome},
    report::Reporter,
    work::{Asked, Seen, Work, answer_batch, answer_single, diagnostic},
};

/// The function.
pub struct Handler {
    policy: Policy,
    us: Identity,
    ec2: Client,
    memory: Memory,
    now: fn() -> SystemTime,
    executor: Executor,
    reporter: Reporter,
}

impl Handler {
    /// The function of this account, with the clock it goes by.
    pub fn new(policy: Policy, us: Identity, ec2: Client, now: fn() -> SystemTime) -> Self {
        let executor = Executor::new(ec2.clone(), now, policy.rate_share);
        Self {
            policy,
            us,
            ec2,
            memory: Memory::default(),
            now,
            executor,
            reporter: Reporter::default(),
        }
    }

    /// Does what the first event would otherwise wait for.
    pub async fn warm_up(&self) {
        warm_up(&self.ec2, &self.memory, (self.now)()).await;
    }

    /// Answers one invocation: a batch with the messages that must come again, anything else with
    /// a summary.
    ///
    /// # Errors
    /// Where what is not a batch must come again as a whole.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let reader = Reader { policy: &self.policy, us: &self.us };
        let Request { shape, records } = reader.request(payload);
        let records = records.into_iter().filter_map(|record| asked(record, shape));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let subjects = records.iter().flat_map(|asked| asked.look.subjects.clone()).collect();
        let deleted = records.iter().filter_map(|asked| asked.look.deleted.clone()).collect();
        let work = self.reconcile(&context, &subjects, &deleted).await;
        match shape {
            Shape::Batch => answer_batch(&records, &work, (self.now)()),
            Shape::Single => answer_single(&records, &work, (self.now)()),
        }
    }

    async fn reconcile(
        &self,
        context: &Context,
        subjects: &BTreeSet<Subject>,
        deleted: &BTreeSet<SessionId>,
    ) -> Work {
        let deadline = Deadline::at(context.deadline, (self.now)());
        if subjects.is_empty() {
            return Work::default();
        }
        let arn = &context.invoked_function_arn;
        let Some(account) = AccountId::of_arn(arn) else {
            return Work::failed(&format!("the function's ARN {} names no account", quoted(arn)));
        };
        let read = self.observe(&account, subjects, deleted);
        let observed = match deadline.cut(read).await {
            Some(Ok(observed)) => observed,
            Some(Err(error)) => return Work::failed(&format!("{:#}", anyhow::Error::from(error))),
            None => return Work::failed("EC2 could not be read before the time was up"),
        };
        let seen = Seen::new(&observed, subjects);
        let carried = match self.policy.mode {
            Mode::Enforce => {
                let id = &context.request_id;
                let invocation =
                    Invocation { policy: &self.policy, id, subjects, deleted, deadline };
                let mut carried = self.executor.execute(invocation, observed).await;
                let mut looked_after = 0;
                while looked_after < carried.tried.len() {
                    let tried = &carried.tried;
                    let again = self.look_again(&account, invocation, tried, looked_after).await;
                    looked_after = carried.tried.len();
                    carried.add_changes(again);
                }
                carried
            }
            Mode::Detect => {
                Carried { noted: plan(&self.policy, &observed).steps, ..Carried::default() }
            }
        };
        let sweep = subjects.contains(&Subject::Sweep);
        let mut report = self.reporter.report(&seen.pending, &carried, sweep);
        let not_shown: BTreeSet<_> = subjects
            .iter()
            .filter_map(|subject| match subject {
                Subject::Instance(id) | Subject::Started(id) if !seen.instances.contains(id) => {
                    Some(id.to_string())
                }
                _ => None,
            })
            .collect();
        report.not_shown = not_shown.into_iter().collect();
        if carried.tried.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) {
            self.memory.forget();
        }
        let mut work = Work { seen, report, ..Work::default() };
        work.note_refused(carried.untried());
        for (step, outcome) in carried.tried {
            if let Some(patience) = outcome.patience() {
                work.unfinished.push((step, patience));
            } else if let Outcome::Failed(Failure { kind: Kind::Lasting, .. }) = outcome {
                work.note_refused([&step]);
            }
        }
        work
    }

    async fn observe(
        &self,
        account: &AccountId,
        subjects: &BTreeSet<Subject>,
        gone: &BTreeSet<SessionId>,
    ) -> Result<Observed, ObserveError> {
        let mut observed = self.observer(account).observe(subjects).await?;
        // EC2's answers may lag behind what it has done.
        observed.sessions.retain(|session| !gone.contains(&session.id));
        Ok(observed)
    }

    fn observer<'a>(&'a self, account: &'a AccountId) -> Observer<'a> {
        let Self { ec2: client, policy, memory, now, .. } = self;
        Observer { client, policy, account, memory: Some((memory, now())) }
    }

    /// Looks once more at interfaces that lost a session by the steps from `first` on, and at whatever
    /// instances they are on by now. What was read before may have been out of date by then: a tag set,
    /// an instance started or an interface attached in between had its event at a time when the session
    /// was still there, and nothing else would bring it back before the next sweep. The same goes for
    /// what this look deletes.
    async fn look_again(
        &self,
        account: &AccountId,
        invocation: Invocation<'_>,
        steps: &[(Step, Outcome)],
        first: usize,
    ) -> Carried {
        let is_lost = |(step, outcome): &&(Step, Outcome)| {
            matches!((&step.action, outcome), (Action::Delete(_), Outcome::Done(_)))
        };
        let lost = steps.iter().skip(first).filter(is_lost).map(|(step, _)| step);
        let lost: Vec<&Step> = lost.collect();
        let subjects: BTreeSet<_> =
            lost.iter().map(|step| Subject::Interface(step.interface.clone())).collect();
        if subjects.is_empty() {
            return Carried::default();
        }
        let mut gone = invocation.deleted.clone();
        gone.extend(
            steps.iter().filter(is_lost).filter_map(|(_, outcome)| outcome.session().cloned()),
        );
        let read = self.observe(account, &subjects, &gone);
        let Some(Ok(observed)) = invocation.deadline.cut(read).await else {
            // Then the record comes again.
            let left = lost.into_iter().map(|step| (step.clone(), Outcome::OutOfTime));
            return Carried { tried: left.collect(), ..Carried::default() };
        };
        self.executor.execute(invocation, observed).await
    }
}

/// What a record asks to look at. One that asks for nothing is said in the log and done with; only
/// a caller who made it by hand gets an error.
fn asked(record: Record, shape: Shape) -> Option<Result<Asked, Diagnostic>> {
    let Record { message, receives, reading } = record;
    let id = message.as_deref().unwrap_or("none");
    match (reading, shape) {
        (Reading::Look(look), _) => Some(Ok(Asked { message, receives, look })),
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
