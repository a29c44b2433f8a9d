//! Which target a session leads to. Of the allowed targets with room: alive before stopped, in the
//! source's VPC before unknown before in another, in its zone before others, then the one with the fewest
//! sessions, then the one with the smallest id. A target that is gone or being drained gets none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    reason::Reason,
    room::{RoomOnTargets, TargetRoom},
};
use crate::{
    id::{InterfaceId, TargetId, VpcId},
    observed::{Endpoint, Observed, Source, Target, TargetState},
    policy::Policy,
};

/// The room that the allowed targets have now.
#[must_use]
pub fn room_on_targets(policy: &Policy, observed: &Observed) -> RoomOnTargets {
    let candidates = Placement::new(policy, observed).candidates;
    let targets = candidates.into_iter().map(|(id, candidate)| (id.clone(), candidate.room()));
    RoomOnTargets { targets: targets.collect() }
}

/// The allowed targets and how full each is while the plan grows.
pub(super) struct Placement<'a> {
    candidates: BTreeMap<&'a TargetId, Candidate<'a>>,
    /// Those that any source may get, with room, by place: there may be very many targets, and few
    /// places.
    with_room: WithRoom<'a>,
}

type WithRoom<'a> = BTreeMap<Place<'a>, BTreeSet<(usize, &'a TargetId)>>;

struct Candidate<'a> {
    target: &'a Target,
    sessions: usize,
    /// Where there is a limit, sessions by source: a source with two sessions on a target counts once.
    sources: BTreeMap<InterfaceId, usize>,
    is_draining: bool,
}

/// What makes one target better than another for a source, the number of sessions aside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    state: StateRank,
    vpc: Option<&'a VpcId>,
    zones: &'a [Arc<str>],
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum StateRank {
    Ready,
    Unread,
    Stopped,
}

/// What a session needs a target for.
#[derive(Clone, Copy)]
pub(super) struct Wish<'w> {
    /// The target that the instance names.
    pub(super) named: Option<&'w TargetId>,
    pub(super) source: &'w Source,
    /// Targets that the source has sessions on already: another session takes no more room there.
    pub(super) shared: &'w [&'w TargetId],
    /// A target that is stopped is no choice: the session is mirrored where it is.
    pub(super) only_alive: bool,
    /// Targets on the source's own instance, which are its last choice.
    pub(super) own: &'w BTreeSet<&'w TargetId>,
    /// Targets that the source itself receives the packets of: EC2 leads no session of it there.
    pub(super) behind: &'w [&'w Target],
}

impl Wish<'_> {
    fn is_behind(&self, target: &TargetId) -> bool {
        self.behind.iter().any(|it| it.id == *target)
    }
}

impl<'a> Placement<'a> {
    pub(super) fn new(policy: &Policy, observed: &'a Observed) -> Self {
        let is_allowed =
            |target: &&Target| policy.allows(&target.id, Some(&target.account), &observed.account);
        let allowed = observed.targets.iter().filter(is_allowed);
        let candidate = |target: &'a Target| Candidate {
            target,
            sessions: 0,
            sources: BTreeMap::new(),
            is_draining: is_draining(policy, target),
        };
        let candidates = allowed.map(|target| (&target.id, candidate(target))).collect();
        let mut placement = Self { candidates, with_room: BTreeMap::new() };
        for session in &observed.sessions {
            if let Some(candidate) = placement.candidates.get_mut(&session.target) {
                candidate.take(&session.interface);
            }
        }
        for candidate in placement.candidates.values() {
            candidate.enter(&mut placement.with_room);
        }
        placement
    }

    /// Chooses a target for a source and takes room on it.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(super) fn place(&mut self, wish: Wish<'_>) -> Result<TargetId, Reason> {
        let target = if let Some(named) = wish.named {
            self.named(named, wish)?
        } else {
            let other = self.best(wish, |id| !wish.own.contains(id) && !wish.is_behind(id));
            let any = other.or_else(|| self.best(wish, |id| !wish.is_behind(id)));
            any.ok_or_else(|| self.none_for(wish))?
        };
        let source = wish.source.id.clone();
        self.change(&target, |candidate| candidate.take(&source));
        Ok(target)
    }

    /// Gives back the room of a session that leaves its target.
    pub(super) fn release(&mut self, target: &TargetId, source: &InterfaceId) {
        self.change(target, |candidate| candidate.release(source));
    }

    /// The target that the instance names, where it can take the source.
    fn named(&self, named: &TargetId, wish: Wish<'_>) -> Result<TargetId, Reason> {
        let (target, source) = (named.clone(), &wish.source.id);
        match self.candidates.get(named) {
            None => Err(Reason::TargetUnknown { target }),
            Some(_) if wish.is_behind(named) => Err(Reason::IsTarget { target }),
            Some(it) if it.target.state == TargetState::Gone => Err(Reason::TargetGone { target }),
            Some(it) if it.is_draining => Err(Reason::TargetDraining { target }),
            Some(it) if !it.has_room_for(source) => Err(Reason::TargetFull { target }),
            Some(_) => Ok(target),
        }
    }

    fn best(&self, wish: Wish<'_>, may_be: impl Fn(&TargetId) -> bool) -> Option<TargetId> {
        let is_choice = |place: &Place<'_>| !wish.only_alive || place.state == StateRank::Ready;
        let places = self.with_room.iter().filter(|(place, _)| is_choice(place));
        let emptiest = places.filter_map(|(place, targets)| {
            let (sessions, id) = targets.iter().find(|(_, id)| may_be(id))?;
            Some((place.rank(wish.source), *sessions, *id))
        });
        let shared = wish.shared.iter().filter(|id| may_be(id)).filter_map(|id| {
            let (id, candidate) = self.candidates.get_key_value(*id)?;
            let has_room = candidate.has_room_for(&wish.source.id);
            let place = candidate.place().filter(|place| has_room && is_choice(place))?;
            Some((place.rank(wish.source), candidate.sessions, *id))
        });
        emptiest.chain(shared).min().map(|(_, _, id)| id.clone())
    }

    /// Why no target takes this source.
    fn none_for(&self, wish: Wish<'_>) -> Reason {
        let mut behind = wish.behind.iter().map(|target| &target.id);
        let behind = behind.find(|id| self.candidates.contains_key(id)).cloned();
        behind.map_or_else(|| self.no_room(), |target| Reason::IsTarget { target })
    }

    /// Why no target takes any source.
    fn no_room(&self) -> Reason {
        let selectable = self.candidates.values().filter(|it| it.is_selectable());
        let count = selectable.clone().count();
        let first = |is: fn(&Candidate<'_>) -> bool| {
            let mut left = selectable.clone().filter(|it| is(it));
            left.next().map(|it| it.target.id.clone())
        };
        let is_gone = |it: &Candidate<'_>| it.target.state == TargetState::Gone;
        let unusable =
            selectable.clone().filter(|it| is_gone(it) || it.is_draining).count() == count;
        let gone = first(is_gone).map(|target| Reason::TargetGone { target });
        let draining =
            || first(|it| it.is_draining).map(|target| Reason::TargetDraining { target });
        match gone.or_else(draining).filter(|_| unusable) {
            Some(reason) => reason,
            None if count == 0 => Reason::NoTarget,
            None => Reason::TargetsFull { count },
        }
    }

    fn change(&mut self, target: &TargetId, change: impl FnOnce(&mut Candidate<'a>)) {
        let Some(candidate) = self.candidates.get_mut(target) else { return };
        candidate.leave(&mut self.with_room);
        change(candidate);
        candidate.enter(&mut self.with_room);
    }
}

