//! What must hold when the faults are over and a sweep has run.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{Context, ensure};
use shared::number::PacketLength;
use shared::policy::Precedence;

use super::expect::{DesiredSession, Expected, Obstacle, expected};
use super::site::Site;
use super::targets::{Health, allowed, has_room, health, is_allowed, is_draining};
use crate::aws::ec2::{Instance, Session, World};

/// Every interface that should and can be mirrored has exactly its sessions, and no other owned session is left.
/// `before` are the sessions from before the last sweep.
pub(super) fn converged(before: &[Session], world: &World, site: &Site) -> anyhow::Result<()> {
    let mut looked_at = BTreeSet::new();
    for instance in world.instances() {
        for id in &instance.interfaces {
            looked_at.insert(id.as_str());
            let found = Found::on(world, site, instance, id).context("no such interface")?;
            let checked = found.check().and_then(|()| found.check_numbers(before));
            checked.with_context(|| format!("{found} on {id} of {instance:?}"))?;
        }
    }
    let left_over = world.sessions().filter(|it| site.owns(it) && is_elsewhere(world, site, it));
    let left_over: Vec<_> =
        left_over.filter(|session| !looked_at.contains(session.interface.as_str())).collect();
    ensure!(left_over.is_empty(), "left over: {left_over:?}");
    Ok(())
}

/// The numbers on the side of the foreign sessions that the policy asks for.
fn beside<'a>(
    foreign: impl IntoIterator<Item = &'a Session>,
    precedence: Precedence,
) -> RangeInclusive<u16> {
    let theirs = foreign.into_iter().map(|session| session.number);
    match precedence {
        Precedence::After => theirs.max().map_or(1, |highest| highest + 1)..=32_766,
        Precedence::Before => 1..=theirs.min().map_or(32_766, |lowest| lowest - 1),
    }
}

/// Whether automirror would have to delete an owned session on no instance.
fn is_elsewhere(world: &World, site: &Site, session: &Session) -> bool {
    let vpcs = &site.policy.vpcs;
    let Some(interface) = world.interface(&session.interface) else { return true };
    vpcs.is_empty() || vpcs.iter().any(|vpc| vpc.as_str() == interface.vpc)
}

/// An interface as it is and as it should be.
pub(super) struct Found<'a> {
    world: &'a World,
    site: &'a Site,
    interface: &'a str,
    pub(super) expected: Expected,
    pub(super) owned: Vec<&'a Session>,
    pub(super) foreign: Vec<&'a Session>,
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, owned, foreign, .. } = self;
        write!(f, "expected {expected:?}, found owned {owned:?}, foreign {foreign:?}")
    }
}

impl<'a> Found<'a> {
    pub(super) fn on(
        world: &'a World,
        site: &'a Site,
        instance: &Instance,
        id: &'a str,
    ) -> Option<Self> {
        let interface = world.interface(id)?;
        let expected = expected(world, site, instance, interface);
        let here = world.sessions().filter(|session| session.interface == id);
        let (mut owned, mut foreign): (Vec<_>, Vec<_>) =
            here.partition(|session| site.owns(session));
        // Of two sessions that serve one desired session, the one with the lower number gets the packets.
        owned.sort_by_key(|session| session.number);
        foreign.sort_by_key(|session| session.number);
        Some(Self { world, site, interface: id, expected, owned, foreign })
    }

    /// Whether another installation with the same owner has a session there.
    pub(super) fn has_twin(&self) -> bool {
        self.foreign.iter().any(|session| self.site.is_twin(session))
    }

    /// Whether an owned session serves nothing, because nothing lets it be what it should.
    pub(super) fn has_astray(&self) -> bool {
        let serving = self.serving();
        self.owned.iter().any(|session| serving.iter().all(|it| it.id != session.id))
    }

