//! What an invocation does for some of its events: read, plan, execute, and look again where something was
//! deleted.

mod limit;
mod read;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

use shared::{
    id::{AccountId, InstanceId, InterfaceId, SessionId, TargetId},
    observed::{Observed, TargetState},
    plan::{
        apply::apply,
        reason::Reason,
        step::{Action, Step},
    },
    policy::{
        Policy,
        run::{Mode, RunSettings},
    },
};
use shared_ec2::{
    cache::Cache,
    client::{Ec2, SdkConfig},
    deadline::Deadline,
    selector::Selector,
    warm_up::warm_up,
};

use crate::{
    act::{
        executor::{Executor, Run},
        failure::{Failure, Kind},
        outcome::{Executed, Execution, Outcome, RetryPolicy, Room},
        usage::Usage,
    },
    answer::{
        batch_result::{BatchResult, ReadFailure, Unfinished},
        inventory::Inventory,
        ledger::Ledger,
        step_log::{StepLog, log_done},
        summary::RoomNumbers,
    },
    event::parsed::Orders,
    memory::Memory,
};

/// After deletions automirror looks again, at most this often: somebody may create what it deletes.
const MAX_LOOKS: usize = 3;

/// Reconciles one account and region.
pub(crate) struct Reconciler {
    pub(crate) policy: Policy,
    pub(crate) memory: Memory,
    mode: Mode,
    deletion_limit: u8,
    ec2: Ec2,
    cache: Cache,
    now: fn() -> SystemTime,
    executor: Executor,
    step_log: StepLog,
}

/// What is to be reconciled.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// Lambda's request id.
    pub(crate) id: &'a str,
    pub(crate) account: &'a AccountId,
    /// What its events name.
    pub(crate) selectors: &'a BTreeSet<Selector>,
    /// What they are about, each with what it names: for the log.
    pub(crate) causes: &'a [(&'a BTreeSet<Selector>, &'a str)],
    /// Sessions that somebody else deleted, as the events tell, and where they were if that is known.
    pub(crate) deleted: &'a BTreeMap<SessionId, Option<InterfaceId>>,
    /// What was done before in this invocation: EC2's answers may lag behind it.
    pub(crate) done: &'a [Executed],
    pub(crate) deadline: Deadline,
    /// What a direct call asks for beyond that.
    pub(crate) orders: Orders,
}

impl Reconciler {
    pub(crate) fn new(
        policy: Policy,
        settings: RunSettings,
        config: &SdkConfig,
        now: fn() -> SystemTime,
    ) -> Self {
        let RunSettings { mode, deletion_limit, .. } = settings;
        Self {
            policy,
            memory: Memory::default(),
            mode,
            deletion_limit,
            ec2: Ec2::new(config),
            cache: Cache::default(),
            now,
            executor: Executor::new(config, now, settings),
            step_log: StepLog::default(),
        }
    }

    pub(crate) async fn warm_up(&self) {
        warm_up(&self.ec2, &self.cache, (self.now)()).await;
    }

    /// Makes the next decision read targets and filters anew.
    pub(crate) fn forget_targets(&self) {
        self.cache.invalidate();
    }

    /// Reads what the events name, and brings its sessions to what they should be.
    pub(crate) async fn reconcile(&self, job: Job<'_>) -> BatchResult {
        let started = (self.now)();
        let read = Box::pin(self.read(job, job.selectors));
        let observed = match job.deadline.cut(read).await {
            Some(Ok(observed)) => observed,
            Some(Err(error)) => return BatchResult::failed(ReadFailure::of(error)),
            None => return BatchResult::failed(ReadFailure::out_of_time()),
        };
        self.note_read(job, &observed, started);
        let inventory = Inventory::new(&self.policy, &observed, job.selectors);
        let pending = inventory.pending.clone();
        let execution = self.execute_and_look_again(job, &inventory, observed).await;
        if execution.executed.iter().any(|it| matches!(it.outcome, Outcome::Failed(_))) {
            self.cache.invalidate();
        }
        self.note_refused_types(&pending, &execution);
        self.note_changes(&execution);
        self.conclude(job, inventory, execution)
    }

