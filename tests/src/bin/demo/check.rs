//! Whether the cloud is as the story says.

use anyhow::ensure;
use local_cloud::world::{DEFAULT_ACCOUNT, Instance, Session};

use crate::label::{self, count};
use crate::screen::Paint;
use crate::stage::Stage;
use crate::user::is_ours;

/// Each check fails with what is not as told.
impl Stage {
    /// Exactly these instances have sessions of automirror's, one on each interface; somebody else
    /// has so many; and no event is left over.
    pub(crate) fn check(&mut self, mirrored: &[&str], foreign: usize) -> anyhow::Result<()> {
        let sessions = self.sessions();
        let (ours, theirs): (Vec<_>, Vec<_>) = sessions.into_iter().partition(is_ours);
        let mut wanted = 0;
        for instance in self.instances()? {
            let name = label::name(&instance.tags, &instance.id);
            let expected = usize::from(mirrored.contains(&name.as_str()));
            for interface in &instance.interfaces {
                let found = ours.iter().filter(|session| session.interface == *interface).count();
                let expected_words = count(expected, "session");
                ensure!(
                    found == expected,
                    "{name}'s {interface} should have {expected_words} of automirror's, not {found}"
                );
                wanted += expected;
            }
            for session in ours.iter().filter(|s| instance.interfaces.contains(&s.interface)) {
                self.check_session(&instance, session)?;
            }
        }
        for name in mirrored {
            self.instance(name)?;
        }
        ensure!(ours.len() == wanted, "{} sessions are on no instance", ours.len() - wanted);
        ensure!(theirs.len() == foreign, "there are {} foreign sessions", theirs.len());
        let queue = &self.deployment.queue;
        ensure!(queue.is_empty() && queue.dead_letters().is_empty(), "events are left over");
        let returned = self.totals.returned;
        ensure!(returned == 0, "automirror wanted {} again", count(returned, "event"));
        let text = if wanted == 0 {
            "no session of automirror's".to_owned()
        } else {
            format!("one session on each interface of {} ({wanted})", mirrored.join(", "))
        };
        let foreign = if foreign == 0 { String::new() } else { format!("; {foreign} foreign") };
        self.as_told(&(text + &foreign))
    }

    /// automirror said this about an interface of the instance in this scene.
    pub(crate) fn check_said(
        &mut self,
        name: &str,
        action: &str,
        reason: &str,
    ) -> anyhow::Result<()> {
        let instance = self.instance(name)?.id;
        let was_said = self
            .decisions
            .iter()
            .any(|it| it.instance == instance && it.action == action && it.reason == reason);
        ensure!(was_said, "automirror should have said of {name}: {action}, {reason}");
        Ok(())
    }

    /// Exactly so many sources lead to the target.
    pub(crate) fn check_load(&mut self, target: &str, sources: usize) -> anyhow::Result<()> {
        let sessions = self.sessions();
        let found = sessions.iter().filter(|session| session.target == *target).count();
        ensure!(found == sources, "{target} should have {sources} sources, not {found}");
        Ok(())
    }

    pub(crate) fn as_told(&mut self, text: &str) -> anyhow::Result<()> {
        self.screen.row((Paint::Green, "check"), "as told", text)?;
        Ok(())
    }

    /// A session of ours leads to our own account, through the filter meant for it.
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
