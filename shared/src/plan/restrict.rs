//! Narrows a finished plan to what may be carried out. What is withheld stays in the result.

use super::{
    reason::Reason,
    step::{Plan, Step},
};
use crate::policy::run::Mode;

/// What may be carried out of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether anything may be carried out.
    pub mode: Mode,
    /// Whether sessions may leave targets that are being drained: sweeps do that, at most
    /// [`MAX_DRAINED`] at a time.
    pub drains: bool,
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
    /// Enough sessions leave targets that are being drained.
    DrainLimit,
}

/// At most this many sessions leave targets that are being drained in one go: whoever may tag a target
/// must not be able to move everything at once.
pub const MAX_DRAINED: usize = 50;

/// Takes out of the plan what the limits do not allow.
pub fn restrict(mut plan: Plan, limits: Limits) -> Restricted {
    let by = match limits.mode {
        Mode::Enforce => WithheldBy::DrainLimit,
        Mode::Detect => WithheldBy::DetectMode,
    };
    let mut drained = 0_usize;
    let is_withheld = |step: &mut Step| match limits.mode {
        Mode::Detect => step.action.is_change(),
        Mode::Enforce if matches!(step.reason, Reason::Draining { .. }) => {
            drained = drained.saturating_add(1);
            !limits.drains || drained > MAX_DRAINED
        }
        Mode::Enforce => false,
    };
    let withheld = plan.steps.extract_if(.., is_withheld);
    let withheld = withheld.map(|step| Withheld { step, by }).collect();
    Restricted { plan, withheld }
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

        let enforced = restrict(whole.clone(), Limits { mode: Mode::Enforce, drains: true });
        assert_eq!(enforced, Restricted { plan: whole.clone(), withheld: Vec::new() });

        let detected = restrict(whole.clone(), Limits { mode: Mode::Detect, drains: true });
        assert_eq!(detected.plan.changes().count(), 0);
        let withheld: Vec<_> = detected.withheld.iter().map(|it| &it.step).collect();
        assert_eq!(withheld, whole.changes().collect::<Vec<_>>());
        assert_eq!(detected.plan.steps.len(), 1);
    }

    #[test]
    fn sessions_leave_a_draining_target_in_sweeps_only_and_not_all_at_once() {
        let mut cloud = Cloud::new().set("MIRROR_TARGET_IDS", "tmt-1,tmt-2").with(|observed| {
            remove_instances(observed);
            observed.targets[0].draining = true;
            observed.targets.push(load_balancer("tmt-2", US));
        });
        for id in 0..60 {
            let interface = format!("eni-{id}");
            let described = instance(&format!("i-{id}"), &[&interface]);
            cloud = cloud.session(owned(&format!("tms-{id}"), &interface, 1));
            cloud.observed.add(described);
        }
        // One step of another kind is never withheld.
        cloud.observed.add(instance("i-new", &["eni-new"]));
        let changes = |drains| {
            let whole = plan(&cloud.policy(), &cloud.observed);
            let restricted = restrict(whole, Limits { mode: Mode::Enforce, drains });
            (restricted.plan.changes().count(), restricted.withheld.len())
        };
        assert_eq!(changes(true), (MAX_DRAINED + 1, 60 - MAX_DRAINED));
        assert_eq!(changes(false), (1, 60));
    }
}
