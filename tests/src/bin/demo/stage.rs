//! The cloud, automirror, and what is shown of them.

use anyhow::Context;
use local_cloud::call::{Call, Outcome};
use local_cloud::deployment::Deployment;
use local_cloud::function::{Answer, Invocation, LogLine};
use local_cloud::queue::Message;
use local_cloud::world::Caller;
use serde_json::Value;

use crate::decision::{Decision, Said};
use crate::event;
use crate::label::count;
use crate::screen::{Paint, Screen};

/// How many rounds of deliveries and ticks settle whatever a scene begins.
const ROUNDS: usize = 30;

/// The cloud with automirror in it, and what is shown of them.
pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) screen: Screen,
    /// Whoever does something that no other name is given for.
    pub(crate) alice: Caller,
    /// What automirror decided since the scene began.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) totals: Totals,
    scenes: usize,
}

/// What it took so far.
#[derive(Default)]
pub(crate) struct Totals {
    events: usize,
    invocations: usize,
    reads: usize,
    writes: usize,
    /// Events that automirror could not deal with at once.
    pub(crate) returned: usize,
}

impl Stage {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let deployment = Deployment::start(&[]).await?;
        // The story takes a second. Were this EC2 to remember client tokens of sessions that are
        // gone, what is made again within the same minute would have to wait for the next one.
        deployment.cloud.world().token_outlives_session = false;
        let worker = deployment.workers.first().context("there is no worker")?;
        let line = format!(
            "automirror, the real binary, started in {} ms; its EC2 is the local cloud at {}",
            worker.init_time().as_millis(),
            deployment.cloud.endpoint()
        );
        let mut screen = Screen::open();
        screen.line(Paint::Plain, &line)?;
        Ok(Self {
            deployment,
            screen,
            alice: Caller::default(),
            decisions: Vec::new(),
            totals: Totals::default(),
            scenes: 0,
        })
    }

    pub(crate) fn scene(&mut self, headline: &str) -> anyhow::Result<()> {
        self.scenes += 1;
        self.decisions.clear();
        self.screen.line(Paint::Plain, "")?;
        self.screen.line(Paint::Bold, &format!("{}. {headline}", self.scenes))?;
        Ok(())
    }

    /// Brings events to automirror until nothing happens any more.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        for _ in 0..ROUNDS {
            self.deliver().await?;
            self.deployment.cloud.world().tick();
            self.deployment.forward();
            if self.deployment.queue.is_empty() {
                return Ok(());
            }
        }
        anyhow::bail!("events were still under way after {ROUNDS} rounds")
    }

    /// Brings the events there are to automirror, and shows what came of them.
    pub(crate) async fn deliver(&mut self) -> anyhow::Result<()> {
        self.deployment.cloud.clear_calls();
        let delivery = self.deployment.deliver().await;
        // A delivery is one batch, unless there are more events than the demo ever makes: the
        // calls are those of all its batches.
        for batch in delivery.batches {
            self.show_events(&batch.messages)?;
            let invocation = batch.outcome.context("automirror did not answer a batch")?;
            self.show_invocation(&invocation)?;
        }
        Ok(())
    }

    /// Starts the scheduled sweep, and brings what it causes to automirror.
    pub(crate) async fn sweep(&mut self) -> anyhow::Result<()> {
        let sweep = (Paint::Cyan, "sweep");
        self.screen.row(sweep, "on schedule", "automirror looks at everything")?;
        self.deployment.cloud.clear_calls();
        let invocation = self.deployment.sweep().await?;
        self.show_invocation(&invocation)?;
        self.settle().await
    }

    pub(crate) fn show_totals(&mut self) -> anyhow::Result<()> {
        let Totals { events, invocations, reads, writes, .. } = self.totals;
        let sessions = self.deployment.cloud.world().sessions().count();
        let line = format!(
            "{} in {}; {}, {}; {} in the cloud; all as told.",
            count(events, "event"),
            count(invocations, "invocation"),
            count(reads, "EC2 read"),
            count(writes, "EC2 write"),
            count(sessions, "session"),
        );
        self.screen.line(Paint::Bold, &line)?;
        Ok(())
    }

    fn show_events(&mut self, messages: &[Message]) -> anyhow::Result<()> {
        self.totals.events += messages.len();
        let kinds = event::events(&self.deployment.cloud.world(), messages);
        for events in kinds {
            self.screen.row((Paint::Cyan, "event"), &events.kind, &events.text())?;
        }
        Ok(())
    }

    fn show_invocation(&mut self, invocation: &Invocation) -> anyhow::Result<()> {
        let remarks = self.show_log(&invocation.log)?;
        let calls = self.deployment.cloud.calls();
        let calls: Vec<&Call> = calls.iter().filter(|call| is_by_automirror(call)).collect();
        let reads = calls.iter().filter(|call| call.action.starts_with("Describe")).count();
        let writes = calls.len() - reads;
        let refused = calls.iter().filter(|call| call.outcome != Outcome::Done).count();
        let returned = returned(&invocation.answer)?;
        self.totals.invocations += 1;
        self.totals.reads += reads;
        self.totals.writes += writes;
        self.totals.returned += returned;

        let took = format!("{:.1} ms", invocation.wall_time.as_secs_f64() * 1000.0);
        let mut cost = vec![format!("{}, {}", count(reads, "read"), count(writes, "write"))];
        if refused > 0 {
            cost.push(format!("{} refused", count(refused, "call")));
        }
        if returned > 0 {
            cost.push(format!("{} must come again", count(returned, "event")));
        }
        cost.extend(remarks);
        self.screen.row((Paint::Dim, "took"), &took, &cost.join("; "))?;
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
                Said::Other(text) => self.screen.row((Paint::Dim, "log"), "", &text)?,
            }
        }
        Ok(remarks)
    }
}

/// While the demo serves, others call the cloud too.
fn is_by_automirror(call: &Call) -> bool {
    call.caller.principal.starts_with("assumed-role/automirror/")
}

/// How many events of a batch must come again; a sweep answers with its numbers instead.
fn returned(answer: &Answer) -> anyhow::Result<usize> {
    let Answer::Response(response) = answer else {
        anyhow::bail!("automirror answered with an error: {answer:?}");
    };
    let failures = response.get("batchItemFailures").and_then(Value::as_array);
    Ok(failures.map_or(0, Vec::len))
}
