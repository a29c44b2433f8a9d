//! What automirror does in an invocation, as its log tells.

use anyhow::Context;
use local_cloud::aws::sqs::Message;
use local_cloud::lambda::{Answer, Invocation, LogLine};
use serde_json::Value;

use crate::cost::Cost;
use crate::decision::{Decision, Said, subjects, without_event};
use crate::event;
use crate::label::millis;
use crate::screen::{CYAN, DIM};
use crate::stage::Stage;

impl Stage {
    pub(crate) fn show_events(&mut self, messages: &[Message]) -> anyhow::Result<()> {
        self.totals.events += messages.len();
        let kinds = event::events(&self.deployment.cloud.world(), messages);
        for events in kinds {
            self.screen.detail((CYAN, "event"), &format!("{}: {}", events.kind, events.text()))?;
        }
        Ok(())
    }

    /// Shows an invocation that the story makes: it must not fail.
    pub(crate) fn show_invocation(&mut self, invocation: &Invocation) -> anyhow::Result<()> {
        self.totals.returned += returned(&invocation.answer)?;
        self.show_work(invocation)
    }

    /// Shows what automirror did and why, and how long it took.
    pub(crate) fn show_work(&mut self, invocation: &Invocation) -> anyhow::Result<()> {
        self.screen.log(&invocation.log)?;
        let remarks = self.show_said(&invocation.log)?;
        let calls = self.deployment.cloud.calls();
        let cost = Cost::new("automirror", [invocation.wall_time], &calls);
        self.totals.automirror += cost;

        let mut text = vec![cost.calls()];
        text.extend(remarks);
        let text = format!("{}: {}", millis(cost.time), text.join("; "));
        self.screen.detail((DIM, "took"), &text)?;
        Ok(())
    }

    /// Shows the steps, and returns what automirror says of the invocation as a whole.
    fn show_said(&mut self, log: &[LogLine]) -> anyhow::Result<Vec<String>> {
        let mut remarks = Vec::new();
        let mut decisions = Vec::new();
        for line in log {
            match Said::read(line) {
                Said::Step(decision) => decisions.push(decision),
                Said::Ignored(why) => {
                    let remark = format!("ignored: {why}");
                    // Several events may be ignored for one reason.
                    if !remarks.contains(&remark) {
                        remarks.push(remark);
                    }
                }
                Said::Summary(reasons) if reasons.is_empty() => {}
                Said::Summary(reasons) => remarks.push(format!("plan: {reasons}")),
                Said::Other(text) => self.screen.row((DIM, "log"), &text)?,
            }
        }
        // Calls that are made at once end in any order.
        decisions.sort_by(|one: &Decision, other| one.interface.cmp(&other.interface));
        self.show_decisions(&decisions)?;
        self.decisions.extend(decisions);
        Ok(remarks)
    }

    /// Shows those that say the same together. What stays as it is, is a detail.
    fn show_decisions(&mut self, decisions: &[Decision]) -> anyhow::Result<()> {
        let mut alike: Vec<Vec<&Decision>> = Vec::new();
        for decision in decisions {
            match alike.iter_mut().find(|them| them.iter().all(|it| it.says_as(decision))) {
                Some(them) => them.push(decision),
                None => alike.push(vec![decision]),
            }
        }
        for them in alike {
            let first = them.first().context("a group has a first member")?;
            let subjects = subjects(&self.deployment.cloud.world(), &them);
            let label = (first.paint(), first.action.as_str());
            let text = format!("{subjects}: {}", first.text());
            let text = if self.screen.is_verbose() { &text } else { without_event(&text) };
            if first.changes_nothing() {
                self.screen.detail(label, text)?;
            } else {
                self.screen.row(label, text)?;
            }
        }
        Ok(())
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
