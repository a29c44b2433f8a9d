//! How full targets are, read where a target has to be chosen.

use std::collections::BTreeSet;

use futures_util::try_join;
use shared::{
    id::{InterfaceId, TargetId},
    observed::{Observed, Session, Source, Target},
    policy::Policy,
};

use crate::{
    call::{self, BY_INTERFACE, Query},
    client::Ec2,
    error::ObserveError,
    targets::locate,
};

/// How full targets are.
#[derive(Default)]
pub(crate) struct TargetUsage {
    /// The targets of which every session was read.
    counted: BTreeSet<TargetId>,
    /// Sessions on these targets.
    sessions: Vec<Session>,
    /// The interfaces of the instances behind them.
    sources: Vec<Source>,
}

impl TargetUsage {
    /// Where every session of the account was read.
    pub(crate) fn of_all_sessions(targets: &[Target]) -> Self {
        let counted = targets.iter().map(|target| target.id.clone()).collect();
        Self { counted, ..Self::default() }
    }

    /// Reads how full these targets are, as far as that is not known yet. `known` are the interfaces
    /// whose instances were read before.
    pub(crate) async fn read(
        &mut self,
        ec2: &Ec2,
        policy: &Policy,
        targets: &[&Target],
        known: &BTreeSet<&InterfaceId>,
    ) -> Result<(), ObserveError> {
        let ids = targets.iter().map(|target| &target.id);
        let uncounted: BTreeSet<TargetId> =
            ids.filter(|id| !self.counted.contains(*id)).cloned().collect();
        let located: BTreeSet<&InterfaceId> = self.sources.iter().map(|it| &it.id).collect();
        let behind = targets.iter().flat_map(|target| &target.interfaces);
        let behind = behind.filter(|id| !known.contains(id) && !located.contains(id));
        let behind = Query::by(BY_INTERFACE, behind.map(InterfaceId::as_str));
        let on_targets =
            Query::by("traffic-mirror-target-id", uncounted.iter().map(TargetId::as_str));
        let (sessions, described) = try_join!(
            call::sessions(&ec2.client, &on_targets),
            call::instances(&ec2.client, policy, &behind, |_| true),
        )?;
        self.sessions.extend(sessions);
        self.sources.extend(described.sources);
        self.counted.extend(uncounted);
        Ok(())
    }

    /// Adds what was read to what was observed.
    pub(crate) fn add_to(self, observed: &mut Observed) {
        locate(&mut observed.targets, observed.sources.iter().chain(&self.sources));
        observed.sessions.extend(self.sessions);
    }
}

/// Whether it matters how full these targets are.
pub(crate) fn matters(allowed: &[&Target]) -> bool {
    allowed.len() > 1 || allowed.iter().any(|target| target.capacity.limit().is_some())
}
