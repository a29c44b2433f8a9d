//! How full targets are, read where one has to be chosen.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::try_join;

use crate::{
    describe::{self, Wanted},
    eligibility::source_limit,
    id::TargetId,
    observe::{BY_INTERFACE, ObserveError, Observer, interfaces, unique},
    observed::{Instance, Observed, Session, Target, TargetKind},
    plan::plan,
    reason::Reason,
    step::Step,
};

/// How full targets are.
#[derive(Default)]
pub(crate) struct Loads {
    /// The targets of which every session is known.
    counted: BTreeSet<TargetId>,
    /// Sessions on these targets.
    sessions: Vec<Session>,
    /// Instances behind them.
    instances: Vec<Instance>,
}

impl Loads {
    /// Where every session was read.
    pub(crate) fn of_all_sessions(targets: &[Target]) -> Self {
        let counted = targets.iter().map(|target| target.id.clone()).collect();
        Self { counted, ..Self::default() }
    }
}

impl Observer<'_> {
    /// How full the targets are that were there last, side by side with what else is read, since a
    /// target will probably have to be chosen.
    pub(crate) async fn read_loads_ahead(&self, known: &[Instance]) -> Result<Loads, ObserveError> {
        let last = self.memory.map(|(memory, _)| memory.last_targets()).unwrap_or_default();
        let allowed = self.allowed(&last);
        let mut loads = Loads::default();
        if is_choice(&allowed) {
            self.read_loads(&allowed, known, &mut loads).await?;
        }
        Ok(loads)
    }

    /// Adds how full the targets are and where they stand, if a target has to be chosen.
    pub(crate) async fn add_loads(
        &self,
        observed: &mut Observed,
        mut loads: Loads,
    ) -> Result<(), ObserveError> {
        // A target may only look full for want of what is read here: how large its instance is.
        let looks_full = |reason: &Reason| {
            matches!(reason, Reason::TargetFull { .. } | Reason::TargetsFull { .. })
        };
        let chooses = |it: &Step| it.action.target().is_some() || looks_full(&it.reason);
        if plan(self.policy, observed).steps.iter().any(chooses) {
            let allowed = self.allowed(&observed.targets);
            if is_choice(&allowed) {
                self.read_loads(&allowed, &observed.instances, &mut loads).await?;
            }
        }
        locate_targets(observed, &loads.instances);
        observed.sessions.extend(loads.sessions);
        observed.sessions = unique(std::mem::take(&mut observed.sessions), |session| &session.id);
        Ok(())
    }

    /// Reads what is not known yet about how full these targets are.
    async fn read_loads(
        &self,
        targets: &[&Target],
        known: &[Instance],
        loads: &mut Loads,
    ) -> Result<(), ObserveError> {
        let uncounted = targets.iter().map(|it| &it.id).filter(|id| !loads.counted.contains(*id));
        let uncounted: BTreeSet<TargetId> = uncounted.cloned().collect();
        let known: BTreeSet<_> =
            interfaces(known).chain(interfaces(&loads.instances)).map(|(id, _)| id).collect();
        let behind = targets.iter().filter_map(|target| match &target.kind {
            TargetKind::Interface { id, .. } if !known.contains(id) => Some(id.as_str()),
            _ => None,
        });
        let on_targets =
            Wanted::by("traffic-mirror-target-id", uncounted.iter().map(TargetId::as_str));
        let behind = Wanted::by(BY_INTERFACE, behind);
        let (sessions, instances) = try_join!(
            describe::sessions(self.client, &on_targets),
            describe::instances(self.client, self.policy, &behind, |_| true),
        )?;
        loads.sessions.extend(sessions);
        loads.instances.extend(instances);
        loads.counted.extend(uncounted);
        Ok(())
    }

    fn allowed<'t>(&self, targets: &'t [Target]) -> Vec<&'t Target> {
        let allows =
            |target: &Target| self.policy.allows(&target.id, Some(&target.account), self.account);
        targets.iter().filter(|target| allows(target)).collect()
    }
}

/// Whether it matters how full these targets are.
fn is_choice(allowed: &[&Target]) -> bool {
    allowed.len() > 1 || allowed.iter().any(|target| source_limit(&target.kind).is_some())
}

fn locate_targets(observed: &mut Observed, more: &[Instance]) {
    let by_interface: BTreeMap<_, _> =
        interfaces(&observed.instances).chain(interfaces(more)).collect();
    for target in &mut observed.targets {
        if let TargetKind::Interface { id, instance_type, zone } = &mut target.kind
            && let Some(instance) = by_interface.get(id)
        {
            *instance_type = Some(instance.instance_type.clone());
            zone.clone_from(&instance.zone);
        }
    }
}
