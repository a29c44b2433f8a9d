//! What holds for every cloud and every policy.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::cloud::{THEM, US, filter, instance, load_balancer, loose, ours, sensor};
use crate::{
    eligibility::source_limit,
    id::{InterfaceId, SESSION_NUMBERS, TargetId},
    observed::{InstanceState, LoosePlace, Observed, Session, Target},
    plan::plan,
    policy::Policy,
    step::{Action, PacketLength, Plan},
    verdict::{Unsupported, Verdict},
};

/// A few interfaces, so that sessions, targets and instances meet on them.
const INTERFACES: [&str; 8] =
    ["eni-1", "eni-2", "eni-3", "eni-4", "eni-5", "eni-6", "eni-7", "eni-8"];
const TARGETS: [&str; 4] = ["tmt-1", "tmt-2", "tmt-3", "tmt-4"];
const FILTERS: [&str; 3] = ["tmf-1", "tmf-2", "tmf-3"];

/// What the tags name.
#[rustfmt::skip]
const TARGET_LISTS: &[&str] = &[
    "tmt-1", "tmt-2", "tmt-3", "tmt-1,tmt-1", "tmt-1,tmt-2", "tmt-2,tmt-1", "tmt-1,tmt-2,tmt-3",
    "tmt-3,tmt-1,tmt-2", "odd",
];
#[rustfmt::skip]
const FILTER_LISTS: &[&str] = &[
    "tmf-1", "tmf-2", "tmf-1,tmf-2", "tmf-2,tmf-1", "tmf-1,tmf-2,tmf-3", "tmf-3,tmf-1,tmf-2",
    "tmf-2,tmf-1,tmf-3", "tmf-9", "",
];

fn settings() -> impl Strategy<Value = Policy> {
    let one = |name: &'static str, values: &'static [&'static str]| {
        option::of(select(values)).prop_map(move |value| value.map(|value| (name, value)))
    };
    let settings = (
        one("MIRROR_SCOPE", &["all"]),
        one("MIRROR_VPC_IDS", &["vpc-1", "vpc-2"]),
        one("MIRROR_TARGET_IDS", &["tmt-1", "tmt-2,tmt-3", "tmt-9"]),
        one("MIRROR_TARGET_OWNERS", &[THEM]),
        one("MIRROR_FILTER_ID", &["tmf-1", "tmf-2"]),
        one("MIRROR_INTERFACES", &["primary"]),
        one("MIRROR_PACKET_LENGTH", &["100", "8500"]),
        one("MIRROR_VNI", &["7", "9"]),
        one("MIRROR_PRECEDENCE", &["before"]),
        one("MIRROR_KEEP_STOPPED", &["true"]),
    );
    settings.prop_map(|(a, b, c, d, e, f, g, h, i, j)| {
        let set: BTreeMap<_, _> = [a, b, c, d, e, f, g, h, i, j].into_iter().flatten().collect();
        Policy::parse(|name| set.get(name).map(|value| (*value).to_owned())).unwrap()
    })
}

fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let one = |weight, key: &'static str, values: &'static [&'static str]| {
        let value = option::weighted(weight, select(values));
        value.prop_map(move |value| value.map(|value| (key, value)))
    };
    let tags = (
        option::weighted(0.8, select(&["True", "true", "False", "odd"][..])),
        one(0.2, "mirror", &["True", "False"]),
        one(0.5, "Mirror-Target", TARGET_LISTS),
        one(0.5, "Mirror-Filter", FILTER_LISTS),
        one(0.2, "Mirror-Interfaces", &["primary", "all", "odd"]),
    );
    tags.prop_map(|(mirror, b, c, d, e)| {
        let mirror = mirror.map(|value| ("Mirror", value));
        let tags = [mirror, b, c, d, e].into_iter().flatten();
        tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    })
}

/// A session on some interface: ours every second time.
fn session() -> impl Strategy<Value = Session> {
    let owner = select(
        &[
            (US, Some("automirror")),
            (US, Some("automirror")),
            (US, Some("automirror")),
            (US, None),
            (US, Some("another")),
            (THEM, Some("automirror")),
        ][..],
    );
    let fields = (
        owner,
        select(&INTERFACES[..]),
        select(&TARGETS[..]),
        select(&FILTERS[..]),
        prop_oneof![4 => 1..5, 1 => 32764..=32766],
        option::weighted(0.2, select(&[100, 8500][..])),
    );
    fields.prop_map(|((account, owner), interface, target, filter, number, packet_length)| {
        Session {
            account: account.parse().unwrap(),
            target: target.parse().unwrap(),
            filter: filter.parse().unwrap(),
            packet_length,
            managed_by: owner.map(str::to_owned),
            ..ours("tms-0", interface, number)
        }
    })
}

