//! From the plan to evaluations: the verdict on each instance and each session, with the reasons.

mod arrival;

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::{InstanceId, InterfaceId},
    observed::{Instance, Observed, Owner, Session, Source, TargetState},
    plan::{
        desired::is_tagged,
        reason::Reason,
        step::{Action, ActionOf, Plan, Step},
        verdict::{Criteria, Verdict, verdict},
    },
    policy::Policy,
};

use crate::{
    evaluation::{Annotation, Evaluation, Part, cut, named},
    parameters::RuleSettings,
    resource::ResourceKey,
    targets::Targets,
};

use self::arrival::{Arrival, leads_to};

/// The verdicts on instances.
#[derive(Default)]
pub(crate) struct Instances {
    pub(crate) evaluations: Vec<Evaluation>,
    /// Those that may be compliant, as far as nobody knows whether anything receives their packets.
    pub(crate) withheld: Vec<ResourceKey>,
}

/// The verdict on each instance that was read: the worst of its steps', with the reasons for it.
pub(crate) fn instances(
    observed: &Observed,
    plan: &Plan,
    settings: &RuleSettings,
    targets: &Targets,
) -> Instances {
    // A plan is in the order of instances.
    let steps = plan.steps.chunk_by(|one, next| one.instance == next.instance);
    let steps: BTreeMap<&InstanceId, &[Step]> =
        steps.filter_map(|steps| Some((steps.first()?.instance.as_ref()?, steps))).collect();
    let of = |id| steps.get(id).copied().unwrap_or_default();
    let leads_to = leads_to(observed, targets);
    let mut judged = Instances::default();
    for it in &observed.instances {
        let steps = of(&it.id);
        let arrival = Arrival::of(steps, &leads_to, targets);
        match instance(it, steps, settings, &arrival) {
            Some(found) if found.verdict == Verdict::Compliant && arrival.is_unread => {
                judged.withheld.push(found.resource);
            }
            found => judged.evaluations.extend(found),
        }
    }
    judged
}

/// None where EC2 shows a pending or running instance without an interface: it has one.
fn instance(
    instance: &Instance,
    steps: &[Step],
    settings: &RuleSettings,
    arrival: &Arrival<'_>,
) -> Option<Evaluation> {
    if steps.is_empty() && instance.state.is_pending_or_running() {
        return None;
    }
    let resource = ResourceKey::instance(&instance.id);
    let criteria = Criteria {
        unsupported: settings
            .unsupported
            .unwrap_or_else(|| if_unsupported(&settings.policy, instance, steps)),
        accepted: &settings.policy.accepted_reasons,
    };
    let Some(worst) = steps.iter().map(|step| verdict(step, criteria)).max() else {
        let annotation = "[no-interface] the instance has no network interface".to_owned();
        return Some(Evaluation { resource, verdict: Verdict::NotApplicable, annotation });
    };
    let broken = arrival.broken();
    let verdict_of_all = if broken.is_empty() { worst } else { worst.max(Verdict::NonCompliant) };
    let annotation: Annotation = if verdict_of_all == Verdict::Compliant {
        mirrored(steps, arrival)
    } else {
        let decisive = steps.iter().filter(|step| verdict(step, criteria) == verdict_of_all);
        decisive.map(reason).chain(broken).collect()
    };
    Some(Evaluation { resource, verdict: verdict_of_all, annotation: annotation.text() })
}

/// The verdict on an interface that EC2 cannot mirror, where the rule does not say: somebody who asked for
/// this instance by its tag and gets nothing must hear of it.
fn if_unsupported(policy: &Policy, instance: &Instance, steps: &[Step]) -> Verdict {
    let is_mirrored = steps.iter().any(|step| matches!(step.action, Action::Keep(_)));
    if is_tagged(policy, instance) && !is_mirrored {
        Verdict::NonCompliant
    } else {
        Verdict::NotApplicable
    }
}

