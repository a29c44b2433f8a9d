//! What must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};

use super::site::is_owned;
use crate::aws::ec2::{Session, World};

/// The sessions as they were at the last check.
#[derive(Debug, Default)]
pub(super) struct Guard {
    foreign: BTreeMap<String, Session>,
    /// What the client tokens of the owned sessions were derived from.
    tokens: BTreeMap<String, String>,
}

impl Guard {
    /// A person may change foreign sessions: keeps them as they are now.
    pub(super) fn remember_foreign(&mut self, world: &World) {
        self.foreign = foreign(world);
    }

    /// Enters a session that was created with the token of this name.
    pub(super) fn enter(&mut self, session: &Session, token: &str) {
        if is_owned(session) {
            let purpose = token.rsplit_once('/').map_or(token, |(purpose, _)| purpose);
            self.tokens.insert(session.id.clone(), purpose.to_owned());
        }
    }

    /// What is wrong after execution environments have acted.
    pub(super) fn check(&self, world: &World) -> Option<String> {
        let now = foreign(world);
        if now != self.foreign {
            return Some(format!("foreign sessions were {:?} and are {now:?}", self.foreign));
        }
        let count = world.sessions().count();
        if count > 3 {
            return Some(format!("there are {count} sessions on an interface"));
        }
        let mut different = BTreeSet::new();
        let owned = world.sessions().filter(|session| is_owned(session));
        let twin = owned.filter_map(|it| self.tokens.get(&it.id)).find(|it| !different.insert(*it));
        twin.map(|token| format!("there are two sessions of one {token}"))
    }
}

fn foreign(world: &World) -> BTreeMap<String, Session> {
    let foreign = world.sessions().filter(|session| !is_owned(session));
    foreign.map(|session| (session.id.clone(), session.clone())).collect()
}
