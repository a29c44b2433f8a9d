//! One invocation's work: read, plan, execute, and look again where something was deleted.

use std::{collections::BTreeSet, time::SystemTime};

use shared::{
    id::{AccountId, InstanceId, InterfaceId, SessionId, TargetId},
    observed::{Observed, TargetState},
    plan::{
        apply::apply,
        plan,
        reason::Reason,
        restrict::{Limits, Restricted, restrict},
        step::Step,
    },
    policy::{
        Policy,
        run::{Mode, RunSettings},
    },
};
use shared_ec2::{
    ObserveError,
    cache::Cache,
    client::{Ec2, SdkConfig},
    observe::observe,
    reader::Reader,
    selector::Selector,
    warm_up::warm_up,
};

use crate::{
    act::{
        deadline::Deadline,
        executor::{Executor, Run},
        failure::{Failure, Kind},
        outcome::{Executed, Execution, Outcome, SessionQuota},
    },
    answer::{
        batch_result::{BatchResult, Unfinished},
        inventory::Inventory,
        step_log::{StepLog, log_done},
    },
};

/// Reconciles one account and region.
pub(crate) struct Reconciler {
    pub(crate) policy: Policy,
    mode: Mode,
    ec2: Ec2,
    cache: Cache,
    now: fn() -> SystemTime,
    executor: Executor,
    step_log: StepLog,
}

/// What an invocation is about.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// Lambda's request id.
    pub(crate) id: &'a str,
    pub(crate) account: &'a AccountId,
    /// What its events name.
    pub(crate) selectors: &'a BTreeSet<Selector>,
    /// Sessions that somebody else deleted, as the events tell.
    pub(crate) deleted: &'a BTreeSet<SessionId>,
    pub(crate) deadline: Deadline,
}

