//! Narrows a finished plan to what may be carried out. What is withheld stays in the result.

use std::collections::BTreeSet;

use super::{
    brake::is_limited_deletion,
    reason::Reason,
    step::{Plan, Step},
};
use crate::{id::InterfaceId, policy::run::Mode};

/// What may be carried out of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Whether anything may be carried out.
    pub mode: Mode,
    /// Whether sessions may leave targets that are being drained: sweeps do that, at most
    /// [`MAX_DRAINED`] at a time.
    pub drains: bool,
    /// How many sessions may be deleted because of tags or settings; none is no limit.
    pub deletions: Option<usize>,
    /// Sources that were changed so often that nothing more is done to them for a while.
    pub unstable: &'a BTreeSet<InterfaceId>,
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
    /// `MIRROR_MODE` is `detect`, or the caller asked for a look only.
    DetectMode,
    /// Enough sessions leave targets that are being drained.
    DrainLimit,
    /// Enough sessions were deleted because of tags or settings: `MIRROR_DELETION_LIMIT`.
    DeletionLimit,
    /// The source was changed too often in a short time.
    Unstable,
}

/// At most this many sessions leave targets that are being drained in one go: whoever may tag a target
/// must not be able to move everything at once.
pub const MAX_DRAINED: usize = 50;

/// Takes out of the plan what the limits do not allow.
pub fn restrict(plan: Plan, limits: Limits<'_>) -> Restricted {
    let Plan { mut steps, questions } = plan;
    let (mut drained, mut deleted) = (0_usize, 0_usize);
    let mut withheld_by = |step: &Step| {
        if !step.action.is_change() {
            return None;
        }
        if limits.mode == Mode::Detect {
            return Some(WithheldBy::DetectMode);
        }
        if limits.unstable.contains(&step.source) {
            return Some(WithheldBy::Unstable);
        }
        if matches!(step.reason, Reason::Draining { .. }) {
            drained = drained.saturating_add(1);
            let is_held = !limits.drains || drained > MAX_DRAINED;
            return is_held.then_some(WithheldBy::DrainLimit);
        }
        if is_limited_deletion(step) {
            deleted = deleted.saturating_add(1);
            let is_held = limits.deletions.is_some_and(|limit| deleted > limit);
            return is_held.then_some(WithheldBy::DeletionLimit);
        }
        None
    };
    // What stays is not copied: there may be a hundred thousand steps.
    let mut by = Vec::new();
    let held = steps.extract_if(.., |step| {
        let held_by = withheld_by(step);
        by.extend(held_by);
        held_by.is_some()
    });
    let held: Vec<_> = held.collect();
    let withheld = held.into_iter().zip(by).map(|(step, by)| Withheld { step, by }).collect();
    Restricted { plan: Plan { steps, questions }, withheld }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observed::InstanceState,
        plan::{plan, test_cloud::*},
    };

    const NONE: &BTreeSet<InterfaceId> = &BTreeSet::new();

    fn limits(mode: Mode) -> Limits<'static> {
        Limits { mode, drains: true, deletions: None, unstable: NONE }
    }

    /// 20 instances with a session each: 15 have lost their tag, 4 are stopped, and one is as it should be.
    fn untagged_fleet() -> Cloud {
        let mut cloud = Cloud::new().with(remove_instances);
        for id in 0..20 {
            let interface = format!("eni-{id:02}");
            cloud = cloud.session(owned(&format!("tms-{id:02}"), &interface, 1));
            cloud.observed.add(instance(&format!("i-{id:02}"), &[&interface]));
            change_instance(&mut cloud.observed, id, |it| {
                if id < 15 {
                    it.tags.clear();
                } else if id < 19 {
                    it.state = InstanceState::Stopped;
                }
            });
        }
        cloud
    }

    #[test]
    fn so_many_sessions_go_for_tags_and_settings_and_all_of_stopped_instances() {
        let cloud = untagged_fleet();
        for (deletions, deleted, held) in [(None, 19, 0), (Some(10), 14, 5), (Some(0), 4, 15)] {
            let whole = plan(&cloud.policy(), &cloud.observed);
            let restricted = restrict(whole, Limits { deletions, ..limits(Mode::Enforce) });
            assert_eq!(restricted.plan.changes().count(), deleted, "{deletions:?}");
            assert_eq!(restricted.withheld.len(), held, "{deletions:?}");
            assert!(restricted.withheld.iter().all(|it| it.by == WithheldBy::DeletionLimit));
        }
    }

    #[test]
    fn what_is_unstable_is_left_as_it_is() {
        let cloud = untagged_fleet();
        let unstable = &["eni-00", "eni-16", "eni-19"].map(|id| id.parse().unwrap()).into();
        let whole = plan(&cloud.policy(), &cloud.observed);
        let restricted = restrict(whole, Limits { unstable, ..limits(Mode::Enforce) });
        assert_eq!(restricted.plan.changes().count(), 17);
        let withheld: Vec<_> =
            restricted.withheld.iter().map(|it| (it.step.source.as_str(), it.by)).collect();
        let by = WithheldBy::Unstable;
        assert_eq!(withheld, [("eni-00", by), ("eni-16", by)]);
    }

    #[test]
    fn detect_mode_withholds_the_changes_and_nothing_else() {
        let cloud = Cloud::new()
            .with(|observed| observed.add(instance("i-2", &["eni-2"])))
            .session(owned("tms-2", "eni-2", 1));
        let whole = plan(&cloud.policy(), &cloud.observed);
        assert_eq!((whole.steps.len(), whole.changes().count()), (2, 1));

        let enforced = restrict(whole.clone(), limits(Mode::Enforce));
        assert_eq!(enforced, Restricted { plan: whole.clone(), withheld: Vec::new() });

        let detected = restrict(whole.clone(), limits(Mode::Detect));
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
            let restricted = restrict(whole, Limits { drains, ..limits(Mode::Enforce) });
            (restricted.plan.changes().count(), restricted.withheld.len())
        };
        assert_eq!(changes(true), (MAX_DRAINED + 1, 60 - MAX_DRAINED));
        assert_eq!(changes(false), (1, 60));
    }
}
