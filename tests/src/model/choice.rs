//! What may come next.

use std::collections::BTreeSet;

use super::person::Act;
use super::run::Run;

/// Concurrent execution environments.
const PROCESSES: usize = 3;

/// One step. An execution environment goes by the name of its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An execution environment takes a message: one that has deleted so many sessions before, or a new one.
    Begin { message: String, deletions: Option<usize> },
    /// EC2 executes a call and answers it.
    Call { message: String, call: usize, action: String },
    /// EC2 answers a read from before the last change.
    Outdated { message: String, call: usize, action: String },
    /// An execution environment ends while it waits.
    End { message: String },
    /// EC2 executes a call, and the execution environment ends before it has the answer.
    EndUnanswered { message: String, call: usize, action: String },
    /// A person acts.
    Act(Act),
    /// The minute passes that client tokens depend on.
    Minute,
}

impl Run {
    /// What may come next.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices = self.calls();
        if self.at_work.len() < PROCESSES {
            choices.extend(self.beginnings());
        }
        if self.turns > 0 {
            let world = self.cloud.world();
            let acts = self.scenario.acts.iter();
            let possible = acts.filter(|act| act.is_possible(&world, &self.site));
            choices.extend(possible.map(|act| Choice::Act(*act)));
        }
        if self.minute < self.scenario.minutes {
            choices.push(Choice::Minute);
        }
        choices
    }

    fn calls(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for work in &self.at_work {
            let name = || work.message.name.clone();
            for (call, request) in work.process.held.waiting().iter().enumerate() {
                let action = request.action().to_owned();
                choices.push(Choice::Call { message: name(), call, action: action.clone() });
                if action.starts_with("Describe") && self.outdated().is_some() {
                    let action = action.clone();
                    choices.push(Choice::Outdated { message: name(), call, action });
                }
                if self.kills > 0 && !action.starts_with("Describe") {
                    choices.push(Choice::EndUnanswered { message: name(), call, action });
                }
            }
            if self.kills > 0 {
                choices.push(Choice::End { message: name() });
            }
        }
        choices
    }

    /// Of messages with the same event, only the first is tried.
    fn beginnings(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (position, message) in self.queue.iter().enumerate() {
            if self.queue.iter().take(position).any(|earlier| earlier.says(message)) {
                continue;
            }
            let warm: BTreeSet<_> = self.warm.iter().map(|process| process.deletions).collect();
            for deletions in warm.into_iter().map(Some).chain([None]) {
                choices.push(Choice::Begin { message: message.name.clone(), deletions });
            }
        }
        choices
    }
}
