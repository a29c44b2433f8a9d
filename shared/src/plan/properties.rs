//! What holds for every cloud and every policy.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::test_cloud::{
    THEM, US, change_instance, fill, filter, instance, interface, interface_of, load_balancer,
    owned, sensor, unattached,
};
use crate::{
    id::{FilterId, InterfaceId, SessionId, TargetId},
    observed::{
        Attachment, AttachmentStatus, InstanceState, Interface, KnownTypes, NotFound, Observed,
        Owner, Session, Shown, Source, Tag, Target, TargetState,
    },
    plan::{
        apply::apply as apply_step,
        plan,
        question::Question,
        reason::Level,
        step::{Action, Plan, Step},
        verdict::{Criteria, Verdict, verdict},
    },
    policy::Policy,
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

/// A session on some interface: owned every second time.
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
            packet_length: packet_length.map(|length: i32| length.try_into().unwrap()),
            managed_by: owner.map(Into::into),
            installation: None,
            ..owned("tms-0", interface, number)
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
        InstanceState::Stopping,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
    ];
    (
        0..3_usize,
        select(states.to_vec()),
        tags(),
        select(&["m5.large", "m5.large", "m5.large", "t2.micro", "x99.large"][..]),
        0..16_u8,
    )
}

prop_compose! {
    /// A cloud as EC2 could show it: at most three sessions on an interface, each number once.
    fn observed()(
        hosts in vec(host(), 1..6),
        sessions in vec(session(), 0..24),
        kinds in vec(0..7_u8, 4),
        states in vec(prop_oneof![
            17 => Just(TargetState::Ready),
            1 => Just(TargetState::Full),
            1 => Just(TargetState::Stopped),
            1 => Just(TargetState::Unknown),
        ], 4),
        filters in vec(prop_oneof![1 => 0..5_u8, 2 => Just(3)], 3),
        filled in vec(0..12_usize, 4),
    ) -> Observed {
        let mut observed = Observed {
            account: US.parse().unwrap(),
            instances: Vec::new(),
            sources: Vec::new(),
            sessions: Vec::new(),
            targets: Vec::new(),
            filters: Vec::new(),
            is_whole: false,
            not_found: NotFound::default(),
            types: KnownTypes::default(),
        };
        let mut free = INTERFACES.iter();
        for (n, (interfaces, state, tags, instance_type, odd)) in hosts.into_iter().enumerate() {
            let names: Vec<&str> = free.by_ref().take(interfaces).copied().collect();
            let mut described = instance(&format!("i-{n}"), &names);
            if let Some(last) = described.sources.last_mut().map(interface_of) {
                let attachment = last.attachment.get_or_insert_default();
                if odd == 2 { attachment.status = AttachmentStatus::Detaching; }
                if odd == 5 { attachment.status = AttachmentStatus::Detached; }
                last.has_ipv6 = odd > 8;
                last.ipv6_only = odd == 1;
                if odd == 3 { last.kind = "efa".into(); }
                if odd == 4 { last.vpc = "vpc-2".parse().ok(); }
            }
            observed.add(described);
            change_instance(&mut observed, n, |instance| {
                instance.state = state;
                instance.tags = tags
                    .into_iter()
                    .map(|(key, value)| Tag { key: key.into(), value: value.into() })
                    .collect();
                instance.instance_type = instance_type.into();
            });
        }
        let in_use = Attachment::default();
        let others = [
            Shown::NotInList,
            Shown::Yes(interface("vpc-1", Owner::Nobody)),
            Shown::Yes(Interface { attachment: Some(in_use), ..interface("vpc-1", Owner::NotVisible(None)) }),
        ];
        observed.sources.extend(free.zip(others).map(|(id, shown)| unattached(id, shown)));
        observed.targets = TARGETS.iter().zip(kinds).zip(states).filter_map(|((id, kind), state)| {
            let target = match kind {
                0 => return None,
                1 => load_balancer(id, US),
                2 => load_balancer(id, THEM),
                3 | 4 => sensor(id, &format!("eni-t{}", &id[4..]), "a"),
                5 => sensor(id, "eni-1", "b"),
                _ => sensor(id, "eni-8", "b"),
            };
            Some(Target { state, ..target })
        }).collect();
        let filters = FILTERS.iter().zip(filters).filter(|(_, kind)| *kind != 0);
        observed.filters = filters.map(|(id, kind)| {
            let mut filter = filter(id);
            if kind == 1 { filter.rules.clear(); }
            if kind == 4 { filter.rules.truncate(1); }
            filter.managed_by = (kind == 2).then(|| "automirror".into());
            filter
        }).collect();
        for session in sessions {
            let here: Vec<_> =
                observed.sessions.iter().filter(|s| s.interface == session.interface).collect();
            if here.len() < 3 && here.iter().all(|s| s.number != session.number) {
                let id = format!("tms-{}", observed.sessions.len() + 1).parse().unwrap();
                observed.sessions.push(Session { id, ..session });
            }
        }
        for (target, count) in TARGETS.iter().zip(filled) {
            observed.sessions.extend(fill(target, count));
        }
        observed
    }
}

