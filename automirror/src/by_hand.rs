//! Executes steps for a person at a command line, with that person's permissions.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use shared::{
    id::SessionId,
    plan::step::{Plan, Step},
    policy::{Policy, run::RunSettings},
};
use shared_ec2::{client::SdkConfig, deadline::Deadline};

use crate::act::{
    executor::{Executor, Run},
    outcome::{Executed, Outcome, Room},
};

/// The time that a few steps have: far more than they need, even where EC2 throttles.
const PATIENCE: Duration = Duration::from_mins(5);

/// Changes one account and region, a few steps at a time.
pub struct ByHand {
    executor: Executor,
    room: Room,
    policy: Policy,
    /// What new sessions carry as the tag `Invocation`.
    id: String,
    now: fn() -> SystemTime,
}

/// A step that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The step.
    pub step: Step,
    /// The session that was created, modified or deleted, or why nothing was.
    pub outcome: Result<SessionId, String>,
}

impl ByHand {
    /// For the account and region of `config`. `policy` says whose the new sessions are, `id` is what they carry
    /// as the tag `Invocation`, `now` the clock.
    #[must_use]
    pub fn new(
        config: &SdkConfig,
        settings: RunSettings,
        policy: Policy,
        id: &str,
        now: fn() -> SystemTime,
    ) -> Self {
        let executor = Executor::new(config, now, settings);
        let room = Room::default();
        Self { executor, room, policy, id: id.to_owned(), now }
    }

    /// Executes the steps that change something, and says what became of each. All of them have a minute or
    /// two: a caller that wants to stop early passes a few at a time.
    pub async fn execute(&self, steps: Vec<Step>) -> Vec<Tried> {
        let now = (self.now)();
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let end = since_1970.saturating_add(PATIENCE).as_millis();
        // EC2 would answer a client token of the same minute with the session that it was used for, which the
        // person may just have deleted: with something of this call in it, each token is new.
        let this_call = format!("tms-{}", since_1970.as_millis()).parse();
        let deleted: BTreeMap<SessionId, _> = this_call.into_iter().map(|id| (id, None)).collect();
        let run = Run {
            id: &self.id,
            policy: &self.policy,
            deleted: &deleted,
            deadline: Deadline::at(u64::try_from(end).unwrap_or(u64::MAX), now),
            go_last: &BTreeSet::new(),
            on_end: &|_| {},
        };
        let plan = Plan { steps, questions: BTreeSet::new() };
        let execution = self.executor.execute(run, plan, &self.room).await;
        let full = "the account or the target has as many sessions as it can have";
        let left = execution.not_executed.into_iter().filter(|step| step.action.is_change());
        let left = left.map(|step| Tried { step, outcome: Err(full.to_owned()) });
        execution.executed.into_iter().map(tried).chain(left).collect()
    }
}

fn tried(Executed { step, outcome }: Executed) -> Tried {
    let outcome = match outcome {
        Outcome::Done(session) => Ok(session),
        Outcome::Failed(failure) => Err(failure.message),
        Outcome::OutOfTime => Err("EC2 did not do it in time".to_owned()),
    };
    Tried { step, outcome }
}
