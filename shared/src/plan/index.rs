//! What was observed, by id: look-ups only, made once for a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::eligibility::proven;
use crate::{
    id::{AccountId, FilterId, InstanceId, InterfaceId, TargetId},
    observed::{Filter, KnownTypes, Observed, Session, Shown, Target},
    policy::Policy,
};

pub(super) struct Index<'a> {
    observed: &'a Observed,
    /// By interface, lowest number first.
    sessions: BTreeMap<&'a InterfaceId, Vec<&'a Session>>,
    targets: BTreeMap<&'a TargetId, &'a Target>,
    /// The targets that an interface receives the packets of, by id.
    targets_at: BTreeMap<&'a InterfaceId, Vec<&'a Target>>,
    filters: BTreeMap<&'a FilterId, &'a Filter>,
    default_filter: Option<&'a FilterId>,
    types: KnownTypes,
    /// The allowed targets that an instance has an interface behind.
    behind: BTreeMap<&'a InstanceId, BTreeSet<&'a TargetId>>,
    /// The targets of all sessions.
    used: BTreeSet<&'a TargetId>,
}

impl<'a> Index<'a> {
    pub(super) fn new(policy: &Policy, observed: &'a Observed) -> Self {
        let targets: BTreeMap<_, _> =
            observed.targets.iter().map(|target| (&target.id, target)).collect();
        let mut targets_at: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for target in targets.values() {
            for interface in &target.interfaces {
                targets_at.entry(interface).or_default().push(*target);
            }
        }
        let filters = observed.filters.iter();
        let mut types = observed.types.clone();
        types.proven = proven(observed);
        let mut index = Self {
            observed,
            sessions: sessions_by_interface(observed),
            targets,
            targets_at,
            filters: filters.map(|filter| (&filter.id, filter)).collect(),
            default_filter: default_filter(policy, observed),
            types,
            behind: BTreeMap::new(),
            used: observed.sessions.iter().map(|session| &session.target).collect(),
        };
        index.behind = allowed_behind(policy, &index);
        index
    }

    /// The sessions on an interface, lowest number first.
    pub(super) fn sessions(&self, interface: &InterfaceId) -> &[&'a Session] {
        self.sessions.get(interface).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_owned(&self, policy: &Policy, session: &Session) -> bool {
        session.is_owned(policy, &self.observed.account)
    }

    /// The sessions on an interface that another installation with the same owner created, and its name.
    pub(super) fn twins<'s>(
        &'s self,
        policy: &'s Policy,
        interface: &InterfaceId,
    ) -> impl Iterator<Item = (&'a Session, &'a str)> + use<'s, 'a> {
        let account = &self.observed.account;
        let sessions = self.sessions(interface).iter().copied();
        sessions.filter_map(move |session| Some((session, session.twin(policy, account)?)))
    }

    pub(super) fn target(&self, id: &TargetId) -> Shown<&'a Target> {
        match self.targets.get(id) {
            Some(target) => Shown::Yes(target),
            None if self.observed.not_found.targets.contains(id) => Shown::NotFound,
            None => Shown::NotInList,
        }
    }

    /// The targets that an interface receives the packets of, by id.
    pub(super) fn targets_at(&self, interface: &InterfaceId) -> &[&'a Target] {
        self.targets_at.get(interface).map_or(&[], Vec::as_slice)
    }

    /// The target's owner, where EC2 shows it.
    pub(super) fn owner(&self, target: &TargetId) -> Option<&'a AccountId> {
        self.target(target).yes().map(|target| &target.account)
    }

    pub(super) fn allows(&self, policy: &Policy, target: &TargetId) -> bool {
        policy.allows(target, self.owner(target), &self.observed.account)
    }

    pub(super) fn trusts(&self, policy: &Policy, target: &TargetId) -> bool {
        policy.trusts(target, self.owner(target), &self.observed.account)
    }

    pub(super) fn filter(&self, id: &FilterId) -> Shown<&'a Filter> {
        match self.filters.get(id) {
            Some(filter) => Shown::Yes(filter),
            None if self.observed.not_found.filters.contains(id) => Shown::NotFound,
            None => Shown::NotInList,
        }
    }

    /// How many filters there are.
    pub(super) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// The filter for new sessions where neither a setting nor a tag names one.
    pub(super) fn default_filter(&self) -> Option<&'a FilterId> {
        self.default_filter
    }

    /// What is known of instance types beside the lists.
    pub(super) fn types(&self) -> &KnownTypes {
        &self.types
    }

    /// The allowed targets that an instance has an interface behind.
    pub(super) fn allowed_behind(&self, instance: &InstanceId) -> Option<&BTreeSet<&'a TargetId>> {
        self.behind.get(instance)
    }

    /// The target that makes the instance a sensor, if it is one: a target that receives packets for this
    /// installation, because the settings name it or because it is allowed and has sessions or gets some
    /// (`planned`). Whoever may only create targets makes no sensor of somebody's instance.
    pub(super) fn sensor(
        &self,
        policy: &Policy,
        instance: &InstanceId,
        planned: &BTreeSet<TargetId>,
    ) -> Option<&'a TargetId> {
        let receives = |target: &&TargetId| {
            let is_used = self.used.contains(*target) || planned.contains(*target);
            policy.targets.contains(*target) || is_used
        };
        self.behind.get(instance)?.iter().copied().find(receives)
    }
}

fn sessions_by_interface(observed: &Observed) -> BTreeMap<&InterfaceId, Vec<&Session>> {
    let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for session in &observed.sessions {
        sessions.entry(&session.interface).or_default().push(session);
    }
    for sessions in sessions.values_mut() {
        sessions.sort_by_key(|session| (session.number, &session.id));
    }
    sessions
}

/// The one filter with the owner's `ManagedBy` tag, else the only filter there is. Whoever may tag filters
/// must not be able to change what is mirrored, so an existing session keeps its filter whatever this says.
fn default_filter<'a>(policy: &Policy, observed: &'a Observed) -> Option<&'a FilterId> {
    let is_tagged = |filter: &&Filter| filter.managed_by.as_deref() == Some(&policy.owner);
    let tagged = observed.filters.iter().filter(is_tagged).map(|filter| &filter.id);
    only(tagged).or_else(|| only(observed.filters.iter().map(|filter| &filter.id)))
}

fn only<T>(items: impl IntoIterator<Item = T>) -> Option<T> {
    let mut items = items.into_iter();
    items.next().filter(|_| items.next().is_none())
}

fn allowed_behind<'a>(
    policy: &Policy,
    index: &Index<'a>,
) -> BTreeMap<&'a InstanceId, BTreeSet<&'a TargetId>> {
    let mut behind: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for source in &index.observed.sources {
        let Some(instance) = source.instance() else { continue };
        let targets = index.targets_at(&source.id).iter();
        for target in targets.filter(|target| index.allows(policy, &target.id)) {
            behind.entry(&instance.id).or_default().insert(&target.id);
        }
    }
    behind
}
