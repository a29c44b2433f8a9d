//! Whether the cloud is as the story says.

use anyhow::{Context, ensure};
use local_cloud::aws::config::{Compliance, ResourceKey};
use local_cloud::aws::ec2::{DEFAULT_ACCOUNT, Instance, Session};

use crate::decision::Decision;
use crate::label::{self, count};
use crate::screen::GREEN;
use crate::stage::Stage;
use crate::user::is_owned;

/// Each check fails with what is not as told.
impl Stage {
    /// Checks that exactly these instances have owned sessions, one on each interface, that there are so
    /// many foreign sessions, that exactly those at fault are `NON_COMPLIANT`, and that no event is left over.
    #[expect(clippy::too_many_lines, reason = "a list of what a moment of the story must show")]
    pub(crate) fn check(
        &mut self,
        mirrored: &[&str],
        at_fault: &[&str],
        foreign: usize,
    ) -> anyhow::Result<()> {
        let sessions = self.sessions();
        let (owned, foreign_sessions): (Vec<_>, Vec<_>) = sessions.into_iter().partition(is_owned);
        let mut expected_total = 0;
        for instance in self.instances()? {
            let name = label::name(&instance.tags, &instance.id);
            let compliance = match name.as_str() {
                name if at_fault.contains(&name) => Compliance::NonCompliant,
                name if mirrored.contains(&name) => Compliance::Compliant,
                _ => Compliance::NotApplicable,
            };
            self.check_verdict(&ResourceKey::instance(&instance.id), compliance)?;
            let expected = usize::from(mirrored.contains(&name.as_str()));
            for interface in &instance.interfaces {
                let found = owned.iter().filter(|session| session.interface == *interface).count();
                let expected_words = count(expected, "session");
                ensure!(
                    found == expected,
                    "{name}'s {interface} should have {expected_words} of automirror's, not {found}"
                );
                expected_total += expected;
            }
            for session in owned.iter().filter(|s| instance.interfaces.contains(&s.interface)) {
                self.check_session(&instance, session)?;
            }
        }
        // In this story, each foreign session leads to a target that is not allowed.
        for session in &foreign_sessions {
            self.check_verdict(&ResourceKey::session(&session.id), Compliance::NonCompliant)?;
        }
        for name in mirrored.iter().chain(at_fault) {
            self.instance(name)?;
        }
        ensure!(
            owned.len() == expected_total,
            "{} sessions are on no instance",
            owned.len() - expected_total
        );
        ensure!(
            foreign_sessions.len() == foreign,
            "there are {} foreign sessions",
            foreign_sessions.len()
        );
        let queue = &self.deployment.queue;
        ensure!(queue.is_empty() && queue.dead_letters().is_empty(), "events are left over");
        let returned = self.totals.returned;
        ensure!(returned == 0, "automirror returned {}", count(returned, "event"));
        let text = if expected_total == 0 {
            "no session of automirror's".to_owned()
        } else {
            format!("one session on each interface of {} ({expected_total})", mirrored.join(", "))
        };
        let foreign = if foreign == 0 { String::new() } else { format!("; {foreign} foreign") };
        let verdicts = match at_fault {
            [] => "; all compliant".to_owned(),
            names => format!("; NON_COMPLIANT: {}", names.join(", ")),
        };
        self.as_told(&(text + &foreign + &verdicts))
    }

    /// automirror said this about an interface of the instance in this scene, and the rule gives
    /// the same reason.
    pub(crate) fn check_said(&self, name: &str, action: &str, reason: &str) -> anyhow::Result<()> {
        let decision = self.decided(name, action, reason)?;
        let annotation =
            self.verdict(&decision.instance).and_then(|verdict| verdict.annotation.as_deref());
        let annotation = annotation.unwrap_or_default();
        let reason = decision.text();
        ensure!(annotation.contains(&reason), "of {name} the rule says {annotation}, not {reason}");
        Ok(())
    }

    /// automirror did this to a session of the instance in this scene.
    pub(crate) fn check_done(&self, name: &str, action: &str, reason: &str) -> anyhow::Result<()> {
        self.decided(name, action, reason).map(drop)
    }

    fn decided(&self, name: &str, action: &str, reason: &str) -> anyhow::Result<&Decision> {
        let instance = self.instance(name)?.id;
        let mut decisions = self.decisions.iter();
        decisions
            .find(|it| it.instance == instance && it.action == action && it.reason == reason)
            .with_context(|| format!("automirror should have said of {name}: {action}, {reason}"))
    }

    /// Checks that the instance's sessions are gone, and that the rule does not know it yet.
    pub(crate) fn check_missed(&mut self, name: &str) -> anyhow::Result<()> {
        let instance = self.instance(name)?;
        let sessions = self.sessions();
        let is_left = sessions.iter().any(|it| instance.interfaces.contains(&it.interface));
        ensure!(!is_left, "{name} should have no sessions");
        self.check_verdict(&ResourceKey::instance(&instance.id), Compliance::Compliant)?;
        self.as_told(&format!("no session on {name}, and to the rule it is still COMPLIANT"))
    }

    /// Checks that exactly so many sources use the target.
    pub(crate) fn check_target_usage(
        &mut self,
        target: &str,
        sources: usize,
    ) -> anyhow::Result<()> {
        let sessions = self.sessions();
        let found = sessions.iter().filter(|session| session.target == *target).count();
        ensure!(found == sources, "{target} should have {sources} sources, not {found}");
        Ok(())
    }

    fn check_verdict(&self, key: &ResourceKey, expected: Compliance) -> anyhow::Result<()> {
        let verdict = self.verdicts.get(key);
        let found = verdict.map(|verdict| verdict.compliance);
        let id = &key.id;
        ensure!(found == Some(expected), "{id} should be {}, not {verdict:?}", expected.name());
        Ok(())
    }

    pub(crate) fn as_told(&mut self, text: &str) -> anyhow::Result<()> {
        self.screen.detail((GREEN, "check"), &format!("ok: {text}"))?;
        Ok(())
    }

    /// Checks that an owned session leads to a target of its own account, through automirror's filter.
    fn check_session(&self, instance: &Instance, session: &Session) -> anyhow::Result<()> {
        let world = self.deployment.cloud.world();
        let (id, target, filter) = (&session.id, &session.target, &session.filter);
        let owner = world.target(target).map(|target| target.owner.as_str());
        ensure!(owner == Some(DEFAULT_ACCOUNT), "{id} leads to {target}, of account {owner:?}");
        let manager = world.filter(filter).and_then(|filter| filter.tags.get("ManagedBy"));
        ensure!(manager.is_some_and(|it| it == "automirror"), "{id} has the wrong filter {filter}");
        ensure!(
            session.tags.get("Name") == Some(&instance.id),
            "{id} is not named {}",
            instance.id
        );
        Ok(())
    }
}
