//! What was observed, by id: lookups only, made once for a plan.

use std::collections::BTreeMap;

use crate::{
    id::{AccountId, FilterId, InterfaceId, TargetId},
    observed::{Filter, Observed, Session, Target, TargetKind},
    policy::Policy,
};

pub(crate) struct Index<'a> {
    account: &'a AccountId,
    /// By interface, lowest number first.
    sessions: BTreeMap<&'a InterfaceId, Vec<&'a Session>>,
    targets: BTreeMap<&'a TargetId, &'a Target>,
    /// The target an interface stands behind; the smallest where there are several.
    target_at: BTreeMap<&'a InterfaceId, &'a TargetId>,
    filters: BTreeMap<&'a FilterId, &'a Filter>,
    default_filter: Option<&'a Filter>,
}

impl<'a> Index<'a> {
    pub(crate) fn new(policy: &Policy, observed: &'a Observed) -> Self {
        let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for session in &observed.sessions {
            sessions.entry(&session.interface).or_default().push(session);
        }
        for sessions in sessions.values_mut() {
            sessions.sort_by_key(|session| (session.number, &session.id));
        }
        let targets: BTreeMap<_, _> =
            observed.targets.iter().map(|target| (&target.id, target)).collect();
        let mut target_at = BTreeMap::new();
        for target in targets.values() {
            if let TargetKind::Interface { id, .. } = &target.kind {
                target_at.entry(id).or_insert(&target.id);
            }
        }
        let tagged = |filter: &&Filter| filter.managed_by.as_ref() == Some(&policy.owner);
        let default_filter =
            only(observed.filters.iter().filter(tagged)).or_else(|| only(observed.filters.iter()));
        let filters = observed.filters.iter().map(|filter| (&filter.id, filter)).collect();
        Self { account: &observed.account, sessions, targets, target_at, filters, default_filter }
    }

    /// The sessions on an interface, lowest number first.
    pub(crate) fn sessions(&self, interface: &InterfaceId) -> &[&'a Session] {
        self.sessions.get(interface).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_ours(&self, policy: &Policy, session: &Session) -> bool {
        policy.owns(self.account, session)
    }

    pub(crate) fn target(&self, id: &TargetId) -> Option<&'a Target> {
        self.targets.get(id).copied()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &'a Target> {
        self.targets.values().copied()
    }

    pub(crate) fn target_at(&self, interface: &InterfaceId) -> Option<&'a TargetId> {
        self.target_at.get(interface).copied()
    }

    /// The target's owner, where EC2 shows it.
    pub(crate) fn owner(&self, target: &TargetId) -> Option<&'a AccountId> {
        self.target(target).map(|target| &target.account)
    }

    pub(crate) fn allows(&self, policy: &Policy, target: &TargetId) -> bool {
        policy.allows(target, self.owner(target), self.account)
    }

    pub(crate) fn filter(&self, id: &FilterId) -> Option<&'a Filter> {
        self.filters.get(id).copied()
    }

    /// How many filters there are.
    pub(crate) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// The one filter tagged as ours, else the only filter there is.
    pub(crate) fn default_filter(&self) -> Option<&'a Filter> {
        self.default_filter
    }
}

fn only<'a>(mut filters: impl Iterator<Item = &'a Filter>) -> Option<&'a Filter> {
    filters.next().filter(|_| filters.next().is_none())
}
