//! Gives targets to the sessions that need one, when every source has been decided on.

use std::collections::BTreeSet;

use super::{
    draft::{Current, Draft, Unplaced},
    placement::Wish,
    reason::Reason,
    step::{Action, NewSession},
};
use crate::{
    id::{InstanceId, TargetId},
    observed::{Shown, Source, TargetState},
};

impl<'a> Draft<'a> {
    /// Chooses targets. A session that moves gives back its room, which another one may need, so this
    /// goes on until nothing moves any more.
    pub(super) fn place_unplaced(&mut self) {
        let mut unplaced = std::mem::take(&mut self.unplaced);
        unplaced.sort_by_key(|it| (instance_of(it.source), &it.source.id));
        loop {
            let mut has_moved = false;
            let mut left = Vec::new();
            for item in unplaced {
                match self.place(&item) {
                    Ok(target) => {
                        if let Current::Misdirected(session) = item.current {
                            self.placement.release(&session.target, &item.source.id);
                            has_moved = true;
                        }
                        self.lead_to(item, target);
                    }
                    Err(reason) => left.push((item, reason)),
                }
            }
            if !has_moved {
                for (item, reason) in left {
                    self.give_up(item, reason);
                }
                return;
            }
            unplaced = left.into_iter().map(|(item, _)| item).collect();
        }
    }

    fn place(&mut self, item: &Unplaced<'a>) -> Result<TargetId, Reason> {
        let sessions = self.index.sessions(&item.source.id);
        let shared: Vec<&TargetId> = sessions.iter().map(|session| &session.target).collect();
        let named = item.desired.target.as_ref();
        let none = BTreeSet::new();
        let instance = item.source.instance();
        let own = instance.and_then(|it| self.index.allowed_behind(&it.id)).unwrap_or(&none);
        let only_alive = matches!(item.reason, Reason::Draining { .. });
        let (source, shared) = (item.source, &*shared);
        let behind = self.index.targets_at(&source.id);
        self.placement.place(Wish { named, source, shared, only_alive, own, behind })
    }

    fn lead_to(&mut self, unplaced: Unplaced<'a>, target: TargetId) {
        let Unplaced { source, desired, current, reason } = unplaced;
        let is_stopped = |target: &TargetId| {
            self.index.target(target).yes().is_some_and(|it| it.state == TargetState::Stopped)
        };
        let stopped = is_stopped(&target).then(|| Reason::TargetStopped { target: target.clone() });
        match current {
            Current::Nothing(number, filter) => {
                let new = NewSession {
                    target,
                    filter,
                    number,
                    packet_length: self.policy.packet_length,
                    vni: self.policy.vni,
                };
                self.step(source, Action::Create(new), reason);
            }
            Current::Misdirected(session) => {
                let mut change = self.change(&desired, session);
                change.target = Some(target);
                self.modify(source, session, change, reason);
            }
        }
        if let Some(stopped) = stopped {
            self.step(source, Action::Block, stopped);
        }
    }

    /// No target: a session that is there stays, unless its target is known not to be allowed.
    fn give_up(&mut self, unplaced: Unplaced<'a>, no_target: Reason) {
        let Unplaced { source, desired, current, reason } = unplaced;
        let Current::Misdirected(session) = current else {
            self.step(source, Action::Block, no_target);
            return;
        };
        if self.delete_if_forbidden(source, session) {
            self.step(source, Action::Block, no_target);
            return;
        }
        let change = self.change(&desired, session);
        let is_draining = matches!(reason, Reason::Draining { .. });
        if !change.is_empty() {
            self.modify(source, session, change, Reason::Drifted);
        } else if is_draining {
            // It is mirrored, and leaves as soon as another target has room.
            self.step(source, Action::Keep(session.id.clone()), Reason::AsWanted);
        }
        let target = session.target.clone();
        match self.index.target(&target) {
            Shown::Yes(shown) if shown.state == TargetState::Gone => {
                self.step(source, Action::Block, Reason::TargetGone { target });
            }
            _ if is_draining => self.check_target(source, &target),
            _ => self.step(source, Action::Block, no_target),
        }
    }
}

fn instance_of(source: &Source) -> Option<&InstanceId> {
    source.instance().map(|instance| &instance.id)
}
