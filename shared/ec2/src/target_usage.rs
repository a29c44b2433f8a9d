//! How full targets are and whether they can receive, read where a target has to be chosen or judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::try_join;
use shared::{
    id::{AccountId, InstanceId, InterfaceId, TargetId},
    observed::{Location, Observed, Session, Shown, Source, Target},
    plan::desired::named_targets,
    policy::Policy,
};

use crate::{
    ask::Query,
    call::{self, BY_INTERFACE},
    client::Ec2,
    error::ObserveError,
    interfaces,
    targets::{Behind, description, hidden_instance, locate, locate_balancers},
};

/// At most this many targets are looked at beside those that have sessions or are named, which takes one
/// request of each kind: whoever may create targets must not be able to make every read expensive.
const MAX_CANDIDATES: usize = 200;

/// At most this many interfaces and instances behind targets are asked about by their ids in one read, for
/// the same reason. A target that nothing is known about is chosen after those that are alive.
const MAX_ASKED: usize = 5;

/// How full targets are, and what is behind them.
#[derive(Default)]
pub(crate) struct TargetUsage {
    /// The targets of which every session was read.
    counted: BTreeSet<TargetId>,
    /// The interfaces that were looked for.
    sought: BTreeSet<InterfaceId>,
    /// Sessions on these targets.
    sessions: Vec<Session>,
    /// The interfaces of the instances behind them, and other interfaces behind them.
    sources: BTreeMap<InterfaceId, Source>,
    /// The descriptions of balancers' interfaces that were looked for more than once.
    sought_balancers: BTreeSet<String>,
    /// What was found of those.
    balancers: Vec<(Arc<str>, Location)>,
}

/// How often a balancer is looked for before nothing is known about it: one answer may leave it out.
const LOOKS_FOR_BALANCERS: usize = 2;

impl TargetUsage {
    /// Where every session of the account was read.
    pub(crate) fn of_all_sessions(targets: &[Target]) -> Self {
        let counted = targets.iter().map(|target| target.id.clone()).collect();
        Self { counted, ..Self::default() }
    }

    /// Reads how full these targets are and what is behind them, as far as that is not known yet. `known`
    /// are the interfaces whose instances were read before.
    pub(crate) async fn read(
        &mut self,
        ec2: &Ec2,
        policy: &Policy,
        account: &AccountId,
        targets: &[&Target],
        known: &BTreeSet<&InterfaceId>,
    ) -> Result<(), ObserveError> {
        let ids = targets.iter().map(|target| &target.id);
        let uncounted: BTreeSet<TargetId> =
            ids.filter(|id| !self.counted.contains(*id)).cloned().collect();
        // What another account owns cannot be seen.
        let own = targets.iter().filter(|target| target.account == *account);
        let behind = own.flat_map(|target| &target.interfaces);
        let unread: BTreeSet<&InterfaceId> =
            behind.filter(|id| !known.contains(id) && !self.sought.contains(*id)).collect();
        let on_instances = Query::by(BY_INTERFACE, unread.iter().map(|id| id.as_str()));
        let on_targets =
            Query::by("traffic-mirror-target-id", uncounted.iter().map(TargetId::as_str));
        let (sessions, described) = try_join!(
            call::sessions(&ec2.client, &on_targets),
            call::instances(ec2, policy, &on_instances, |_| true),
        )?;
        self.sessions.extend(sessions);
        self.sources.extend(described.sources.into_iter().map(|it| (it.id.clone(), it)));
        self.counted.extend(uncounted);
        self.sought.extend(unread.iter().copied().cloned());
        let missing: Vec<InterfaceId> =
            unread.into_iter().filter(|id| !self.sources.contains_key(*id)).cloned().collect();
        self.ask_about(ec2, policy, missing).await
    }