type Host = (usize, InstanceState, BTreeMap<String, String>, &'static str, u8);

fn host() -> impl Strategy<Value = Host> {
    let states = [
        InstanceState::Running,
        InstanceState::Running,
        InstanceState::Pending,
        InstanceState::Stopped,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
    ];
    (
        0..3_usize,
        select(states.to_vec()),
        tags(),
        select(&["m5.large", "m5.large", "m5.large", "t2.micro"][..]),
        0..16_u8,
    )
}

prop_compose! {
    /// A cloud as EC2 could show it: at most three sessions on an interface, each number once.
    fn observed()(
        hosts in vec(host(), 1..6),
        sessions in vec(session(), 0..24),
        kinds in vec(0..7_u8, 4),
        refused in vec(prop::bool::weighted(0.05), 4),
        filters in vec(prop_oneof![1 => 0..3_u8, 2 => Just(3)], 3),
        filled in vec(0..12_usize, 4),
    ) -> Observed {
        let mut free = INTERFACES.iter();
        let instances = hosts.into_iter().enumerate().map(|(n, host)| {
            let (interfaces, state, tags, instance_type, odd) = host;
            let names: Vec<&str> = free.by_ref().take(interfaces).copied().collect();
            let mut instance = instance(&format!("i-{n}"), &names);
            instance.state = state;
            instance.tags = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            instance.instance_type = instance_type.into();
            if let Some(last) = instance.interfaces.last_mut() {
                last.ipv6_only = odd == 1;
                last.detaching = odd == 2;
                if odd == 3 { last.kind = "efa".into(); }
                if odd == 4 { last.vpc = "vpc-2".parse().ok(); }
            }
            instance
        }).collect();
        let places = [LoosePlace::Gone, LoosePlace::Available("vpc-1".parse().ok()), LoosePlace::InUse];
        let loose = free.zip(places).map(|(id, place)| loose(id, place)).collect();
        let targets = TARGETS.iter().zip(kinds).zip(refused).filter_map(|((id, kind), refused)| {
            let target = match kind {
                0 => return None,
                1 => load_balancer(id, US),
                2 => load_balancer(id, THEM),
                3 | 4 => sensor(id, &format!("eni-t{}", &id[4..]), "a"),
                5 => sensor(id, "eni-1", "b"),
                _ => sensor(id, "eni-8", "b"),
            };
            Some(Target { refused, ..target })
        }).collect();
        let filters = FILTERS.iter().zip(filters).filter(|(_, kind)| *kind != 0);
        let filters = filters.map(|(id, kind)| {
            let mut filter = filter(id);
            filter.accepts = kind != 1;
            filter.managed_by = (kind == 2).then(|| "automirror".to_owned());
            filter
        }).collect();
        let mut observed = Observed {
            account: US.parse().unwrap(), instances, loose, sessions: Vec::new(), targets, filters,
        };
        for session in sessions {
            let here: Vec<_> =
                observed.sessions.iter().filter(|s| s.interface == session.interface).collect();
            if here.len() < 3 && here.iter().all(|s| s.number != session.number) {
                let id = format!("tms-{}", observed.sessions.len() + 1).parse().unwrap();
                observed.sessions.push(Session { id, ..session });
            }
        }
        for (target, count) in TARGETS.iter().zip(filled) {
            observed.sessions.extend(super::cloud::fill(target, count));
        }
        observed
    }
}

/// What EC2 holds after the plan was carried out.
fn apply(policy: &Policy, plan: &Plan, observed: &Observed) -> Observed {
    let mut after = observed.clone();
    for (count, step) in plan.changes().enumerate() {
        match &step.action {
            Action::Create(new) => after.sessions.push(Session {
                id: format!("tms-new{count}").parse().unwrap(),
                target: new.target.clone(),
                filter: new.filter.clone(),
                packet_length: new.packet_length,
                vni: new.vni,
                managed_by: Some(policy.owner.clone()),
                ..ours("tms-0", step.interface.as_str(), new.number)
            }),
            Action::Modify(id, change) => {
                let session = after.sessions.iter_mut().find(|s| s.id == *id).unwrap();
                let change = change.clone();
                session.target = change.target.unwrap_or_else(|| session.target.clone());
                session.filter = change.filter.unwrap_or_else(|| session.filter.clone());
                session.vni = change.vni.or(session.vni);
                match change.packet_length {
                    Some(PacketLength::Bytes(bytes)) => session.packet_length = Some(bytes),
                    Some(PacketLength::Default) => session.packet_length = None,
                    None => {}
                }
            }
            Action::Delete(id) => after.sessions.retain(|session| session.id != *id),
            Action::Keep(_) | Action::Block | Action::Ignore => panic!("{step} is no change"),
        }
    }
    after
}

fn sources<'a>(observed: &'a Observed, target: &TargetId) -> BTreeSet<&'a InterfaceId> {
    let there = observed.sessions.iter().filter(|session| session.target == *target);
    there.map(|session| &session.interface).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn a_second_plan_changes_nothing(policy in settings(), observed in observed()) {
        let first = plan(&policy, &observed);
        let after = apply(&policy, &first, &observed);
        let again = plan(&policy, &after);
        prop_assert_eq!(again.changes().count(), 0, "first:\n{}\nsecond:\n{}", first, again);
    }

    #[test]
    fn the_order_of_the_lists_does_not_matter(
        policy in settings(),
        observed in observed(),
        turn in 0..8_usize,
    ) {
        let mut turned = observed.clone();
        turned.instances.reverse();
        turned.targets.reverse();
        turned.filters.reverse();
        turned.loose.reverse();
        let by = turn.min(turned.sessions.len());
        turned.sessions.rotate_left(by);
        for instance in &mut turned.instances {
            instance.interfaces.reverse();
        }
        prop_assert_eq!(plan(&policy, &observed), plan(&policy, &turned));
    }

    #[test]
    fn foreign_sessions_are_never_changed(policy in settings(), observed in observed()) {
        for step in plan(&policy, &observed).changes() {
            if let Action::Modify(id, _) | Action::Delete(id) = &step.action {
                let session = observed.sessions.iter().find(|session| session.id == *id).unwrap();
                prop_assert!(policy.owns(&observed.account, session), "{}", step);
                prop_assert_eq!(&session.interface, &step.interface);
            }
        }
    }

    #[test]
    fn limits_are_never_passed(policy in settings(), observed in observed()) {
        let first = plan(&policy, &observed);
        let after = apply(&policy, &first, &observed);
        for id in INTERFACES {
            let here: Vec<_> =
                after.sessions.iter().filter(|s| s.interface.as_str() == id).collect();
            prop_assert!(here.len() <= 3, "{}", first);
            let numbers: BTreeSet<_> = here.iter().map(|session| session.number).collect();
            prop_assert_eq!(numbers.len(), here.len(), "{}", first);
            prop_assert!(numbers.iter().all(|number| SESSION_NUMBERS.contains(number)));
        }
        for target in &after.targets {
            let (before, now) = (sources(&observed, &target.id), sources(&after, &target.id));
            let limit = source_limit(&target.kind).unwrap_or(usize::MAX);
            prop_assert!(now.len() <= limit.max(before.len()), "{} {}", target.id, first);
        }
    }

    #[test]
    fn every_interface_looked_at_is_in_the_plan(policy in settings(), observed in observed()) {
        let plan = plan(&policy, &observed);
        let planned: BTreeSet<_> =
            plan.steps.iter().map(|step| (step.instance.as_ref(), &step.interface)).collect();
        let mut looked_at: BTreeSet<_> =
            observed.loose.iter().map(|loose| (None, &loose.id)).collect();
        for instance in &observed.instances {
            let interfaces = instance.interfaces.iter();
            looked_at.extend(interfaces.map(|found| (Some(&instance.id), &found.id)));
        }
        prop_assert_eq!(planned, looked_at);
    }

    #[test]
    fn no_session_of_ours_is_left_on_a_target_known_to_be_forbidden(
        policy in settings(),
        observed in observed(),
    ) {
        let after = apply(&policy, &plan(&policy, &observed), &observed);
        let looked_after = after.instances.iter().flat_map(|instance| &instance.interfaces);
        let looked_after: BTreeSet<_> = looked_after
            .filter(|found| {
                let vpc = found.vpc.as_ref();
                policy.vpcs.is_empty() || vpc.is_some_and(|vpc| policy.vpcs.contains(vpc))
            })
            .map(|found| &found.id)
            .collect();
        for session in after.sessions.iter().filter(|s| looked_after.contains(&s.interface)) {
            let target = after.targets.iter().find(|target| target.id == session.target);
            let Some(target) = target.filter(|_| policy.owns(&after.account, session)) else {
                continue;
            };
            prop_assert!(policy.allows(&target.id, Some(&target.account), &after.account));
        }
    }

    #[test]
    fn compliant_means_that_nothing_is_left_to_do(policy in settings(), observed in observed()) {
        let plan = plan(&policy, &observed);
        for instance in &observed.instances {
            let steps: Vec<_> =
                plan.steps.iter().filter(|s| s.instance.as_ref() == Some(&instance.id)).collect();
            let verdict = steps.iter().map(|s| s.verdict(Unsupported::NotApplicable)).max();
            let changes = steps.iter().any(|step| step.action.is_change());
            let keeps = steps.iter().any(|step| matches!(step.action, Action::Keep(_)));
            let obstacle =
                steps.iter().any(|s| s.action == Action::Block && !s.reason.is_impossible());
            prop_assert_eq!(
                verdict == Some(Verdict::Compliant),
                keeps && !changes && !obstacle,
                "{}", plan
            );
        }
    }

    #[test]
    fn after_a_sweep_only_what_is_blocked_is_non_compliant(
        policy in settings(),
        observed in observed(),
    ) {
        let after = apply(&policy, &plan(&policy, &observed), &observed);
        for step in plan(&policy, &after).steps {
            if step.verdict(Unsupported::NotApplicable) == Verdict::NonCompliant {
                prop_assert_eq!(&step.action, &Action::Block, "{}", step);
            }
        }
    }
}
