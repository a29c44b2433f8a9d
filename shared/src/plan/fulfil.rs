//! Brings the owned sessions on a source to the desired ones.

use super::{
    desired::{DesiredSession, SESSIONS_PER_INTERFACE},
    draft::{Current, Draft, Unplaced},
    matching::{FreeSlots, Match, Served, match_sessions},
    reason::Reason,
    step::Action,
};
use crate::{
    number::SessionNumber,
    observed::{InstanceState, Session, Source},
    policy::Precedence,
};

impl<'a> Draft<'a> {
    /// Brings the owned sessions on a source to the desired ones. `state` is that of its instance.
    pub(super) fn fulfil(
        &mut self,
        source: &'a Source,
        state: InstanceState,
        desired: Vec<DesiredSession>,
    ) {
        let owned = self.owned(&source.id);
        let foreign = self.foreign(&source.id);
        let desired = self.accept_covered(source, desired, &owned, &foreign);
        let mut free = self.free_slots(&owned, &foreign);
        if !state.is_pending_or_running() {
            free.slots = 0;
        }
        let fits = |desired: &DesiredSession, session: &Session| self.fits(desired, session);
        let (matches, surplus) = match_sessions(&desired, &owned, &free, fits);
        for session in surplus {
            self.delete(source, session, Reason::Duplicate);
        }
        for Match { desired, session } in matches {
            if let Some(number) = self.serve(source, &desired, session, state, foreign.len()) {
                self.check_flow(source, &desired, number, &foreign);
            }
        }
    }

    /// Takes out the desired sessions that a foreign session covers and no owned session is left for.
    fn accept_covered(
        &mut self,
        source: &'a Source,
        desired: Vec<DesiredSession>,
        owned: &[&Session],
        foreign: &[&'a Session],
    ) -> Vec<DesiredSession> {
        let mut unclaimed: Vec<&Session> = foreign.to_vec();
        let mut missing = desired.len().saturating_sub(owned.len());
        let mut left = Vec::new();
        for desired in desired {
            let covering = unclaimed.iter().position(|session| self.fits(&desired, session));
            let is_served = owned.iter().any(|session| self.fits(&desired, session));
            match covering {
                Some(position) if missing > 0 && !is_served => {
                    missing -= 1;
                    let session = unclaimed.remove(position);
                    self.step(source, Action::Keep(session.id.clone()), Reason::Covered);
                    self.check_flow(source, &desired, session.number, foreign);
                }
                _ => left.push(desired),
            }
        }
        left
    }

    /// The step for one desired session. The number of the session that serves it or will, if any does.
    fn serve(
        &mut self,
        source: &'a Source,
        desired: &DesiredSession,
        served: Served<'a>,
        state: InstanceState,
        foreign: usize,
    ) -> Option<SessionNumber> {
        let reason = match served {
            Served::Existing(session) => {
                self.compare(source, desired.clone(), session);
                return Some(session.number);
            }
            Served::New(number) => {
                let current = Current::Nothing(number);
                self.unplaced.push(Unplaced { source, desired: desired.clone(), current });
                return Some(number);
            }
            Served::NoFreeSlot if !state.is_pending_or_running() => {
                self.step(source, Action::Ignore, Reason::NotRunning { state });
                return None;
            }
            Served::NoFreeSlot => Reason::NoFreeSlot { foreign },
            Served::NoFreeNumber => Reason::NoFreeNumber { precedence: self.policy.precedence },
        };
        self.step(source, Action::Block, reason);
        None
    }

    /// Compares an owned session with the desired one.
    fn compare(&mut self, source: &'a Source, desired: DesiredSession, session: &'a Session) {
        if !self.placement.accepts(desired.target.as_ref(), &session.target) {
            let current = Current::Misdirected(session);
            self.unplaced.push(Unplaced { source, desired, current });
            return;
        }
        let change = self.change(&desired, session, &session.target);
        if change.is_empty() {
            self.step(source, Action::Keep(session.id.clone()), Reason::AsWanted);
        } else {
            self.modify(source, session, change);
        }
    }

    /// A session that is there may still mirror nothing.
    fn check_flow(
        &mut self,
        source: &Source,
        desired: &DesiredSession,
        number: SessionNumber,
        foreign: &[&Session],
    ) {
        if self.index.filter(&desired.filter).is_some_and(|filter| !filter.accepts) {
            let reason = Reason::FilterEmpty { filter: desired.filter.clone() };
            self.step(source, Action::Block, reason);
        }
        // Nobody outside AWS knows which of two sessions with one number comes first.
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

    /// Where new owned sessions fit beside the sessions that are there.
    fn free_slots(&self, owned: &[&Session], foreign: &[&Session]) -> FreeSlots {
        let theirs = foreign.iter().map(|session| session.number.get());
        let (mut lowest, mut highest) = (SessionNumber::MIN.get(), SessionNumber::MAX.get());
        match self.policy.precedence {
            Precedence::After => {
                lowest = theirs.fold(lowest, |lowest, number| lowest.max(number.saturating_add(1)));
            }
            Precedence::Before => {
                highest =
                    theirs.fold(highest, |highest, number| highest.min(number.saturating_sub(1)));
            }
        }
        FreeSlots {
            slots: SESSIONS_PER_INTERFACE.saturating_sub(foreign.len()),
            numbers: lowest..=highest,
            taken: owned.iter().chain(foreign).map(|session| session.number).collect(),
        }
    }
}
