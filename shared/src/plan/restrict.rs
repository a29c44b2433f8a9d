//! Narrows a finished plan to what may be carried out. What is withheld stays in the result.

use super::step::{Plan, Step};
use crate::policy::run::Mode;

/// What may be carried out of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether anything may be carried out.
    pub mode: Mode,
}

/// A plan that was narrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing by itself"]
pub struct Restricted {
    /// What may be carried out, and the steps that change nothing.
    pub plan: Plan,
    /// The changes that may not be carried out.
    pub withheld: Vec<Withheld>,
}

/// A change that may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The change.
    pub step: Step,
    /// What withholds it.
    pub by: WithheldBy,
}

/// What withholds a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithheldBy {
    /// `MIRROR_MODE` is `detect`.
    DetectMode,
}

/// Takes out of the plan what the limits do not allow.
pub fn restrict(mut plan: Plan, limits: Limits) -> Restricted {
    match limits.mode {
        Mode::Enforce => Restricted { plan, withheld: Vec::new() },
        Mode::Detect => {
            let by = WithheldBy::DetectMode;
            let changes = plan.steps.extract_if(.., |step| step.action.is_change());
            let withheld = changes.map(|step| Withheld { step, by }).collect();
            Restricted { plan, withheld }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{plan, test_cloud::*};

    #[test]
    fn detect_mode_withholds_the_changes_and_nothing_else() {
        let cloud = Cloud::new()
            .with(|observed| observed.add(instance("i-2", &["eni-2"])))
            .session(owned("tms-2", "eni-2", 1));
        let whole = plan(&cloud.policy(), &cloud.observed);
        assert_eq!((whole.steps.len(), whole.changes().count()), (2, 1));

        let enforced = restrict(whole.clone(), Limits { mode: Mode::Enforce });
        assert_eq!(enforced, Restricted { plan: whole.clone(), withheld: Vec::new() });

        let detected = restrict(whole.clone(), Limits { mode: Mode::Detect });
        assert_eq!(detected.plan.changes().count(), 0);
        let withheld: Vec<_> = detected.withheld.iter().map(|it| &it.step).collect();
        assert_eq!(withheld, whole.changes().collect::<Vec<_>>());
        assert_eq!(detected.plan.steps.len(), 1);
    }
}
