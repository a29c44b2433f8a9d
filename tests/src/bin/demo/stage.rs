//! The cloud, automirror, and what is shown of them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use local_cloud::aws::config::{ResourceKey, Verdict};
use local_cloud::aws::ec2::{Caller, Session};
use local_cloud::cloud::{Cloud, Options};
use local_cloud::deployment::{ConfigRule, Deployment};

use crate::arguments::Shown;
use crate::cost::Totals;
use crate::decision::Decision;
use crate::screen::{BOLD, CYAN, PLAIN, Screen};

/// How many rounds of deliveries, evaluations and ticks settle whatever a scene begins.
const ROUNDS: usize = 30;

/// The settings of both functions: the defaults. mirrorctl finds the function by it.
pub(crate) const SETTINGS: [(&str, &str); 1] = [("MIRROR_MODE", "enforce")];

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
    /// The session of somebody else, as it was created.
    pub(crate) siphon: Option<Session>,
    /// How many of automirror's sessions somebody deleted or changed.
    pub(crate) attacked: usize,
    pub(crate) scenes: usize,
}

impl Stage {
    pub(crate) async fn open(shown: Shown, port: u16) -> anyhow::Result<Self> {
        let cloud = Cloud::start(&Options { port, ..Options::default() })?;
        let mut deployment = Deployment::start_in(cloud, &SETTINGS).await?;
        deployment.add_rule(&SETTINGS, &[]).await?;
        // The story takes a second. Were this EC2 to remember client tokens of sessions that are
        // gone, what is recreated within the same minute would have to wait for the next one.
        deployment.cloud.world().token_outlives_session = false;
        let worker = deployment.workers.first().context("there is no worker")?;
        let rule = deployment.rule.as_ref().context("there is no rule")?;
        let text = format!(
            "automirror and config-rule, the real binaries, started in {} and {} ms. Their AWS is \
             {}, where the IAM policies of the CloudFormation template hold.",
            worker.init_time().as_millis(),
            rule.function.init_time().as_millis(),
            deployment.cloud.endpoint()
        );
        let mut screen = Screen::open(shown);
        screen.paragraph(PLAIN, &text)?;
        screen.log(&worker.log())?;
        screen.log(&rule.function.log())?;
        Ok(Self {
            deployment,
            screen,
            alice: Caller::default(),
            decisions: Vec::new(),
            verdicts: BTreeMap::new(),
            totals: Totals::default(),
            siphon: None,
            attacked: 0,
            scenes: 0,
        })
    }

    pub(crate) fn scene(&mut self, headline: &str) -> anyhow::Result<()> {
        self.screen.pause()?;
        self.scenes += 1;
        self.decisions.clear();
        self.screen.line(PLAIN, "")?;
        self.screen.paragraph(BOLD, &format!("{}. {headline}", self.scenes))?;
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

    /// Lets a scene wait for the scheduled sweep, and brings what it causes to automirror.
    pub(crate) async fn sweep(&mut self) -> anyhow::Result<()> {
        self.screen.row((CYAN, "sweep"), "on schedule, automirror looks at everything")?;
        self.sweep_now().await?;
        self.settle().await
    }

    /// Starts the scheduled sweep.
    pub(crate) async fn sweep_now(&mut self) -> anyhow::Result<()> {
        self.deployment.cloud.clear_calls();
        let invocation = self.deployment.sweep().await?;
        self.show_invocation(&invocation)
    }

    pub(crate) fn rule(&self) -> anyhow::Result<&ConfigRule> {
        self.deployment.rule.as_ref().context("there is no rule")
    }
}