    /// Remembers the instance types that no list has and EC2 has refused. A refusal while the instance is
    /// pending says nothing about its type.
    fn note_refused_types(&self, pending: &BTreeSet<InstanceId>, execution: &Execution) {
        for Executed { step, outcome } in &execution.executed {
            let is_pending = step.instance.as_ref().is_some_and(|it| pending.contains(it));
            if let (Reason::InstanceTypeUnknown { instance_type }, Outcome::Failed(failure)) =
                (&step.reason, outcome)
                && failure.is_unsupported()
                && !is_pending
            {
                self.cache.note_refused(&instance_type.as_str().into(), (self.now)());
            }
        }
    }

    fn note_changes(&self, execution: &Execution) {
        for Executed { step, outcome } in &execution.executed {
            if let (Action::Create(_), Outcome::Done(session)) = (&step.action, outcome) {
                self.memory.note_created(session, &step.source);
            }
        }
        let done = execution.executed.iter().filter(|it| it.outcome.is_done());
        let sources = done.map(|executed| executed.step.source.clone()).collect();
        self.memory.note_changes(sources, (self.now)());
    }

    /// Executes the plan, and looks again where something was deleted.
    async fn execute_and_look_again(
        &self,
        job: Job<'_>,
        inventory: &Inventory,
        observed: Observed,
    ) -> Execution {
        let mut execution = self.execute(job, inventory, observed).await;
        let mut looked_after = 0;
        for _ in 0..MAX_LOOKS {
            if job.orders.remove || looked_after >= execution.executed.len() {
                break;
            }
            let again = self.look_again(job, inventory, &execution.executed, looked_after).await;
            looked_after = execution.executed.len();
            execution.add_changes(again);
        }
        execution
    }

    /// Plans and executes, and does so again for sources whose target turned out to be full, until each
    /// has found room or no target is left.
    async fn execute(
        &self,
        job: Job<'_>,
        inventory: &Inventory,
        mut observed: Observed,
    ) -> Execution {
        let room = Room::default();
        let now = (self.now)();
        let (unstable, changed) = (self.memory.unstable(now), self.memory.changed(now));
        let on_end =
            |executed: &Executed| log_done(executed, inventory.cause(job.causes, executed));
        let run = Run {
            id: job.id,
            policy: &self.policy,
            deleted: job.deleted,
            deadline: job.deadline,
            go_last: &changed,
            on_end: &on_end,
        };
        let mut total = Execution::default();
        let mut full_once = BTreeSet::new();
        let mut restricted = self.plan(job, &observed, &unstable).await;
        loop {
            let mut round = self.executor.execute(run, restricted.plan, &room).await;
            self.note_deletions(&round);
            round.withheld = restricted.withheld;
            let refused = self.settle(&mut observed, &mut round, &room, &mut full_once);
            total.add(round);
            if refused.is_empty() {
                total.usage = observed.is_whole.then(|| Usage::of(&self.policy, &observed));
                return total;
            }
            restricted = self.plan(job, &observed, &unstable).await;
            restricted.plan.steps.retain(|step| refused.contains(&step.source));
            restricted.withheld.retain(|withheld| refused.contains(&withheld.step.source));
        }
    }

    /// Enters what was done into what was observed. Takes out of the round the steps that EC2 refused for
    /// lack of room on their target, or that were not tried because of that, and says which sources they
    /// are about: they are planned again, with their neighbours on the same source.
    fn settle(
        &self,
        observed: &mut Observed,
        round: &mut Execution,
        room: &Room,
        full_once: &mut BTreeSet<TargetId>,
    ) -> BTreeSet<InterfaceId> {
        let (mut refused, mut full, mut left) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        round.executed.retain(|Executed { step, outcome }| {
            match (outcome, step.action.target()) {
                (Outcome::Failed(Failure { kind: Kind::TargetFull, .. }), Some(target)) => {
                    full.insert(target.clone());
                    refused.insert(step.source.clone());
                    return false;
                }
                (Outcome::Done(session), _) => {
                    left.extend(step.before.as_ref().map(|before| before.target.clone()));
                    apply(observed, &self.policy, step, session);
                }
                _ => {}
            }
            true
        });
        let is_full = |step: &&Step| step.action.target().is_some_and(|it| full.contains(it));
        refused.extend(round.not_executed.iter().filter(is_full).map(|step| step.source.clone()));
        round.not_executed.retain(|step| !refused.contains(&step.source));
        // Where a session has just left the target, EC2 may have refused before that: it gets a second try.
        full.retain(|target| !left.contains(target) || !full_once.insert(target.clone()));
        for target in &left {
            self.memory.note_room(target);
        }
        for target in &full {
            self.memory.note_full(target, (self.now)());
        }
        for target in &mut observed.targets {
            if full.contains(&target.id) {
                target.state = TargetState::Full;
            } else {
                room.forget(&target.id);
            }
        }
        refused
    }

