//! Gives targets to the sessions that need one, when every source has been decided on.

use super::{
    draft::{Current, Draft, Unplaced},
    reason::Reason,
    step::{Action, NewSession},
};
use crate::{
    id::{InstanceId, TargetId},
    observed::Source,
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
                let (desired, source) = (item.desired.target.as_ref(), item.source);
                match self.placement.place(desired, source.zone(), &source.id) {
                    Ok(target) => {
                        if let Current::Misdirected(session) = item.current {
                            self.placement.release(&session.target, &source.id);
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

    fn lead_to(&mut self, unplaced: Unplaced<'a>, target: TargetId) {
        let Unplaced { source, desired, current } = unplaced;
        match current {
            Current::Nothing(number) => {
                let new = NewSession {
                    target,
                    filter: desired.filter,
                    number,
                    packet_length: self.policy.packet_length,
                    vni: self.policy.vni,
                };
                self.step(source, Action::Create(new), Reason::NotMirrored);
            }
            Current::Misdirected(session) => {
                let mut change = self.change(&desired, session, &target);
                change.target = Some(target);
                self.modify(source, session, change);
            }
        }
    }

    /// No target: a session that is there stays, unless its target is known not to be allowed.
    fn give_up(&mut self, unplaced: Unplaced<'a>, reason: Reason) {
        let Unplaced { source, desired, current } = unplaced;
        if let Current::Misdirected(session) = current
            && !self.delete_if_forbidden(source, session)
        {
            let change = self.change(&desired, session, &session.target);
            if !change.is_empty() {
                self.modify(source, session, change);
            }
        }
        self.step(source, Action::Block, reason);
    }
}

fn instance_of(source: &Source) -> Option<&InstanceId> {
    source.instance().map(|instance| &instance.id)
}
