//! What a plan says of an instance, in AWS Config's three words. Pure, and without a `_`: a new action
//! does not compile until it has a verdict.

use crate::step::{Action, Step};

/// A verdict; the worse one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is wanted, or nothing can be had.
    NotApplicable,
    /// There is nothing left to do.
    Compliant,
    /// Something is left to do, or in the way.
    NonCompliant,
}

/// What is said of an interface that EC2 cannot mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// Nobody could do better.
    NotApplicable,
    /// It should not be used where mirroring is wanted.
    NonCompliant,
}

impl Step {
    /// What the step says of its interface. An instance gets the worst of its interfaces'.
    #[must_use]
    pub const fn verdict(&self, unsupported: Unsupported) -> Verdict {
        match (&self.action, unsupported) {
            (Action::Create(_) | Action::Modify(..) | Action::Delete(_), _) => {
                Verdict::NonCompliant
            }
            (Action::Block, Unsupported::NotApplicable) if self.reason.is_impossible() => {
                Verdict::NotApplicable
            }
            (Action::Block, _) => Verdict::NonCompliant,
            (Action::Keep(_), _) => Verdict::Compliant,
            (Action::Ignore, _) => Verdict::NotApplicable,
        }
    }
}
