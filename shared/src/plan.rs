//! The decision: what should happen to each interface, and why.
//!
//! ```text
//! interface | sessions of ours | wanted             | step
//! ----------+------------------+--------------------+---------------------------
//! eni-1     | none             | a session to tmt-1 | create
//! eni-2     | tms-2 to tmt-1   | a session to tmt-1 | keep
//! eni-3     | tms-3 to tmt-9   | a session to tmt-1 | modify
//! eni-4     | tms-4 and tms-5  | a session to tmt-1 | keep tms-4, delete tms-5
//! eni-5     | tms-6            | nothing            | delete
//! eni-6     | none             | nothing            | ignore
//! eni-7     | none             | it, but no room    | block
//! ```
//!
//! A session may also be right and still not do its work: an empty filter or a foreign session in
//! front of it adds a `block` step beside the `keep`.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod waiting;

use waiting::{Now, Waiting};

use crate::{
    eligibility::obstacle,
    id::{InstanceId, InterfaceId, SESSION_NUMBERS, SessionNumber, TargetId},
    index::Index,
    matching::{Pair, Room, Service, pair},
    observed::{
        Instance, InstanceState, Interface, LooseInterface, LoosePlace, Observed, Session,
        TargetKind,
    },
    placement::Placement,
    policy::{Interfaces, Policy, Precedence},
    reason::Reason,
    step::{Action, Change, PacketLength, Plan, Step},
    wish::{SESSIONS_PER_INTERFACE, Wish, interfaces, selected, wishes},
};

/// EC2 shows this packet length where none was given for a load balancer (EC2 API,
/// `CreateTrafficMirrorSession`), so the two mean the same there.
const LOAD_BALANCER_PACKET_LENGTH: i32 = 8500;

/// Decides what should happen to each interface in `observed`.
///
/// The result depends on nothing else, and not on the order of the lists in `observed`; tags are by key.
pub fn plan(policy: &Policy, observed: &Observed) -> Plan {
    let index = Index::new(policy, observed);
    let placement = Placement::new(policy, &index, observed);
    let mut planner = Planner { policy, index, placement, steps: Vec::new(), waiting: Vec::new() };
    for instance in &observed.instances {
        planner.judge_instance(instance);
    }
    for interface in &observed.loose {
        planner.judge_loose(interface);
    }
    planner.place_waiting();
    // The sort is stable: the steps of one interface stay in the order they were decided in.
    planner.steps.sort_by(|a, b| (&a.instance, &a.interface).cmp(&(&b.instance, &b.interface)));
    Plan { steps: planner.steps }
}

struct Planner<'a> {
    policy: &'a Policy,
    index: Index<'a>,
    placement: Placement<'a>,
    steps: Vec<Step>,
    waiting: Vec<Waiting<'a>>,
}

/// The interface a step is about.
#[derive(Clone, Copy)]
struct Source<'a> {
    instance: Option<&'a InstanceId>,
    interface: &'a InterfaceId,
    zone: Option<&'a str>,
}

/// What is to be done about the interface of an instance.
enum Finding {
    /// Nothing, not even cleaning up.
    LeaveAlone(Reason),
    NotWanted(Reason),
    /// Wanted, and it cannot be mirrored: a session there would only cost money.
    Impossible(Reason),
    /// Wanted, but what is asked for cannot be made out: what is there stays.
    Unclear(Reason),
    Wanted(Vec<Wish>),
}

impl<'a> Planner<'a> {
    fn judge_instance(&mut self, instance: &'a Instance) {
        for interface in &instance.interfaces {
            let source = Source {
                instance: Some(&instance.id),
                interface: &interface.id,
                zone: instance.zone.as_deref(),
            };
            match self.find(instance, interface) {
                Finding::LeaveAlone(reason) => self.step(source, Action::Ignore, reason),
                Finding::NotWanted(reason) => self.clear(source, &reason),
                Finding::Impossible(reason) => {
                    for session in self.ours(source.interface) {
                        if is_useless(session, &reason) {
                            self.delete(source, session, reason.clone());
                        } else {
                            self.delete_if_forbidden(source, session);
                        }
                    }
                    self.step(source, Action::Block, reason);
                }
                Finding::Unclear(reason) => {
                    for session in self.ours(source.interface) {
                        self.delete_if_forbidden(source, session);
                    }
                    self.step(source, Action::Block, reason);
                }
                Finding::Wanted(wishes) => self.fulfil(source, instance.state, wishes),
            }
        }
    }

