//! What must hold at every moment, whatever goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use super::site::{Site, installation_of};
use super::targets::most_sources;
use crate::aws::ec2::{Session, World};
use crate::cloud::Cloud;
use crate::cloud::call::Call;

/// Sessions that nobody but people may change, as people left them, and whose the others are.
#[derive(Debug, Default)]
pub(super) struct Guard {
    foreign: BTreeMap<String, Session>,
    /// The installation that a session was created by, where it says so: nobody changes that.
    installations: BTreeMap<String, String>,
    /// So many calls are checked already.
    checked: usize,
}

impl Guard {
    /// People and EC2 may change foreign sessions: keeps them as they are now.
    pub(super) fn remember(&mut self, world: &World, sites: &[&Site]) {
        self.foreign = foreign(world, sites);
        self.note_installations(world);
    }

    /// Checks that the functions, which alone acted since, touched no foreign session and passed no limit.
    pub(super) fn check(&mut self, cloud: &Cloud, sites: &[&Site]) -> anyhow::Result<()> {
        let world = cloud.world();
        let now = foreign(&world, sites);
        ensure!(now == self.foreign, "foreign sessions were {:?} and are {now:?}", self.foreign);
        check_limits(&world)?;
        self.note_installations(&world);
        drop(world);
        let calls = cloud.calls_from(self.checked);
        self.checked += calls.len();
        calls.iter().try_for_each(|call| self.check_call(call, sites))
    }

    /// An installation does not even try to change what another one with the same owner has created.
    fn check_call(&self, call: &Call, sites: &[&Site]) -> anyhow::Result<()> {
        let role = call.caller.role_name();
        let site = sites.iter().find(|site| Some(site.which.function()) == role);
        let own = site.and_then(|site| site.policy.installation.as_ref());
        let session = call.parameters.get("TrafficMirrorSessionId");
        let creator = session.and_then(|session| self.installations.get(session));
        if let (Some(own), Some(creator)) = (own, creator) {
            ensure!(own == creator, "{own} calls {} for {creator}: {call:?}", call.action);
        }
        Ok(())
    }

    fn note_installations(&mut self, world: &World) {
        for session in world.sessions() {
            if let Some(installation) = installation_of(session)
                && !self.installations.contains_key(&session.id)
            {
                self.installations.insert(session.id.clone(), installation.clone());
            }
        }
    }
}

fn check_limits(world: &World) -> anyhow::Result<()> {
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

fn foreign(world: &World, sites: &[&Site]) -> BTreeMap<String, Session> {
    let foreign = world.sessions().filter(|session| sites.iter().all(|site| !site.owns(session)));
    foreign.map(|session| (session.id.clone(), session.clone())).collect()
}
