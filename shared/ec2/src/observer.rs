//! Reading EC2: from what an event names to everything the decision about it depends on.
//!
//! A few calls serve any number of selectors, and each call is made only where its answer is needed:
//!
//! ```text
//! call                              | when
//! ----------------------------------+--------------------------------------------------------
//! instances                         | always
//! sessions on their interfaces      | always, but for an instance that starts and is not selected
//! targets and filters               | an instance is selected, or a session was named, and they are
//!                                   | not in the cache, or the plan made with them needs fresh ones
//! interfaces managed by a service   | a selected instance has more than its primary interface
//! sessions on the allowed targets   | a target must be chosen, and there is a choice or a limit
//! instances behind the targets      | the same, and a target is a network interface
//! interfaces on no instance         | an owned session is on one
//! ```

mod named;
mod sweep;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use shared::{
    id::{AccountId, InterfaceId},
    observed::{DescribedInstance, Observed, Session, Shown, Source, Target},
    plan::{
        plan,
        reason::Reason,
        step::{Action, Plan},
    },
    policy::Policy,
};

use crate::{
    cache::Cache,
    call::{self, Query},
    client::Ec2,
    error::ObserveError,
    resources::MirrorResources,
    selector::Selector,
    target_usage::{self, TargetUsage},
};

/// Reads EC2 for one account and region.
#[derive(Clone, Copy, Debug)]
pub struct Observer<'a> {
    /// EC2 there.
    pub ec2: &'a Ec2,
    /// What the operator wants.
    pub policy: &'a Policy,
    /// The account.
    pub account: &'a AccountId,
    /// What the execution environment keeps of it, and the present time; none reads everything anew.
    pub cache: Option<(&'a Cache, SystemTime)>,
}

/// What was read for the selectors, before it is complete.
struct PartialRead {
    described: Vec<DescribedInstance>,
    unattached: Vec<Source>,
    sessions: Vec<Session>,
    resources: MirrorResources,
    /// The resources come from the cache.
    is_cached: bool,
    usage: TargetUsage,
}

