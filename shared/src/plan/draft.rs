//! The plan under construction, and what every part of the decision writes into it.

use super::{
    desired::DesiredSession,
    index::Index,
    placement::Placement,
    reason::Reason,
    step::{Action, Change, NewPacketLength, Step},
};
use crate::{
    id::{InterfaceId, TargetId},
    number::{PacketLength, SessionNumber},
    observed::{Session, Shown, Source},
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
}

/// A session that needs a target.
pub(super) struct Unplaced<'a> {
    pub(super) source: &'a Source,
    pub(super) desired: DesiredSession,
    pub(super) current: Current<'a>,
}

/// The session that needs a target, as it is now.
pub(super) enum Current<'a> {
    /// Nothing yet: the new session gets this number.
    Nothing(SessionNumber),
    /// An owned session that leads to a target where it must not stay.
    Misdirected(&'a Session),
}

impl<'a> Draft<'a> {
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

    /// Whether the session does what is desired.
    pub(super) fn fits(&self, desired: &DesiredSession, session: &Session) -> bool {
        desired.filter == session.filter
            && self.placement.accepts(desired.target.as_ref(), &session.target)
    }

    /// What differs once the session leads to `target`, the target itself aside.
    pub(super) fn change(
        &self,
        desired: &DesiredSession,
        session: &Session,
        target: &TargetId,
    ) -> Change {
        let mut change = Change::default();
        if session.filter != desired.filter {
            change.filter = Some(desired.filter.clone());
        }
        let length = self.policy.packet_length;
        if self.shown_length(target, session.packet_length) != self.shown_length(target, length) {
            change.packet_length =
                Some(length.map_or(NewPacketLength::Default, NewPacketLength::Bytes));
        }
        if self.policy.vni.is_some() && session.vni != self.policy.vni {
            change.vni = self.policy.vni;
        }
        change
    }

    /// A packet length as EC2 shows it for a session to this target.
    fn shown_length(
        &self,
        target: &TargetId,
        length: Option<PacketLength>,
    ) -> Option<PacketLength> {
        let default = match self.index.target(target) {
            Shown::Yes(target) => target.default_packet_length,
            // It may be a load balancer, for which EC2 shows the largest length.
            Shown::NotInList | Shown::NotFound => Some(PacketLength::MAX_REQUESTED),
        };
        length.or(default)
    }

    pub(super) fn delete(&mut self, source: &Source, session: &Session, reason: Reason) {
        self.placement.release(&session.target, &source.id);
        self.push(source, Some(session), Action::Delete(session.id.clone()), reason);
    }

    /// Deletes an owned session that leads to a target known not to be allowed, and says whether it
    /// did. A target that EC2 does not show receives no packets, and the read may have come too early:
    /// that session stays.
    pub(super) fn delete_if_forbidden(&mut self, source: &Source, session: &Session) -> bool {
        let target = &session.target;
        let is_known =
            matches!(self.index.target(target), Shown::Yes(_)) || !self.policy.targets.is_empty();
        let is_forbidden = is_known && !self.index.allows(self.policy, target);
        if is_forbidden {
            let owner = self.index.owner(target).cloned();
            let reason = Reason::TargetNotAllowed { target: target.clone(), owner };
            self.delete(source, session, reason);
        }
        is_forbidden
    }

    pub(super) fn modify(&mut self, source: &Source, session: &Session, change: Change) {
        let action = Action::Modify(session.id.clone(), change);
        self.push(source, Some(session), action, Reason::Drifted);
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
