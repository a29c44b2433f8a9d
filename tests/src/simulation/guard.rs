//! What must hold at every moment, whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use super::targets::most_sources;
use crate::aws::ec2::{DEFAULT_ACCOUNT, Session, World};

/// Foreign sessions as people left them.
#[derive(Debug, Default)]
pub(super) struct Guard {
    foreign: BTreeMap<String, Session>,
}

impl Guard {
    /// People and EC2 may change foreign sessions: keeps them as they are now.
    pub(super) fn remember(&mut self, world: &World) {
        self.foreign = foreign(world);
    }

    /// Checks that the functions, which alone acted since, touched no foreign session and passed no limit.
    pub(super) fn check(&self, world: &World) -> anyhow::Result<()> {
        let now = foreign(world);
        ensure!(now == self.foreign, "foreign sessions were {:?} and are {now:?}", self.foreign);
        let mut on_interfaces = BTreeMap::<_, Vec<_>>::new();
        let mut on_targets = BTreeMap::<_, BTreeSet<_>>::new();
        for session in world.sessions() {
            on_interfaces.entry(&session.interface).or_default().push(session.number);
            on_targets.entry(&session.target).or_default().insert(&session.interface);
        }
        for (interface, numbers) in on_interfaces {
            let different: BTreeSet<_> = numbers.iter().collect();
            let may_repeat = world.duplicate_number.is_none();
            ensure!(
                numbers.len() <= 3 && (may_repeat || different.len() == numbers.len()),
                "{interface} has sessions with the numbers {numbers:?}"
            );
        }
        for (target, sources) in on_targets {
            let most = most_sources(world, target);
            ensure!(sources.len() <= most, "{target} has the sources {sources:?}");
        }
        Ok(())
    }
}

fn foreign(world: &World) -> BTreeMap<String, Session> {
    let foreign = world.sessions().filter(|session| !is_owned(session));
    foreign.map(|session| (session.id.clone(), session.clone())).collect()
}

pub(super) fn is_owned(session: &Session) -> bool {
    session.owner == DEFAULT_ACCOUNT
        && session.tags.get("ManagedBy").is_some_and(|owner| owner == "automirror")
}