impl Reconciler {
    pub(crate) fn new(
        policy: Policy,
        settings: RunSettings,
        config: &SdkConfig,
        now: fn() -> SystemTime,
    ) -> Self {
        let ec2 = Ec2::new(config);
        let mode = settings.mode;
        let executor = Executor::new(config, now, settings);
        let (cache, step_log) = (Cache::default(), StepLog::default());
        Self { policy, mode, ec2, cache, now, executor, step_log }
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
        let read = Box::pin(self.observe(job, job.selectors, job.deleted));
        let observed = match job.deadline.cut(read).await {
            Some(Ok(observed)) => observed,
            Some(Err(error)) => {
                return BatchResult::failed(&format!("{:#}", anyhow::Error::from(error)));
            }
            None => return BatchResult::failed("EC2 could not be read before the time was up"),
        };
        let inventory = Inventory::new(&observed, job.selectors);
        let pending = inventory.pending.clone();
        let execution = self.execute_and_look_again(job, observed).await;
        if execution.executed.iter().any(|it| matches!(it.outcome, Outcome::Failed(_))) {
            self.cache.invalidate();
        }
        self.note_refused_types(&pending, &execution);
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

    async fn observe(
        &self,
        job: Job<'_>,
        selectors: &BTreeSet<Selector>,
        deleted: &BTreeSet<SessionId>,
    ) -> Result<Observed, ObserveError> {
        let Self { ec2, policy, cache, now, .. } = self;
        let cache = Some((cache, now()));
        let reader = Reader { ec2, policy, account: job.account, cache, judges: false };
        let mut observed = observe(&reader, selectors).await?;
        // EC2's answers may lag behind what it has done.
        observed.sessions.retain(|session| !deleted.contains(&session.id));
        Ok(observed)
    }

    /// Executes the plan, and looks again until nothing more is deleted.
    async fn execute_and_look_again(&self, job: Job<'_>, observed: Observed) -> Execution {
        let mut execution = self.execute(job, observed).await;
        let mut looked_after = 0;
        while looked_after < execution.executed.len() {
            let again = self.look_again(job, &execution.executed, looked_after).await;
            looked_after = execution.executed.len();
            execution.add_changes(again);
        }
        execution
    }

    /// Plans and executes, and does so again for sources whose target turned out to be full, until each
    /// has found room or no target is left.
    async fn execute(&self, job: Job<'_>, mut observed: Observed) -> Execution {
        let quota = SessionQuota::default();
        let goes_first = |step: &Step| is_named(job.selectors, step);
        let run = Run {
            id: job.id,
            owner: &self.policy.owner,
            deleted: job.deleted,
            deadline: job.deadline,
            goes_first: &goes_first,
            on_end: &log_done,
        };
        let mut total = Execution::default();
        let mut full_once = BTreeSet::new();
        let mut restricted = self.plan(&observed);
        loop {
            let mut round = self.executor.execute(run, restricted.plan, &quota).await;
            round.withheld = restricted.withheld;
            let refused = self.settle(&mut observed, &mut round, &mut full_once);
            total.add(round);
            if refused.is_empty() {
                return total;
            }
            restricted = self.plan(&observed);
            restricted.plan.steps.retain(|step| refused.contains(&step.source));
        }
    }

    fn plan(&self, observed: &Observed) -> Restricted {
        let limits = Limits { mode: self.mode, drains: observed.is_whole };
        restrict(plan(&self.policy, observed), limits)
    }

    /// Enters what was done into what was observed. Takes out of the round the steps that EC2 refused for
    /// lack of room on their target, and says which sources they are about: they are planned again, with
    /// their neighbours on the same source.
    fn settle(
        &self,
        observed: &mut Observed,
        round: &mut Execution,
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
        round.not_executed.retain(|step| !refused.contains(&step.source));
        // Where a session has just left the target, EC2 may have refused before that: it gets a second try.
        full.retain(|target| !left.contains(target) || !full_once.insert(target.clone()));
        for target in observed.targets.iter_mut().filter(|target| full.contains(&target.id)) {
            target.state = TargetState::Full;
        }
        refused
    }

    /// Looks once more at sources that lost a session by the steps from `first` on, and at whatever
    /// instances they are on by now. What was read before may have been out of date by then: a tag that
    /// was set, an instance that started or an interface that was attached in between had its event
    /// while the session was still there, and nothing else would bring it back before the next sweep.
    /// The same goes for what this look deletes.
    async fn look_again(&self, job: Job<'_>, executed: &[Executed], first: usize) -> Execution {
        let lost = executed.iter().skip(first).filter(|it| it.deleted_session().is_some());
        let lost: Vec<&Step> = lost.map(|it| &it.step).collect();
        let selectors: BTreeSet<_> =
            lost.iter().map(|step| Selector::Interface(step.source.clone())).collect();
        if selectors.is_empty() {
            return Execution::default();
        }
        let mut deleted = job.deleted.clone();
        deleted.extend(executed.iter().filter_map(Executed::deleted_session).cloned());
        let read = Box::pin(self.observe(job, &selectors, &deleted));
        let Some(Ok(observed)) = job.deadline.cut(read).await else {
            // Then the record is retried.
            let outcome = Outcome::OutOfTime;
            let left = lost
                .into_iter()
                .map(|step| Executed { step: step.clone(), outcome: outcome.clone() });
            return Execution { executed: left.collect(), ..Execution::default() };
        };
        self.execute(job, observed).await
    }

    /// Logs what happened, and says what must be retried.
    fn conclude(&self, job: Job<'_>, inventory: Inventory, execution: Execution) -> BatchResult {
        let sweep = job.selectors.contains(&Selector::Sweep);
        let mut summary = self.step_log.log(&inventory.pending, &execution, sweep);
        let named: BTreeSet<_> = job.selectors.iter().filter_map(Selector::instance).collect();
        let not_shown = named.into_iter().filter(|id| !inventory.instances.contains(*id));
        summary.not_shown = not_shown.map(ToString::to_string).collect();
        let mut result = BatchResult { inventory, summary, ..BatchResult::default() };
        result.note_refused(execution.over_quota());
        for Executed { step, outcome } in execution.executed {
            if let Some(policy) = outcome.retry_policy() {
                result.unfinished.push(Unfinished { step, policy });
            } else if let Outcome::Failed(Failure { kind: Kind::Permanent, .. }) = outcome {
                result.note_refused([&step]);
            }
        }
        result
    }
}

/// Whether an event names what the step is about: it then goes before what only a sweep has found.
fn is_named(selectors: &BTreeSet<Selector>, step: &Step) -> bool {
    let is_instance_named = step.instance.as_ref().is_some_and(|instance| {
        selectors.contains(&Selector::Instance(instance.clone()))
            || selectors.contains(&Selector::Started(instance.clone()))
            || selectors.contains(&Selector::Tagged(instance.clone()))
    });
    is_instance_named || selectors.contains(&Selector::Interface(step.source.clone()))
}
