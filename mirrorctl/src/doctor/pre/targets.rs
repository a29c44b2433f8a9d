//! Whether the targets that the settings allow receive, as far as that does not depend on who sends; and the filter.

use std::collections::BTreeSet;

use shared::{
    id::TargetId,
    observed::{Addresses, Direction, Filter, FilterRule, Target},
    plan::{accepts_packets, reason::Reason},
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
    let missing = missing(decided, filter);
    if missing.is_empty() {
        return Ok(format!("{id} is there and has rules that accept packets"));
    }
    let (filters, missing) = (id.to_string(), missing.join(" and no "));
    let reason = Reason::FilterPartial { filters, missing };
    let is_accepted = decided.parsed.policy.accepted_reasons.contains(reason.code());
    let grade = if is_accepted { Grade::Limited } else { Grade::Broken };
    Err(by_plan(grade, &reason, id.as_str()))
}

/// Of which packets of the selected sources a filter accepts none, in the plan's words. The plan itself says so of a
/// source only once it leads a session there.
fn missing(decided: &Decided, filter: &Filter) -> Vec<&'static str> {
    let selected: BTreeSet<_> = (decided.plan.steps.iter())
        .filter(|step| is_selected(step))
        .map(|step| &step.source)
        .collect();
    let mut sources = decided.world.observed.sources.iter();
    let has_ipv6 = sources.any(|source| {
        let interface = source.interface.as_ref().yes();
        selected.contains(&source.id) && interface.is_some_and(|it| it.has_ipv6)
    });
    let kinds = [
        ("ingress IPv4", Direction::Ingress, false),
        ("egress IPv4", Direction::Egress, false),
        ("ingress IPv6", Direction::Ingress, true),
        ("egress IPv6", Direction::Egress, true),
    ];
    let of_sources = kinds.into_iter().filter(|(.., is_ipv6)| has_ipv6 || !is_ipv6);
    let missing = of_sources
        .filter(|(_, direction, is_ipv6)| !accepts_packets(&part(filter, *direction, *is_ipv6)));
    missing.map(|(kind, ..)| kind).collect()
}

/// What a filter has for packets of one direction and version of IP. A rule that cannot be read may be about any.
fn part(filter: &Filter, direction: Direction, is_ipv6: bool) -> Filter {
    let is_about = |rule: &&FilterRule| {
        let packets = rule.packets.as_ref();
        let is_of_version =
            packets.is_none_or(|it| matches!(it.addresses, Addresses::V6(..)) == is_ipv6);
        rule.direction == direction && is_of_version
    };
    let rules = filter.rules.iter().filter(is_about).cloned().collect();
    Filter { rules, amazon_dns: false, ..filter.clone() }
}
