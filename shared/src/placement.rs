//! Which target a session leads to: the allowed ones with room, nearest and emptiest first.

use std::collections::BTreeMap;

use crate::{
    eligibility::source_limit,
    id::{InterfaceId, TargetId},
    index::Index,
    observed::{Observed, Target, TargetKind},
    policy::Policy,
    reason::Reason,
};

/// How full the allowed targets are, as the plan goes along.
pub(crate) struct Placement<'a> {
    loads: BTreeMap<&'a TargetId, Load<'a>>,
}

struct Load<'a> {
    target: &'a Target,
    limit: Option<usize>,
    sessions: usize,
    /// Where there is a limit, sessions by source: one with two sessions on a target counts once.
    sources: BTreeMap<InterfaceId, usize>,
}

impl<'a> Placement<'a> {
    pub(crate) fn new(policy: &Policy, index: &Index<'a>, observed: &Observed) -> Self {
        let allowed = index.targets().filter(|target| index.allows(policy, &target.id));
        let load = |target: &'a Target| Load {
            target,
            limit: source_limit(&target.kind),
            sessions: 0,
            sources: BTreeMap::new(),
        };
        let loads = allowed.map(|target| (&target.id, load(target))).collect();
        let mut placement = Self { loads };
        for session in &observed.sessions {
            placement.take(&session.target, &session.interface);
        }
        placement
    }

    /// Whether a session may stay on this target.
    pub(crate) fn accepts(&self, wanted: Option<&TargetId>, target: &TargetId) -> bool {
        wanted.is_none_or(|wanted| wanted == target) && self.loads.contains_key(target)
    }

    /// Chooses a target for a source and takes its room.
    ///
    /// # Errors
    /// The reason why there is none.
    pub(crate) fn place(
        &mut self,
        wanted: Option<&TargetId>,
        zone: Option<&str>,
        interface: &InterfaceId,
    ) -> Result<TargetId, Reason> {
        let candidates = self.loads.values().filter(|load| {
            wanted.is_none_or(|wanted| *wanted == load.target.id) && load.has_room(interface)
        });
        // The map is ordered by id, and the first of several equals is taken.
        let best = candidates.min_by_key(|load| (!load.is_in(zone), load.sessions));
        let Some(target) = best.map(|load| load.target.id.clone()) else {
            return Err(match wanted {
                Some(target) => Reason::TargetFull { target: target.clone() },
                None if self.loads.is_empty() => Reason::NoTarget,
                None => Reason::TargetsFull { count: self.loads.len() },
            });
        };
        self.take(&target, interface);
        Ok(target)
    }

    /// Gives back the room of a session that leaves.
    pub(crate) fn release(&mut self, target: &TargetId, interface: &InterfaceId) {
        let Some(load) = self.loads.get_mut(target) else { return };
        load.sessions = load.sessions.saturating_sub(1);
        if let Some(count) = load.sources.get_mut(interface) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                load.sources.remove(interface);
            }
        }
    }

    fn take(&mut self, target: &TargetId, interface: &InterfaceId) {
        if let Some(load) = self.loads.get_mut(target) {
            load.sessions += 1;
            if load.limit.is_some() {
                *load.sources.entry(interface.clone()).or_default() += 1;
            }
        }
    }
}

impl Load<'_> {
    fn has_room(&self, interface: &InterfaceId) -> bool {
        let fits = |limit| self.sources.len() < limit || self.sources.contains_key(interface);
        !self.target.refused && self.limit.is_none_or(fits)
    }

    fn is_in(&self, wanted: Option<&str>) -> bool {
        match &self.target.kind {
            TargetKind::Interface { zone, .. } => wanted.is_some() && zone.as_deref() == wanted,
            TargetKind::NetworkLoadBalancer | TargetKind::GatewayLoadBalancerEndpoint => false,
        }
    }
}
