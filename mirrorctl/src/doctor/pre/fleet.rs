//! What the settings select, whether EC2 can mirror it, and whether quotas and targets have room for it.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::{InstanceId, InterfaceId},
    observed::{Capacity, TargetState},
    plan::{
        eligibility::{Support, proven, support},
        reason::{Level, Reason},
        room_on_targets,
        step::{Action, Step},
    },
};

use super::{
    super::trouble::{
        Grade, NOTHING_SELECTED, QUOTA_REACHED, QUOTA_SHORT, ROOM_SHORT, ROOM_UNKNOWN, Trouble,
    },
    check::{Check, Topic, by_plan},
};
use crate::{
    quota::{Quota, quotas},
    world::Decided,
};

pub(super) fn checks(decided: &Decided) -> Vec<Check> {
    let mut checks = vec![Check { topic: Topic::Sources, result: sources(decided) }];
    let of_topic = |topic| move |result| Check { topic, result };
    checks.extend(types(decided).into_iter().map(of_topic(Topic::InstanceTypes)));
    let quotas = quotas(&decided.world.observed);
    let quotas = quotas.iter().map(|quota| judge_quota(quota, needed(decided, quota.name)));
    checks.extend(quotas.map(of_topic(Topic::Quota)));
    checks.extend(room(decided).map(of_topic(Topic::Room)));
    checks
}

/// Whether the step is about a source that should be mirrored.
pub(super) const fn is_selected(step: &Step) -> bool {
    !matches!(step.action, Action::Ignore | Action::Delete(_))
}

fn instances(decided: &Decided) -> BTreeSet<&InstanceId> {
    let selected = decided.plan.steps.iter().filter(|step| is_selected(step));
    selected.filter_map(|step| step.instance.as_ref()).collect()
}

fn sources(decided: &Decided) -> Result<String, Trouble> {
    let selected = decided.plan.steps.iter().filter(|step| is_selected(step));
    let sources: BTreeSet<&InterfaceId> = selected.map(|step| &step.source).collect();
    let instances = instances(decided).len();
    // Targets and filter have checks of their own.
    let broken = decided.plan.steps.iter().find_map(|step| match &step.reason {
        Reason::SettingBroken { setting: "MIRROR_TARGET_IDS" | "MIRROR_FILTER_ID", .. } => None,
        Reason::SettingBroken { setting, .. } => Some((*setting, &step.reason)),
        _ => None,
    });
    if let Some((setting, reason)) = broken {
        return Err(by_plan(Grade::Broken, reason, setting));
    }
    if sources.is_empty() {
        let detail = "no instance that runs is selected by the settings";
        return Err(Trouble::new(&NOTHING_SELECTED, &decided.world.region, detail));
    }
    Ok(format!("the settings select {} interfaces of {instances} instances", sources.len()))
}

/// The types that EC2 cannot mirror or may not be able to, each with what is said of it. What else is in the way of an
/// instance, such as that there is no target yet, hides nothing of it.
fn types(decided: &Decided) -> Vec<Result<String, Trouble>> {
    let selected = instances(decided);
    let all = selected.len();
    if all == 0 {
        return Vec::new();
    }
    let Decided { world, parsed, .. } = decided;
    let proven = proven(&world.observed);
    let mut found: BTreeMap<(Grade, &str, String), BTreeSet<&InstanceId>> = BTreeMap::new();
    for instance in world.observed.instances.iter().filter(|it| selected.contains(&it.id)) {
        let instance_type = instance.instance_type.to_string();
        let (grade, reason) = match support(&parsed.policy, &proven, &instance_type) {
            Support::Can => continue,
            Support::Cannot => (Grade::Limited, Reason::InstanceType { instance_type }),
            Support::Unknown => (Grade::CannotTell, Reason::InstanceTypeUnknown { instance_type }),
        };
        let code = reason.code();
        let is_accepted = parsed.policy.accepted_reasons.contains(code);
        let grade = if is_accepted { Grade::Limited } else { grade };
        let of_type = found.entry((grade, code, instance.instance_type.to_string())).or_default();
        of_type.insert(&instance.id);
    }
    if found.is_empty() {
        return vec![Ok(format!("EC2 can mirror the types of all {all} instances"))];
    }
    let trouble = |((grade, code, at), instances): ((_, _, String), BTreeSet<_>)| {
        let can = if code == "instance-type" { "EC2 cannot mirror" } else { "EC2 may refuse" };
        let count = instances.len();
        let detail = format!("{count} of {all} instances are of type `{at}`, which {can}");
        Err(Trouble { grade, code, at, detail })
    };
    found.into_iter().map(trouble).collect()
}

