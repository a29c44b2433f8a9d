//! Brings the owned sessions on a source to the desired ones.

use super::{
    coverage::{Coverage, kinds_of},
    desired::{DesiredFilter, DesiredSession, SESSIONS_PER_INTERFACE, no_filter},
    draft::{Current, Draft, Flow, NoNewSessions, Stay, Unplaced},
    matching::{Fit, FreeSlots, Match, Served, match_sessions},
    reason::Reason,
    step::Action,
};
use crate::{
    id::{FilterId, TargetId},
    number::SessionNumber,
    observed::{Session, Shown, Source, TargetState},
    policy::Precedence,
};

impl<'a> Draft<'a> {
    /// Brings the owned sessions on a source to the desired ones. `created_for` is the reason that new
    /// ones have, or the reason why there are none.
    pub(super) fn fulfil(
        &mut self,
        source: &'a Source,
        desired: Vec<DesiredSession>,
        created_for: Result<&Reason, &NoNewSessions>,
    ) {
        let owned = self.owned(&source.id);
        let foreign = self.foreign(&source.id);
        let desired = self.accept_covered(source, desired, &owned, &foreign);
        let mut free = self.free_slots(&owned, &foreign);
        if created_for.is_err() {
            free.slots = 0;
        }
        let fits = |desired: &DesiredSession, session: &Session| match self
            .stay(desired.target.as_ref(), &session.target)
        {
            Stay::No => Fit::Wrong,
            _ if !desired.filter.accepts(&session.filter) => Fit::OtherFilter,
            Stay::Unknown => Fit::Unsure,
            Stay::Yes if self.may_be_dead(&session.target) => Fit::Unsure,
            Stay::Yes => Fit::Right,
        };
        let (matches, surplus) = match_sessions(&desired, &owned, &free, fits);
        let (doubted, duplicates): (Vec<_>, Vec<_>) =
            surplus.into_iter().partition(|session| self.may_be_needed(session, &matches));
        for session in duplicates {
            self.delete(source, session, Reason::Duplicate);
        }
        for session in doubted {
            if !self.delete_if_forbidden(source, session) {
                self.check_target(source, &session.target);
            }
        }
        for it in matches {
            self.serve(source, it, created_for, &foreign);
        }
        self.check_filters(source);
    }

    /// Whether a session that serves nothing may be needed. One to a target that no list shows may be the right one or
    /// the wrong one, unless the instance names all of its targets. And where it is not seen that the session that
    /// serves leads to a target that receives, one to another target goes on.
    fn may_be_needed(&self, surplus: &Session, matches: &[Match<'a>]) -> bool {
        let stay = |session: &Session| self.stay(None, &session.target);
        matches.iter().filter(|it| it.desired.target.is_none()).any(|it| {
            let Some(serving) = it.session.existing() else { return false };
            let is_unknown = stay(serving) == Stay::Unknown;
            match stay(surplus) {
                Stay::Unknown => true,
                Stay::Yes => {
                    let is_elsewhere = serving.target != surplus.target;
                    is_unknown || is_elsewhere && self.may_be_dead(&serving.target)
                }
                Stay::No => is_unknown,
            }
        })
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
            let covering = unclaimed.iter().position(|session| self.covers(&desired, session));
            let is_served = owned.iter().any(|session| self.fits(&desired, session));
            match covering {
                Some(position) if missing > 0 && !is_served => {
                    missing = missing.saturating_sub(1);
                    let session = unclaimed.remove(position);
                    self.step(source, Action::Keep(session.id.clone()), Reason::Covered);
                    self.check_flow(source, flow_of(session), foreign);
                }
                _ => left.push(desired),
            }
        }
        left
    }

    /// The step for one desired session, and what keeps the session that serves it from mirroring.
    fn serve(
        &mut self,
        source: &'a Source,
        Match { desired, session }: Match<'a>,
        created_for: Result<&Reason, &NoNewSessions>,
        foreign: &[&Session],
    ) {
        match (session, created_for) {
            (Served::Existing(session), _) => self.compare(source, desired, session, foreign),
            // That step is there already.
            (_, Err(NoNewSessions { reason: Reason::MadeATarget { .. }, .. })) => {}
            (_, Err(NoNewSessions { is_blocked, reason })) => {
                let action = if *is_blocked { Action::Block } else { Action::Ignore };
                self.step(source, action, reason.clone());
            }
            (Served::New(number), Ok(reason)) => {
                let Some(filter) = desired.filter.for_new().cloned() else {
                    let reason = no_filter(self.policy, &self.index);
                    self.step(source, Action::Block, reason);
                    return;
                };
                let current = Current::Nothing(number, filter.clone());
                let reason = reason.clone();
                self.unplaced.push(Unplaced { source, desired, current, reason });
                let flow = Flow { number, filter: &filter, target: None };
                self.check_flow(source, flow, foreign);
            }
            (Served::NoFreeSlot, Ok(_)) => {
                let reason = Reason::NoFreeSlot { foreign: foreign.len() };
                self.step(source, Action::Block, reason);
            }
            (Served::NoFreeNumber, Ok(_)) => {
                let reason = Reason::NoFreeNumber { precedence: self.policy.precedence };
                self.step(source, Action::Block, reason);
            }
        }
    }