    fn find(&self, instance: &Instance, interface: &Interface) -> Finding {
        let policy = self.policy;
        if !policy.vpcs.is_empty()
            && interface.vpc.as_ref().is_none_or(|vpc| !policy.vpcs.contains(vpc))
        {
            return Finding::LeaveAlone(Reason::OtherVpc);
        }
        if let Err(reason) = selected(policy, instance) {
            return Finding::NotWanted(reason);
        }
        if interface.detaching {
            return Finding::NotWanted(Reason::Detached);
        }
        match interfaces(policy, instance) {
            Ok(Interfaces::Primary) if !interface.primary => {
                return Finding::NotWanted(Reason::NotPrimary);
            }
            Ok(_) => {}
            Err(reason) => return Finding::Unclear(reason),
        }
        let target_at = |id: &InterfaceId| self.index.target_at(id).cloned();
        if let Some(reason) = obstacle(policy, instance, interface, target_at) {
            return Finding::Impossible(reason);
        }
        match wishes(policy, &self.index, instance) {
            Ok(wishes) => Finding::Wanted(wishes),
            Err(reason) => Finding::Unclear(reason),
        }
    }

    fn judge_loose(&mut self, loose: &'a LooseInterface) {
        let source = Source { instance: None, interface: &loose.id, zone: None };
        let elsewhere = |vpc| !self.policy.vpcs.is_empty() && !self.policy.vpcs.contains(vpc);
        match &loose.place {
            LoosePlace::InUse => {
                self.step(source, Action::Ignore, Reason::InstanceNotVisible);
            }
            LoosePlace::Available(Some(vpc)) if elsewhere(vpc) => {
                self.step(source, Action::Ignore, Reason::OtherVpc);
            }
            LoosePlace::Available(_) => self.clear(source, &Reason::Detached),
            LoosePlace::Gone => self.clear(source, &Reason::InterfaceGone),
        }
    }

    /// Nothing is wanted here: our sessions go.
    fn clear(&mut self, source: Source<'a>, reason: &Reason) {
        let ours = self.ours(source.interface);
        if ours.is_empty() {
            self.step(source, Action::Ignore, reason.clone());
        }
        for session in ours {
            self.delete(source, session, reason.clone());
        }
    }

    /// Brings the sessions of ours on an interface to what is wanted, one for each wish.
    fn fulfil(&mut self, source: Source<'a>, state: InstanceState, mut wishes: Vec<Wish>) {
        let ours = self.ours(source.interface);
        let foreign = self.foreign(source.interface);
        self.accept_covered(source, &mut wishes, &ours, &foreign);
        let starting = matches!(state, InstanceState::Pending | InstanceState::Running);
        let mut room = self.room(&ours, &foreign);
        if !starting {
            room.slots = 0;
        }
        let (pairs, surplus) =
            pair(&wishes, &ours, &room, |wish, session| self.fits(wish, session));
        for session in surplus {
            self.delete(source, session, Reason::Duplicate);
        }
        for Pair { wish, service } in pairs {
            let number = match service {
                Service::Present(session) => {
                    self.compare(source, wish.clone(), session);
                    session.number
                }
                Service::New(number) => {
                    let now = Now::Absent(number);
                    self.waiting.push(Waiting { source, wish: wish.clone(), now });
                    number
                }
                Service::NoSlot if !starting => {
                    self.step(source, Action::Ignore, Reason::NotRunning { state });
                    continue;
                }
                Service::NoSlot => {
                    let reason = Reason::NoFreeSlot { foreign: foreign.len() };
                    self.step(source, Action::Block, reason);
                    continue;
                }
                Service::NoNumber => {
                    let reason = Reason::NoFreeNumber { precedence: self.policy.precedence };
                    self.step(source, Action::Block, reason);
                    continue;
                }
            };
            self.check_flow(source, &wish, number, &foreign);
        }
    }

