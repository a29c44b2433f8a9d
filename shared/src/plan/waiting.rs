//! Sessions that need a target: placed when every interface has been judged, because what leaves a
//! target makes room there.

use crate::{
    id::{SessionNumber, TargetId},
    observed::Session,
    plan::{Planner, Source},
    reason::Reason,
    step::{Action, NewSession},
    wish::Wish,
};

/// A session that needs a target: a new one, or one of ours that must lead elsewhere.
pub(super) struct Waiting<'a> {
    pub(super) source: Source<'a>,
    pub(super) wish: Wish,
    pub(super) now: Now<'a>,
}

/// What there is now.
pub(super) enum Now<'a> {
    /// There is none yet: it gets this number.
    Absent(SessionNumber),
    /// There is one, and it leads where it must not stay.
    Misled(&'a Session),
}

impl<'a> Planner<'a> {
    /// Chooses targets. A session that moves gives its room back, which may be what another one
    /// waits for, so this goes on until nothing moves any more.
    pub(super) fn place_waiting(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|waiting| (waiting.source.instance, waiting.source.interface));
        loop {
            let mut moved = false;
            let mut left = Vec::new();
            for item in waiting {
                let (wanted, source) = (item.wish.target.as_ref(), item.source);
                match self.placement.place(wanted, source.zone, source.interface) {
                    Ok(target) => {
                        if let Now::Misled(session) = item.now {
                            self.placement.release(&session.target, source.interface);
                            moved = true;
                        }
                        self.lead_to(item, target);
                    }
                    Err(reason) => left.push((item, reason)),
                }
            }
            if !moved {
                for (item, reason) in left {
                    self.give_up(item, reason);
                }
                return;
            }
            waiting = left.into_iter().map(|(item, _)| item).collect();
        }
    }

    fn lead_to(&mut self, waiting: Waiting<'a>, target: TargetId) {
        let Waiting { source, wish, now } = waiting;
        match now {
            Now::Absent(number) => {
                let new = NewSession {
                    target,
                    filter: wish.filter,
                    number,
                    packet_length: self.policy.packet_length,
                    vni: self.policy.vni,
                };
                self.step(source, Action::Create(new), Reason::NotMirrored);
            }
            Now::Misled(session) => {
                let mut change = self.change(&wish, session, &target);
                change.target = Some(target);
                let action = Action::Modify(session.id.clone(), change);
                self.step(source, action, Reason::Drifted);
            }
        }
    }

    /// No target: a session that is there stays, unless it leads where it must not.
    fn give_up(&mut self, waiting: Waiting<'a>, reason: Reason) {
        let Waiting { source, wish, now } = waiting;
        if let Now::Misled(session) = now
            && !self.delete_if_forbidden(source, session)
        {
            let change = self.change(&wish, session, &session.target);
            if !change.is_empty() {
                let action = Action::Modify(session.id.clone(), change);
                self.step(source, action, Reason::Drifted);
            }
        }
        self.step(source, Action::Block, reason);
    }
}
