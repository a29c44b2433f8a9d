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
        self.screen.row((CYAN, "sweep"), "on schedule, config-rule evaluates everything")?;
        self.evaluate_everything_now().await?;
        self.settle().await
    }

    /// Lets the rule evaluate everything.
    pub(crate) async fn evaluate_everything_now(&mut self) -> anyhow::Result<()> {
        self.deployment.cloud.clear_calls();
        self.deployment.schedule_rule().await?;
        self.show_evaluations()?;
        Ok(())
    }

    /// Shows how long it took until a deleted session was missed, recreated, and found compliant again.
    pub(crate) fn show_healing(&mut self, name: &str, steps: [Duration; 3]) -> anyhow::Result<()> {
        let [missed, restored, found] = steps.map(millis);
        let sum = millis(steps.iter().sum());
        let text = format!(
            "{name}: deleted -> NON_COMPLIANT in {missed} -> mirrored again in {restored} -> \
             COMPLIANT in {found}: {sum} in all, without the time that AWS takes to bring each event"
        );
        self.screen.row((GREEN, "healed"), &text)?;
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
            let invocation = attempt.outcome?;
            self.screen.log(&invocation.log)?;
            times.push(invocation.wall_time);
        }
        self.show_turns()?;
        let cost = Cost::new("config-rule", times, &self.deployment.cloud.calls());
        self.totals.rule += cost;
        let invocations = count(cost.invocations, "invocation");
        let text = format!("{}: {invocations} of config-rule: {}", millis(cost.time), cost.calls());
        self.screen.detail((DIM, "took"), &text)?;
        Ok(cost.time)
    }

    /// Shows the verdicts that are not what they were, those that turned alike together.
    fn show_turns(&mut self) -> anyhow::Result<()> {
        let cloud = &self.deployment.cloud;
        let world = cloud.world();
        let config = cloud.config();
        let rule = config.rule(&self.rule()?.name).context("there is no rule")?;
        let mut turns: Vec<(Turn, Vec<String>)> = Vec::new();
        for new in rule.verdicts() {
            let old = self.verdicts.get(&new.key);
            let is_known = self.decisions.iter().any(|decision| decision.explains(new));
            let Some(turn) = Turn::new(old, new, is_known) else { continue };
            let subject = subject(&world, &new.key);
            match turns.iter_mut().find(|(known, _)| *known == turn) {
                Some((_, subjects)) => subjects.push(subject),
                None => turns.push((turn, vec![subject])),
            }
        }
        let verdicts = rule.verdicts().map(|it| (it.key.clone(), it.clone()));
        let verdicts: BTreeMap<_, _> = verdicts.collect();
        drop(config);
        drop(world);
        self.verdicts = verdicts;
        for (turn, subjects) in turns {
            let label = (paint(turn.now), "verdict");
            let text = format!("{}: {}", subjects.join(", "), turn.text);
            if turn.is_routine() {
                self.screen.detail(label, &text)?;
            } else {
                self.screen.row(label, &text)?;
            }
        }
        Ok(())
    }
}

/// A verdict that is not what it was.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    before: Option<Compliance>,
    now: Compliance,
    /// From what to what, and why.
    text: String,
}

impl Turn {
    /// What became of a session goes without saying, unless it was or is wrong: its instance's verdict tells. A reason
    /// that is known is only named.
    fn new(old: Option<&Verdict>, new: &Verdict, is_known: bool) -> Option<Self> {
        let (before, now) = (old.map(|old| old.compliance), new.compliance);
        let is_wrong = before == Some(Compliance::NonCompliant) || now == Compliance::NonCompliant;
        let is_same = before == Some(now) && (!is_wrong || old?.annotation == new.annotation);
        if is_same || (new.key.resource_type != INSTANCE && !is_wrong) {
            return None;
        }
        let from = match before {
            Some(before) if before == now => "still ".to_owned(),
            Some(before) => format!("{} -> ", before.name()),
            None => String::new(),
        };
        let why = match (now, new.annotation.as_deref()) {
            (Compliance::Compliant, _) | (_, None) => String::new(),
            (_, Some(why)) if is_known => {
                why.split_once(']').map_or_else(String::new, |(code, _)| format!(" {code}]"))
            }
            (_, Some(why)) => format!(": {why}"),
        };
        Some(Self { before, now, text: format!("{from}{}{why}", now.name()) })
    }

    /// Whether nothing was wrong or is, and the instance has been judged before, or is not to be mirrored.
    fn is_routine(&self) -> bool {
        let is_wrong = [self.before, Some(self.now)].contains(&Some(Compliance::NonCompliant));
        !is_wrong && (self.before.is_some() || self.now == Compliance::NotApplicable)
    }
}

fn subject(world: &World, key: &ResourceKey) -> String {
    match key.resource_type.as_str() {
        INSTANCE => label::instance(world, &key.id),
        _ => key.id.clone(),
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
        let annotation = Some("[code] eni-00000000000000015: why".to_owned());
        let time = Time(0);
        Verdict { key, compliance, annotation, ordering: time, recorded: time, invoked: time }
    }

    fn told(old: Option<&Verdict>, new: &Verdict) -> Option<String> {
        Turn::new(old, new, false).map(|turn| turn.text)
    }

    #[test]
    fn only_what_turns_is_told_and_of_sessions_only_what_is_wrong() {
        use Compliance::{Compliant, NonCompliant, NotApplicable};
        let instance = |compliance| verdict(ResourceKey::instance("i-1"), compliance);
        let session = |compliance| verdict(ResourceKey::session("tms-1"), compliance);
        let (good, bad) = (instance(Compliant), instance(NonCompliant));
        let text = told(Some(&good), &bad).unwrap();
        assert_eq!(text, "COMPLIANT -> NON_COMPLIANT: [code] eni-00000000000000015: why");
        let known = Turn::new(Some(&good), &bad, true).unwrap();
        assert_eq!(known.text, "COMPLIANT -> NON_COMPLIANT [code]");
        assert_eq!(told(None, &good).unwrap(), "COMPLIANT");
        assert_eq!(told(Some(&good), &good), None);
        assert_eq!(told(Some(&session(Compliant)), &session(NotApplicable)), None);
        let text = told(Some(&session(NonCompliant)), &session(Compliant)).unwrap();
        assert_eq!(text, "NON_COMPLIANT -> COMPLIANT");
    }

    #[test]
    fn what_is_still_wrong_for_another_reason_is_told() {
        let old = verdict(ResourceKey::instance("i-1"), Compliance::NonCompliant);
        let new = Verdict { annotation: Some("[other] why".to_owned()), ..old.clone() };
        assert_eq!(told(Some(&old), &new).unwrap(), "still NON_COMPLIANT: [other] why");
        assert_eq!(told(Some(&new), &new), None);
    }
}
