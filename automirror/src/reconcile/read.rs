//! What an invocation reads, and what it remembers of that.

use std::{collections::BTreeSet, time::SystemTime};

use shared::{
    id::AccountId,
    observed::{KnownTypes, NotFound, Observed, Session, TargetState},
    plan::{apply::apply, step::Action},
    policy::{Policy, run::Mode},
};
use shared_ec2::{
    ObserveError, all_sessions, observe::observe, reader::Reader, selector::Selector,
};

use super::{Job, Reconciler};
use crate::act::outcome::Executed;

impl Reconciler {
    /// What the events name; for the removal of all sessions, the sessions alone.
    pub(super) async fn read(
        &self,
        job: Job<'_>,
        selectors: &BTreeSet<Selector>,
    ) -> Result<Observed, ObserveError> {
        let Self { ec2, policy, cache, now, .. } = self;
        let cache = Some((cache, now()));
        let reader = Reader { ec2, policy, account: job.account, cache, judges: false };
        if job.orders.remove {
            let sessions = all_sessions(ec2).await?;
            return Ok(only_sessions(job.account, sessions));
        }
        let mut observed = observe(&reader, selectors).await?;
        // EC2's answers may lag behind what it has done.
        observed.sessions.retain(|session| !job.deleted.contains_key(&session.id));
        enter(&mut observed, policy, job.done);
        let full = self.memory.full(now());
        for target in observed.targets.iter_mut().filter(|target| full.contains(&target.id)) {
            if !matches!(target.state, TargetState::Stopped | TargetState::Gone) {
                target.state = TargetState::Full;
            }
        }
        Ok(observed)
    }

    pub(super) fn note_read(&self, job: Job<'_>, observed: &Observed, started: SystemTime) {
        self.memory.note_sessions(&observed.sessions);
        if observed.is_whole {
            // One that only looks repairs nothing.
            if self.mode == Mode::Enforce && !job.orders.detect {
                self.memory.note_sweep(started);
            }
            self.memory.note_owned(self.owned(&observed.sessions, &observed.account), (self.now)());
        }
    }

    fn owned(&self, sessions: &[Session], account: &AccountId) -> usize {
        sessions.iter().filter(|session| session.is_owned(&self.policy, account)).count()
    }

    pub(super) async fn count_owned(&self, job: Job<'_>) {
        if let Some(Ok(sessions)) = job.deadline.cut(all_sessions(&self.ec2)).await {
            self.memory.note_owned(self.owned(&sessions, job.account), (self.now)());
        }
    }
}

/// Enters what was done, which EC2's answers may not show yet.
fn enter(observed: &mut Observed, policy: &Policy, done: &[Executed]) {
    if done.is_empty() {
        return;
    }
    let read: BTreeSet<_> = observed.sources.iter().map(|source| source.id.clone()).collect();
    let mut shown: BTreeSet<_> =
        observed.sessions.iter().map(|session| session.id.clone()).collect();
    for Executed { step, outcome } in done {
        let Some(session) = outcome.session() else { continue };
        let is_new = matches!(step.action, Action::Create(_));
        if read.contains(&step.source) && shown.contains(session) != is_new {
            apply(observed, policy, step, session);
            shown.insert(session.clone());
        }
    }
}

/// An account of which nothing but its sessions was read.
fn only_sessions(account: &AccountId, sessions: Vec<Session>) -> Observed {
    Observed {
        account: account.clone(),
        instances: Vec::new(),
        sources: Vec::new(),
        sessions,
        is_whole: false,
        targets: Vec::new(),
        filters: Vec::new(),
        not_found: NotFound::default(),
        types: KnownTypes::default(),
    }
}
