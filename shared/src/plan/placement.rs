//! Which target a session leads to: of the allowed targets with room, those in the source's zone first,
//! then the one with the fewest sessions, then the one with the smallest id.

use std::collections::BTreeMap;

use super::{index::Index, reason::Reason};
use crate::{
    id::{InterfaceId, TargetId},
    observed::{Capacity, Observed, Target, TargetState},
    policy::Policy,
};

/// The allowed targets and how full each is while the plan grows.
pub(super) struct Placement<'a> {
    candidates: BTreeMap<&'a TargetId, Candidate<'a>>,
}

struct Candidate<'a> {
    target: &'a Target,
    sessions: usize,
    /// Where there is a limit, sessions by source: a source with two sessions on a target counts once.
    sources: BTreeMap<InterfaceId, usize>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(policy: &Policy, index: &Index<'a>, observed: &Observed) -> Self {
        let allowed = index.targets().filter(|target| index.allows(policy, &target.id));
        let candidate =
            |target: &'a Target| Candidate { target, sessions: 0, sources: BTreeMap::new() };
        let candidates = allowed.map(|target| (&target.id, candidate(target))).collect();
        let mut placement = Self { candidates };
        for session in &observed.sessions {
            placement.take(&session.target, &session.interface);
        }
        placement
    }

    /// Whether a session may stay on this target.
    pub(super) fn accepts(&self, desired: Option<&TargetId>, target: &TargetId) -> bool {
        desired.is_none_or(|desired| desired == target) && self.candidates.contains_key(target)
    }

    /// Chooses a target for a source and takes room on it.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(super) fn place(
        &mut self,
        desired: Option<&TargetId>,
        zone: Option<&str>,
        source: &InterfaceId,
    ) -> Result<TargetId, Reason> {
        let may_serve = |candidate: &&Candidate<'_>| match desired {
            Some(desired) => *desired == candidate.target.id,
            None => candidate.target.capacity != Capacity::Unknown,
        };
        let with_room = self.candidates.values().filter(may_serve).filter(|it| it.has_room(source));
        // The map is ordered by id, and the first of several equals is taken.
        let best = with_room.min_by_key(|candidate| (!candidate.is_in(zone), candidate.sessions));
        let Some(target) = best.map(|candidate| candidate.target.id.clone()) else {
            return Err(match desired {
                Some(target) => Reason::TargetFull { target: target.clone() },
                None => match self.candidates.values().filter(may_serve).count() {
                    0 => Reason::NoTarget,
                    count => Reason::TargetsFull { count },
                },
            });
        };
        self.take(&target, source);
        Ok(target)
    }

    /// Gives back the room of a session that leaves its target.
    pub(super) fn release(&mut self, target: &TargetId, source: &InterfaceId) {
        let Some(candidate) = self.candidates.get_mut(target) else { return };
        candidate.sessions = candidate.sessions.saturating_sub(1);
        if let Some(count) = candidate.sources.get_mut(source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                candidate.sources.remove(source);
            }
        }
    }

    fn take(&mut self, target: &TargetId, source: &InterfaceId) {
        if let Some(candidate) = self.candidates.get_mut(target) {
            candidate.sessions += 1;
            if candidate.target.capacity.limit().is_some() {
                *candidate.sources.entry(source.clone()).or_default() += 1;
            }
        }
    }
}

impl Candidate<'_> {
    fn has_room(&self, source: &InterfaceId) -> bool {
        let fits = |limit| self.sources.len() < limit || self.sources.contains_key(source);
        match self.target.state {
            TargetState::Ready => self.target.capacity.limit().is_none_or(fits),
            TargetState::Full => false,
        }
    }

    fn is_in(&self, zone: Option<&str>) -> bool {
        zone.is_some_and(|zone| self.target.location.zones.iter().any(|it| **it == *zone))
    }
}
