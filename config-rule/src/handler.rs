//! One invocation of the rule: read EC2, plan, evaluate, report.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use anyhow::{anyhow, bail};
use aws_sdk_config::primitives::DateTime;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use shared::{
    id::{AccountId, InterfaceId, SessionId},
    observed::Observed,
    plan::{plan, verdict::Verdict},
    text::{quote, sanitize},
};
use shared_ec2::{client::Ec2, observe::observe, reader::Reader, selector::Selector};
use tracing::{error, info};

use crate::{
    event::{Invocation, TEST_TOKEN, Task},
    news::{MAX_LAG, age, news, not_evaluated},
    parameters::RuleSettings,
    report::{self, history},
    resource::{Resource, ResourceKey},
    verdict::{self, Evaluation},
};

/// The most characters of an error.
const MAX_MESSAGE: usize = 1000;

/// What is left of the time to log and answer.
const RESERVE: Duration = Duration::from_secs(1);

/// Resources read by id at once, so that they take no more memory than a page of a sweep.
const MAX_READ_BY_ID: usize = 1000;

/// The function.
#[derive(Debug)]
pub struct Handler {
    /// Gives the function's settings by their names.
    pub setting: fn(&str) -> Option<String>,
    /// The clock.
    pub now: fn() -> SystemTime,
    /// Reads EC2.
    pub ec2: Ec2,
    /// Where evaluations go.
    pub config: aws_sdk_config::Client,
}

impl Handler {
    /// Evaluates what the event names.
    ///
    /// # Errors
    /// Where something could not be read or stored: Lambda retries the event, and there is never a
    /// verdict from missing data.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let left = time_left(event.context.deadline, (self.now)());
        let evaluated = tokio::time::timeout(left, self.evaluate(event)).await;
        let late = || Err(anyhow!("EC2 and AWS Config took longer than this function may run"));
        evaluated.unwrap_or_else(|_| late()).map_err(|error| {
            let error_message = sanitize(&format!("{error:#}"), MAX_MESSAGE);
            error!("not everything was evaluated: {error_message}");
            Diagnostic { error_type: "EvaluationFailed".to_owned(), error_message }
        })
    }

    async fn evaluate(&self, event: LambdaEvent<Value>) -> anyhow::Result<Value> {
        // Of two evaluations AWS Config keeps the one with the later time. These are about what EC2 says
        // now, so now is their time: an item that comes late must not keep a verdict from an earlier
        // read.
        let read_at = self.now();
        let invocation = Invocation::parse(event.payload)?;
        let own = AccountId::of_arn(&event.context.invoked_function_arn);
        if own.as_ref() != Some(&invocation.account) {
            let other = &invocation.account;
            bail!("the rule is in account {other}, and this function reads EC2 in its own only");
        }
        let settings = RuleSettings::parse(invocation.parameters.as_deref(), self.setting)?;
        let evaluations = match &invocation.task {
            Task::Everything => self.everything(&invocation, &settings).await?,
            Task::Changed(resource) => self.changed(&invocation, &settings, resource).await?,
            Task::Deleted(resource) => self.deleted(&invocation, &settings, resource).await?,
            Task::OutOfScope(resource) => vec![Evaluation::gone(resource.key())],
        };
        report::send(&self.config, &invocation.token, read_at, &evaluations).await?;
        Ok(summary(&invocation.rule, &evaluations))
    }

    /// All verdicts that differ from those that AWS Config holds: each costs a call and money.
    async fn everything(
        &self,
        invocation: &Invocation,
        settings: &RuleSettings,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let observed = self.observe(invocation, settings, [Selector::Sweep]).await?;
        let mut evaluations = instances(&observed, settings);
        evaluations.extend(sessions(&observed, settings));
        drop(observed);
        if invocation.token == TEST_TOKEN {
            return Ok(evaluations);
        }
        let recorded = report::recorded(&self.config, &invocation.rule).await?;
        let mut gone = BTreeSet::new();
        for resources in not_evaluated(&evaluations, &recorded).chunks(MAX_READ_BY_ID) {
            let selectors = resources.iter().filter_map(ResourceKey::selector);
            let observed = self.observe(invocation, settings, selectors).await?;
            evaluations.extend(instances(&observed, settings));
            let named: BTreeSet<_> = resources.iter().collect();
            let sessions = sessions(&observed, settings);
            evaluations.extend(sessions.filter(|it| named.contains(&it.resource)));
            gone.extend(observed.not_found.instances.iter().map(ResourceKey::instance));
            gone.extend(observed.not_found.sessions.iter().map(ResourceKey::session));
        }
        Ok(news(evaluations, recorded, &gone, self.now()))
    }

    async fn changed(
        &self,
        invocation: &Invocation,
        settings: &RuleSettings,
        resource: &Resource,
    ) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => {
                let selectors = [Selector::Instance(id.clone())];
                let observed = self.observe(invocation, settings, selectors).await?;
                let is_shown = !observed.complete_instances().is_empty();
                if !is_shown && age(invocation.time, self.now()) < MAX_LAG {
                    bail!("EC2 does not show {id} yet, or no network interface of it");
                }
                if observed.not_found.instances.contains(id) {
                    return Ok(vec![Evaluation::gone(ResourceKey::instance(id))]);
                }
                if observed.instances.is_empty() {
                    bail!("EC2 shows {id} in a way that cannot be read");
                }
                Ok(instances(&observed, settings))
            }
            Resource::Session(id, interface) => {
                self.session(invocation, settings, id, interface.clone()).await
            }
        }
    }

    async fn deleted(
        &self,
        invocation: &Invocation,
        settings: &RuleSettings,
        resource: &Resource,
    ) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => Ok(vec![Evaluation::gone(ResourceKey::instance(id))]),
            Resource::Session(id, interface) => {
                let interface = match interface {
                    Some(interface) => Some(interface.clone()),
                    None => history::interface_of(&self.config, id).await?,
                };
                let behind = match interface {
                    Some(interface) => {
                        let selectors = [Selector::Interface(interface)];
                        let mut observed = self.observe(invocation, settings, selectors).await?;
                        // AWS Config is sure that it was deleted; EC2's answers may lag behind.
                        observed.sessions.retain(|session| session.id != *id);
                        instances(&observed, settings)
                    }
                    None => Vec::new(),
                };
                let gone = Evaluation::gone(ResourceKey::session(id));
                Ok(std::iter::once(gone).chain(behind).collect())
            }
        }
    }

    /// A session, and the instance it is on, which may have lost or got its mirror with it.
    async fn session(
        &self,
        invocation: &Invocation,
        settings: &RuleSettings,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = interface.map(Selector::Interface);
        let selectors = [Selector::Session(id.clone())].into_iter().chain(interface);
        let observed = self.observe(invocation, settings, selectors).await?;
        let is_young = age(invocation.time, self.now()) < MAX_LAG;
        let is_shown = observed.sessions.iter().any(|session| session.id == *id);
        if !is_shown && (is_young || !observed.not_found.sessions.contains(id)) {
            bail!("EC2 does not show {id}");
        }
        let key = ResourceKey::session(id);
        let own = sessions(&observed, settings).find(|it| it.resource == key);
        let own = own.or_else(|| (!is_shown).then(|| Evaluation::gone(key)));
        Ok(own.into_iter().chain(instances(&observed, settings)).collect())
    }

    fn now(&self) -> DateTime {
        DateTime::from((self.now)())
    }

    async fn observe(
        &self,
        invocation: &Invocation,
        settings: &RuleSettings,
        selectors: impl IntoIterator<Item = Selector>,
    ) -> anyhow::Result<Observed> {
        let selectors: BTreeSet<_> = selectors.into_iter().collect();
        let reader = Reader {
            ec2: &self.ec2,
            policy: &settings.policy,
            account: &invocation.account,
            cache: None,
            judges: true,
        };
        Ok(Box::pin(observe(&reader, &selectors)).await?)
    }
}