/// Which source, what is wrong, and what automirror is about to do.
fn reason(step: &Step) -> Part {
    let Step { source, action, reason, .. } = step;
    let words = match action {
        Action::Modify(..) | Action::Delete(_) => {
            format!("{source}: {reason} ({})", ActionOf(step))
        }
        Action::Create(_) | Action::Keep(_) | Action::Block | Action::Ignore => {
            format!("{source}: {reason}")
        }
    };
    Part { before: "", code: reason.code(), words }
}

/// What is mirrored of a compliant instance, and what is not, with the code that says why.
fn mirrored(steps: &[Step], arrival: &Arrival<'_>) -> Annotation {
    let is_kept = |step: &&Step| matches!(step.action, Action::Keep(_));
    let kept = by_code(steps.iter().filter(is_kept));
    let sources: BTreeSet<_> = steps.iter().filter(is_kept).map(|step| &step.source).collect();
    let others = by_code(steps.iter().filter(|step| !sources.contains(&step.source)));
    let kept = kept.into_iter().map(|(code, (reason, ids))| Part {
        before: "",
        code,
        words: format!("{}: {reason}{}", named(&ids), arrival.remark(&ids)),
    });
    let others = others.into_iter().map(|(code, (_, ids))| Part {
        before: "not mirrored ",
        code,
        words: named(&ids),
    });
    kept.chain(others).collect()
}

/// Sources by the code of the reason, with one such reason.
fn by_code<'s>(
    steps: impl Iterator<Item = &'s Step>,
) -> BTreeMap<&'static str, (&'s Reason, Vec<&'s InterfaceId>)> {
    let mut all: BTreeMap<_, (_, Vec<_>)> = BTreeMap::new();
    for step in steps {
        let (_, sources) = all.entry(step.reason.code()).or_insert((&step.reason, Vec::new()));
        if !sources.contains(&&step.source) {
            sources.push(&step.source);
        }
    }
    all
}

/// The verdict on a session, whoever created it: does it lead to a target where sessions may lead? None
/// where the rule does not know whether it looks after the interface's VPC.
pub(crate) fn session(
    policy: &Policy,
    observed: &Observed,
    session: &Session,
    source: Option<&Source>,
) -> Option<Evaluation> {
    let place = place(session, source);
    let is_looked_after = if policy.vpcs.is_empty() {
        true
    } else {
        policy.vpcs.contains(source.and_then(Source::vpc)?)
    };
    let target = observed.targets.iter().find(|target| target.id == session.target);
    let owner = target.map(|target| &target.account);
    let id = &session.target;
    let non_compliant =
        |reason: Reason| (Verdict::NonCompliant, format!("[{}] {place}: {reason}", reason.code()));
    let (verdict, annotation) = if !is_looked_after {
        let reason = Reason::OtherVpc;
        (Verdict::NotApplicable, format!("[{}] {place}: {reason}", reason.code()))
    } else if target.is_some_and(|target| target.state == TargetState::Gone) {
        non_compliant(Reason::TargetGone { target: id.clone() })
    } else if policy.allows(id, owner, &observed.account) {
        (Verdict::Compliant, format!("[target-allowed] {place}: target {id} is allowed"))
    } else if policy.trusts(id, owner, &observed.account) {
        (Verdict::Compliant, format!("[target-trusted] {place}: target {id} is trusted"))
    } else if target.is_none() && policy.targets.is_empty() {
        non_compliant(Reason::TargetUnknown { target: id.clone() })
    } else {
        non_compliant(Reason::TargetNotAllowed { target: id.clone(), owner: owner.cloned() })
    };
    let resource = ResourceKey::session(&session.id);
    Some(Evaluation { resource, verdict, annotation: cut(&annotation) })
}

/// The interface and instance that a session is on.
fn place(session: &Session, source: Option<&Source>) -> String {
    let interface = source.and_then(|source| source.interface.as_ref().yes());
    let instance = match interface.map(|interface| &interface.owner) {
        Some(Owner::Instance(instance)) => Some(&instance.id),
        Some(Owner::NotVisible(instance)) => instance.as_ref(),
        Some(Owner::Service | Owner::Nobody) | None => None,
    };
    match instance {
        Some(instance) => format!("{} of {instance}", session.interface),
        None => session.interface.to_string(),
    }
}
