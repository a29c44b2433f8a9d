//! From the plan to evaluations: each instance's verdict with its reasons, and each session's.

use std::collections::BTreeMap;

use shared::{
    id::InstanceId,
    observed::{Observed, Session},
    policy::Policy,
    reason::Reason,
    step::{Action, Plan, Step},
    verdict::{Unsupported, Verdict},
};

use crate::event::{INSTANCE, SESSION};

/// A verdict about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    pub(crate) subject: Subject,
    pub(crate) verdict: Verdict,
    /// Why, at most 256 characters.
    pub(crate) annotation: String,
}

/// The resource, as AWS Config names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    pub(crate) resource_type: String,
    pub(crate) id: String,
}

/// The longest annotation AWS Config takes, in characters (`PutEvaluations`).
const LONGEST: usize = 256;

impl Evaluation {
    pub(crate) fn gone(subject: Subject) -> Self {
        let annotation = "it no longer exists, or is out of the rule's scope".to_owned();
        Self { subject, verdict: Verdict::NotApplicable, annotation }
    }
}

impl Subject {
    pub(crate) fn instance(id: &InstanceId) -> Self {
        Self { resource_type: INSTANCE.to_owned(), id: id.to_string() }
    }

    pub(crate) fn session(id: &shared::id::SessionId) -> Self {
        Self { resource_type: SESSION.to_owned(), id: id.to_string() }
    }
}

/// A verdict about each instance looked at: the worst of its steps, with the reasons for it.
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
    let subject = Subject::instance(id);
    let Some(verdict) = steps.iter().map(|step| step.verdict(unsupported)).max() else {
        let annotation = "the instance has no network interface".to_owned();
        return Evaluation { subject, verdict: Verdict::NotApplicable, annotation };
    };
    let decisive = steps.iter().filter(|step| step.verdict(unsupported) == verdict);
    let reasons: Vec<_> = decisive.map(reason).collect();
    Evaluation { subject, verdict, annotation: cut(&reasons.join("; ")) }
}

/// Which interface, what is wrong, and what is about to be done.
fn reason(step: &Step) -> String {
    let Step { interface, action, reason, .. } = step;
    match action {
        Action::Modify(..) | Action::Delete(_) => format!("{interface}: {reason} ({action})"),
        Action::Create(_) | Action::Keep(_) | Action::Block | Action::Ignore => {
            format!("{interface}: {reason}")
        }
    }
}

/// A verdict about a session, whoever made it: does it lead where packets may go?
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
    Evaluation { subject: Subject::session(&session.id), verdict, annotation: cut(&annotation) }
}

/// Cut between characters. AWS does not say how it counts those beyond the first 65,536, so each
/// counts for the two units it takes in UTF-16, the most there is.
fn cut(text: &str) -> String {
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units < LONGEST
    };
    if text.encode_utf16().count() <= LONGEST {
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
            assert!(cut.encode_utf16().count() <= LONGEST && cut.ends_with('…'), "{cut}");
            assert!(cut.encode_utf16().count() >= LONGEST - 1);
        }
        let exact = "a".repeat(LONGEST);
        assert_eq!(cut(&exact), exact);
    }
}
