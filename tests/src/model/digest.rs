//! The digest of a run: all that decides how it can go on.

use std::fmt::Write;

use super::message::Message;
use super::process::Work;
use super::run::Run;
use crate::aws::ec2::{Session, World};

impl Run {
    /// Nothing is under way and nothing waits.
    pub(super) fn is_at_rest(&self) -> bool {
        self.at_work.is_empty() && self.queue.is_empty()
    }

    pub(super) fn digest(&self) -> String {
        let mut text = self.rest();
        let Self { turns, kills, stale, .. } = self;
        let warm: Vec<_> = self.warm.iter().map(|process| process.deletions).collect();
        let _ = writeln!(text, "{turns} turns, {kills} ends, warm {warm:?}");
        let _ = writeln!(text, "{stale} outdated answers, from {:?}", self.outdated());
        let queue = self.queue.iter().map(Message::text);
        let _ = writeln!(text, "queue {:?}", self.named(queue));
        for Work { process, message, .. } in &self.at_work {
            let _ = writeln!(text, "{} after {} deletions", message.text(), process.deletions);
            let waiting = process.held.waiting();
            let waiting = waiting.iter().map(|request| self.names.request(request));
            let _ = writeln!(text, "asks {:?}", waiting.collect::<Vec<_>>());
            // The code does not know which of two answers came first, unless it asked the same twice.
            let answered = process.held.answered().into_iter();
            let mut answered: Vec<_> = answered
                .map(|(request, answer)| (self.names.request(&request), self.names.answer(&answer)))
                .collect();
            answered.sort_by(|left, right| left.0.cmp(&right.0));
            let _ = writeln!(text, "knows {answered:?}");
        }
        text
    }

    /// What still counts when nothing is under way.
    pub(super) fn rest(&self) -> String {
        let returned = self.returned.iter().map(Message::text);
        format!(
            "minute {}, {}, tokens {:?}, returned {:?}\n",
            self.minute,
            self.shown(&self.cloud.world()),
            self.tokens,
            self.named(returned),
        )
    }

    /// What a read from before the last change would show, where it would show anything else.
    pub(super) fn outdated(&self) -> Option<String> {
        let world = self.cloud.world();
        let shown = self.shown(world.frozen()?);
        (self.stale > 0 && shown != self.shown(&world)).then_some(shown)
    }

    pub(super) fn shown(&self, world: &World) -> String {
        let sessions = world.sessions().map(|session| {
            let Session { id, target, filter, number, tags, .. } = session;
            format!("{id} to {target} through {filter} as {number} {tags:?}")
        });
        format!("tagged {}, sessions {:?}", self.site.is_tagged(world), self.named(sessions))
    }

    fn named(&self, texts: impl Iterator<Item = String>) -> Vec<String> {
        texts.map(|text| self.names.named(text)).collect()
    }
}
