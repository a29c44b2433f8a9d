//! The plan under construction, and what every part of the decision writes into it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    coverage::Coverage,
    desired::{DesiredFilter, DesiredSession},
    index::Index,
    placement::{Placement, is_draining},
    reason::Reason,
    step::{Action, Change, NewPacketLength, Step},
};
use crate::{
    id::{FilterId, InterfaceId, TargetId},
    number::{PacketLength, SessionNumber},
    observed::{Filter, Session, Shown, Source, TargetState},
    policy::Policy,
};

/// The plan under construction.
pub(super) struct Draft<'a> {
    pub(super) policy: &'a Policy,
    pub(super) index: Index<'a>,
    pub(super) placement: Placement<'a>,
    pub(super) steps: Vec<Step>,
    /// Sessions that need a target. They get one when every source has been decided on, because what
    /// leaves a target makes room there.
    pub(super) unplaced: Vec<Unplaced<'a>>,
    coverages: BTreeMap<FilterId, Coverage>,
    /// The filters of the sessions that the source at hand has or gets.
    pub(super) in_use: BTreeSet<FilterId>,
}

/// A session that needs a target.
pub(super) struct Unplaced<'a> {
    pub(super) source: &'a Source,
    pub(super) desired: DesiredSession,
    pub(super) current: Current<'a>,
    /// Why it is to be created or modified.
    pub(super) reason: Reason,
}

/// The session that needs a target, as it is now.
pub(super) enum Current<'a> {
    /// Nothing yet: the new session gets this number and this filter.
    Nothing(SessionNumber, FilterId),
    /// An owned session that leads to a target where it must not stay.
    Misdirected(&'a Session),
}

/// Whether an owned session may stay on its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    /// It may.
    Yes,
    /// It must not: the target is not the one that the instance names, is not allowed, is gone or is
    /// being drained.
    No,
    /// No list shows the target, which proves nothing: it stays.
    Unknown,
}

/// Why a source gets no new session, while those that it has go on.
pub(super) struct NoNewSessions {
    /// It should have them; otherwise it is right that it has none.
    pub(super) is_blocked: bool,
    pub(super) reason: Reason,
}

