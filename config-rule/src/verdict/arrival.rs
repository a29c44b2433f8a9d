//! What becomes of the packets of an instance behind the targets of the sessions that it keeps.

use std::collections::BTreeMap;

use shared::{
    id::{InterfaceId, SessionId, TargetId},
    observed::Observed,
    plan::{
        reason::Reason,
        step::{Action, Step},
    },
};

use crate::{
    evaluation::{Part, named},
    targets::{Reception, Targets},
};

/// What becomes of the packets of an instance.
#[derive(Default)]
pub(super) struct Arrival<'a> {
    /// The sources behind whose targets nothing receives, with one of these targets and why.
    broken: Vec<(&'a InterfaceId, &'a TargetId, &'a str)>,
    /// The same, since a short time only.
    waiting: Vec<(&'a InterfaceId, &'a TargetId, &'a str)>,
    /// Of a source nobody knows.
    pub(super) is_unread: bool,
}

/// Where each session leads; nothing where nobody has looked behind targets.
pub(super) fn leads_to<'a>(
    observed: &'a Observed,
    targets: &Targets,
) -> BTreeMap<&'a SessionId, &'a TargetId> {
    let is_needed = !targets.0.is_empty();
    let sessions = observed.sessions.iter().filter(|_| is_needed);
    sessions.map(|session| (&session.id, &session.target)).collect()
}

impl<'a> Arrival<'a> {
    /// From the steps of an instance, which are in the order of its sources.
    pub(super) fn of(
        steps: &'a [Step],
        leads_to: &BTreeMap<&'a SessionId, &'a TargetId>,
        targets: &'a Targets,
    ) -> Self {
        let mut arrival = Self::default();
        for steps in steps.chunk_by(|one, next| one.source == next.source) {
            let Some(source) = steps.first().map(|step| &step.source) else { continue };
            let kept = steps.iter().filter_map(|step| match &step.action {
                Action::Keep(session) => leads_to.get(session).copied(),
                _ => None,
            });
            match targets.reception(&kept.collect::<Vec<_>>()) {
                Reception::Fine => {}
                Reception::Unread => arrival.is_unread = true,
                Reception::Waiting(target, why) => arrival.waiting.push((source, target, why)),
                Reception::Broken(target, why) => arrival.broken.push((source, target, why)),
            }
        }
        arrival
    }

    /// The reasons against the instance, one for each target.
    pub(super) fn broken(&self) -> Vec<Part> {
        let mut by_target: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (source, target, why) in &self.broken {
            by_target.entry((*target, *why)).or_default().push(*source);
        }
        let part = |((target, why), sources): ((&TargetId, &str), Vec<&InterfaceId>)| {
            let reason = Reason::TargetUnhealthy { target: target.clone(), why: why.to_owned() };
            let words = format!("{}: {reason}", named(&sources));
            Part { before: "", code: reason.code(), words }
        };
        by_target.into_iter().map(part).collect()
    }

    /// What is to be added about these sources of an instance that is compliant all the same. It has no code: an
    /// evaluation is sent where the codes differ, and one for each instance whenever a sensor restarts costs money.
    pub(super) fn remark(&self, sources: &[&InterfaceId]) -> String {
        let all = self.broken.iter().chain(&self.waiting);
        let first = all.into_iter().find(|(source, ..)| sources.contains(source));
        match first {
            Some((_, target, why)) => format!(" (behind target {target} nothing receives: {why})"),
            None => String::new(),
        }
    }
}
