//! What is looked at before a deployment, where the local cloud cannot bring it about.

use std::sync::Arc;

use shared::{
    observed::{
        Capacity, Endpoint, Filter, InstanceState, Shown, Source, Tag, Target, TargetState,
    },
    plan::plan,
    policy::{Policy, run::RunSettings},
};

use super::{
    super::pre::{Facts, Mirroring, check::Check, checks, troubles},
    stage::{BALANCER, ENDPOINT, INTERFACE, Stage, problem},
};
use crate::{
    settings::{Parsed, Settings},
    world::{Decided, World},
};

/// A place that has neither recorder nor trail, and this.
fn facts(stage: &Stage) -> Facts {
    let Stage { observed, policy, network, .. } = stage.clone();
    let plan = plan(&policy, &observed);
    let world = World {
        account: observed.account.clone(),
        region: "z".to_owned(),
        read_at: None,
        is_saved: false,
        settings: Settings::default(),
        function: None,
        heard: None,
        observed,
    };
    let parsed = Parsed { policy, run: RunSettings::parse(|_| None).unwrap() };
    let decided = Decided { world, parsed, plan };
    Facts {
        region: "z".to_owned(),
        recorder: Ok(None),
        status: Ok(None),
        trails: Ok(Vec::new()),
        mirroring: Ok(Mirroring { decided, network }),
    }
}

/// What is found about EC2: each check that is not fine, with its code and state.
pub(super) fn found(stage: &Stage) -> Vec<(&'static str, &'static str, &'static str)> {
    let found = |Check { topic, result }: Check| {
        let trouble = result.err()?;
        Some((topic.name(), trouble.code, trouble.grade.name()))
    };
    let of_others = ["no-recorder", "no-trail"];
    let checks = checks(&facts(stage)).into_iter().filter_map(found);
    checks.filter(|(_, code, _)| !of_others.contains(code)).collect()
}

pub(super) fn before_a_deployment(kind: &'static str) -> Stage {
    let mut stage = Stage::new(kind);
    stage.observed.sessions.clear();
    stage
}

/// A second target like the first one.
fn second(stage: &mut Stage) -> &mut Target {
    let target = Target { id: "tmt-2".parse().unwrap(), ..stage.observed.targets[0].clone() };
    stage.observed.targets.push(target);
    stage.observed.targets.last_mut().unwrap()
}

#[test]
fn what_stands_at_each_kind_of_target_is_judged_without_a_source() {
    assert_eq!(found(&before_a_deployment(INTERFACE)), []);
    assert_eq!(found(&before_a_deployment(BALANCER)), []);
    let endpoint = ("target", "behind-endpoint", "cannot-tell");
    assert_eq!(found(&before_a_deployment(ENDPOINT)), [endpoint]);
    // Nothing of the way between them was read, and nothing of it is asked.
    let mut stage = before_a_deployment(BALANCER);
    stage.network.groups = problem("ec2:DescribeSecurityGroups");
    stage.network.acls = problem("ec2:DescribeNetworkAcls");
    stage.network.routes = problem("ec2:DescribeRouteTables");
    assert_eq!(found(&stage), []);
}

#[test]
fn what_was_not_read_of_a_target_is_not_fine() {
    let hidden = [("target", "no-permission", "cannot-tell")];
    let mut stage = before_a_deployment(BALANCER);
    stage.network.balancers = problem("elasticloadbalancing:DescribeLoadBalancers");
    assert_eq!(found(&stage), hidden);
    let mut stage = before_a_deployment(BALANCER);
    stage.balancer().listeners = problem("elasticloadbalancing:DescribeListeners");
    assert_eq!(found(&stage), hidden);
    let mut stage = before_a_deployment(BALANCER);
    stage.pool().sensors = problem("elasticloadbalancing:DescribeTargetHealth");
    assert_eq!(found(&stage), hidden);
    let mut stage = before_a_deployment(INTERFACE);
    stage.network.interfaces = problem("ec2:DescribeNetworkInterfaces");
    assert_eq!(found(&stage), hidden);
    let mut stage = before_a_deployment(INTERFACE);
    stage.observed.targets[0].state = TargetState::Unread;
    assert_eq!(found(&stage), [("target", "target-state-unknown", "cannot-tell")]);
}

