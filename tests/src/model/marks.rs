//! The races that come up in a run.

use super::held::Fate;
use super::run::{CREATE, Run};
use super::site::is_ours;

/// What makes it worth checking that all goes well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Race {
    TwoCreate,
    StaleRead,
    StaleCreation,
    StaleDeletion,
    AnotherAnswer,
    TokenUsed,
    NumberTaken,
    Unheard,
    TwoOfOurs,
    LeftToSweep,
}

impl Race {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TwoCreate => "two ask for one session at once",
            Self::StaleRead => "EC2 answers from before the last change",
            Self::StaleCreation => "a session is made though the tag is gone by now",
            Self::StaleDeletion => "a session is deleted though the tag is there by now",
            Self::AnotherAnswer => "EC2 answers with the session of another invocation",
            Self::TokenUsed => "EC2 refuses a token that another invocation used",
            Self::NumberTaken => "EC2 refuses a number that is taken",
            Self::Unheard => "a process ends before it hears of the session it has made",
            Self::TwoOfOurs => "two sessions of ours are there",
            Self::LeftToSweep => "only a sweep puts it right",
        }
    }
}

impl Run {
    /// What is under way at the same time, and what is there.
    pub(super) fn mark_waiting(&mut self) {
        let mut tokens = Vec::new();
        for work in &self.at_work {
            for request in work.process.held.waiting() {
                if request.action() == CREATE {
                    tokens.push(request.get("ClientToken").to_owned());
                }
            }
        }
        if tokens.iter().enumerate().any(|(number, token)| tokens[..number].contains(token)) {
            self.marks.insert(Race::TwoCreate);
        }
        if self.cloud.world().sessions().filter(|session| is_ours(session)).count() > 1 {
            self.marks.insert(Race::TwoOfOurs);
        }
    }

    /// What came of a creation.
    pub(super) fn mark_created(&mut self, is_new: bool, fate: Fate, answer: &str) {
        if !is_new && answer.contains("CreateTrafficMirrorSessionResponse") {
            self.marks.insert(Race::AnotherAnswer);
        }
        if answer.contains("IdempotentParameterMismatch") {
            self.marks.insert(Race::TokenUsed);
        }
        if answer.contains("already in use") {
            self.marks.insert(Race::NumberTaken);
        }
        if is_new && matches!(fate, Fate::Unanswered) {
            self.marks.insert(Race::Unheard);
        }
        if is_new && !self.site.is_tagged(&self.cloud.world()) {
            self.marks.insert(Race::StaleCreation);
        }
    }

    /// What came of a deletion.
    pub(super) fn mark_deleted(&mut self) {
        let world = self.cloud.world();
        if self.site.is_tagged(&world) && world.sessions().all(|session| !is_ours(session)) {
            self.marks.insert(Race::StaleDeletion);
        }
    }
}
