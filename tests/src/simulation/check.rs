//! What must hold when the faults are over and a sweep has run.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use anyhow::{Context, ensure};
use shared::number::PacketLength;
use shared::policy::Precedence;

use super::expect::{Expected, Wish, expected, most_sources};
use super::guard::is_ours;
use super::site::Site;
use crate::aws::ec2::{Instance, Session, State, World};

/// Every wanted and possible interface has exactly its sessions, and nothing else of ours is left.
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
    let left_over = world.sessions().filter(|it| is_ours(it) && is_elsewhere(world, site, it));
    let left_over: Vec<_> =
        left_over.filter(|session| !looked_at.contains(session.interface.as_str())).collect();
    ensure!(left_over.is_empty(), "left over: {left_over:?}");
    Ok(())
}

/// The numbers on the wanted side of the foreign sessions.
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

/// Whether a session on no instance would have to go.
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
    pub(super) ours: Vec<&'a Session>,
    pub(super) foreign: Vec<&'a Session>,
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, ours, foreign, .. } = self;
        write!(f, "expected {expected:?}, found of ours {ours:?}, of others {foreign:?}")
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
        let (mut ours, mut foreign): (Vec<_>, Vec<_>) = here.partition(|session| is_ours(session));
        // Of two sessions that fulfil a wish, the packets go to the one with the lower number.
        ours.sort_by_key(|session| session.number);
        foreign.sort_by_key(|session| session.number);
        Some(Self { world, site, state: instance.state, expected, ours, foreign })
    }

    fn check(&self) -> anyhow::Result<()> {
        let allowed = |it: &&Session| self.site.allowed.contains(&it.target);
        match &self.expected {
            Expected::Anything => return Ok(()),
            Expected::Nothing => ensure!(self.ours.is_empty(), "nothing is wanted here"),
            Expected::NothingNew => {}
            Expected::Sessions(wishes) => {
                let kept = self.ours.len();
                ensure!(kept <= wishes.len(), "there are {kept} for {} wishes", wishes.len());
                let unserved = self.unserved();
                ensure!(
                    unserved.iter().all(|wish| self.is_prevented(wish)),
                    "nothing stands in the way of {unserved:?}"
                );
                let is_in_order = self.at_work().map(|session| session.number).is_sorted();
                ensure!(
                    self.is_stopped() || is_in_order,
                    "the numbers are not in the wishes' order"
                );
            }
        }
        ensure!(self.ours.iter().all(allowed), "a session leads where it must not");
        Ok(())
    }

    /// What the last sweep made has a number on the wanted side of the foreign sessions, and the smallest
    /// that was free where there is nothing else to be kept in order.
    fn check_numbers(&self, before: &[Session]) -> anyhow::Result<()> {
        let allowed = beside(self.foreign.iter().copied(), self.site.policy.precedence);
        let is_alone = matches!(&self.expected, Expected::Sessions(wishes) if wishes.len() == 1);
        for new in self.ours.iter().filter(|new| before.iter().all(|it| it.id != new.id)) {
            ensure!(allowed.contains(&new.number), "the number of {new:?} is beyond {allowed:?}");
            let here = before.iter().filter(|it| it.interface == new.interface);
            let taken = || here.clone().chain(self.foreign.iter().copied());
            let is_free = |number: &u16| taken().all(|it| it.number != *number);
            let smaller = allowed.clone().take_while(|number| *number < new.number).find(is_free);
            ensure!(!is_alone || smaller.is_none(), "{smaller:?} was free for {new:?}");
        }
        Ok(())
    }

    /// The wishes that no session fulfils.
    pub(super) fn unserved(&self) -> Vec<&Wish> {
        self.matched().1
    }

    /// The sessions at work, whoever owns them: those that fulfil a wish.
    pub(super) fn serving(&self) -> Vec<&'a Session> {
        self.matched().0
    }

    /// Those of ours that fulfil a wish, in the order of the wishes.
    fn at_work(&self) -> impl Iterator<Item = &'a Session> {
        self.serving().into_iter().filter(|session| is_ours(session))
    }

    /// The sessions that fulfil a wish, ours first, and the wishes that none fulfils: one session
    /// for one wish.
    fn matched(&self) -> (Vec<&'a Session>, Vec<&Wish>) {
        let (mut serving, mut unserved) = (Vec::new(), Vec::new());
        let Expected::Sessions(wishes) = &self.expected else { return (serving, unserved) };
        let mut free: Vec<_> = self.ours.iter().chain(&self.foreign).copied().collect();
        for wish in wishes {
            match free.iter().position(|session| self.serves(session, wish)) {
                Some(position) => serving.push(free.remove(position)),
                None => unserved.push(wish),
            }
        }
        (serving, unserved)
    }

    fn serves(&self, session: &Session, wish: &Wish) -> bool {
        let policy = &self.site.policy;
        let wanted = policy.packet_length.map(PacketLength::get);
        let is_right = !is_ours(session)
            || session.packet_length.filter(|length| *length != 8500) == wanted
                && policy.vni.is_none_or(|vni| vni.get() == session.vni);
        is_right
            && session.filter == wish.filter
            && self.site.allowed.contains(&session.target)
            && wish.target.as_ref().is_none_or(|target| *target == session.target)
    }

    /// Whether no session can be made for the wish, nor one of ours be led to its target.
    fn is_prevented(&self, wish: &Wish) -> bool {
        // One of ours that is not at work can be changed in place.
        let no_slot = self.at_work().count() + self.foreign.len() >= 3;
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
            .filter(|target| wish.target.as_ref().is_none_or(|wanted| wanted == *target));
        self.is_stopped()
            || no_slot
            || self.no_number()
            || candidates.all(|target| is_full(&target))
    }

    fn is_stopped(&self) -> bool {
        !matches!(self.state, State::Pending | State::Running)
    }

    /// Whether too few numbers are left on the wanted side of the foreign sessions, or behind ours that
    /// stay.
    fn no_number(&self) -> bool {
        let wanted = beside(self.foreign.iter().copied(), self.site.policy.precedence);
        let ours = self.ours.iter().filter(|session| wanted.contains(&session.number)).count();
        let behind = self.at_work().map(|session| session.number).max().unwrap_or_default();
        let unserved = self.unserved().len();
        wanted.clone().count() < ours + unserved
            || wanted.filter(|number| *number > behind).count() < unserved
    }
}
