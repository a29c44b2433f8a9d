//! What a step means in AWS Config's three compliance types. The match has no `_` arm, so the compiler
//! asks for the verdict of a new action.

use std::collections::BTreeSet;

use crate::plan::{
    reason::Level,
    step::{Action, Step},
};

/// A compliance type of AWS Config; the worse one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It should not be mirrored, or EC2 cannot mirror it.
    NotApplicable,
    /// It is mirrored as it should be.
    Compliant,
    /// Something is left to do, or prevents mirroring.
    NonCompliant,
}

/// What the operator counts against compliance.
#[derive(Clone, Copy, Debug)]
pub struct Criteria<'a> {
    /// The verdict on an interface that EC2 cannot mirror.
    pub unsupported: Verdict,
    /// Codes of reasons that do not count.
    pub accepted: &'a BTreeSet<String>,
}

/// The verdict of a step on its source. An instance gets the worst of its sources' verdicts.
#[must_use]
pub fn verdict(step: &Step, criteria: Criteria<'_>) -> Verdict {
    match &step.action {
        Action::Block if criteria.accepted.contains(step.reason.code()) => Verdict::NotApplicable,
        Action::Block if step.reason.level() == Level::Unsupported => criteria.unsupported,
        Action::Create(_) | Action::Modify(..) | Action::Delete(_) | Action::Block => {
            Verdict::NonCompliant
        }
        Action::Keep(_) => Verdict::Compliant,
        Action::Ignore => Verdict::NotApplicable,
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict::*, *};
    use crate::plan::{plan, test_cloud::*};

    #[test]
    fn what_ec2_cannot_mirror_and_what_is_accepted_are_the_operators_choice() {
        let of = |cloud: Cloud, unsupported, accepted: &[&str]| {
            let accepted = accepted.iter().map(|code| (*code).to_owned()).collect();
            let criteria = Criteria { unsupported, accepted: &accepted };
            let plan = plan(&cloud.policy(), &cloud.observed);
            plan.steps.iter().map(|step| verdict(step, criteria)).max().unwrap()
        };
        let unsupported = || Cloud::new().instance(|it| it.instance_type = "t2.micro".into());
        let half = || {
            let session = owned("tms-1", "eni-1", 1);
            Cloud::new().session(session).with(|it| it.filters[0].rules.truncate(1))
        };
        let missing = || Cloud::new().with(|it| it.targets.clear());
        assert_eq!(of(unsupported(), NotApplicable, &[]), NotApplicable);
        assert_eq!(of(unsupported(), NonCompliant, &[]), NonCompliant);
        assert_eq!(of(half(), NotApplicable, &[]), NonCompliant);
        assert_eq!(of(half(), NotApplicable, &["filter-partial"]), Compliant);
        assert_eq!(of(half(), NotApplicable, &["filter-empty"]), NonCompliant);
        assert_eq!(of(missing(), NotApplicable, &[]), NonCompliant);
        assert_eq!(of(missing(), NotApplicable, &["no-target"]), NotApplicable);
    }
}
