//! One invocation of the rule: read EC2, plan, judge, report.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use anyhow::bail;
use aws_sdk_config::primitives::DateTime;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::{
    id::{AccountId, InterfaceId, SessionId},
    observe::Observer,
    observed::{Instance, Observed},
    plan::plan,
    subject,
    text::{fit, quoted},
    verdict::Verdict,
};
use tracing::{error, info};

use crate::{
    event::{INSTANCE, Invocation, Resource, SESSION, TEST_TOKEN, Task},
    history,
    parameters::Judgement,
    report::{self, Recorded},
    verdict::{self, Evaluation, Subject},
};

/// What AWS Config has just seen but EC2 does not show is waited for this long, in seconds: EC2's
/// answers may lag behind ("Eventual consistency in the EC2 API"). Lambda tries an event again after
/// one minute and after two more, so the last try is beyond it and says what is there then.
const LAG: i64 = 120;

/// The most characters of an error.
const LONGEST: usize = 1000;

/// Instances looked at by name at once, so that they take no more memory than a page of a sweep.
const AT_ONCE: usize = 1000;

/// The function.
#[derive(Debug)]
pub struct Handler {
    /// Where the function's settings are.
    pub setting: fn(&str) -> Option<String>,
    /// The clock it goes by.
    pub now: fn() -> SystemTime,
    /// What is judged.
    pub ec2: aws_sdk_ec2::Client,
    /// Where verdicts go.
    pub config: aws_sdk_config::Client,
}

impl Handler {
    /// Judges what the event names.
    ///
    /// # Errors
    /// Where something could not be read, or not be stored: Lambda tries the event again, and there is
    /// never a verdict from missing data.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        self.judge(event).await.map_err(|error| {
            let error_message = fit(&format!("{error:#}"), LONGEST);
            error!("not all was judged: {error_message}");
            Diagnostic { error_type: "EvaluationFailed".to_owned(), error_message }
        })
    }

    async fn judge(&self, event: LambdaEvent<Value>) -> anyhow::Result<Value> {
        // Of two verdicts AWS Config keeps the one with the later time. Ours are about what EC2 says
        // when we look, so that is the time to give: an item that comes late must not leave a verdict
        // standing that an earlier look gave.
        let looked_at = self.now();
        let invocation = Invocation::read(event.payload)?;
        let ours = AccountId::of_arn(&event.context.invoked_function_arn);
        if ours.as_ref() != Some(&invocation.account) {
            let theirs = &invocation.account;
            bail!("the rule is in account {theirs}, and this function reads EC2 in its own only");
        }
        let judgement = Judgement::parse(invocation.parameters.as_deref(), self.setting)?;
        let evaluations = match &invocation.task {
            Task::Everything => self.everything(&invocation, &judgement).await?,
            Task::Changed(resource) => self.changed(&invocation, &judgement, resource).await?,
            Task::Deleted(resource) => self.deleted(&invocation, &judgement, resource).await?,
            Task::OutOfScope(resource) => vec![Evaluation::gone(resource.subject())],
        };
        report::send(&self.config, &invocation.token, looked_at, &evaluations).await?;
        Ok(summary(&invocation.rule, &evaluations))
    }

    /// All verdicts that differ from those AWS Config holds, which cost a call and money each.
    async fn everything(
        &self,
        invocation: &Invocation,
        judgement: &Judgement,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let observed = self.observe(invocation, judgement, [subject::Subject::Sweep]).await?;
        let mut evaluations = instances(&observed, judgement);
        let own = observed.sessions.iter().filter(|it| it.account == observed.account);
        evaluations.extend(own.map(|it| verdict::session(&judgement.policy, &observed, it)));
        drop(observed);
        if invocation.token == TEST_TOKEN {
            return Ok(evaluations);
        }
        let recorded = report::recorded(&self.config, &invocation.rule).await?;
        for not_wanted in unjudged(&evaluations, &recorded).chunks(AT_ONCE) {
            let observed = self.observe(invocation, judgement, not_wanted.iter().cloned()).await?;
            evaluations.extend(instances(&observed, judgement));
        }
        Ok(news(evaluations, recorded, self.now()))
    }

    async fn changed(
        &self,
        invocation: &Invocation,
        judgement: &Judgement,
        resource: &Resource,
    ) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => {
                let subjects = [subject::Subject::Instance(id.clone())];
                let observed = self.observe(invocation, judgement, subjects).await?;
                let is_shown = observed.instances.iter().any(Instance::is_whole);
                if !is_shown && age(invocation.time, self.now()) < LAG {
                    bail!("EC2 does not show {id} yet, or no network interface of it");
                }
                if observed.instances.is_empty() {
                    return Ok(vec![Evaluation::gone(Subject::instance(id))]);
                }
                Ok(instances(&observed, judgement))
            }
            Resource::Session(id, interface) => {
                self.session(invocation, judgement, id, interface.clone()).await
            }
        }
    }

    async fn deleted(
        &self,
        invocation: &Invocation,
        judgement: &Judgement,
        resource: &Resource,
    ) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => Ok(vec![Evaluation::gone(Subject::instance(id))]),
            Resource::Session(id, interface) => {
                let interface = match interface {
                    Some(interface) => Some(interface.clone()),
                    None => history::interface_of(&self.config, id).await?,
                };
                let behind = match interface {
                    Some(interface) => {
                        let subjects = [subject::Subject::Interface(interface)];
                        let mut observed = self.observe(invocation, judgement, subjects).await?;
                        // AWS Config is sure of it; EC2's answers may lag behind.
                        observed.sessions.retain(|session| session.id != *id);
                        instances(&observed, judgement)
                    }
                    None => Vec::new(),
                };
                let gone = Evaluation::gone(Subject::session(id));
                Ok(std::iter::once(gone).chain(behind).collect())
            }
        }
    }

    /// A session, and the instance behind it, which may have lost or got its mirror with it.
    async fn session(
        &self,
        invocation: &Invocation,
        judgement: &Judgement,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = interface.map(subject::Subject::Interface);
        let subjects = [subject::Subject::Session(id.clone())].into_iter().chain(interface);
        let observed = self.observe(invocation, judgement, subjects).await?;
        let session = observed.sessions.iter().find(|session| session.id == *id);
        let own = match session {
            Some(session) => verdict::session(&judgement.policy, &observed, session),
            None if age(invocation.time, self.now()) < LAG => bail!("EC2 does not show {id} yet"),
            None => Evaluation::gone(Subject::session(id)),
        };
        Ok(std::iter::once(own).chain(instances(&observed, judgement)).collect())
    }

    fn now(&self) -> DateTime {
        DateTime::from((self.now)())
    }

    async fn observe(
        &self,
        invocation: &Invocation,
        judgement: &Judgement,
        subjects: impl IntoIterator<Item = subject::Subject>,
    ) -> anyhow::Result<Observed> {
        let subjects: BTreeSet<_> = subjects.into_iter().collect();
        let observer = Observer {
            client: &self.ec2,
            policy: &judgement.policy,
            account: &invocation.account,
            memory: None,
        };
        Ok(observer.observe(&subjects).await?)
    }
}

