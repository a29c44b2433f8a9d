//! The targets: how many sessions lead to each, and how many more it takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use shared::{
    id::{InterfaceId, TargetId},
    observed::{Capacity, Endpoint, Target, TargetState},
    plan::room_on_targets,
};

use crate::world::Decided;
pub(crate) use crate::world::TargetRow;

/// The room on all allowed targets, with the names that it has in the function's log.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RoomNumbers {
    /// The allowed targets that EC2 shows.
    pub(crate) targets: usize,
    /// Of these, targets that take no source more.
    pub(crate) targets_full: usize,
    /// How many sources more those with a known limit take together; none where no limit is known.
    pub(crate) room: Option<usize>,
}

impl RoomNumbers {
    pub(crate) fn of(decided: &Decided) -> Self {
        let room = room_on_targets(&decided.parsed.policy, &decided.world.observed);
        Self { targets: room.targets.len(), targets_full: room.full(), room: room.left() }
    }
}

impl Decided {
    pub(crate) fn target_rows(&self) -> Vec<TargetRow> {
        let observed = &self.world.observed;
        let shown: BTreeMap<&TargetId, &Target> =
            observed.targets.iter().map(|target| (&target.id, target)).collect();
        let used = observed.sessions.iter().map(|session| &session.target);
        let ids: BTreeSet<&TargetId> = shown.keys().copied().chain(used).collect();
        ids.into_iter().map(|id| self.target_row(id, shown.get(id).copied())).collect()
    }

    fn target_row(&self, id: &TargetId, target: Option<&Target>) -> TargetRow {
        let observed = &self.world.observed;
        let policy = &self.parsed.policy;
        let here: Vec<_> = observed.sessions.iter().filter(|it| it.target == *id).collect();
        let ours = here.iter().filter(|session| self.is_owned(session)).count();
        let sources: BTreeSet<&InterfaceId> = here.iter().map(|it| &it.interface).collect();
        let owner = target.map(|target| &target.account);
        let (capacity, capacity_note) = match target.map(|target| target.capacity) {
            Some(Capacity::Unlimited) => (None, "no limit"),
            Some(Capacity::Sources(limit)) => (Some(limit), "sources"),
            Some(Capacity::Unknown) | None => (None, "not known"),
        };
        TargetRow {
            target: id.to_string(),
            owner: owner.map(ToString::to_string),
            endpoint: target.map_or_else(|| "not shown".to_owned(), |it| endpoint(&it.endpoint)),
            zones: target
                .into_iter()
                .flat_map(|it| &it.location.zones)
                .map(ToString::to_string)
                .collect(),
            state: target.map_or("not shown", |target| self.state_name(target)),
            allowed: policy.allows(id, owner, &observed.account),
            owned: ours,
            foreign: here.len().saturating_sub(ours),
            sources: sources.len(),
            capacity,
            capacity_note,
        }
    }

    /// The state in words. What another account owns cannot be seen, so nothing is said of it.
    fn state_name(&self, target: &Target) -> &'static str {
        if target.account != self.world.observed.account {
            return "cannot be seen";
        }
        match target.state {
            _ if target.draining => "draining",
            TargetState::Unread => "not read",
            TargetState::Unknown => "not known",
            TargetState::Ready => "ready",
            TargetState::Full => "full",
            TargetState::Stopped => "stopped",
            TargetState::Gone => "gone",
        }
    }
}

/// What receives the packets, with what it is.
fn endpoint(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Interface(id) => id.to_string(),
        Endpoint::NetworkLoadBalancer(name) => name.to_string(),
        Endpoint::GatewayLoadBalancerEndpoint(id) => id.to_string(),
        Endpoint::Other(kind) => kind.to_string(),
    }
}

impl fmt::Display for RoomNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { targets, targets_full, room } = self;
        write!(f, "{targets_full} of {targets} allowed targets are full; ")?;
        match room {
            Some(room) => write!(f, "those with a known limit take {room} more sources"),
            None => f.write_str("none of them has a known limit"),
        }
    }
}

impl TargetRow {
    /// `7 of 10`, or the count alone.
    pub(crate) fn room(&self) -> String {
        match self.capacity {
            Some(limit) => format!("{} of {limit}", self.sources),
            None => format!("{} ({})", self.sources, self.capacity_note),
        }
    }
}