/// What EC2 holds after these steps of a plan were carried out.
fn apply<'a>(
    policy: &Policy,
    steps: impl IntoIterator<Item = &'a Step>,
    observed: &Observed,
) -> Observed {
    let mut after = observed.clone();
    for (count, step) in steps.into_iter().enumerate() {
        let id = match &step.action {
            Action::Create(_) => format!("tms-new{count}").parse().unwrap(),
            Action::Modify(id, _) | Action::Delete(id) => id.clone(),
            Action::Keep(_) | Action::Block | Action::Ignore => panic!("{step} changes nothing"),
        };
        apply_step(&mut after, policy, step, &id);
    }
    after
}

const NONE_ACCEPTED: &BTreeSet<String> = &BTreeSet::new();

/// Interfaces that EC2 cannot mirror do not count.
const LENIENT: Criteria<'_> =
    Criteria { unsupported: Verdict::NotApplicable, accepted: NONE_ACCEPTED };

fn apply_all(policy: &Policy, plan: &Plan, observed: &Observed) -> Observed {
    apply(policy, plan.changes(), observed)
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
        let after = settled(&policy, &first, &observed);
        let again = plan(&policy, &after);
        prop_assert_eq!(again.changes().count(), 0, "first:\n{}\nlast:\n{}", first, again);
    }

    /// The command line writes what was observed to a file, and decides by it elsewhere.
    #[cfg(feature = "serde")]
    #[test]
    fn a_world_as_a_file_is_the_world(observed in observed()) {
        let file = serde_json::to_string(&observed).unwrap();
        prop_assert_eq!(serde_json::from_str::<Observed>(&file).unwrap(), observed);
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
        turned.sources.reverse();
        let by = turn.min(turned.sessions.len());
        turned.sessions.rotate_left(by);
        prop_assert_eq!(plan(&policy, &observed), plan(&policy, &turned));
    }

    #[test]
    fn foreign_sessions_are_never_changed(policy in settings(), observed in observed()) {
        for step in plan(&policy, &observed).changes() {
            if let Action::Modify(id, _) | Action::Delete(id) = &step.action {
                let session = observed.sessions.iter().find(|session| session.id == *id).unwrap();
                prop_assert!(session.is_owned(&policy, &observed.account), "{}", step);
                prop_assert_eq!(&session.interface, &step.source);
                prop_assert_eq!(step.before.as_deref(), Some(session));
            }
        }
    }

    #[test]
    fn limits_are_never_passed(policy in settings(), observed in observed()) {
        let first = plan(&policy, &observed);
        let after = apply_all(&policy, &first, &observed);
        for id in INTERFACES {
            let here: Vec<_> =
                after.sessions.iter().filter(|s| s.interface.as_str() == id).collect();
            prop_assert!(here.len() <= 3, "{}", first);
            let numbers: BTreeSet<_> = here.iter().map(|session| session.number).collect();
            prop_assert_eq!(numbers.len(), here.len(), "{}", first);
        }
        for target in &after.targets {
            let (before, now) = (sources(&observed, &target.id), sources(&after, &target.id));
            let limit = target.capacity.limit().unwrap_or(usize::MAX);
            prop_assert!(now.len() <= limit.max(before.len()), "{} {}", target.id, first);
        }
    }

    #[test]
    fn every_source_that_was_read_is_in_the_plan(policy in settings(), observed in observed()) {
        let plan = plan(&policy, &observed);
        let planned: BTreeSet<_> =
            plan.steps.iter().map(|step| (step.instance.as_ref(), &step.source)).collect();
        let sources = observed.sources.iter();
        let read: BTreeSet<_> =
            sources.map(|it| (it.instance().map(|instance| &instance.id), &it.id)).collect();
        prop_assert_eq!(planned, read);
    }

    #[test]
    fn no_owned_session_is_left_on_a_target_known_not_to_be_allowed(
        policy in settings(),
        observed in observed(),
    ) {
        // An id that does not exist in the settings may be a typing error: then everything stays.
        let is_shown = |id: &TargetId| observed.targets.iter().any(|target| target.id == *id);
        let is_filter_shown = |id: &FilterId| observed.filters.iter().any(|filter| filter.id == *id);
        prop_assume!(policy.targets.iter().all(is_shown));
        prop_assume!(policy.filter.as_ref().is_none_or(is_filter_shown));
        let after = apply_all(&policy, &plan(&policy, &observed), &observed);
        let in_scope = |source: &&Source| {
            let vpc = source.interface.as_ref().yes().and_then(|interface| interface.vpc.as_ref());
            policy.vpcs.is_empty() || vpc.is_some_and(|vpc| policy.vpcs.contains(vpc))
        };
        // What leaves is left as it is.
        let stays = |source: &&Source| {
            let interface = source.interface.as_ref().yes();
            let status = interface.and_then(|it| it.attachment).unwrap_or_default().status;
            let is_leaving =
                |state| matches!(state, InstanceState::Stopping | InstanceState::ShuttingDown);
            source.instance().is_some_and(|instance| !is_leaving(instance.state))
                && status != AttachmentStatus::Detaching
        };
        let on_instances = after.sources.iter().filter(stays);
        let sources: BTreeSet<_> = on_instances.filter(in_scope).map(|source| &source.id).collect();
        for session in after.sessions.iter().filter(|s| sources.contains(&s.interface)) {
            let target = after.targets.iter().find(|target| target.id == session.target);
            let Some(target) = target.filter(|_| session.is_owned(&policy, &after.account)) else {
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
            let worst = steps.iter().map(|s| verdict(s, LENIENT)).max();
            let changes = steps.iter().any(|step| step.action.is_change());
            let keeps = steps.iter().any(|step| matches!(step.action, Action::Keep(_)));
            let obstacle = steps
                .iter()
                .any(|s| s.action == Action::Block && s.reason.level() != Level::Unsupported);
            prop_assert_eq!(
                worst == Some(Verdict::Compliant),
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
        let first = plan(&policy, &observed);
        let after = settled(&policy, &first, &observed);
        for step in plan(&policy, &after).steps {
            if verdict(&step, LENIENT) == Verdict::NonCompliant {
                prop_assert_eq!(&step.action, &Action::Block, "{}", step);
            }
        }
    }

    /// A process may end between any two changes.
    #[test]
    fn whatever_part_of_a_plan_was_carried_out_the_next_plan_finishes(
        policy in settings(),
        observed in observed(),
        done in vec(any::<bool>(), 16),
    ) {
        let first = plan(&policy, &observed);
        let part = first.changes().zip(done.iter().cycle()).filter(|(_, done)| **done);
        let halfway = apply(&policy, part.map(|(step, _)| step), &observed);
        let second = plan(&policy, &halfway);
        let after = settled(&policy, &second, &halfway);
        let third = plan(&policy, &after);
        prop_assert_eq!(third.changes().count(), 0, "{}\nsecond:\n{}\nthird:\n{}", first, second, third);
    }

    /// What a list leaves out is no reason to delete a session, or to give it another target or filter. Where
    /// the whole cloud gives a reason, and only lacks the room, that reason stays. (Of two sessions that may
    /// both be right, another one may get a new packet length or VNI; and a filter, if the list leaves out
    /// the other one.)
    #[test]
    fn what_a_list_leaves_out_deletes_and_moves_nothing(
        policy in settings(),
        observed in observed(),
        left_out in 0..6_usize,
        position in 0..24_usize,
    ) {
        let before = touched(&policy, &observed);
        let mut less = observed.clone();
        leave_out(&mut less, left_out, position);
        let left_out = observed.sessions.iter().find(|session| !less.sessions.contains(session));
        let alone = left_out.map(|session| &session.interface);
        let after = touched(&policy, &less);
        let given_a_filter = after.given_a_filter.iter().filter(|it| Some(&it.interface) != alone);
        let mut changed = after.changed.iter().chain(given_a_filter.map(|session| &session.id));
        prop_assert!(
            changed.all(|session| before.with_a_reason.contains(session)),
            "{}\nwithout:\n{}", before.plan, after.plan
        );
    }

    /// What a plan asks is answered once, and the plan made with the answers asks nothing more about it.
    #[test]
    fn every_question_has_an_answer(policy in settings(), observed in observed()) {
        let mut observed = observed;
        for position in 0..observed.instances.len() {
            change_instance(&mut observed, position, |it| it.tags_confirmed = position % 2 == 0);
        }
        for _ in 0..8 {
            let questions = plan(&policy, &observed).questions;
            if questions.is_empty() {
                return Ok(());
            }
            for question in questions {
                answer(&mut observed, question);
            }
        }
        prop_assert!(false, "it asks for ever: {}", plan(&policy, &observed));
    }
}

/// What EC2 holds after a plan, and after one more where the first deletes a session for want of an allowed
/// target with room: its slot and its place in the order are free only then.
fn settled(policy: &Policy, first: &Plan, observed: &Observed) -> Observed {
    let after = apply_all(policy, first, observed);
    let makes_way = |step: &Step| {
        matches!(step.action, Action::Delete(_)) && step.reason.code() == "target-not-allowed"
    };
    if !first.changes().any(makes_way) {
        return after;
    }
    apply_all(policy, &plan(policy, &after), &after)
}

/// What a plan does to owned sessions.
struct Touched {
    plan: Plan,
    /// Those that it deletes or gives another target.
    changed: BTreeSet<SessionId>,
    /// Those that it gives another filter.
    given_a_filter: Vec<Session>,
    /// Both, and those that only stay because no other target has room.
    with_a_reason: BTreeSet<SessionId>,
}

fn touched(policy: &Policy, observed: &Observed) -> Touched {
    let plan = plan(policy, observed);
    let moved = plan.changes().filter_map(|step| match &step.action {
        Action::Delete(session) => Some(session.clone()),
        Action::Modify(session, change) => change.target.is_some().then(|| session.clone()),
        _ => None,
    });
    let changed: BTreeSet<_> = moved.collect();
    let given_a_filter = plan.changes().filter_map(|step| match &step.action {
        Action::Modify(_, change) if change.filter.is_some() => step.before.as_deref().cloned(),
        _ => None,
    });
    let given_a_filter: Vec<_> = given_a_filter.collect();
    let without_room: BTreeSet<_> = plan
        .steps
        .iter()
        .filter(|step| {
            matches!(
                step.reason.code(),
                "target-full" | "targets-full" | "no-target" | "target-gone" | "target-draining"
            )
        })
        .map(|step| &step.source)
        .collect();
    let stuck = observed.sessions.iter().filter(|it| without_room.contains(&it.interface));
    let stuck = stuck.chain(&given_a_filter).map(|session| session.id.clone());
    let with_a_reason = changed.iter().cloned().chain(stuck).collect();
    Touched { plan, changed, given_a_filter, with_a_reason }
}

fn leave_out(observed: &mut Observed, what: usize, position: usize) {
    fn one_of<T>(list: &mut Vec<T>, position: usize) -> Option<T> {
        (!list.is_empty()).then(|| list.remove(position % list.len()))
    }
    match what {
        0 => {
            // The reader adds an interface that only a session names.
            if let Some(source) = one_of(&mut observed.sources, position) {
                observed.sources.push(Source { interface: Shown::NotInList, ..source });
            }
        }
        1 => drop(one_of(&mut observed.targets, position)),
        2 => drop(one_of(&mut observed.filters, position)),
        3 => drop(one_of(&mut observed.sessions, position)),
        4 => {
            if let Some(instance) = one_of(&mut observed.instances, position) {
                for source in &mut observed.sources {
                    if source.instance().is_some_and(|it| it.id == instance.id) {
                        source.interface = Shown::NotInList;
                    }
                }
            }
        }
        _ if observed.instances.is_empty() => {}
        _ => {
            let chosen = position % observed.instances.len();
            change_instance(observed, chosen, |it| {
                one_of(&mut it.tags, position);
                it.tags_confirmed = false;
            });
        }
    }
}

/// EC2's answer: whatever is asked about does not exist, and no tag was left out.
fn answer(observed: &mut Observed, question: Question) {
    match question {
        Question::Tags(id) => {
            let position = observed.instances.iter().position(|it| it.id == id).unwrap();
            change_instance(observed, position, |it| it.tags_confirmed = true);
        }
        Question::Interface(id) => {
            let source = observed.sources.iter_mut().find(|source| source.id == id).unwrap();
            source.interface = Shown::NotFound;
        }
        Question::Target(id) => drop(observed.not_found.targets.insert(id)),
        Question::Filter(id) => drop(observed.not_found.filters.insert(id)),
    }
}
