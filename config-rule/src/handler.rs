//! One invocation of the rule: read EC2, plan, evaluate, report.

use std::time::SystemTime;

use anyhow::bail;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{
    id::{AccountId, InstanceId, InterfaceId, SessionId},
    text::sanitize,
};
use shared_ec2::{client::Ec2, deadline::Deadline, selector::Selector};
use tracing::{error, warn};

use crate::{
    event::{Invocation, Task},
    look::{Look, Looker},
    news::{MAX_LAG, age},
    parameters::RuleSettings,
    report::Reporter,
    resource::{Resource, ResourceKey},
    schedule::{Schedule, note_delivery},
    summary::Summary,
    verdict::Evaluation,
};

/// The most characters of an error.
const MAX_MESSAGE: usize = 1000;

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
    /// Where something could not be read, stored or reached: Lambda retries the event, and there is never a
    /// verdict from missing data.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let mut summary = Summary::default();
        let evaluated = self.evaluate(event, &mut summary).await;
        if let Err(error) = evaluated {
            summary.note_problem(format!("{error:#}"));
        }
        summary.note_not_reached();
        summary.log();
        match summary.problem() {
            None => Ok(summary.answer()),
            Some(problem) => {
                let error_message = sanitize(&problem, MAX_MESSAGE);
                error!("not everything was evaluated: {error_message}");
                Err(Diagnostic { error_type: "EvaluationFailed".to_owned(), error_message })
            }
        }
    }

    async fn evaluate(
        &self,
        event: LambdaEvent<Value>,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let LambdaEvent { payload, context } = event;
        let deadline = Deadline::at(context.deadline, (self.now)());
        let invocation = Invocation::parse(payload)?;
        summary.rule.clone_from(&invocation.rule);
        (summary.trigger, summary.trigger_id) = invocation.task.trigger();
        let own = AccountId::of_arn(&context.invoked_function_arn);
        if own.as_ref() != Some(&invocation.account) {
            let other = &invocation.account;
            bail!("the rule is in account {other}, and this function reads EC2 in its own only");
        }
        let settings = RuleSettings::parse(invocation.parameters.as_deref(), self.setting)?;
        let (ec2, account, now) = (&self.ec2, &invocation.account, self.now);
        let looker = Looker { ec2, settings: &settings, account, now, deadline };
        let (rule, token) = (&invocation.rule, &invocation.token);
        let reporter = Reporter { config: &self.config, rule, token, deadline };
        let change = Change { looker: &looker, reporter: &reporter, invocation: &invocation };
        // Of two evaluations AWS Config keeps the one with the later time. These are about what EC2 says
        // now, so now is their time: an item that comes late must not keep a verdict from an earlier look.
        let look = looker.now();
        let evaluations = match &invocation.task {
            Task::Everything => {
                let (looker, reporter) = (&looker, &reporter);
                return Box::pin(Schedule { looker, reporter, summary }.run()).await;
            }
            Task::Changed(resource) => change.of(resource).await?,
            Task::Deleted(resource) => change.deletion_of(resource).await?,
            Task::OutOfScope(resource) => vec![Evaluation::out_of_scope(resource.key())],
        };
        summary.judge(&evaluations);
        summary.announce(&evaluations);
        note_delivery(summary, reporter.send(&evaluations, look).await);
        Ok(())
    }
}

/// What AWS Config says has changed. The first evaluation is that of the resource itself.
struct Change<'a> {
    looker: &'a Looker<'a>,
    reporter: &'a Reporter<'a>,
    invocation: &'a Invocation,
}

impl Change<'_> {
    /// EC2 may not show yet what AWS Config has just seen.
    fn is_young(&self) -> bool {
        age(self.invocation.time, self.looker.now()) < MAX_LAG
    }

    async fn of(&self, resource: &Resource) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => self.instance(id).await,
            Resource::Session(id, interface) => self.session(id, interface.clone()).await,
        }
    }

    async fn instance(&self, id: &InstanceId) -> anyhow::Result<Vec<Evaluation>> {
        let Look { observed, .. } = self.looker.look([Selector::Instance(id.clone())]).await?;
        let is_shown = !observed.complete_instances().is_empty();
        if !is_shown && self.is_young() {
            bail!("EC2 does not show {id} yet, or no network interface of it");
        }
        if observed.not_found.instances.contains(id) {
            return Ok(vec![Evaluation::gone(ResourceKey::instance(id), None)]);
        }
        if observed.instances.is_empty() {
            bail!("EC2 shows {id} in a way that cannot be read");
        }
        Ok(self.looker.instances(&observed))
    }

    /// A session, and the instance it is on, which may have lost or got its mirror with it.
    async fn session(
        &self,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = interface.map(Selector::Interface);
        let selectors = [Selector::Session(id.clone())].into_iter().chain(interface);
        let Look { observed, .. } = self.looker.look(selectors).await?;
        let is_shown = observed.sessions.iter().any(|session| session.id == *id);
        if !is_shown && (self.is_young() || !observed.not_found.sessions.contains(id)) {
            bail!("EC2 does not show {id}");
        }
        let key = ResourceKey::session(id);
        let mut sessions = self.looker.sessions(&observed).into_iter();
        let own = sessions.find(|it| it.resource == key);
        let own = own.or_else(|| (!is_shown).then(|| Evaluation::gone(key, None)));
        Ok(own.into_iter().chain(self.looker.instances(&observed)).collect())
    }

    async fn deletion_of(&self, resource: &Resource) -> anyhow::Result<Vec<Evaluation>> {
        match resource {
            Resource::Instance(id) => Ok(vec![Evaluation::gone(ResourceKey::instance(id), None)]),
            Resource::Session(id, interface) => self.deleted_session(id, interface.clone()).await,
        }
    }

    /// The session, and the instance it was on.
    async fn deleted_session(
        &self,
        id: &SessionId,
        interface: Option<InterfaceId>,
    ) -> anyhow::Result<Vec<Evaluation>> {
        let interface = match interface {
            Some(interface) => Some(interface),
            None => self.reporter.interface_of(id).await?,
        };
        let gone = Evaluation::gone(ResourceKey::session(id), interface.as_ref());
        let Some(interface) = interface else {
            warn!(
                "the rule holds no verdict on {id} that says which interface it was on: the scheduled \
                 evaluation covers its instance"
            );
            return Ok(vec![gone]);
        };
        let look = self.looker.look([Selector::Interface(interface)]).await?;
        let mut observed = look.observed;
        // AWS Config is sure that it was deleted; EC2's answers may lag behind.
        observed.sessions.retain(|session| session.id != *id);
        Ok(std::iter::once(gone).chain(self.looker.instances(&observed)).collect())
    }
}
