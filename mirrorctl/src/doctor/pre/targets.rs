//! Whether the targets that the settings allow receive, as far as that does not depend on who sends; and the filter.

use std::collections::BTreeSet;

use shared::{
    id::TargetId,
    observed::{Filter, Target},
    plan::{accepts_packets, missing_packets, reason::Reason},
};

use super::{
    super::{
        balancer::all_healthy,
        network::Network,
        target::{Gate, gate},
        trouble::{Grade, Trouble},
        way::behind_endpoint,
    },
    check::{Check, Topic, by_plan},
    fleet::is_selected,
};
use crate::world::Decided;

/// The targets that the settings name; where they name none, those that they allow and EC2 shows.
pub(super) fn candidates(decided: &Decided) -> BTreeSet<&TargetId> {
    let (policy, observed) = (&decided.parsed.policy, &decided.world.observed);
    if !policy.targets.is_empty() {
        return policy.targets.iter().collect();
    }
    let is_allowed = |it: &&Target| policy.allows(&it.id, Some(&it.account), &observed.account);
    observed.targets.iter().filter(is_allowed).map(|target| &target.id).collect()
}

pub(super) fn checks(decided: &Decided, network: &Network) -> Vec<Check> {
    let candidates = candidates(decided);
    let check = |result| Check { topic: Topic::Target, result };
    if candidates.is_empty() {
        let none = by_plan(Grade::Broken, &Reason::NoTarget, &decided.world.region);
        return vec![check(Err(none))];
    }
    let drains = |id: &TargetId| shown(decided, id).is_some_and(|target| target.draining);
    // Only a target that the settings name is drained by its tag.
    let is_named = !decided.parsed.policy.targets.is_empty();
    let only_drained = candidates.iter().all(|id| drains(id));
    let judge = |id: &TargetId| {
        let what = receives(decided, network, id)?;
        if is_named && drains(id) {
            let grade = if only_drained { Grade::Broken } else { Grade::Limited };
            return Err(by_plan(
                grade,
                &Reason::TargetDraining { target: id.clone() },
                id.as_str(),
            ));
        }
        Ok(what)
    };
    candidates.iter().map(|id| check(judge(id))).collect()
}

fn shown<'a>(decided: &'a Decided, id: &TargetId) -> Option<&'a Target> {
    decided.world.observed.targets.iter().find(|target| target.id == *id)
}

/// What receives at a target, without a look at the ways there.
fn receives(decided: &Decided, network: &Network, id: &TargetId) -> Result<String, Trouble> {
    if shown(decided, id).is_none() {
        return Err(by_plan(
            Grade::Broken,
            &Reason::TargetUnknown { target: id.clone() },
            id.as_str(),
        ));
    }
    match gate(id, &decided.world.observed, network)? {
        Gate::Interface(interface) => {
            Ok(format!("{id}: {} is on an instance that runs", interface?.id))
        }
        Gate::Balancer(gate) => {
            let healthy = all_healthy(&gate)?.len();
            Ok(format!("{id}: {} listens, and of its sensors {healthy} are healthy", gate.name))
        }
        Gate::Endpoint(endpoint, _) => Err(behind_endpoint(endpoint)),
    }
}

/// The filter of instances that name none.
pub(super) fn filter(decided: &Decided) -> Result<String, Trouble> {
    let Some(id) = &decided.parsed.policy.filter else {
        return Ok("the settings name no filter, so the deployment creates one".to_owned());
    };
    let broken = |reason: &Reason| Err(by_plan(Grade::Broken, reason, id.as_str()));
    let mut filters = decided.world.observed.filters.iter();
    let Some(filter) = filters.find(|filter| filter.id == *id) else {
        return broken(&Reason::FilterUnknown { filter: id.clone() });
    };
    if !accepts_packets(filter) {
        return broken(&Reason::FilterEmpty { filter: id.clone() });
    }
    let Some(missing) = missing(decided, filter) else {
        return Ok(format!("{id} is there and has rules that accept packets"));
    };
    let reason = Reason::FilterPartial { filters: id.to_string(), missing };
    let is_accepted = decided.parsed.policy.accepted_reasons.contains(reason.code());
    let grade = if is_accepted { Grade::Limited } else { Grade::Broken };
    Err(by_plan(grade, &reason, id.as_str()))
}

/// Of which packets of the selected sources a filter accepts none. The plan itself says so of a source only once it leads
/// a session there.
fn missing(decided: &Decided, filter: &Filter) -> Option<String> {
    let steps = decided.plan.steps.iter().filter(|step| is_selected(step));
    let selected: BTreeSet<_> = steps.map(|step| &step.source).collect();
    let sources = decided.world.observed.sources.iter().filter(|it| selected.contains(&it.id));
    missing_packets(filter, sources.map(|source| source.interface.as_ref().yes()))
}