    /// Compares an owned session with the desired one.
    fn compare(
        &mut self,
        source: &'a Source,
        desired: DesiredSession,
        session: &'a Session,
        foreign: &[&Session],
    ) {
        let filter = match &desired.filter {
            DesiredFilter::Named(filter) => filter.clone(),
            DesiredFilter::Default(_) => session.filter.clone(),
        };
        let mut flow = Flow { filter: &filter, ..flow_of(session) };
        if self.stay(desired.target.as_ref(), &session.target) == Stay::No {
            flow.target = None;
            let reason = self.why_it_leaves(&desired, session);
            let current = Current::Misdirected(session);
            self.unplaced.push(Unplaced { source, desired, current, reason });
        } else {
            let change = self.change(&desired, session);
            if change.is_empty() {
                self.step(source, Action::Keep(session.id.clone()), Reason::AsWanted);
            } else {
                self.modify(source, session, change, Reason::Drifted);
            }
        }
        self.check_flow(source, flow, foreign);
    }

    fn why_it_leaves(&self, desired: &DesiredSession, session: &Session) -> Reason {
        let target = session.target.clone();
        let is_named = desired.target.is_some();
        match self.index.target(&target) {
            Shown::Yes(shown) if self.index.allows(self.policy, &target) && !is_named => {
                match shown.state {
                    TargetState::Gone => Reason::Drifted,
                    _ => Reason::Draining { target },
                }
            }
            _ => Reason::Drifted,
        }
    }

    /// A session that is there may still mirror nothing, or not everything.
    fn check_flow(&mut self, source: &Source, flow: Flow<'_>, foreign: &[&Session]) {
        self.in_use.insert(flow.filter.clone());
        if let Some(target) = flow.target {
            self.check_target(source, target);
        }
        // Nobody outside AWS knows which of two sessions with one number comes first.
        let in_front = foreign
            .iter()
            .find(|session| session.number <= flow.number && !self.may_be_in_front(session));
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

    /// Whether a foreign session may take the packets first: its target is trusted, and receives as far as
    /// can be seen.
    fn may_be_in_front(&self, session: &Session) -> bool {
        let state = self.index.target(&session.target).yes().map(|target| target.state);
        let is_dead = state == Some(TargetState::Gone) || self.may_be_dead(&session.target);
        self.index.trusts(self.policy, &session.target) && !is_dead
    }

    /// What the filters in use accept. Several sessions may share the packets among them on purpose, so
    /// only what none of them accepts is missing.
    fn check_filters(&mut self, source: &Source) {
        let in_use = std::mem::take(&mut self.in_use);
        let mut accepted: Option<Coverage> = None;
        for id in &in_use {
            let Shown::Yes(filter) = self.index.filter(id) else {
                self.step(source, Action::Block, Reason::FilterUnknown { filter: id.clone() });
                continue;
            };
            let coverage = self.coverage(filter);
            if coverage.is_empty() {
                self.step(source, Action::Block, Reason::FilterEmpty { filter: id.clone() });
            } else {
                accepted = Some(accepted.map_or(coverage, |other| other.and(coverage)));
            }
        }
        let (has_ipv4, has_ipv6) = kinds_of(source.interface.as_ref().yes());
        if let Some(missing) = accepted.and_then(|it| it.missing(has_ipv4, has_ipv6)) {
            let filters: Vec<_> = in_use.iter().map(FilterId::as_str).collect();
            let filters = filters.join(" and ");
            self.step(source, Action::Block, Reason::FilterPartial { filters, missing });
        }
    }

    pub(super) fn check_target(&mut self, source: &Source, id: &TargetId) {
        let target = id.clone();
        match self.index.target(id) {
            Shown::NotInList => {
                self.step(source, Action::Block, Reason::TargetUnknown { target });
            }
            Shown::Yes(shown) if !self.index.allows(self.policy, id) => {
                let owner = Some(shown.account.clone());
                self.step(source, Action::Block, Reason::TargetNotAllowed { target, owner });
            }
            Shown::Yes(shown) if shown.state == TargetState::Unknown => {
                self.step(source, Action::Block, Reason::TargetUnseen { target });
            }
            Shown::Yes(shown) if shown.state == TargetState::Stopped => {
                self.step(source, Action::Block, Reason::TargetStopped { target });
            }
            // A session that has to leave its target has a step of its own for that.
            Shown::Yes(_) | Shown::NotFound => {}
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

fn flow_of(session: &Session) -> Flow<'_> {
    Flow { number: session.number, filter: &session.filter, target: Some(&session.target) }
}
