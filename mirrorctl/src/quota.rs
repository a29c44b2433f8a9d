//! The account's quotas, which AWS does not raise ("Traffic Mirroring quotas").

use serde::Serialize;
use shared::{id::AccountId, observed::Observed};

/// How much of a quota is used.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quota {
    pub(crate) name: &'static str,
    pub(crate) used: usize,
    pub(crate) limit: usize,
}

/// Sessions, targets and filters of an account in a region.
const LIMIT: usize = 10_000;

pub(crate) fn quotas(observed: &Observed) -> Vec<Quota> {
    let own = |account: &AccountId| *account == observed.account;
    let sessions = observed.sessions.iter().filter(|session| own(&session.account)).count();
    let targets = observed.targets.iter().filter(|target| own(&target.account)).count();
    let quota = |name, used| Quota { name, used, limit: LIMIT };
    vec![
        quota("sessions", sessions),
        quota("targets", targets),
        quota("filters", observed.filters.len()),
    ]
}
