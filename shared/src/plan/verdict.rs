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