#[test]
fn without_ec2_nothing_of_it_is_fine_and_all_of_it_is_one_finding() {
    let mut facts = facts(&before_a_deployment(INTERFACE));
    facts.mirroring = problem("ec2:DescribeInstances");
    let checks = checks(&facts);
    let topics = ["sources", "instance-types", "quota", "target", "room", "filter"];
    let of_ec2 = checks.iter().filter(|check| topics.contains(&check.topic.name()));
    assert_eq!(of_ec2.filter(|check| check.result.is_err()).count(), topics.len());
    let found = troubles(&checks);
    let codes: Vec<_> =
        found.iter().map(|(trouble, topics)| (trouble.code, topics.len())).collect();
    assert_eq!(codes, [("no-recorder", 3), ("no-permission", 6), ("no-trail", 1)]);
}

#[test]
fn a_target_that_is_drained_is_less_where_another_one_takes_its_sessions() {
    let mut stage = before_a_deployment(INTERFACE);
    stage.observed.targets[0].draining = true;
    // Only those that the settings name are drained.
    assert_eq!(found(&stage), []);
    stage.policy.targets = ["tmt-1".parse().unwrap()].into();
    assert_eq!(found(&stage), [("target", "target-draining", "broken")]);
    second(&mut stage).draining = false;
    stage.policy.targets.insert("tmt-2".parse().unwrap());
    assert_eq!(found(&stage), [("target", "target-draining", "limited")]);
}

#[test]
fn each_target_that_the_settings_name_counts_and_each_that_they_allow() {
    let mut stage = before_a_deployment(INTERFACE);
    second(&mut stage).state = TargetState::Gone;
    assert_eq!(found(&stage), [("target", "target-gone", "broken")]);
    stage.policy.targets = ["tmt-1".parse().unwrap()].into();
    assert_eq!(found(&stage), []);
    stage.policy.targets.insert("tmt-3".parse().unwrap());
    assert_eq!(found(&stage), [("target", "target-unknown", "broken")]);
    stage.policy.targets.clear();
    // Those of others do not count unless they are allowed.
    let other = "222222222222".parse().unwrap();
    stage.observed.targets.iter_mut().for_each(|it| it.account = "222222222222".parse().unwrap());
    assert_eq!(found(&stage), [("target", "no-target", "broken")]);
    stage.policy.target_owners.others.insert(other);
    assert_eq!(found(&stage), [("target", "other-account", "cannot-tell"); 2]);
}

#[test]
fn the_room_of_a_target_is_known_or_not() {
    let with = |capacity, state| {
        let mut stage = before_a_deployment(INTERFACE);
        stage.observed.targets[0].capacity = capacity;
        stage.observed.targets[0].state = state;
        found(&stage).into_iter().filter(|(topic, ..)| *topic == "room").collect::<Vec<_>>()
    };
    let ready = TargetState::Ready;
    assert_eq!(with(Capacity::Unlimited, ready), []);
    assert_eq!(with(Capacity::Sources(1), ready), []);
    assert_eq!(with(Capacity::Unknown, ready), [("room", "room-unknown", "cannot-tell")]);
    assert_eq!(with(Capacity::Sources(0), ready), [("room", "targets-full", "broken")]);
    let full = [("room", "targets-full", "broken")];
    assert_eq!(with(Capacity::Unlimited, TargetState::Full), full);
    // Nobody asks for the room of what is gone.
    assert_eq!(with(Capacity::Unknown, TargetState::Gone), []);
}

#[test]
fn a_second_source_makes_one_place_too_few() {
    let mut stage = before_a_deployment(INTERFACE);
    stage.observed.targets[0].capacity = Capacity::Sources(1);
    assert_eq!(found(&stage), []);
    add_source(&mut stage, "m5.large", InstanceState::Running);
    assert_eq!(found(&stage), [("room", "room-short", "limited")]);
    let beside = second(&mut stage);
    beside.endpoint = Endpoint::GatewayLoadBalancerEndpoint("vpce-1".into());
    beside.capacity = Capacity::Unlimited;
    beside.interfaces.clear();
    assert_eq!(found(&stage), [("target", "behind-endpoint", "cannot-tell")]);
}

#[test]
fn a_type_that_the_operator_accepts_is_limited_and_one_that_does_not_run_is_nothing() {
    let mut stage = before_a_deployment(INTERFACE);
    add_source(&mut stage, "m99x.large", InstanceState::Running);
    let unknown = ("instance-types", "instance-type-unknown", "cannot-tell");
    assert_eq!(found(&stage), [unknown]);
    stage.policy = Policy {
        accepted_reasons: ["instance-type-unknown".to_owned()].into(),
        ..stage.policy.clone()
    };
    let accepted = ("instance-types", "instance-type-unknown", "limited");
    assert_eq!(found(&stage), [accepted]);
    let mut stage = before_a_deployment(INTERFACE);
    add_source(&mut stage, "t2.micro", InstanceState::Stopped);
    assert_eq!(found(&stage), []);
}

