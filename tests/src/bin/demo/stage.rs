//! The cloud, automirror, and what is shown of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use local_cloud::aws::config::{ResourceKey, Verdict};
use local_cloud::aws::ec2::Caller;
use local_cloud::aws::sqs::Message;
use local_cloud::deployment::{ConfigRule, Deployment};
use local_cloud::lambda::{Answer, Invocation, LogLine};
use serde_json::Value;

use crate::cost::{Cost, Totals};
use crate::decision::{Decision, Said};
use crate::event;
use crate::label::{count, millis};
use crate::screen::{BOLD, CYAN, DIM, PLAIN, Screen};

/// How many rounds of deliveries, evaluations and ticks settle whatever a scene begins.
const ROUNDS: usize = 30;

/// The cloud with automirror in it, and what is shown of them.
pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) screen: Screen,
    /// The person who acts where no other is named.
    pub(crate) alice: Caller,
    /// What automirror decided since the scene began.
    pub(crate) decisions: Vec<Decision>,
    /// What the Config rule was seen to say last.
    pub(crate) verdicts: BTreeMap<ResourceKey, Verdict>,
    pub(crate) totals: Totals,
    scenes: usize,
}

impl Stage {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let mut deployment = Deployment::start(&[]).await?;
        deployment.add_rule(&[], &[]).await?;
        // The story takes a second. Were this EC2 to remember client tokens of sessions that are
        // gone, what is recreated within the same minute would have to wait for the next one.
        deployment.cloud.world().token_outlives_session = false;
        let worker = deployment.workers.first().context("there is no worker")?;
        let rule = deployment.rule.as_ref().context("there is no rule")?;
        let line = format!(
            "automirror and config-rule, the real binaries, started in {} and {} ms; their AWS is \
             the local cloud at {}",
            worker.init_time().as_millis(),
            rule.function.init_time().as_millis(),
            deployment.cloud.endpoint()
        );
        let mut screen = Screen::open();
        screen.line(PLAIN, &line)?;
        let line = "each of their calls is checked against the IAM policies of the CloudFormation \
                    templates";
        screen.line(PLAIN, line)?;
        Ok(Self {
            deployment,
            screen,
            alice: Caller::default(),
            decisions: Vec::new(),
            verdicts: BTreeMap::new(),
            totals: Totals::default(),
            scenes: 0,
        })
    }

    pub(crate) fn scene(&mut self, headline: &str) -> anyhow::Result<()> {
        self.scenes += 1;
        self.decisions.clear();
        self.screen.line(PLAIN, "")?;
        self.screen.line(BOLD, &format!("{}. {headline}", self.scenes))?;
        Ok(())
    }

    /// Brings events to automirror and items to the rule until nothing happens any more.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        for _ in 0..ROUNDS {
            self.deliver().await?;
            self.evaluate().await?;
            self.deployment.cloud.world().tick();
            self.deployment.forward();
            if self.deployment.queue.is_empty() && self.rule()?.is_idle(&self.deployment.cloud) {
                return Ok(());
            }
        }
        anyhow::bail!("something was still under way after {ROUNDS} rounds")
    }

    /// Brings the events there are to automirror, and shows what came of them and how long it took.
    pub(crate) async fn deliver(&mut self) -> anyhow::Result<Duration> {
        self.deployment.cloud.clear_calls();
        let delivery = self.deployment.deliver().await;
        let mut time = Duration::ZERO;
        // A delivery is one batch, unless there are more events than the demo ever makes: the
        // calls are those of all its batches.
        for batch in delivery.batches {
            self.show_events(&batch.messages)?;
            let invocation = batch.outcome.context("automirror did not answer a batch")?;
            self.show_invocation(&invocation)?;
            time += invocation.wall_time;
        }
        Ok(time)
    }

    /// Starts the scheduled sweep, and brings what it causes to automirror.
    pub(crate) async fn sweep(&mut self) -> anyhow::Result<()> {
        let sweep = (CYAN, "sweep");
        self.screen.row(sweep, "on schedule", "automirror looks at everything")?;
        self.deployment.cloud.clear_calls();
        let invocation = self.deployment.sweep().await?;
        self.show_invocation(&invocation)?;
        self.settle().await
    }

    pub(crate) fn show_totals(&mut self) -> anyhow::Result<()> {
        let sessions = self.deployment.cloud.world().sessions().count();
        let sessions = count(sessions, "session");
        self.screen.line(BOLD, &self.totals.text())?;
        self.screen.line(BOLD, &format!("{sessions} in the cloud; all as told."))?;
        Ok(())
    }

    pub(crate) fn rule(&self) -> anyhow::Result<&ConfigRule> {
        self.deployment.rule.as_ref().context("there is no rule")
    }

    fn show_events(&mut self, messages: &[Message]) -> anyhow::Result<()> {
        self.totals.events += messages.len();
        let kinds = event::events(&self.deployment.cloud.world(), messages);
        for events in kinds {
            self.screen.row((CYAN, "event"), &events.kind, &events.text())?;
        }
        Ok(())
    }

    fn show_invocation(&mut self, invocation: &Invocation) -> anyhow::Result<()> {
        let remarks = self.show_log(&invocation.log)?;
        let calls = self.deployment.cloud.calls();
        let cost = Cost::new("automirror", [invocation.wall_time], &calls);
        let returned = returned(&invocation.answer)?;
        self.totals.automirror += cost;
        self.totals.returned += returned;

        let mut text = vec![cost.calls()];
        if returned > 0 {
            text.push(format!("{} must be retried", count(returned, "event")));
        }
        text.extend(remarks);
        self.screen.row((DIM, "took"), &millis(cost.time), &text.join("; "))?;
        Ok(())
    }

    /// Shows what automirror did and why, and returns what it says of the invocation as a whole.
    fn show_log(&mut self, log: &[LogLine]) -> anyhow::Result<Vec<String>> {
        let mut remarks = Vec::new();
        for line in log {
            match Said::read(line) {
                Said::Step(decision) => {
                    let subject = decision.subject(&self.deployment.cloud.world());
                    let label = (decision.paint(), decision.action.as_str());
                    self.screen.row(label, &subject, &decision.text())?;
                    self.decisions.push(decision);
                }
                Said::Ignored(why) => {
                    let remark = format!("ignored: {why}");
                    // Several events may be ignored for one reason.
                    if !remarks.contains(&remark) {
                        remarks.push(remark);
                    }
                }
                Said::Summary(reasons) if reasons.is_empty() => {}
                Said::Summary(reasons) => remarks.push(format!("plan: {reasons}")),
                Said::Other(text) => self.screen.row((DIM, "log"), "", &text)?,
            }
        }
        Ok(remarks)
    }
}

/// How many events of a batch must be retried; a sweep answers with a summary instead.
fn returned(answer: &Answer) -> anyhow::Result<usize> {
    let Answer::Response(response) = answer else {
        anyhow::bail!("automirror answered with an error: {answer:?}");
    };
    let failures = response.get("batchItemFailures").and_then(Value::as_array);
    Ok(failures.map_or(0, Vec::len))
}
