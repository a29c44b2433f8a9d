//! One invocation of the rule: read EC2, plan, evaluate, report.

use std::time::SystemTime;

use anyhow::bail;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use shared::{id::AccountId, text::sanitize};
use shared_ec2::{client::Ec2, deadline::Deadline};
use shared_elb::Elb;
use tracing::error;

use crate::{
    change::Change,
    evaluation::Evaluation,
    event::{Invocation, Task},
    judge::Judge,
    look::Looker,
    parameters::RuleSettings,
    report::Reporter,
    schedule::{Schedule, note_delivery},
    standing::read::Inspector,
    summary::Summary,
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
    /// Reads what stands behind targets, where a rule is told to.
    pub elb: Elb,
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
        let (looker, reporter) = (&looker, &reporter);
        let inspector = Inspector { ec2: &self.ec2, elb: &self.elb };
        let judge = Judge { looker, reporter, inspector };
        // Of two evaluations AWS Config keeps the one with the later time. These are about what EC2 says
        // now, so now is their time: an item that comes late must not keep a verdict from an earlier look.
        let look = looker.now();
        let mut change = Change { judge, time: invocation.time, summary };
        let evaluations = match &invocation.task {
            Task::Everything => {
                return Box::pin(Schedule { judge, summary }.run()).await;
            }
            Task::Changed(resource) => Box::pin(change.of(resource)).await?,
            Task::Deleted(resource) => Box::pin(change.deletion_of(resource)).await?,
            Task::OutOfScope(resource) => vec![Evaluation::out_of_scope(resource.key())],
        };
        summary.judge(&evaluations);
        summary.announce(&evaluations);
        note_delivery(summary, reporter.send(&evaluations, look).await);
        Ok(())
    }
}
