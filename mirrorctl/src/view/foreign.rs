//! Foreign sessions: where they lead, and whose these targets are.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::id::{AccountId, TargetId};

use crate::world::Decided;

/// The foreign sessions to one target.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ForeignRow {
    pub(crate) target: String,
    /// The owner of the target, where EC2 shows it.
    pub(crate) owner: Option<String>,
    /// The target is allowed or trusted.
    pub(crate) trusted: bool,
    pub(crate) sessions: usize,
    /// The first of them.
    pub(crate) first: Vec<ForeignSession>,
}

/// A foreign session.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ForeignSession {
    pub(crate) session: String,
    pub(crate) interface: String,
    pub(crate) account: String,
    /// The value of its tag `ManagedBy`, made safe to print.
    pub(crate) managed_by: Option<String>,
}

/// So many sessions to a target are named.
const NAMED: usize = 3;
/// The longest `ManagedBy` that is printed: a tag's value can be anything.
const MAX_OWNER: usize = 24;

impl Decided {
    /// The foreign sessions by target: those to targets that nobody trusts first.
    pub(crate) fn foreign_rows(&self) -> Vec<ForeignRow> {
        let observed = &self.world.observed;
        let policy = &self.parsed.policy;
        let owners: BTreeMap<&TargetId, &AccountId> =
            observed.targets.iter().map(|target| (&target.id, &target.account)).collect();
        let mut rows: BTreeMap<&TargetId, ForeignRow> = BTreeMap::new();
        for session in observed.sessions.iter().filter(|it| !self.is_owned(it)) {
            let owner = owners.get(&session.target).copied();
            let row = rows.entry(&session.target).or_insert_with(|| ForeignRow {
                target: session.target.to_string(),
                owner: owner.map(ToString::to_string),
                trusted: policy.trusts(&session.target, owner, &observed.account),
                sessions: 0,
                first: Vec::new(),
            });
            row.sessions = row.sessions.saturating_add(1);
            if row.first.len() < NAMED {
                let managed_by = session.managed_by.as_deref();
                row.first.push(ForeignSession {
                    session: session.id.to_string(),
                    interface: session.interface.to_string(),
                    account: session.account.to_string(),
                    managed_by: managed_by.map(|it| shared::text::sanitize(it, MAX_OWNER)),
                });
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by_key(|row| row.trusted);
        rows
    }
}