    /// Looks once more at sources that lost a session by the steps from `first` on, and at whatever
    /// instances they are on by now. What was read before may have been out of date by then: a tag that
    /// was set, an instance that started or an interface that was attached in between had its event
    /// while the session was still there, and nothing else would bring it back before the next sweep.
    /// The same goes for what this look deletes.
    async fn look_again(
        &self,
        job: Job<'_>,
        inventory: &Inventory,
        executed: &[Executed],
        first: usize,
    ) -> Execution {
        let lost = executed.iter().skip(first).filter(|it| it.deleted_session().is_some());
        let lost: Vec<&Step> = lost.map(|it| &it.step).collect();
        let selectors: BTreeSet<_> =
            lost.iter().map(|step| Selector::Interface(step.source.clone())).collect();
        if selectors.is_empty() {
            return Execution::default();
        }
        let deleted = with_deleted(job.deleted, executed);
        let done = executed.iter().filter(|it| it.outcome.is_done());
        let done: Vec<_> = job.done.iter().chain(done).cloned().collect();
        let job = Job { deleted: &deleted, done: &done, ..job };
        let read = Box::pin(self.read(job, &selectors));
        let Some(Ok(observed)) = job.deadline.cut(read).await else {
            // Then the record is retried.
            let outcome = Outcome::OutOfTime;
            let left = lost
                .into_iter()
                .map(|step| Executed { step: step.clone(), outcome: outcome.clone() });
            return Execution { executed: left.collect(), ..Execution::default() };
        };
        self.execute(job, inventory, observed).await
    }

    /// Logs what happened, and says what must be retried.
    fn conclude(&self, job: Job<'_>, inventory: Inventory, execution: Execution) -> BatchResult {
        self.step_log.log(&inventory, &execution, job.selectors, (self.now)());
        let named: BTreeSet<_> = job.selectors.iter().filter_map(Selector::instance).collect();
        let not_shown = named.into_iter().filter(|id| !inventory.instances.contains(*id));
        let not_shown = not_shown.map(ToString::to_string).collect();
        let ledger = Ledger::of(&execution, &inventory.pending);
        let room = execution.usage.as_ref().map(|usage| RoomNumbers::of(&usage.room));
        let mut result =
            BatchResult { inventory, ledger, room, not_shown, ..BatchResult::default() };
        result.note_refused(execution.untried());
        result.report(job.selectors, &execution);
        for executed in execution.executed {
            let Executed { step, outcome } = &executed;
            if let Some(policy) = outcome.retry_policy() {
                if policy == RetryPolicy::FewTimes {
                    *result.tries.entry(step.source.clone()).or_default() += 1;
                }
                result.unfinished.push(Unfinished { step: step.clone(), policy });
            } else if let Outcome::Failed(Failure { kind: Kind::Permanent, .. }) = outcome {
                result.note_refused([step]);
            }
            if outcome.is_done() {
                result.done.push(executed);
            }
        }
        result
    }
}

/// The deleted sessions, with those that were deleted by these steps.
pub(crate) fn with_deleted(
    deleted: &BTreeMap<SessionId, Option<InterfaceId>>,
    executed: &[Executed],
) -> BTreeMap<SessionId, Option<InterfaceId>> {
    let own = executed.iter().filter_map(|it| Some((it.deleted_session()?, &it.step.source)));
    let own = own.map(|(session, source)| (session.clone(), Some(source.clone())));
    deleted.clone().into_iter().chain(own).collect()
}
