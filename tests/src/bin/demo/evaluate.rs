//! The Config rule's evaluations, where they change.

use std::collections::BTreeMap;
use std::time::Duration;

use anstyle::Style;
use anyhow::Context;
use local_cloud::aws::config::{Compliance, INSTANCE, ResourceKey, Verdict};
use local_cloud::aws::ec2::World;

use crate::cost::Cost;
use crate::label::{self, count, millis};
use crate::screen::{CYAN, DIM, GREEN, PLAIN, RED};
use crate::stage::Stage;

impl Stage {
    /// Lets AWS Config record what has changed and the rule evaluate it. Shows which verdicts changed, and
    /// how long it took.
    pub(crate) async fn evaluate(&mut self) -> anyhow::Result<Duration> {
        self.deployment.cloud.clear_calls();
        self.deployment.evaluate().await;
        self.show_evaluations()
    }

    /// Lets the rule evaluate everything, on its schedule, and delivers the events of that to automirror.
    pub(crate) async fn evaluate_everything(&mut self) -> anyhow::Result<()> {
        let label = (CYAN, "sweep");
        self.screen.row(label, "on schedule", "config-rule evaluates everything")?;
        self.deployment.cloud.clear_calls();
        self.deployment.schedule_rule().await?;
        self.show_evaluations()?;
        self.settle().await
    }

    /// Shows how long it took until a deleted session was missed, recreated, and found compliant again.
    pub(crate) fn show_healing(&mut self, name: &str, steps: [Duration; 3]) -> anyhow::Result<()> {
        let [missed, restored, found] = steps.map(millis);
        let sum = millis(steps.iter().sum());
        let text = format!(
            "deleted -> NON_COMPLIANT in {missed} -> mirrored again in {restored} -> COMPLIANT in \
             {found}: {sum} in all, without the time that AWS takes to bring each event"
        );
        self.screen.row((GREEN, "healed"), name, &text)?;
        Ok(())
    }

    /// What the rule was seen to say last about an instance.
    pub(crate) fn verdict(&self, instance: &str) -> Option<&Verdict> {
        self.verdicts.get(&ResourceKey::instance(instance))
    }

    fn show_evaluations(&mut self) -> anyhow::Result<Duration> {
        let rule = self.deployment.rule.as_mut().context("there is no rule")?;
        let attempts = std::mem::take(&mut rule.attempts);
        if attempts.is_empty() {
            return Ok(Duration::ZERO);
        }
        let mut times = Vec::new();
        for attempt in attempts {
            // Lambda retries what fails; in this story nothing does.
            anyhow::ensure!(!attempt.has_failed(), "config-rule failed: {:?}", attempt.outcome);
            times.push(attempt.outcome?.wall_time);
        }
        self.show_turns()?;
        let cost = Cost::new("config-rule", times, &self.deployment.cloud.calls());
        self.totals.rule += cost;
        let invocations = count(cost.invocations, "invocation");
        let text = format!("{invocations} of config-rule: {}", cost.calls());
        self.screen.row((DIM, "took"), &millis(cost.time), &text)?;
        Ok(cost.time)
    }

    /// Shows the verdicts that are not what they were, those that turned alike together.
    fn show_turns(&mut self) -> anyhow::Result<()> {
        let cloud = &self.deployment.cloud;
        let world = cloud.world();
        let config = cloud.config();
        let rule = config.rule(&self.rule()?.name).context("there is no rule")?;
        let mut turns: Vec<(Compliance, String, Vec<String>)> = Vec::new();
        for new in rule.verdicts() {
            let old = self.verdicts.get(&new.key);
            let Some(text) = turn(old, new) else { continue };
            let subject = subject(&world, &new.key);
            match turns.iter_mut().find(|(_, known, _)| *known == text) {
                Some((_, _, subjects)) => subjects.push(subject),
                None => turns.push((new.compliance, text, vec![subject])),
            }
        }
        let verdicts = rule.verdicts().map(|it| (it.key.clone(), it.clone()));
        let verdicts: BTreeMap<_, _> = verdicts.collect();
        drop(config);
        drop(world);
        self.verdicts = verdicts;
        for (compliance, text, subjects) in turns {
            let label = (paint(compliance), "verdict");
            let subject = match &subjects[..] {
                [first, _, _, _, ..] => format!("{first} and {} more", subjects.len() - 1),
                few => few.join(", "),
            };
            self.screen.row(label, &subject, &text)?;
        }
        Ok(())
    }
}

/// From what to what, and why. What became of a session goes without saying, unless it was or is
/// wrong: its instance's verdict tells.
fn turn(old: Option<&Verdict>, new: &Verdict) -> Option<String> {
    let (before, now) = (old.map(|old| old.compliance), new.compliance);
    let is_wrong = before == Some(Compliance::NonCompliant) || now == Compliance::NonCompliant;
    if before == Some(now) || (new.key.resource_type != INSTANCE && !is_wrong) {
        return None;
    }
    let before = before.map(|before| format!("{} -> ", before.name())).unwrap_or_default();
    let why = match now {
        Compliance::Compliant => String::new(),
        _ => new.annotation.as_deref().map(|why| format!(": {why}")).unwrap_or_default(),
    };
    Some(label::shorten(&format!("{before}{}{why}", now.name())))
}

fn subject(world: &World, key: &ResourceKey) -> String {
    match key.resource_type.as_str() {
        INSTANCE => label::instance_name(world, &key.id),
        _ => label::short(&key.id),
    }
}

fn paint(compliance: Compliance) -> Style {
    match compliance {
        Compliance::Compliant => GREEN,
        Compliance::NonCompliant => RED,
        Compliance::NotApplicable => PLAIN,
    }
}

#[cfg(test)]
mod tests {
    use local_cloud::aws::config::Time;

    use super::*;

    fn verdict(key: ResourceKey, compliance: Compliance) -> Verdict {
        let annotation = Some("eni-00000000000000015: why".to_owned());
        let time = Time(0);
        Verdict { key, compliance, annotation, ordering: time, recorded: time, invoked: time }
    }

    #[test]
    fn only_what_turns_is_told_and_of_sessions_only_what_is_wrong() {
        use Compliance::{Compliant, NonCompliant, NotApplicable};
        let instance = |compliance| verdict(ResourceKey::instance("i-1"), compliance);
        let session = |compliance| verdict(ResourceKey::session("tms-1"), compliance);
        let good = instance(Compliant);
        let told = turn(Some(&good), &instance(NonCompliant)).unwrap();
        assert_eq!(told, "COMPLIANT -> NON_COMPLIANT: eni-…0015: why");
        assert_eq!(turn(None, &good).unwrap(), "COMPLIANT");
        assert_eq!(turn(Some(&good), &good), None);
        assert_eq!(turn(Some(&session(Compliant)), &session(NotApplicable)), None);
        let told = turn(Some(&session(NonCompliant)), &session(Compliant)).unwrap();
        assert_eq!(told, "NON_COMPLIANT -> COMPLIANT");
    }
}
