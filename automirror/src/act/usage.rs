//! How full the account and its targets are.

use shared::{
    observed::Observed,
    plan::{room::RoomOnTargets, room_on_targets},
    policy::Policy,
};

/// How full they are, where every session was read.
#[derive(Debug)]
pub(crate) struct Usage {
    /// The sessions of this account, owned and foreign.
    pub(crate) sessions: usize,
    /// The room on the allowed targets.
    pub(crate) room: RoomOnTargets,
}

impl Usage {
    pub(crate) fn of(policy: &Policy, observed: &Observed) -> Self {
        let account = &observed.account;
        let own = observed.sessions.iter().filter(|session| session.account == *account);
        Self { sessions: own.count(), room: room_on_targets(policy, observed) }
    }
}