/// A session that is there or will be, for what may keep it from mirroring.
#[derive(Clone, Copy)]
pub(super) struct Flow<'f> {
    pub(super) number: SessionNumber,
    pub(super) filter: &'f FilterId,
    /// Its target, where it is known already.
    pub(super) target: Option<&'f TargetId>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(policy: &'a Policy, index: Index<'a>, placement: Placement<'a>) -> Self {
        Self {
            policy,
            index,
            placement,
            steps: Vec::new(),
            unplaced: Vec::new(),
            coverages: BTreeMap::new(),
            in_use: BTreeSet::new(),
        }
    }

    /// The owned sessions on a source, lowest number first.
    pub(super) fn owned(&self, source: &InterfaceId) -> Vec<&'a Session> {
        let sessions = self.index.sessions(source).iter().copied();
        sessions.filter(|session| self.index.is_owned(self.policy, session)).collect()
    }

    /// The foreign sessions on a source, lowest number first.
    pub(super) fn foreign(&self, source: &InterfaceId) -> Vec<&'a Session> {
        let sessions = self.index.sessions(source).iter().copied();
        sessions.filter(|session| !self.index.is_owned(self.policy, session)).collect()
    }

    /// A step for each session of another installation with the same owner.
    pub(super) fn name_twins(&mut self, source: &Source) {
        let twins = self.index.twins(self.policy, &source.id);
        let reasons: Vec<_> = twins
            .map(|(session, installation)| Reason::OtherInstallation {
                session: session.id.clone(),
                installation: installation.to_owned(),
            })
            .collect();
        for reason in reasons {
            self.step(source, Action::Block, reason);
        }
    }

    /// Whether an owned session may stay on this target, where the instance names `named` or none.
    pub(super) fn stay(&self, named: Option<&TargetId>, target: &TargetId) -> Stay {
        if named.is_some_and(|named| named != target) {
            return Stay::No;
        }
        match self.index.target(target) {
            Shown::Yes(_) if !self.index.allows(self.policy, target) => {
                if self.is_each_named_target_shown() { Stay::No } else { Stay::Unknown }
            }
            Shown::Yes(shown) if shown.state == TargetState::Gone => Stay::No,
            Shown::Yes(shown) if named.is_none() && is_draining(self.policy, shown) => Stay::No,
            Shown::Yes(_) => Stay::Yes,
            Shown::NotInList
                if self.policy.targets.is_empty() || !self.is_each_named_target_shown() =>
            {
                Stay::Unknown
            }
            Shown::NotInList | Shown::NotFound => Stay::No,
        }
    }

    /// Whether an owned session does what is desired.
    pub(super) fn fits(&self, desired: &DesiredSession, session: &Session) -> bool {
        desired.filter.accepts(&session.filter)
            && self.stay(desired.target.as_ref(), &session.target) != Stay::No
    }

    /// Whether a foreign session does what is desired, as far as can be seen.
    pub(super) fn covers(&self, desired: &DesiredSession, session: &Session) -> bool {
        desired.filter.for_new() == Some(&session.filter)
            && self.stay(desired.target.as_ref(), &session.target) == Stay::Yes
            && !self.may_be_dead(&session.target)
    }

    /// Whether it is not seen that a target receives, though it exists.
    pub(super) fn may_be_dead(&self, target: &TargetId) -> bool {
        let state = self.index.target(target).yes().map(|target| target.state);
        matches!(state, Some(TargetState::Stopped | TargetState::Unknown))
    }

    /// What the filter accepts.
    pub(super) fn coverage(&mut self, filter: &Filter) -> Coverage {
        let known = self.coverages.get(&filter.id).copied();
        known.unwrap_or_else(|| {
            let coverage = Coverage::of(filter);
            self.coverages.insert(filter.id.clone(), coverage);
            coverage
        })
    }

    /// What differs from what is desired, the target aside.
    pub(super) fn change(&self, desired: &DesiredSession, session: &Session) -> Change {
        let mut change = Change::default();
        if let DesiredFilter::Named(filter) = &desired.filter
            && session.filter != *filter
        {
            change.filter = Some(filter.clone());
        }
        let length = self.policy.packet_length;
        if shown_length(session.packet_length) != shown_length(length) {
            change.packet_length =
                Some(length.map_or(NewPacketLength::Default, NewPacketLength::Bytes));
        }
        if self.policy.vni.is_some() && session.vni != self.policy.vni {
            change.vni = self.policy.vni;
        }
        change
    }

    pub(super) fn delete(&mut self, source: &Source, session: &Session, reason: Reason) {
        self.placement.release(&session.target, &source.id);
        self.push(source, Some(session), Action::Delete(session.id.clone()), reason);
    }

    /// Deletes an owned session that leads to a target known not to be allowed, and says whether it
    /// did. A target that EC2 does not show receives no packets, and the read may have come too early:
    /// that session stays. So does every session while a target that the settings name does not exist:
    /// the id may be mistyped.
    pub(super) fn delete_if_forbidden(&mut self, source: &Source, session: &Session) -> bool {
        let target = &session.target;
        let is_shown = matches!(self.index.target(target), Shown::Yes(_));
        let is_known = is_shown && self.is_each_named_target_shown();
        let is_forbidden = is_known && !self.index.allows(self.policy, target);
        if is_forbidden {
            let owner = self.index.owner(target).cloned();
            let reason = Reason::TargetNotAllowed { target: target.clone(), owner };
            self.delete(source, session, reason);
        }
        is_forbidden
    }

    /// Whether every target that the settings name exists. Otherwise its id may be mistyped, and be the one
    /// of the target where sessions are.
    fn is_each_named_target_shown(&self) -> bool {
        let is_shown = |target: &TargetId| matches!(self.index.target(target), Shown::Yes(_));
        self.policy.targets.iter().all(is_shown)
    }

    pub(super) fn modify(
        &mut self,
        source: &Source,
        session: &Session,
        change: Change,
        reason: Reason,
    ) {
        let action = Action::Modify(session.id.clone(), change);
        self.push(source, Some(session), action, reason);
    }

    pub(super) fn step(&mut self, source: &Source, action: Action, reason: Reason) {
        self.push(source, None, action, reason);
    }

    fn push(&mut self, source: &Source, before: Option<&Session>, action: Action, reason: Reason) {
        self.steps.push(Step {
            instance: source.instance().map(|instance| instance.id.clone()),
            source: source.id.clone(),
            before: before.map(|session| Box::new(session.clone())),
            action,
            reason,
        });
    }
}

/// A packet length as it works: none and the largest are the same for every kind of target.
fn shown_length(length: Option<PacketLength>) -> PacketLength {
    length.unwrap_or(PacketLength::MAX_REQUESTED)
}