/// Whether the sessions of a target should leave it. Whoever may only tag targets must not be able to
/// move packets, so the tag counts only where the settings name the targets.
pub(super) fn is_draining(policy: &Policy, target: &Target) -> bool {
    target.draining && policy.targets.contains(&target.id)
}

impl<'a> Candidate<'a> {
    /// Whether a source that names no target may get this one. A kind of target that this version does
    /// not know is chosen by name only.
    fn is_selectable(&self) -> bool {
        !matches!(self.target.endpoint, Endpoint::Other(_))
    }

    /// Where it is among the targets that any source may get; none where it is not one of them.
    fn place(&self) -> Option<Place<'a>> {
        let state = match self.target.state {
            TargetState::Ready => StateRank::Ready,
            TargetState::Unread | TargetState::Unknown => StateRank::Unread,
            TargetState::Stopped => StateRank::Stopped,
            TargetState::Full | TargetState::Gone => return None,
        };
        let location = &self.target.location;
        let place = Place { state, vpc: location.vpc.as_ref(), zones: &location.zones };
        (self.is_selectable() && !self.is_draining).then_some(place)
    }

    fn has_room(&self) -> bool {
        self.target.capacity.limit().is_none_or(|limit| self.sources.len() < limit)
    }

    fn has_room_for(&self, source: &InterfaceId) -> bool {
        self.target.state != TargetState::Full
            && (self.has_room() || self.sources.contains_key(source))
    }

    /// One that is gone or being drained has no room, however few sources are on it.
    fn room(&self) -> TargetRoom {
        let limit = self.target.capacity.limit();
        let sources = self.sources.len();
        let is_full = self.target.state == TargetState::Full || !self.has_room();
        let takes_none = is_full || self.is_draining || self.target.state == TargetState::Gone;
        let left = |limit: usize| if takes_none { 0 } else { limit.saturating_sub(sources) };
        TargetRoom { used: limit.map(|limit| (sources, limit)), is_full, left: limit.map(left) }
    }

    fn enter(&self, with_room: &mut WithRoom<'a>) {
        if let Some(place) = self.place().filter(|_| self.has_room()) {
            with_room.entry(place).or_default().insert((self.sessions, &self.target.id));
        }
    }

    fn leave(&self, with_room: &mut WithRoom<'a>) {
        if let Some(targets) = self.place().and_then(|place| with_room.get_mut(&place)) {
            targets.remove(&(self.sessions, &self.target.id));
        }
    }

    fn take(&mut self, source: &InterfaceId) {
        self.sessions = self.sessions.saturating_add(1);
        if self.target.capacity.limit().is_some() {
            let count = self.sources.entry(source.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn release(&mut self, source: &InterfaceId) {
        self.sessions = self.sessions.saturating_sub(1);
        if let Some(count) = self.sources.get_mut(source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(source);
            }
        }
    }
}

/// How a place is for a source; the least is the best.
type Rank = (StateRank, Nearness, bool);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    SameVpc,
    Unknown,
    OtherVpc,
}

impl Place<'_> {
    fn rank(&self, source: &Source) -> Rank {
        let nearness = match (self.vpc, source.vpc()) {
            (Some(vpc), Some(own)) if vpc == own => Nearness::SameVpc,
            (Some(_), Some(_)) => Nearness::OtherVpc,
            (None, _) | (_, None) => Nearness::Unknown,
        };
        let zone = source.zone();
        let is_in_zone = zone.is_some_and(|zone| self.zones.iter().any(|it| **it == *zone));
        (self.state, nearness, !is_in_zone)
    }
}
