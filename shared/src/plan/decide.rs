//! The whole decision: what each source should have, and the steps that lead there.

use super::{
    desired::{DesiredSession, desired_sessions, interfaces, selected},
    draft::Draft,
    eligibility::obstacle,
    index::Index,
    placement::Placement,
    reason::Reason,
    step::{Action, Plan},
};
use crate::{
    observed::{Instance, InstanceState, Interface, Observed, Owner, Session, Shown, Source},
    policy::{Interfaces, Policy},
};

/// Decides what should happen to each source in `observed`.
///
/// The result depends on nothing else, and not on the order of the lists in `observed`; tags are by key.
pub fn plan(policy: &Policy, observed: &Observed) -> Plan {
    let index = Index::new(policy, observed);
    let placement = Placement::new(policy, &index, observed);
    let mut draft = Draft { policy, index, placement, steps: Vec::new(), unplaced: Vec::new() };
    for source in &observed.sources {
        decide(&mut draft, source);
    }
    draft.place_unplaced();
    // The sort is stable: the steps of one source stay in the order they were decided in.
    draft.steps.sort_by(|a, b| (&a.instance, &a.source).cmp(&(&b.instance, &b.source)));
    Plan { steps: draft.steps }
}

/// What a source should have.
enum Assessment {
    /// The policy leaves it out: nothing is done, not even deleted.
    OutOfScope(Reason),
    /// It should not be mirrored.
    NotSelected(Reason),
    /// It should be mirrored, and EC2 cannot mirror it: a session there only costs money.
    Unsupported(Reason),
    /// It should be mirrored, but the tags do not say how: the sessions that are there stay.
    Unclear(Reason),
    /// It should have these sessions, in this order; its instance is in this state.
    Mirror(InstanceState, Vec<DesiredSession>),
}

fn decide<'a>(draft: &mut Draft<'a>, source: &'a Source) {
    match assess(draft, source) {
        Assessment::OutOfScope(reason) => draft.step(source, Action::Ignore, reason),
        Assessment::NotSelected(reason) => clear(draft, source, &reason),
        Assessment::Unsupported(reason) => {
            for session in draft.owned(&source.id) {
                if is_useless(session, &reason) {
                    draft.delete(source, session, reason.clone());
                } else {
                    draft.delete_if_forbidden(source, session);
                }
            }
            draft.step(source, Action::Block, reason);
        }
        Assessment::Unclear(reason) => {
            for session in draft.owned(&source.id) {
                draft.delete_if_forbidden(source, session);
            }
            draft.step(source, Action::Block, reason);
        }
        Assessment::Mirror(state, desired) => draft.fulfil(source, state, desired),
    }
}

fn assess(draft: &Draft<'_>, source: &Source) -> Assessment {
    let interface = match &source.interface {
        Shown::Yes(interface) => interface,
        Shown::NotInList | Shown::NotFound => {
            return Assessment::NotSelected(Reason::InterfaceGone);
        }
    };
    let vpcs = &draft.policy.vpcs;
    let is_vpc_left_out = |or_unknown: bool| {
        !vpcs.is_empty() && interface.vpc.as_ref().map_or(or_unknown, |it| !vpcs.contains(it))
    };
    match &interface.owner {
        Owner::Service | Owner::NotVisible => Assessment::OutOfScope(Reason::InstanceNotVisible),
        Owner::Nobody if is_vpc_left_out(false) => Assessment::OutOfScope(Reason::OtherVpc),
        Owner::Nobody => Assessment::NotSelected(Reason::Detached),
        Owner::Instance(_) if is_vpc_left_out(true) => Assessment::OutOfScope(Reason::OtherVpc),
        Owner::Instance(instance) => assess_on_instance(draft, source, interface, instance)
            .map_or_else(|other| other, |desired| Assessment::Mirror(instance.state, desired)),
    }
}

fn assess_on_instance(
    draft: &Draft<'_>,
    source: &Source,
    interface: &Interface,
    instance: &Instance,
) -> Result<Vec<DesiredSession>, Assessment> {
    selected(draft.policy, instance).map_err(Assessment::NotSelected)?;
    let attachment = interface.attachment.unwrap_or_default();
    if attachment.detaching {
        return Err(Assessment::NotSelected(Reason::Detached));
    }
    let interfaces = interfaces(draft.policy, instance).map_err(Assessment::Unclear)?;
    if interfaces == Interfaces::Primary && !attachment.primary {
        return Err(Assessment::NotSelected(Reason::NotPrimary));
    }
    let behind = draft.index.target_at(&source.id);
    if let Some(reason) = obstacle(draft.policy, instance, interface, behind) {
        return Err(Assessment::Unsupported(reason));
    }
    desired_sessions(draft.policy, &draft.index, instance).map_err(Assessment::Unclear)
}

/// The source should not be mirrored: its owned sessions go.
fn clear(draft: &mut Draft<'_>, source: &Source, reason: &Reason) {
    let owned = draft.owned(&source.id);
    if owned.is_empty() {
        draft.step(source, Action::Ignore, reason.clone());
    }
    for session in owned {
        draft.delete(source, session, reason.clone());
    }
}

/// Whether a session on an interface that EC2 cannot mirror only costs money. A session that was there
/// before somebody made a target of its interface goes on, unless it leads back to where it comes from.
fn is_useless(session: &Session, reason: &Reason) -> bool {
    match reason {
        Reason::IsTarget { target } => session.target == *target,
        _ => true,
    }
}