impl Observer<'_> {
    /// Reads everything that the decision about `selectors` depends on.
    ///
    /// # Errors
    /// The first call that failed after the client's retries.
    pub async fn observe(&self, selectors: &BTreeSet<Selector>) -> Result<Observed, ObserveError> {
        let read = if selectors.contains(&Selector::Sweep) {
            self.read_sweep(selectors).await?
        } else {
            self.read_named(selectors).await?
        };
        let PartialRead { is_cached, usage, .. } = read;
        let mut observed = Observed {
            account: self.account.clone(),
            instances: Vec::with_capacity(read.described.len()),
            sources: Vec::new(),
            sessions: unique(read.sessions, |session| &session.id),
            targets: read.resources.targets,
            filters: read.resources.filters,
        };
        let sources = read.described.iter().map(|it| it.sources.len()).sum::<usize>();
        observed.sources.reserve_exact(sources);
        read.described.into_iter().for_each(|described| observed.add(described));
        observed.sources.extend(read.unattached);
        let unattached = self.read_unattached(&observed).await?;
        observed.sources.extend(unattached);
        if is_cached && needs_fresh_resources(&plan(self.policy, &observed)) {
            let resources = self.read_resources().await?;
            (observed.targets, observed.filters) = (resources.targets, resources.filters);
        }
        self.add_usage(&mut observed, usage).await?;
        Ok(observed)
    }

    /// Targets and filters, and whether they come from the cache.
    async fn resources(&self) -> Result<(MirrorResources, bool), ObserveError> {
        match self.cache.and_then(|(cache, now)| cache.fresh(now)) {
            Some(resources) => Ok((resources, true)),
            None => Ok((self.read_resources().await?, false)),
        }
    }

    async fn read_resources(&self) -> Result<MirrorResources, ObserveError> {
        let resources = MirrorResources::read(&self.ec2.client).await?;
        if let Some((cache, now)) = self.cache {
            cache.store(resources.clone(), now);
        }
        Ok(resources)
    }

    /// The interfaces of owned sessions that are on no instance that was read.
    async fn read_unattached(&self, observed: &Observed) -> Result<Vec<Source>, ObserveError> {
        let known: BTreeSet<_> = observed.sources.iter().map(|source| &source.id).collect();
        let mut missing = self.mirrored(&observed.sessions);
        missing.retain(|id| !known.contains(id));
        let query = Query::by("network-interface-id", missing.iter().map(|id| id.as_str()));
        let found = call::unattached(&self.ec2.client, self.policy, &query).await?;
        let mut found: BTreeMap<_, _> =
            found.into_iter().map(|source| (source.id, source.interface)).collect();
        let source = |id: &InterfaceId| Source {
            id: id.clone(),
            interface: found.remove(id).unwrap_or(Shown::NotInList),
        };
        Ok(missing.into_iter().map(source).collect())
    }

    /// The interfaces with an owned session.
    fn mirrored<'s>(&self, sessions: &'s [Session]) -> BTreeSet<&'s InterfaceId> {
        let is_owned = |it: &&Session| it.is_owned_by(&self.policy.owner, self.account);
        let owned = sessions.iter().filter(is_owned);
        owned.map(|session| &session.interface).collect()
    }

    /// Reads how full the last known targets are while other calls are under way: a target will
    /// probably have to be chosen.
    async fn read_usage_early(
        &self,
        described: &[DescribedInstance],
    ) -> Result<TargetUsage, ObserveError> {
        let last = self.cache.map(|(cache, _)| cache.last_targets()).unwrap_or_default();
        let mut usage = TargetUsage::default();
        self.read_usage(&last, described.iter().flat_map(|it| &it.sources), &mut usage).await?;
        Ok(usage)
    }

    /// Adds how full the targets are and where they are, if the plan has to choose one.
    async fn add_usage(
        &self,
        observed: &mut Observed,
        mut usage: TargetUsage,
    ) -> Result<(), ObserveError> {
        if chooses_target(&plan(self.policy, observed)) {
            self.read_usage(&observed.targets, observed.sources.iter(), &mut usage).await?;
        }
        usage.add_to(observed);
        observed.sessions = unique(std::mem::take(&mut observed.sessions), |session| &session.id);
        Ok(())
    }

    async fn read_usage(
        &self,
        targets: &[Target],
        known: impl Iterator<Item = &Source>,
        usage: &mut TargetUsage,
    ) -> Result<(), ObserveError> {
        let Self { ec2, policy, account, .. } = *self;
        let allows = |it: &&Target| policy.allows(&it.id, Some(&it.account), account);
        let allowed: Vec<_> = targets.iter().filter(allows).collect();
        if target_usage::matters(&allowed) {
            let known = known.map(|source| &source.id).collect();
            usage.read(ec2, policy, &allowed, &known).await?;
        }
        Ok(())
    }
}

/// Whether the plan has a step that cached targets and filters do not justify: only a creation shows by
/// itself that they have changed.
fn needs_fresh_resources(plan: &Plan) -> bool {
    let is_safe =
        |action: &Action| matches!(action, Action::Create(_) | Action::Keep(_) | Action::Ignore);
    plan.steps.iter().any(|step| !is_safe(&step.action))
}

/// Whether the plan chooses a target, or would if more were known: a target may only look full because
/// nobody has read how large its instance is.
fn chooses_target(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        let looks_full =
            matches!(step.reason, Reason::TargetFull { .. } | Reason::TargetsFull { .. });
        looks_full || step.action.target().is_some()
    })
}

fn interfaces(described: &[DescribedInstance]) -> impl Iterator<Item = &InterfaceId> {
    described.iter().flat_map(|it| &it.sources).map(|source| &source.id)
}

/// Adds the services that manage interfaces, which `DescribeInstances` does not show.
fn add_requesters(
    described: &mut [DescribedInstance],
    requesters: &BTreeMap<InterfaceId, Arc<str>>,
) {
    for source in described.iter_mut().flat_map(|it| &mut it.sources) {
        if let Shown::Yes(interface) = &mut source.interface {
            interface.requester = requesters.get(&source.id).cloned();
        }
    }
}

/// Each item once, as it was read last: pages and calls may overlap.
fn unique<T, K: Ord + ?Sized>(mut items: Vec<T>, key: impl Fn(&T) -> &K) -> Vec<T> {
    items.sort_by(|a, b| key(a).cmp(key(b)));
    items.dedup_by(|later, earlier| {
        let is_same = key(later) == key(earlier);
        if is_same {
            std::mem::swap(later, earlier);
        }
        is_same
    });
    items
}