    /// Takes from `wishes` those that a foreign session fulfils and no session of ours is left for.
    fn accept_covered(
        &mut self,
        source: Source<'a>,
        wishes: &mut Vec<Wish>,
        ours: &[&Session],
        foreign: &[&'a Session],
    ) {
        let mut unclaimed: Vec<&Session> = foreign.to_vec();
        let mut missing = wishes.len().saturating_sub(ours.len());
        let mut left = Vec::new();
        for wish in std::mem::take(wishes) {
            let covering = unclaimed.iter().position(|session| self.fits(&wish, session));
            let is_ours = ours.iter().any(|session| self.fits(&wish, session));
            match covering {
                Some(position) if missing > 0 && !is_ours => {
                    missing -= 1;
                    let session = unclaimed.remove(position);
                    self.step(source, Action::Keep(session.id.clone()), Reason::Covered);
                    self.check_flow(source, &wish, session.number, foreign);
                }
                _ => left.push(wish),
            }
        }
        *wishes = left;
    }

    /// Compares a session of ours with its wish.
    fn compare(&mut self, source: Source<'a>, wish: Wish, session: &'a Session) {
        if !self.placement.accepts(wish.target.as_ref(), &session.target) {
            self.waiting.push(Waiting { source, wish, now: Now::Misled(session) });
            return;
        }
        let change = self.change(&wish, session, &session.target);
        if change.is_empty() {
            self.step(source, Action::Keep(session.id.clone()), Reason::AsWanted);
        } else {
            self.step(source, Action::Modify(session.id.clone(), change), Reason::Drifted);
        }
    }

    /// What differs once the session leads to `target`, the target itself aside.
    fn change(&self, wish: &Wish, session: &Session, target: &TargetId) -> Change {
        let mut change = Change::default();
        if session.filter != wish.filter {
            change.filter = Some(wish.filter.clone());
        }
        let wanted = self.policy.packet_length;
        if self.shown_length(target, session.packet_length) != self.shown_length(target, wanted) {
            change.packet_length = Some(wanted.map_or(PacketLength::Default, PacketLength::Bytes));
        }
        if self.policy.vni.is_some() && session.vni != self.policy.vni {
            change.vni = self.policy.vni;
        }
        change
    }

    /// A packet length as EC2 shows it for a session to this target.
    fn shown_length(&self, target: &TargetId, length: Option<i32>) -> Option<i32> {
        match self.index.target(target).map(|target| &target.kind) {
            Some(TargetKind::Interface { .. }) => length,
            // A target that EC2 does not show may be one, too.
            _ => Some(length.unwrap_or(LOAD_BALANCER_PACKET_LENGTH)),
        }
    }

    /// Deletes a session of ours that leads to a target known not to be allowed. A target that
    /// EC2 does not show gets no packets, and it may be a read that came too early: that stays.
    fn delete_if_forbidden(&mut self, source: Source<'a>, session: &Session) -> bool {
        let target = &session.target;
        let known = self.index.target(target).is_some() || !self.policy.targets.is_empty();
        let forbidden = known && !self.index.allows(self.policy, target);
        if forbidden {
            let owner = self.index.owner(target).cloned();
            let reason = Reason::TargetNotAllowed { target: target.clone(), owner };
            self.delete(source, session, reason);
        }
        forbidden
    }

    /// A session that is there may still get no packets.
    fn check_flow(
        &mut self,
        source: Source<'a>,
        wish: &Wish,
        number: SessionNumber,
        foreign: &[&Session],
    ) {
        if self.index.filter(&wish.filter).is_some_and(|filter| !filter.accepts) {
            let reason = Reason::FilterEmpty { filter: wish.filter.clone() };
            self.step(source, Action::Block, reason);
        }
        // Nobody outside AWS knows which of two with one number comes first.
        let in_front = foreign.iter().find(|session| {
            session.number <= number && !self.index.allows(self.policy, &session.target)
        });
        if let Some(session) = in_front {
            let reason = Reason::Shadowed {
                session: session.id.clone(),
                number: session.number,
                target: session.target.clone(),
                owner: self.index.owner(&session.target).cloned(),
            };
            self.step(source, Action::Block, reason);
        }
    }

    /// Where new sessions of ours fit beside those that are there.
    fn room(&self, ours: &[&Session], foreign: &[&Session]) -> Room {
        let theirs = foreign.iter().map(|session| session.number);
        let (mut lowest, mut highest) = (*SESSION_NUMBERS.start(), *SESSION_NUMBERS.end());
        match self.policy.precedence {
            Precedence::After => {
                lowest = theirs.fold(lowest, |lowest, number| lowest.max(number.saturating_add(1)));
            }
            Precedence::Before => {
                highest =
                    theirs.fold(highest, |highest, number| highest.min(number.saturating_sub(1)));
            }
        }
        Room {
            slots: SESSIONS_PER_INTERFACE.saturating_sub(foreign.len()),
            numbers: lowest..=highest,
            taken: ours.iter().chain(foreign).map(|session| session.number).collect(),
        }
    }

    /// Whether the session does what is wished for.
    fn fits(&self, wish: &Wish, session: &Session) -> bool {
        wish.filter == session.filter
            && self.placement.accepts(wish.target.as_ref(), &session.target)
    }

    fn ours(&self, interface: &InterfaceId) -> Vec<&'a Session> {
        let sessions = self.index.sessions(interface).iter().copied();
        sessions.filter(|session| self.index.is_ours(self.policy, session)).collect()
    }

    fn foreign(&self, interface: &InterfaceId) -> Vec<&'a Session> {
        let sessions = self.index.sessions(interface).iter().copied();
        sessions.filter(|session| !self.index.is_ours(self.policy, session)).collect()
    }

    fn delete(&mut self, source: Source<'_>, session: &Session, reason: Reason) {
        self.placement.release(&session.target, source.interface);
        self.step(source, Action::Delete(session.id.clone()), reason);
    }

    fn step(&mut self, source: Source<'_>, action: Action, reason: Reason) {
        let Source { instance, interface, .. } = source;
        self.steps.push(Step {
            instance: instance.cloned(),
            interface: interface.clone(),
            action,
            reason,
        });
    }
}

/// Whether a session on an interface that cannot be mirrored only costs money. One that was there
/// before somebody made a target of its interface goes on, unless it leads back to where it comes from.
fn is_useless(session: &Session, reason: &Reason) -> bool {
    match reason {
        Reason::IsTarget { target } => session.target == *target,
        _ => true,
    }
}
