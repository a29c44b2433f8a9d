//! What every read of an account and region shares.

use std::{collections::BTreeSet, time::SystemTime};

use shared::{
    id::{AccountId, InterfaceId},
    observed::{NotFound, Session, Source, Target},
    policy::Policy,
};

use crate::{
    cache::Cache,
    client::Ec2,
    described::Described,
    error::ObserveError,
    resources::MirrorResources,
    target_usage::{TargetUsage, candidates, matters},
};

/// Reads EC2 for one account and region.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// EC2 there.
    pub ec2: &'a Ec2,
    /// What the operator wants.
    pub policy: &'a Policy,
    /// The account.
    pub account: &'a AccountId,
    /// What the execution environment keeps of it, and the present time; none reads everything anew.
    pub cache: Option<(&'a Cache, SystemTime)>,
    /// Verdicts are made of what is read. Then also what nothing is done about must be certain: that an
    /// instance lacks the tag, that a session is missing, that a target receives.
    pub judges: bool,
}

/// What was read for the selectors, before it is complete.
pub(crate) struct PartialRead {
    pub(crate) described: Described,
    /// Why the list of instances was not read to its end.
    pub(crate) cut_short: Option<ObserveError>,
    pub(crate) unattached: Vec<Source>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) resources: MirrorResources,
    /// Where the resources come from.
    pub(crate) origin: Origin,
    pub(crate) usage: TargetUsage,
    /// What the selectors name and EC2 says does not exist.
    pub(crate) not_found: NotFound,
}

/// Where targets and filters come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing seemed to need them, so they were not read.
    #[default]
    Nowhere,
    Cache,
    Ec2,
}

impl Reader<'_> {
    /// Targets and filters, and where they come from.
    pub(crate) async fn resources(&self) -> Result<(MirrorResources, Origin), ObserveError> {
        match self.cache.and_then(|(cache, now)| cache.fresh(now)) {
            Some(resources) => Ok((resources, Origin::Cache)),
            None => Ok((self.read_resources().await?, Origin::Ec2)),
        }
    }

    pub(crate) async fn read_resources(&self) -> Result<MirrorResources, ObserveError> {
        let resources = MirrorResources::read(self.ec2).await?;
        if let Some((cache, now)) = self.cache {
            cache.store(resources.clone(), now);
        }
        Ok(resources)
    }

    /// The interfaces with a session of this owner: an owned one, or one of another installation.
    pub(crate) fn mirrored<'s>(&self, sessions: &'s [Session]) -> BTreeSet<&'s InterfaceId> {
        let is_owned = |it: &&Session| {
            let is_twin = it.twin(self.policy, self.account).is_some();
            is_twin || it.is_owned(self.policy, self.account)
        };
        let owned = sessions.iter().filter(is_owned);
        owned.map(|session| &session.interface).collect()
    }

    /// Reads how full the last known targets are while other calls are under way: a target will
    /// probably have to be chosen.
    pub(crate) async fn read_usage_early(
        &self,
        described: &Described,
    ) -> Result<TargetUsage, ObserveError> {
        let last = self.cache.map(|(cache, _)| cache.last_targets()).unwrap_or_default();
        let mut usage = TargetUsage::default();
        let allowed = candidates(self.policy, self.account, &last, None);
        self.read_usage(&allowed, described.sources.iter(), &mut usage).await?;
        Ok(usage)
    }

    pub(crate) async fn read_usage(
        &self,
        allowed: &[&Target],
        known: impl Iterator<Item = &Source>,
        usage: &mut TargetUsage,
    ) -> Result<(), ObserveError> {
        let Self { ec2, policy, account, .. } = *self;
        if matters(allowed) {
            let on_instances = known.filter(|source| source.instance().is_some());
            let known = on_instances.map(|source| &source.id).collect();
            usage.read(ec2, policy, account, allowed, &known).await?;
        }
        Ok(())
    }
}