fn instances(observed: &Observed, judgement: &Judgement) -> Vec<Evaluation> {
    let plan = plan(&judgement.policy, observed);
    verdict::instances(observed, &plan, judgement.unsupported)
}

/// The instances that AWS Config holds a verdict about and `evaluations` has none for: a sweep leaves
/// out those that are not wanted any more.
fn unjudged(
    evaluations: &[Evaluation],
    recorded: &BTreeMap<Subject, Recorded>,
) -> Vec<subject::Subject> {
    let judged: BTreeSet<_> = evaluations.iter().map(|it| &it.subject).collect();
    let held = recorded.keys().filter(|it| it.resource_type == INSTANCE && !judged.contains(it));
    held.filter_map(|it| Some(subject::Subject::Instance(it.id.parse().ok()?))).collect()
}

/// What of `evaluations` AWS Config does not hold yet, and an end to what it holds without cause.
///
/// `NOT_APPLICABLE` is only news where something else is held. So is a session that leads where it
/// may: it was judged when it was made, and there may be as many sessions as instances.
fn news(
    evaluations: Vec<Evaluation>,
    mut recorded: BTreeMap<Subject, Recorded>,
    now: DateTime,
) -> Vec<Evaluation> {
    let mut news = Vec::new();
    for evaluation in evaluations {
        let is_session = evaluation.subject.resource_type == SESSION;
        let is_news = match (recorded.remove(&evaluation.subject), evaluation.verdict) {
            (None, Verdict::NotApplicable) => false,
            (None, Verdict::Compliant) => !is_session,
            (None, Verdict::NonCompliant) => true,
            (Some(held), verdict) => {
                held.verdict != verdict || held.annotation != evaluation.annotation
            }
        };
        if is_news {
            news.push(evaluation);
        }
    }
    // What was judged a moment ago is there, though EC2 may not show it to us yet.
    let old =
        recorded.into_iter().filter(|(_, held)| held.time.is_none_or(|it| age(it, now) >= LAG));
    news.extend(old.map(|(subject, _)| Evaluation::gone(subject)));
    news
}

fn summary(rule: &str, evaluations: &[Evaluation]) -> Value {
    let count = |verdict| evaluations.iter().filter(|it| it.verdict == verdict).count();
    let (compliant, non_compliant) = (count(Verdict::Compliant), count(Verdict::NonCompliant));
    let not_applicable = count(Verdict::NotApplicable);
    for evaluation in evaluations.iter().filter(|it| it.verdict == Verdict::NonCompliant) {
        info!(
            resource.id = evaluation.subject.id,
            compliance = "NON_COMPLIANT",
            "{}: {}",
            evaluation.subject.id,
            evaluation.annotation
        );
    }
    info!(
        rule,
        compliant,
        non_compliant,
        not_applicable,
        "rule {}: sent {compliant} COMPLIANT, {non_compliant} NON_COMPLIANT and \
         {not_applicable} NOT_APPLICABLE",
        quoted(rule)
    );
    json!({
        "compliant": compliant,
        "nonCompliant": non_compliant,
        "notApplicable": not_applicable,
    })
}

/// Seconds from `time` to `now`.
fn age(time: DateTime, now: DateTime) -> i64 {
    now.secs().saturating_sub(time.secs())
}