/// Before a deployment something is always in the way.
#[test]
fn a_type_is_judged_whatever_else_is_in_the_way() {
    let of_types = |change: fn(&mut Stage)| {
        let mut stage = before_a_deployment(INTERFACE);
        add_source(&mut stage, "m99x.large", InstanceState::Running);
        change(&mut stage);
        let found = found(&stage).into_iter().filter(|(topic, ..)| *topic == "instance-types");
        found.map(|(_, code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(of_types(|_| ()), ["instance-type-unknown"]);
    let ways: [fn(&mut Stage); 4] = [
        |it| it.observed.targets.clear(),
        |it| it.observed.targets[0].capacity = Capacity::Sources(0),
        |it| it.policy.targets = ["tmt-9".parse().unwrap()].into(),
        |it| it.policy.filter = "tmf-9".parse().ok(),
    ];
    for (index, change) in ways.into_iter().enumerate() {
        assert_eq!(of_types(change), ["instance-type-unknown"], "{index}");
    }
    // Nor do tags that are wrong hide that EC2 refuses the type.
    let found_type = of_types(|it| {
        it.change_source(|instance| {
            instance.instance_type = "t2.micro".into();
            instance.tags.push(Tag { key: "Mirror-Interfaces".into(), value: "some".into() });
        });
    });
    assert_eq!(found_type, ["instance-type", "instance-type-unknown"]);
}

#[test]
fn as_many_sessions_are_needed_as_the_settings_ask_for() {
    let needed = |stage: &Stage| {
        let seen = checks(&facts(stage)).into_iter().filter_map(|check| check.result.ok());
        let of_sessions: Vec<_> = seen.filter(|text| text.contains("sessions are there")).collect();
        of_sessions.join("")
    };
    let counted = |used, more| format!("{used} of 10000 sessions are there; {more} more needed");
    let mut stage = before_a_deployment(INTERFACE);
    assert_eq!(needed(&stage), counted(0, 1));
    // A deployment brings the filter along that everything waits for.
    stage.observed.filters.clear();
    assert_eq!(needed(&stage), counted(0, 1));
    add_source(&mut stage, "t2.micro", InstanceState::Running);
    assert_eq!(needed(&stage), counted(0, 1));
    assert_eq!(needed(&Stage::new(INTERFACE)), counted(1, 0));
    // One that is right and mirrors nothing is no reason for a second one.
    let mut stage = Stage::new(INTERFACE);
    stage.observed.filters[0].rules.clear();
    assert_eq!(needed(&stage), counted(1, 0));
    // One that goes makes room for another one.
    let mut stage = Stage::new(INTERFACE);
    add_source(&mut stage, "m5.large", InstanceState::Running);
    assert_eq!(needed(&stage), counted(1, 1));
    stage.untag();
    assert_eq!(needed(&stage), counted(1, 0));
}

#[test]
fn a_source_may_need_several_sessions() {
    let mut stage = before_a_deployment(INTERFACE);
    second(&mut stage);
    let filter = Filter { id: "tmf-2".parse().unwrap(), ..stage.observed.filters[0].clone() };
    stage.observed.filters.push(filter);
    stage.change_source(|instance| {
        for (key, value) in [("Mirror-Target", "tmt-1,tmt-2"), ("Mirror-Filter", "tmf-1,tmf-2")] {
            instance.tags.push(Tag { key: key.into(), value: value.into() });
        }
    });
    let seen = checks(&facts(&stage)).into_iter().filter_map(|check| check.result.ok());
    assert!(seen.into_iter().any(|text| text.starts_with("0 of 10000 sessions are there; 2 ")));
}

/// A second instance like the first one.
fn add_source(stage: &mut Stage, instance_type: &str, in_state: InstanceState) {
    let mut instance = (*stage.observed.instances[0]).clone();
    instance.id = "i-9".parse().unwrap();
    instance.instance_type = instance_type.into();
    instance.state = in_state;
    let instance = Arc::new(instance);
    let Shown::Yes(mut interface) = stage.observed.sources[0].interface.clone() else {
        panic!("the first source is shown")
    };
    interface.owner = shared::observed::Owner::Instance(instance.clone());
    stage.observed.instances.push(instance);
    let id = "eni-9".parse().unwrap();
    stage.observed.sources.push(Source { id, interface: Shown::Yes(interface) });
}
