//! The whole decision: what each source should have, and the steps that lead there.

use std::collections::BTreeSet;

use super::{
    desired::{
        DesiredSession, SelectedInterfaces, desired_sessions, interfaces, is_tagged, selected,
        selected_by_tags,
    },
    draft::{Draft, NoNewSessions},
    eligibility::{Support, obstacle, support},
    index::Index,
    placement::Placement,
    question::Question,
    reason::Reason,
    settings::broken_setting,
    step::{Action, Plan, Step},
    unconfirmed::withhold_unconfirmed,
};
use crate::{
    id::{FilterId, TargetId},
    observed::{
        AttachmentStatus, Instance, InstanceState, Interface, Observed, Owner, Shown, Source,
    },
    policy::Policy,
};

/// Decides what should happen to each source in `observed`.
///
/// The result depends on nothing else, and not on the order of the lists in `observed`; tags are by key.
pub fn plan(policy: &Policy, observed: &Observed) -> Plan {
    let index = Index::new(policy, observed);
    let placement = Placement::new(policy, observed);
    let broken = broken_setting(policy, observed, &index);
    let mut draft = Draft::new(policy, index, placement);
    for source in &observed.sources {
        match &broken {
            None => decide(&mut draft, source),
            Some(broken) => leave_as_it_is(&mut draft, source, broken),
        }
    }
    draft.place_unplaced();
    let Draft { mut steps, index, .. } = draft;
    leave_sensors(policy, &index, observed, &mut steps);
    // The sort is stable: the steps of one source stay in the order they were decided in. The keys of a hundred
    // thousand steps take less memory than half of the steps, which a sort of the steps themselves copies.
    steps.sort_by_cached_key(|step| (step.instance.clone(), step.source.clone()));
    let mut questions = withhold_unconfirmed(policy, observed, &mut steps);
    questions.extend(steps.iter().flat_map(|step| questions_of(policy, &index, step)));
    Plan { steps, questions }
}

/// What a source should have.
enum Assessment {
    /// Nothing is done, not even deleted.
    OutOfScope(Reason),
    /// Nothing can be done: it should be mirrored and cannot, or what EC2 shows contradicts itself.
    Blocked(Reason),
    /// It should not be mirrored.
    NotSelected(Reason),
    /// It should be mirrored, but the tags do not say how: the sessions that are there stay.
    Unclear(Reason),
    /// It should be mirrored.
    Mirror(Box<Wanted>),
}

/// What a source should have that should be mirrored.
struct Wanted {
    /// In this order.
    desired: Vec<DesiredSession>,
    /// The reason that new sessions have, or why there are none.
    created_for: Result<Reason, NoNewSessions>,
}

fn decide<'a>(draft: &mut Draft<'a>, source: &'a Source) {
    let assessment = assess(draft, source);
    if !matches!(assessment, Assessment::OutOfScope(_)) {
        draft.name_twins(source);
    }
    match assessment {
        Assessment::OutOfScope(reason) => draft.step(source, Action::Ignore, reason),
        Assessment::Blocked(reason) => draft.step(source, Action::Block, reason),
        Assessment::NotSelected(reason) => clear(draft, source, &reason),
        Assessment::Unclear(reason) => {
            for session in draft.owned(&source.id) {
                draft.delete_if_forbidden(source, session);
            }
            draft.step(source, Action::Block, reason);
        }
        Assessment::Mirror(wanted) => {
            let Wanted { desired, created_for } = *wanted;
            let created_for = created_for.as_ref();
            // What mirrors it goes on, and somebody tries to end that.
            if let Err(NoNewSessions { reason: reason @ Reason::MadeATarget { .. }, .. }) =
                created_for
            {
                draft.step(source, Action::Block, reason.clone());
            }
            draft.fulfil(source, desired, created_for);
        }
    }
}