/// The time until shortly before Lambda ends the invocation at `deadline`, in milliseconds since 1970.
fn time_left(deadline: u64, now: SystemTime) -> Duration {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline).saturating_sub(since_1970).saturating_sub(RESERVE)
}

fn instances(observed: &Observed, settings: &RuleSettings) -> Vec<Evaluation> {
    let plan = plan(&settings.policy, observed);
    verdict::instances(observed, &plan, settings)
}

/// The verdicts on the account's own sessions.
fn sessions<'a>(
    observed: &'a Observed,
    settings: &'a RuleSettings,
) -> impl Iterator<Item = Evaluation> + 'a {
    let sources: BTreeMap<_, _> = observed.sources.iter().map(|it| (&it.id, it)).collect();
    let own = observed.sessions.iter().filter(|it| it.account == observed.account);
    own.filter_map(move |it| {
        verdict::session(&settings.policy, observed, it, sources.get(&it.interface).copied())
    })
}

fn summary(rule: &str, evaluations: &[Evaluation]) -> Value {
    let count = |verdict| evaluations.iter().filter(|it| it.verdict == verdict).count();
    let (compliant, non_compliant) = (count(Verdict::Compliant), count(Verdict::NonCompliant));
    let not_applicable = count(Verdict::NotApplicable);
    for evaluation in evaluations.iter().filter(|it| it.verdict == Verdict::NonCompliant) {
        info!(
            resource.id = evaluation.resource.id,
            compliance = "NON_COMPLIANT",
            "{}: {}",
            evaluation.resource.id,
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
        quote(rule)
    );
    json!({
        "compliant": compliant,
        "nonCompliant": non_compliant,
        "notApplicable": not_applicable,
    })
}