/// The sources that are to get a session, or would but for what is in the way.
fn wanting(decided: &Decided) -> BTreeSet<&InterfaceId> {
    let wants = |step: &&Step| match step.action {
        Action::Create(_) => true,
        Action::Block => step.reason.level() != Level::Unsupported,
        Action::Modify(..) | Action::Delete(_) | Action::Keep(_) | Action::Ignore => false,
    };
    let has_session: BTreeSet<_> =
        decided.plan.steps.iter().filter(|step| keeps(step)).map(|step| &step.source).collect();
    let wanting = decided.plan.steps.iter().filter(wants).map(|step| &step.source);
    wanting.filter(|source| !has_session.contains(source)).collect()
}

const fn keeps(step: &Step) -> bool {
    matches!(step.action, Action::Keep(_) | Action::Modify(..))
}

/// How many more of this kind are needed.
fn needed(decided: &Decided, name: &str) -> usize {
    let Decided { world, parsed, plan } = decided;
    match name {
        "sessions" => {
            let deleted = plan.steps.iter().filter(|it| matches!(it.action, Action::Delete(_)));
            let created = plan.steps.iter().filter(|it| matches!(it.action, Action::Create(_)));
            let waiting = wanting(decided).len();
            // A source may get several.
            created.count().max(waiting).saturating_sub(deleted.count())
        }
        "targets" => {
            let room = room_on_targets(&parsed.policy, &world.observed);
            usize::from(room.targets.is_empty())
        }
        // Both ways of deploying create one where the settings name none.
        _ => usize::from(parsed.policy.filter.is_none()),
    }
}

fn judge_quota(quota: &Quota, needed: usize) -> Result<String, Trouble> {
    let Quota { name, used, limit } = *quota;
    let left = limit.saturating_sub(used);
    let detail = format!("{used} of {limit} {name} are there; {needed} more needed");
    if needed <= left {
        return Ok(detail);
    }
    let fault = if left == 0 { &QUOTA_REACHED } else { &QUOTA_SHORT };
    Err(Trouble::new(fault, name, detail))
}

/// Whether the targets take all sources; not asked where nothing stands at any of them.
fn room(decided: &Decided) -> Option<Result<String, Trouble>> {
    let Decided { world, parsed, .. } = decided;
    let room = room_on_targets(&parsed.policy, &world.observed);
    let there: Vec<_> = (world.observed.targets.iter())
        .filter(|it| it.state != TargetState::Gone)
        .filter_map(|it| Some((it.capacity, room.targets.get(&it.id)?)))
        .collect();
    let count = there.len();
    if count == 0 {
        return None;
    }
    let with = |capacity| there.iter().any(|(its, room)| *its == capacity && !room.is_full);
    let left = room.left().unwrap_or_default();
    let wanted = wanting(decided).len();
    let region = &world.region;
    let sources = format!("{wanted} sources need a session");
    Some(if wanted <= left || with(Capacity::Unlimited) {
        Ok(format!("{sources}, and the allowed targets take them"))
    } else if with(Capacity::Unknown) {
        let detail = format!("{sources}, and how many some of {count} targets take is not known");
        Err(Trouble::new(&ROOM_UNKNOWN, region, detail))
    } else if left == 0 {
        Err(by_plan(Grade::Broken, &Reason::TargetsFull { count }, region))
    } else {
        let detail = format!("{sources}, and the allowed targets take {left} more");
        Err(Trouble::new(&ROOM_SHORT, region, detail))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_enough_short_or_reached() {
        for (used, needed, expected) in [
            (0, 10, None),
            (9, 1, None),
            (10, 0, None),
            (12, 0, None),
            (9, 2, Some(("quota-short", Grade::Limited))),
            (10, 1, Some(("quota-reached", Grade::Broken))),
            (12, 1, Some(("quota-reached", Grade::Broken))),
        ] {
            let quota = Quota { name: "sessions", used, limit: 10 };
            let found = judge_quota(&quota, needed).err().map(|it| (it.code, it.grade));
            assert_eq!(found, expected, "{used} used, {needed} needed");
        }
    }
}
