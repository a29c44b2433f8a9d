//! What must hold at every moment.

use std::collections::{BTreeMap, BTreeSet};

use super::site::is_ours;
use crate::aws::ec2::{Session, World};

/// The sessions as they were at the last look.
#[derive(Debug, Default)]
pub(super) struct Guard {
    foreign: BTreeMap<String, Session>,
    /// What the client tokens of our sessions were made of.
    tokens: BTreeMap<String, String>,
}

impl Guard {
    /// What a person did is as it should be.
    pub(super) fn remember_foreign(&mut self, world: &World) {
        self.foreign = foreign(world);
    }

    /// A session that was made with the token of this name.
    pub(super) fn enter(&mut self, session: &Session, token: &str) {
        if is_ours(session) {
            let purpose = token.rsplit_once('/').map_or(token, |(purpose, _)| purpose);
            self.tokens.insert(session.id.clone(), purpose.to_owned());
        }
    }

    /// What is wrong after processes did something.
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
        let ours = world.sessions().filter(|session| is_ours(session));
        let twin = ours.filter_map(|it| self.tokens.get(&it.id)).find(|it| !different.insert(*it));
        twin.map(|token| format!("there are two sessions of one {token}"))
    }
}

fn foreign(world: &World) -> BTreeMap<String, Session> {
    let foreign = world.sessions().filter(|session| !is_ours(session));
    foreign.map(|session| (session.id.clone(), session.clone())).collect()
}