/// The settings cannot be right, so nothing is changed.
fn leave_as_it_is(draft: &mut Draft<'_>, source: &Source, broken: &Reason) {
    let is_mirrored = !draft.owned(&source.id).is_empty();
    let is_selected = source.instance().is_some_and(|it| selected(draft.policy, it).is_ok());
    match assess(draft, source) {
        // It is the VPCs that are mistyped.
        Assessment::OutOfScope(Reason::OtherVpc)
            if is_selected
                && matches!(broken, Reason::SettingBroken { setting: "MIRROR_VPC_IDS", .. }) =>
        {
            draft.step(source, Action::Block, broken.clone());
        }
        Assessment::OutOfScope(reason) => draft.step(source, Action::Ignore, reason),
        Assessment::Blocked(reason) => draft.step(source, Action::Block, reason),
        Assessment::NotSelected(reason) if !is_mirrored => {
            draft.step(source, Action::Ignore, reason);
        }
        Assessment::NotSelected(_) | Assessment::Unclear(_) | Assessment::Mirror(..) => {
            draft.step(source, Action::Block, broken.clone());
        }
    }
}

fn assess(draft: &Draft<'_>, source: &Source) -> Assessment {
    let interface = match &source.interface {
        Shown::Yes(interface) => interface,
        // EC2 deletes a session together with its interface, so the session that is listed is evidence
        // that the interface exists.
        Shown::NotInList => return Assessment::Blocked(Reason::InterfaceUnknown),
        Shown::NotFound => return Assessment::OutOfScope(Reason::InterfaceGone),
    };
    let vpcs = &draft.policy.vpcs;
    let is_vpc_left_out = |or_unknown: bool| {
        !vpcs.is_empty() && interface.vpc.as_ref().map_or(or_unknown, |it| !vpcs.contains(it))
    };
    match &interface.owner {
        Owner::Service | Owner::NotVisible(_) => Assessment::OutOfScope(Reason::InstanceNotVisible),
        Owner::Nobody if is_vpc_left_out(false) => Assessment::OutOfScope(Reason::OtherVpc),
        Owner::Nobody => Assessment::NotSelected(Reason::Detached),
        Owner::Instance(_) if is_vpc_left_out(true) => Assessment::OutOfScope(Reason::OtherVpc),
        Owner::Instance(instance) => assess_on_instance(draft, source, interface, instance)
            .unwrap_or_else(|assessment| assessment),
    }
}

/// What an interface of an instance should have; what ends the question early is an error.
fn assess_on_instance(
    draft: &Draft<'_>,
    source: &Source,
    interface: &Interface,
    instance: &Instance,
) -> Result<Assessment, Assessment> {
    let policy = draft.policy;
    selected_by_tags(policy, instance).map_err(Assessment::NotSelected)?;
    let attachment = interface.attachment.unwrap_or_default();
    check_presence(policy, instance.state, attachment.status)?;
    match interfaces(policy, instance).map_err(Assessment::Unclear)? {
        SelectedInterfaces::Primary(by) if !attachment.primary => {
            return Err(Assessment::NotSelected(Reason::NotPrimary { by }));
        }
        SelectedInterfaces::Primary(_) | SelectedInterfaces::All => {}
    }
    let created_for = reason_for_new(draft, source, interface, instance);
    if let Err(none) = &created_for
        && draft.owned(&source.id).is_empty()
    {
        return Ok(if none.is_blocked {
            Assessment::Blocked(none.reason.clone())
        } else {
            Assessment::OutOfScope(none.reason.clone())
        });
    }
    let desired = desired_sessions(policy, &draft.index, instance).map_err(Assessment::Unclear)?;
    Ok(Assessment::Mirror(Box::new(Wanted { desired, created_for })))
}

/// Whether instance and interface are there to be mirrored. Until a machine has stopped or an interface is
/// detached, its packets flow, and what mirrors them stays.
fn check_presence(
    policy: &Policy,
    state: InstanceState,
    status: AttachmentStatus,
) -> Result<(), Assessment> {
    let leaving = |state| Err(Assessment::OutOfScope(Reason::Leaving { state }));
    let keeps_stopped = policy.keep_stopped;
    match (state, status) {
        (_, AttachmentStatus::Detached) => Err(Assessment::NotSelected(Reason::Detached)),
        (InstanceState::Stopped, _) if !keeps_stopped => {
            Err(Assessment::NotSelected(Reason::NotRunning { state }))
        }
        (InstanceState::Terminated, _) => {
            Err(Assessment::NotSelected(Reason::NotRunning { state }))
        }
        (InstanceState::Stopping, _) if !keeps_stopped => leaving(state.as_str()),
        (InstanceState::ShuttingDown, _) => leaving(state.as_str()),
        (_, AttachmentStatus::Detaching) => leaving("detaching"),
        (
            InstanceState::Pending
            | InstanceState::Running
            | InstanceState::Stopping
            | InstanceState::Stopped,
            AttachmentStatus::Attached,
        ) => Ok(()),
    }
}

