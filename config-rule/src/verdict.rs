//! From the plan to evaluations: the verdict on each instance and each session, with the reasons.

use std::collections::BTreeMap;

use shared::{
    id::InstanceId,
    observed::{Observed, Session},
    plan::{
        reason::Reason,
        step::{Action, ActionOf, Plan, Step},
        verdict::{Unsupported, Verdict, verdict},
    },
    policy::Policy,
};

use crate::resource::ResourceKey;

/// A verdict on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    pub(crate) resource: ResourceKey,
    pub(crate) verdict: Verdict,
    /// Why, at most 256 characters.
    pub(crate) annotation: String,
}

/// The longest annotation AWS Config accepts, in characters (`PutEvaluations`).
const MAX_ANNOTATION: usize = 256;

impl Evaluation {
    pub(crate) fn gone(resource: ResourceKey) -> Self {
        let annotation = "it no longer exists, or is out of the rule's scope".to_owned();
        Self { resource, verdict: Verdict::NotApplicable, annotation }
    }
}

/// The verdict on each instance that was read: the worst of its steps', with the reasons for it.
pub(crate) fn instances(
    observed: &Observed,
    plan: &Plan,
    unsupported: Unsupported,
) -> Vec<Evaluation> {
    // A plan is in the order of instances.
    let steps = plan.steps.chunk_by(|one, next| one.instance == next.instance);
    let steps: BTreeMap<&InstanceId, &[Step]> =
        steps.filter_map(|steps| Some((steps.first()?.instance.as_ref()?, steps))).collect();
    let of = |id| steps.get(id).copied().unwrap_or_default();
    observed.instances.iter().map(|it| instance(&it.id, of(&it.id), unsupported)).collect()
}

fn instance(id: &InstanceId, steps: &[Step], unsupported: Unsupported) -> Evaluation {
    let resource = ResourceKey::instance(id);
    let Some(worst) = steps.iter().map(|step| verdict(step, unsupported)).max() else {
        let annotation = "the instance has no network interface".to_owned();
        return Evaluation { resource, verdict: Verdict::NotApplicable, annotation };
    };
    let decisive = steps.iter().filter(|step| verdict(step, unsupported) == worst);
    let reasons: Vec<_> = decisive.map(reason).collect();
    Evaluation { resource, verdict: worst, annotation: cut(&reasons.join("; ")) }
}

/// Which source, what is wrong, and what automirror is about to do.
fn reason(step: &Step) -> String {
    let Step { source, action, reason, .. } = step;
    match action {
        Action::Modify(..) | Action::Delete(_) => {
            format!("{source}: {reason} ({})", ActionOf(step))
        }
        Action::Create(_) | Action::Keep(_) | Action::Block | Action::Ignore => {
            format!("{source}: {reason}")
        }
    }
}

/// The verdict on a session, whoever created it: does it lead to an allowed target?
pub(crate) fn session(policy: &Policy, observed: &Observed, session: &Session) -> Evaluation {
    let target = observed.targets.iter().find(|target| target.id == session.target);
    let owner = target.map(|target| &target.account);
    let allowed = policy.allows(&session.target, owner, &observed.account);
    let id = session.target.clone();
    let (verdict, annotation) = match target {
        _ if allowed => (Verdict::Compliant, format!("target {id} is allowed")),
        None if policy.targets.is_empty() => {
            (Verdict::NonCompliant, Reason::TargetUnknown { target: id }.to_string())
        }
        _ => {
            let reason = Reason::TargetNotAllowed { target: id, owner: owner.cloned() };
            (Verdict::NonCompliant, reason.to_string())
        }
    };
    Evaluation {
        resource: ResourceKey::session(&session.id),
        verdict,
        annotation: cut(&annotation),
    }
}

/// The text, cut between characters to the longest annotation. AWS does not say whether it counts
/// characters or UTF-16 units, so the larger count, that of the units, must fit.
fn cut(text: &str) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units < MAX_ANNOTATION
    };
    if text.encode_utf16().count() <= MAX_ANNOTATION {
        return text.to_owned();
    }
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_fits_however_aws_counts() {
        assert_eq!(cut("short"), "short");
        for text in ["a".repeat(300), "é".repeat(300), "🦀".repeat(300)] {
            let cut = cut(&text);
            assert!(cut.encode_utf16().count() <= MAX_ANNOTATION && cut.ends_with('…'), "{cut}");
            assert!(cut.encode_utf16().count() >= MAX_ANNOTATION - 1);
        }
        let exact = "a".repeat(MAX_ANNOTATION);
        assert_eq!(cut(&exact), exact);
    }
}