    /// Whether the settings concern it, and it is not just on its way out or without anything to do.
    pub(super) fn is_looked_after(&self) -> bool {
        match &self.expected {
            Expected::Anything | Expected::Doubtful | Expected::Leaving => false,
            Expected::NothingNew(Obstacle::NotRunning | Obstacle::Sensor, _) => {
                !self.owned.is_empty()
            }
            _ => true,
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let desired = self.expected.desired().len();
        let kept = self.owned.len();
        match &self.expected {
            Expected::Anything | Expected::Doubtful | Expected::Leaving => return Ok(()),
            Expected::Nothing => ensure!(kept == 0, "it should not be mirrored"),
            Expected::Unclear | Expected::NothingNew(_, None) => {}
            Expected::NothingNew(_, Some(_)) | Expected::Sessions(_) => {
                // One that may mirror nothing any more displaces none that leads elsewhere.
                let leads_nowhere =
                    |it: &&&Session| health(self.world, &it.target) == Health::Stopped;
                let most = desired + self.owned.iter().filter(leads_nowhere).count();
                ensure!(kept <= most, "there are {kept} owned sessions, and {desired} desired");
            }
        }
        if let Expected::Sessions(_) = self.expected {
            let unserved = self.unserved();
            ensure!(
                unserved.iter().all(|desired| self.is_prevented(desired)),
                "nothing stands in the way of {unserved:?}"
            );
            let is_in_order = self.fulfilling().map(|session| session.number).is_sorted();
            ensure!(is_in_order, "the numbers are not in the order of the desired sessions");
        }
        for session in &self.owned {
            let target = &session.target;
            ensure!(is_allowed(self.world, self.site, target), "{target} is not allowed");
            ensure!(!self.should_move(session), "{target} takes nothing, and another one would");
        }
        Ok(())
    }

    /// Whether a session should leave its target, and could: one that is gone or is being drained, for one that
    /// receives.
    fn should_move(&self, session: &Session) -> bool {
        let Self { world, site, .. } = self;
        let is_free = self.expected.desired().iter().any(|desired| desired.target.is_none());
        let must = health(world, &session.target) == Health::Gone
            || is_draining(world, site, &session.target);
        let others = allowed(world, site);
        let mut others = others.iter().filter(|other| **other != session.target);
        let is_better = |other: &String| {
            health(world, other) == Health::Up
                && !is_draining(world, site, other)
                && has_room(world, other, self.interface)
        };
        is_free && must && others.any(is_better)
    }

    /// A session that the last sweep created has a number on the right side of the foreign sessions: the
    /// smallest free one, where the order of several desired sessions does not forbid it.
    fn check_numbers(&self, before: &[Session]) -> anyhow::Result<()> {
        let allowed = beside(self.foreign.iter().copied(), self.site.policy.precedence);
        let is_alone = matches!(&self.expected, Expected::Sessions(desired) if desired.len() == 1);
        for new in self.owned.iter().filter(|new| before.iter().all(|it| it.id != new.id)) {
            ensure!(allowed.contains(&new.number), "the number of {new:?} is beyond {allowed:?}");
            let here = before.iter().filter(|it| it.interface == new.interface);
            let taken = || here.clone().chain(self.foreign.iter().copied());
            let is_free = |number: &u16| taken().all(|it| it.number != *number);
            let smaller = allowed.clone().take_while(|number| *number < new.number).find(is_free);
            ensure!(!is_alone || smaller.is_none(), "{smaller:?} was free for {new:?}");
        }
        Ok(())
    }

    /// The desired sessions that no session serves.
    pub(super) fn unserved(&self) -> Vec<&DesiredSession> {
        self.matched().1
    }

    /// The sessions that serve a desired session.
    pub(super) fn serving(&self) -> Vec<&'a Session> {
        self.matched().0
    }

    /// The owned sessions that serve a desired session, in the order of the desired ones.
    fn fulfilling(&self) -> impl Iterator<Item = &'a Session> {
        self.serving().into_iter().filter(|session| self.site.owns(session))
    }

    /// The sessions that serve a desired session, owned ones first, and the desired sessions that none
    /// serves: one session for one desired session. An owned session that serves nothing still takes the packets,
    /// so a foreign one counts only where an owned one is missing.
    fn matched(&self) -> (Vec<&'a Session>, Vec<&DesiredSession>) {
        let (mut serving, mut unserved) = (Vec::new(), Vec::new());
        let all = self.expected.desired();
        let mut missing = all.len().saturating_sub(self.owned.len());
        let mut free: Vec<_> = self.owned.iter().chain(&self.foreign).copied().collect();
        for desired in all {
            let may_serve = |session: &&Session| {
                self.serves(session, desired) && (missing > 0 || self.site.owns(session))
            };
            match free.iter().position(may_serve) {
                Some(position) => {
                    let session = free.remove(position);
                    missing -= usize::from(!self.site.owns(session));
                    serving.push(session);
                }
                None => unserved.push(desired),
            }
        }
        (serving, unserved)
    }

    fn serves(&self, session: &Session, desired: &DesiredSession) -> bool {
        let policy = &self.site.policy;
        let packet_length = policy.packet_length.map(PacketLength::get);
        let is_named = desired.target.as_ref() == Some(&session.target);
        let health = health(self.world, &session.target);
        let is_right = if self.site.owns(session) {
            session.packet_length.filter(|length| *length != 8500) == packet_length
                && policy.vni.is_none_or(|vni| vni.get() == session.vni)
                && (desired.is_default || session.filter == desired.filter)
        } else {
            // Nobody would move it away from there.
            let is_draining = is_draining(self.world, self.site, &session.target);
            session.filter == desired.filter
                && health != Health::Stopped
                && (is_named || !is_draining)
        };
        is_right
            && health != Health::Gone
            && is_allowed(self.world, self.site, &session.target)
            && (is_named || desired.target.is_none())
    }

    /// Whether no session can be created for the desired one, nor an owned one be moved to its target.
    pub(super) fn is_prevented(&self, desired: &DesiredSession) -> bool {
        let Self { world, site, .. } = self;
        // An owned session that fulfils no desired one can be modified in place.
        let no_slot = self.fulfilling().count() + self.foreign.len() >= 3;
        let is_usable = |target: &String| {
            health(world, target) != Health::Gone
                && !is_draining(world, site, target)
                && has_room(world, target, self.interface)
        };
        let candidates = allowed(world, site);
        let mut candidates = candidates
            .iter()
            .filter(|target| desired.target.as_ref().is_none_or(|named| named == *target));
        no_slot || self.no_number() || !candidates.any(is_usable)
    }

    /// Whether too few numbers are left on the right side of the foreign sessions, or behind the owned ones
    /// that stay.
    fn no_number(&self) -> bool {
        let allowed = beside(self.foreign.iter().copied(), self.site.policy.precedence);
        let owned = self.owned.iter().filter(|session| allowed.contains(&session.number)).count();
        let behind = self.fulfilling().map(|session| session.number).max().unwrap_or_default();
        let unserved = self.unserved().len();
        allowed.clone().count() < owned + unserved
            || allowed.filter(|number| *number > behind).count() < unserved
    }
}
