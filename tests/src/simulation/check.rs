//! What must hold when the faults are over and a sweep has run.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{Context, ensure};
use shared::number::PacketLength;
use shared::policy::Precedence;

use super::expect::{DesiredSession, Expected, expected, most_sources};
use super::guard::is_owned;
use super::site::Site;
use crate::aws::ec2::{Instance, Session, State, World};

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
    let left_over = world.sessions().filter(|it| is_owned(it) && is_elsewhere(world, site, it));
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
    state: State,
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
        id: &str,
    ) -> Option<Self> {
        let interface = world.interface(id)?;
        let expected = expected(world, site, instance, interface);
        let here = world.sessions().filter(|session| session.interface == id);
        let (mut owned, mut foreign): (Vec<_>, Vec<_>) =
            here.partition(|session| is_owned(session));
        // Of two sessions that serve one desired session, the one with the lower number gets the packets.
        owned.sort_by_key(|session| session.number);
        foreign.sort_by_key(|session| session.number);
        Some(Self { world, site, state: instance.state, expected, owned, foreign })
    }

    fn check(&self) -> anyhow::Result<()> {
        let allowed = |it: &&Session| self.site.allowed.contains(&it.target);
        match &self.expected {
            Expected::Anything => return Ok(()),
            Expected::Nothing => ensure!(self.owned.is_empty(), "it should not be mirrored"),
            Expected::NothingNew => {}
            Expected::Sessions(desired) => {
                let kept = self.owned.len();
                ensure!(
                    kept <= desired.len(),
                    "there are {kept} owned sessions, and {} are desired",
                    desired.len()
                );
                let unserved = self.unserved();
                ensure!(
                    unserved.iter().all(|desired| self.is_prevented(desired)),
                    "nothing stands in the way of {unserved:?}"
                );
                let is_in_order = self.fulfilling().map(|session| session.number).is_sorted();
                ensure!(
                    self.is_stopped() || is_in_order,
                    "the numbers are not in the order of the desired sessions"
                );
            }
        }
        ensure!(self.owned.iter().all(allowed), "a session leads where it must not");
        Ok(())
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
        self.serving().into_iter().filter(|session| is_owned(session))
    }

    /// The sessions that serve a desired session, owned ones first, and the desired sessions that none
    /// serves: one session for one desired session.
    fn matched(&self) -> (Vec<&'a Session>, Vec<&DesiredSession>) {
        let (mut serving, mut unserved) = (Vec::new(), Vec::new());
        let Expected::Sessions(all) = &self.expected else { return (serving, unserved) };
        let mut free: Vec<_> = self.owned.iter().chain(&self.foreign).copied().collect();
        for desired in all {
            match free.iter().position(|session| self.serves(session, desired)) {
                Some(position) => serving.push(free.remove(position)),
                None => unserved.push(desired),
            }
        }
        (serving, unserved)
    }

    fn serves(&self, session: &Session, desired: &DesiredSession) -> bool {
        let policy = &self.site.policy;
        let packet_length = policy.packet_length.map(PacketLength::get);
        let is_right = !is_owned(session)
            || session.packet_length.filter(|length| *length != 8500) == packet_length
                && policy.vni.is_none_or(|vni| vni.get() == session.vni);
        is_right
            && session.filter == desired.filter
            && self.site.allowed.contains(&session.target)
            && desired.target.as_ref().is_none_or(|target| *target == session.target)
    }

    /// Whether no session can be created for the desired one, nor an owned one be moved to its target.
    fn is_prevented(&self, desired: &DesiredSession) -> bool {
        // An owned session that fulfils no desired one can be modified in place.
        let no_slot = self.fulfilling().count() + self.foreign.len() >= 3;
        let is_full = |target: &&String| {
            let sources: BTreeSet<_> = self
                .world
                .sessions()
                .filter(|session| session.target == **target)
                .map(|session| &session.interface)
                .collect();
            sources.len() >= most_sources(self.world, target)
        };
        let mut candidates = self
            .site
            .allowed
            .iter()
            .filter(|target| desired.target.as_ref().is_none_or(|named| named == *target));
        self.is_stopped()
            || no_slot
            || self.no_number()
            || candidates.all(|target| is_full(&target))
    }

    fn is_stopped(&self) -> bool {
        !matches!(self.state, State::Pending | State::Running)
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
