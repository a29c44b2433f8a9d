//! The races that come up in a run.

use super::held::Fate;
use super::run::{CREATE, Run};
use super::site::is_owned;

/// A race that a scenario must contain, or it would prove nothing.
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
    TwoOwned,
    LeftToSweep,
}

impl Race {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TwoCreate => "two execution environments create one session at once",
            Self::StaleRead => "EC2 answers from before the last change",
            Self::StaleCreation => "a session is created though the tag is gone by now",
            Self::StaleDeletion => "a session is deleted though the tag is there by now",
            Self::AnotherAnswer => "EC2 answers with the session of another invocation",
            Self::TokenUsed => "EC2 refuses a token that another invocation used",
            Self::NumberTaken => "EC2 refuses a number that is taken",
            Self::Unheard => {
                "an execution environment ends before it hears of the session it has created"
            }
            Self::TwoOwned => "there are two owned sessions",
            Self::LeftToSweep => "only a sweep corrects it",
        }
    }
}

impl Run {
    /// Marks creations that are under way at the same time, and two owned sessions.
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
        if self.cloud.world().sessions().filter(|session| is_owned(session)).count() > 1 {
            self.marks.insert(Race::TwoOwned);
        }
    }

    /// Marks the outcome of a creation.
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

    /// Marks the outcome of a deletion.
    pub(super) fn mark_deleted(&mut self) {
        let world = self.cloud.world();
        if self.site.is_tagged(&world) && world.sessions().all(|session| !is_owned(session)) {
            self.marks.insert(Race::StaleDeletion);
        }
    }
}
