//! What a step means in AWS Config's three compliance types. The match has no `_` arm, so the compiler
//! asks for the verdict of a new action.

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

/// The verdict on an interface that EC2 cannot mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// Nobody can do better.
    NotApplicable,
    /// Such instances should not be used where they should be mirrored.
    NonCompliant,
}

/// The verdict of a step on its source. An instance gets the worst of its sources' verdicts.
#[must_use]
pub const fn verdict(step: &Step, unsupported: Unsupported) -> Verdict {
    match (&step.action, unsupported) {
        (Action::Block, Unsupported::NotApplicable)
            if matches!(step.reason.level(), Level::Unsupported) =>
        {
            Verdict::NotApplicable
        }
        (Action::Create(_) | Action::Modify(..) | Action::Delete(_) | Action::Block, _) => {
            Verdict::NonCompliant
        }
        (Action::Keep(_), _) => Verdict::Compliant,
        (Action::Ignore, _) => Verdict::NotApplicable,
    }
}
