//! What was observed, by id: look-ups only, made once for a plan.

use std::collections::BTreeMap;

use crate::{
    id::{AccountId, FilterId, InterfaceId, TargetId},
    observed::{Filter, Observed, Session, Shown, Target},
    policy::Policy,
};

pub(super) struct Index<'a> {
    account: &'a AccountId,
    /// By interface, lowest number first.
    sessions: BTreeMap<&'a InterfaceId, Vec<&'a Session>>,
    targets: BTreeMap<&'a TargetId, &'a Target>,
    /// The target that an interface receives the packets of; the smallest id where there are several.
    target_at: BTreeMap<&'a InterfaceId, &'a TargetId>,
    filters: BTreeMap<&'a FilterId, &'a Filter>,
    default_filter: Option<&'a Filter>,
}

impl<'a> Index<'a> {
    pub(super) fn new(policy: &Policy, observed: &'a Observed) -> Self {
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
            for interface in &target.interfaces {
                target_at.entry(interface).or_insert(&target.id);
            }
        }
        let tagged = |filter: &&Filter| filter.managed_by.as_deref() == Some(&policy.owner);
        let default_filter =
            only(observed.filters.iter().filter(tagged)).or_else(|| only(observed.filters.iter()));
        let filters = observed.filters.iter().map(|filter| (&filter.id, filter)).collect();
        Self { account: &observed.account, sessions, targets, target_at, filters, default_filter }
    }

    /// The sessions on an interface, lowest number first.
    pub(super) fn sessions(&self, interface: &InterfaceId) -> &[&'a Session] {
        self.sessions.get(interface).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_owned(&self, policy: &Policy, session: &Session) -> bool {
        session.is_owned_by(&policy.owner, self.account)
    }

    pub(super) fn target(&self, id: &TargetId) -> Shown<&'a Target> {
        self.targets.get(id).map_or(Shown::NotInList, |target| Shown::Yes(target))
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = &'a Target> {
        self.targets.values().copied()
    }

    pub(super) fn target_at(&self, interface: &InterfaceId) -> Option<&'a TargetId> {
        self.target_at.get(interface).copied()
    }

    /// The target's owner, where EC2 shows it.
    pub(super) fn owner(&self, target: &TargetId) -> Option<&'a AccountId> {
        self.target(target).yes().map(|target| &target.account)
    }

    pub(super) fn allows(&self, policy: &Policy, target: &TargetId) -> bool {
        policy.allows(target, self.owner(target), self.account)
    }

    pub(super) fn filter(&self, id: &FilterId) -> Option<&'a Filter> {
        self.filters.get(id).copied()
    }

    /// How many filters there are.
    pub(super) fn filters(&self) -> usize {
        self.filters.len()
    }

    /// The one filter with the owner's `ManagedBy` tag, else the only filter there is.
    pub(super) fn default_filter(&self) -> Option<&'a Filter> {
        self.default_filter
    }
}

fn only<'a>(mut filters: impl Iterator<Item = &'a Filter>) -> Option<&'a Filter> {
    filters.next().filter(|_| filters.next().is_none())
}
