//! What the functions must not take away, at every moment and whatever EC2 answers: the sessions of what should
//! be mirrored, and those of what is on its way out.
//!
//! A function can know no more than what it was shown while it worked. So what counts is what has been so since
//! before that: people did not touch it meanwhile, and no other invocation has led a session elsewhere.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::expect::{Expected, expected};
use super::site::{Mistake, Site};
use super::targets::{Health, health, is_allowed};
use crate::aws::ec2::{Interface, Resource, Session, World};

/// Milliseconds of the run.
type Moment = u128;

/// The interfaces with sessions, as people left them.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    views: BTreeMap<String, View>,
    /// When people changed an interface last, or its sessions.
    touched: BTreeMap<String, Moment>,
    /// When people changed targets or settings last.
    targets_touched: Moment,
    healths: Vec<(String, Health)>,
    /// From when on reads may have been of the world as it was then, and until when; none until now.
    stale: Vec<(Moment, Option<Moment>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    expected: Expected,
    sessions: Vec<Session>,
}

impl Keeper {
    /// What stale reads show was frozen just now, if reads may be stale from now on.
    pub(super) fn freeze(&mut self, now: Moment, is_stale: bool) {
        if let Some((_, until @ None)) = self.stale.last_mut() {
            *until = Some(now);
        }
        self.stale.extend(is_stale.then_some((now, None)));
    }

    /// New settings are deployed.
    pub(super) fn deploy(&mut self, now: Moment) {
        self.targets_touched = now;
        let interfaces: Vec<_> = self.views.keys().cloned().collect();
        self.touched.extend(interfaces.into_iter().map(|id| (id, now)));
    }

    /// People and EC2 have acted: keeps what is there now.
    pub(super) fn remember(&mut self, world: &World, site: &Site, now: Moment) {
        let views = views(world, site);
        for (id, view) in &views {
            if self.views.get(id) != Some(view) {
                self.touched.insert(id.clone(), now);
            }
        }
        let healths = healths(world);
        if healths != self.healths {
            self.targets_touched = now;
        }
        (self.views, self.healths) = (views, healths);
    }

    /// Checks that the functions, which alone acted since, took nothing away that should stay. `busy_since` is
    /// when the oldest of their work began.
    pub(super) fn check(
        &mut self,
        world: &World,
        site: &Site,
        busy_since: Option<Moment>,
        now: Moment,
    ) -> anyhow::Result<()> {
        if let Some(begun) = busy_since {
            let seen = self.seen_since(begun);
            for (id, view) in &self.views {
                if self.touched.get(id).is_none_or(|touched| *touched < seen) {
                    check_view(world, site, view)?;
                    if self.targets_touched < seen {
                        check_moves(world, site, view)?;
                    }
                }
            }
        }
        let views = views(world, site);
        let moved = views
            .iter()
            .filter(|(id, view)| self.views.get(*id).is_some_and(|before| has_moved(before, view)));
        self.touched.extend(moved.map(|(id, _)| (id.clone(), now)));
        self.views = views;
        Ok(())
    }

    /// The earliest moment from which the functions may have seen the world, if their work began then.
    fn seen_since(&self, begun: Moment) -> Moment {
        let stale = self.stale.iter().filter(|(_, until)| until.is_none_or(|it| it >= begun));
        stale.map(|(frozen, _)| *frozen).min().unwrap_or(begun).min(begun)
    }
}

/// Whether one of the sessions leads elsewhere.
fn has_moved(before: &View, after: &View) -> bool {
    before
        .sessions
        .iter()
        .any(|old| after.sessions.iter().any(|new| new.id == old.id && new.target != old.target))
}

fn views(world: &World, site: &Site) -> BTreeMap<String, View> {
    let mut views = BTreeMap::new();
    for (id, interface) in Interface::rows(world) {
        let host = interface.attachment.as_ref().and_then(|it| it.instance.as_ref());
        let Some(instance) = host.and_then(|host| world.instance(host)) else { continue };
        let expected = expected(world, site, instance, interface);
        let sessions = world.sessions().filter(|session| session.interface == *id);
        let sessions = sessions.cloned().collect();
        views.insert(id.clone(), View { expected, sessions });
    }
    views
}

fn healths(world: &World) -> Vec<(String, Health)> {
    let all = super::targets::all(world).into_iter();
    all.map(|id| (id.clone(), health(world, &id))).collect()
}

fn check_view(world: &World, site: &Site, view: &View) -> anyhow::Result<()> {
    let owned = || view.sessions.iter().filter(|session| site.owns(session));
    let left = owned().filter(|session| world.session(&session.id).is_some()).count();
    let new = view.sessions.first().map_or(0, |first| {
        let here = world.sessions().filter(|it| it.interface == first.interface && site.owns(it));
        here.filter(|it| view.sessions.iter().all(|old| old.id != it.id)).count()
    });
    for lost in owned().filter(|session| world.session(&session.id).is_none()) {
        // A setting that is wrong in part must not end what it would forbid.
        let is_forbidden = site.mistake.is_none() && !is_allowed(world, site, &lost.target);
        let is_enough = |desired: usize| left + new >= desired.min(owned().count());
        let may_go = match &view.expected {
            Expected::Nothing => true,
            Expected::Anything | Expected::Doubtful | Expected::Leaving => false,
            Expected::Unclear | Expected::NothingNew(_, None) => is_forbidden,
            Expected::NothingNew(_, Some(desired)) | Expected::Sessions(desired) => {
                is_forbidden || is_enough(desired.len())
            }
        };
        ensure!(
            may_go && site.mistake != Some(Mistake::Everything),
            "{lost:?} was deleted where {:?} is expected (settings with {:?})",
            view.expected,
            site.mistake
        );
    }
    Ok(())
}

/// A session that reaches its target is not led to one that receives nothing.
fn check_moves(world: &World, site: &Site, view: &View) -> anyhow::Result<()> {
    let is_named = view.expected.desired().iter().any(|desired| desired.target.is_some());
    for before in view.sessions.iter().filter(|session| site.owns(session)) {
        let Some(now) = world.session(&before.id) else { continue };
        let was_good =
            is_allowed(world, site, &before.target) && health(world, &before.target) == Health::Up;
        let is_bad = now.target != before.target && health(world, &now.target) != Health::Up;
        ensure!(
            is_named || !was_good || !is_bad,
            "{before:?} received, and was led to {}, which does not",
            now.target
        );
    }
    Ok(())
}