/// The reason that new sessions on the source have, or why there are none. EC2's lists decide nothing
/// about sessions that exist.
fn reason_for_new(
    draft: &Draft<'_>,
    source: &Source,
    interface: &Interface,
    instance: &Instance,
) -> Result<Reason, NoNewSessions> {
    let none = |is_blocked, reason| Err(NoNewSessions { is_blocked, reason });
    let state = instance.state;
    if !state.is_pending_or_running() {
        return none(false, Reason::NotRunning { state });
    }
    if let Some(reason) = obstacle(interface).or_else(|| behind_target(draft, source)) {
        return none(true, reason);
    }
    let is_sensor = draft.index.sensor(draft.policy, &instance.id, &BTreeSet::new());
    if let Some(target) = is_sensor.filter(|_| !is_tagged(draft.policy, instance)) {
        return none(false, Reason::IsSensor { target: target.clone() });
    }
    let types = draft.index.types();
    let instance_type = instance.instance_type.to_string();
    match support(draft.policy, &types.proven, &instance.instance_type) {
        Support::Can => Ok(Reason::NotMirrored),
        Support::Cannot => none(true, Reason::InstanceType { instance_type }),
        Support::Unknown if types.refused.contains(&instance.instance_type) => {
            none(true, Reason::InstanceTypeUnknown { instance_type })
        }
        Support::Unknown => Ok(Reason::InstanceTypeUnknown { instance_type }),
    }
}

/// Why the source cannot be one because it receives the packets of a target: as it should be, or because
/// somebody created that target to blind it.
fn behind_target(draft: &Draft<'_>, source: &Source) -> Option<Reason> {
    let targets = draft.index.targets_at(&source.id);
    let trusted = targets.iter().find(|target| draft.index.trusts(draft.policy, &target.id));
    if let Some(target) = trusted {
        return Some(Reason::IsTarget { target: target.id.clone() });
    }
    let target = targets.first()?;
    Some(Reason::MadeATarget { target: target.id.clone(), owner: target.account.clone() })
}

/// Takes out the new sessions of instances that this very plan makes sensors: the first sessions of an
/// installation.
fn leave_sensors(policy: &Policy, index: &Index<'_>, observed: &Observed, steps: &mut [Step]) {
    let is_asked_for = |step: &Step| {
        let mut instances = observed.instances.iter();
        let instance = instances.find(|it| Some(&it.id) == step.instance.as_ref());
        instance.is_none_or(|instance| is_tagged(policy, instance))
    };
    let planned: BTreeSet<_> =
        steps.iter().filter_map(|step| step.action.target().cloned()).collect();
    for step in steps.iter_mut().filter(|step| matches!(step.action, Action::Create(_))) {
        let instance = step.instance.as_ref();
        let target = instance.and_then(|it| index.sensor(policy, it, &planned)).cloned();
        if let Some(target) = target
            && !is_asked_for(step)
        {
            step.action = Action::Ignore;
            step.reason = Reason::IsSensor { target };
        }
    }
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

/// What EC2 should be asked because of a step: what a list did not show.
fn questions_of(policy: &Policy, index: &Index<'_>, step: &Step) -> BTreeSet<Question> {
    let target = |id: &TargetId| {
        let is_open = matches!(index.target(id), Shown::NotInList);
        is_open.then(|| Question::Target(id.clone()))
    };
    let filter = |id: &FilterId| {
        let is_open = matches!(index.filter(id), Shown::NotInList);
        is_open.then(|| Question::Filter(id.clone()))
    };
    match &step.reason {
        Reason::InterfaceUnknown => [Question::Interface(step.source.clone())].into(),
        Reason::TargetUnknown { target: id } | Reason::Shadowed { target: id, .. } => {
            target(id).into_iter().collect()
        }
        Reason::FilterUnknown { filter: id } => filter(id).into_iter().collect(),
        Reason::SettingBroken { .. } => {
            let targets = policy.targets.iter().filter_map(target);
            targets.chain(policy.filter.as_ref().and_then(filter)).collect()
        }
        _ => BTreeSet::new(),
    }
}