    /// Looks for the interfaces of balancers and endpoints of the account that nothing has located. Without
    /// any the balancer was deleted, which EC2 does not say of a target.
    pub(crate) async fn look_for_balancers(
        &mut self,
        ec2: &Ec2,
        account: &AccountId,
        targets: &[&Target],
    ) -> Result<(), ObserveError> {
        let unlocated = targets
            .iter()
            .filter(|target| target.account == *account && target.location.zones.is_empty());
        let mut missing: BTreeSet<String> =
            unlocated.filter_map(|target| description(&target.endpoint)).collect();
        missing.retain(|it| !self.sought_balancers.contains(it));
        self.sought_balancers.extend(missing.iter().cloned());
        for _ in 0..LOOKS_FOR_BALANCERS {
            let descriptions = missing.iter().map(String::as_str);
            let found = interfaces::balancer_interfaces(ec2, descriptions).await?;
            missing.retain(|it| found.iter().all(|(description, _)| **description != **it));
            self.balancers.extend(found);
        }
        Ok(())
    }

    /// Asks about interfaces that are on no instance that EC2 shows, and about the instances that they name
    /// all the same.
    async fn ask_about(
        &mut self,
        ec2: &Ec2,
        policy: &Policy,
        mut missing: Vec<InterfaceId>,
    ) -> Result<(), ObserveError> {
        let listed = Query::by("network-interface-id", missing.iter().map(InterfaceId::as_str));
        let mut found = interfaces::unattached(ec2, policy, &listed).await?;
        missing.retain(|id| found.iter().all(|source| source.id != *id));
        missing.truncate(MAX_ASKED);
        let answer = interfaces::interfaces_by_id(ec2, policy, &missing).await?;
        found.extend(answer.found);
        let gone = answer.not_found.into_iter();
        found.extend(gone.map(|id| Source { id, interface: Shown::NotFound }));
        let hidden: Vec<InstanceId> =
            found.iter().filter_map(hidden_instance).take(MAX_ASKED).cloned().collect();
        self.sources.extend(found.into_iter().map(|it| (it.id.clone(), it)));
        let (described, _) = call::instances_by_id(ec2, policy, &hidden).await?;
        self.sources.extend(described.sources.into_iter().map(|it| (it.id.clone(), it)));
        Ok(())
    }

    /// Adds what was read to what was observed.
    pub(crate) fn add_to(&self, observed: &mut Observed) {
        let behind: BTreeSet<_> =
            observed.targets.iter().flat_map(|target| &target.interfaces).cloned().collect();
        let sources = observed.sources.iter().chain(self.sources.values());
        let sources = sources.filter(|source| behind.contains(&source.id));
        let sources: BTreeMap<_, _> = sources.map(|source| (&source.id, source)).collect();
        locate_balancers(&mut observed.targets, &self.balancers);
        let Self { sought, sought_balancers, .. } = self;
        let behind = Behind { sources, sought, sought_balancers };
        locate(&mut observed.targets, &observed.account, &behind);
        observed.sessions.extend(self.sessions.iter().cloned());
    }
}

/// The allowed targets to look at: those that sessions lead to, those that instances name, and others by
/// id up to a limit.
pub(crate) fn candidates<'t>(
    policy: &Policy,
    account: &AccountId,
    targets: &'t [Target],
    observed: Option<&Observed>,
) -> Vec<&'t Target> {
    let allows = |it: &&Target| policy.allows(&it.id, Some(&it.account), account);
    let allowed: BTreeMap<_, _> = targets.iter().filter(allows).map(|it| (&it.id, it)).collect();
    let mut chosen: BTreeMap<&TargetId, &Target> =
        allowed.values().take(MAX_CANDIDATES).map(|it| (&it.id, *it)).collect();
    if let Some(observed) = observed.filter(|_| allowed.len() > MAX_CANDIDATES) {
        let led_to = observed.sessions.iter().map(|session| session.target.clone());
        let named = observed.instances.iter().flat_map(|instance| named_targets(instance));
        for id in led_to.chain(named) {
            chosen.extend(allowed.get_key_value(&id).map(|(id, target)| (*id, *target)));
        }
    }
    chosen.into_values().collect()
}

/// Whether it matters how full these targets are and what is behind them.
pub(crate) fn matters(allowed: &[&Target]) -> bool {
    allowed.len() > 1 || allowed.iter().any(|target| !target.interfaces.is_empty())
}
