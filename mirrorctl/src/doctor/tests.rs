//! Each link with each of its faults, one at a time.

mod arrival;
mod filter;
mod flow;
mod pre;
mod properties;
mod routes;
mod stage;

use shared::observed::{Endpoint, TargetState};

use super::{
    link::Link,
    links::{Checked, Subject, links},
    network::{Health, Network},
    trouble::Grade,
};
use stage::{BALANCER, ENDPOINT, INTERFACE, Stage, block, problem};

/// The verdict on the only source: each link that is not fine, with its code and what it lies in.
fn found(stage: &Stage) -> Vec<(&'static str, &'static str, String)> {
    let checked = stage.check();
    let [one] = checked.as_slice() else { panic!("{checked:?}") };
    let troubles = one.links.iter().filter_map(|(link, judgement)| {
        let trouble = judgement.as_ref().err()?;
        Some((link.name(), trouble.code, trouble.at.clone()))
    });
    troubles.collect()
}

#[track_caller]
fn check(target: &'static str, fault: impl FnOnce(&mut Stage), expected: &[(&str, &str, &str)]) {
    let mut stage = Stage::new(target);
    fault(&mut stage);
    let found = found(&stage);
    let found: Vec<_> = found.iter().map(|(link, code, at)| (*link, *code, at.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn without_a_fault_every_link_is_fine() {
    check(INTERFACE, |_| (), &[]);
    check(BALANCER, |_| (), &[]);
    check(ENDPOINT, |_| (), &[("health", "behind-endpoint", "vpce-1")]);
    let links = |target| {
        let checked = Stage::new(target).check();
        checked[0].links.keys().map(|link| link.name()).collect::<Vec<_>>()
    };
    let common = ["session", "filter", "target"];
    let way = ["security-group", "acl", "route", "mtu"];
    assert_eq!(links(INTERFACE), [&common[..], &way].concat());
    assert_eq!(links(BALANCER), [&common[..], &["zone", "listener", "health"], &way].concat());
    // An endpoint has no security group.
    assert_eq!(links(ENDPOINT), [&common[..], &["health"], &way[1..]].concat());
}

#[test]
fn a_session_that_is_not_as_it_should_be_is_the_plans_word() {
    check(INTERFACE, |it| it.observed.sessions.clear(), &[("session", "not-mirrored", "tmt-1")]);
    check(
        INTERFACE,
        |it| it.observed.filters[0].rules.clear(),
        &[("filter", "filter-empty", "tmt-1")],
    );
    check(
        INTERFACE,
        |it| it.observed.filters[0].rules.truncate(1),
        &[("filter", "filter-partial", "tmt-1")],
    );
    check(INTERFACE, Stage::stop_source, &[("session", "session-idle", "i-1")]);
    // Until a session goes, it mirrors; one that another does the work of mirrors nothing.
    check(INTERFACE, Stage::untag, &[]);
    check(
        BALANCER,
        |it| {
            it.untag();
            it.listeners().clear();
        },
        &[("listener", "no-listener", "net/s/1")],
    );
    let mut stage = Stage::new(INTERFACE);
    let mut second = stage.observed.sessions[0].clone();
    second.id = "tms-2".parse().unwrap();
    second.number = 2.try_into().unwrap();
    stage.observed.sessions.push(second);
    let checked = stage.check();
    let codes: Vec<_> = checked
        .iter()
        .map(|it| it.links.values().find_map(|it| Some(it.as_ref().err()?.code)))
        .collect();
    assert_eq!(codes, [None, Some("duplicate")]);
}

#[test]
fn a_target_that_is_gone_hides_what_is_behind_it() {
    let state = |state| move |it: &mut Stage| it.observed.targets[0].state = state;
    for (change, code) in [
        (TargetState::Gone, "target-gone"),
        (TargetState::Stopped, "target-stopped"),
        // The plan's word for it: `target-unseen`.
        (TargetState::Unknown, "target-unseen"),
        (TargetState::Unread, "target-state-unknown"),
    ] {
        check(INTERFACE, state(change), &[("target", code, "tmt-1")]);
    }
    check(INTERFACE, Stage::withdraw, &[("target", "share-withdrawn", "tmt-1")]);
    check(BALANCER, |it| it.observed.targets.clear(), &[("target", "target-unknown", "tmt-1")]);
    check(BALANCER, Stage::give_away, &[("target", "other-account", "tmt-1")]);
    check(
        BALANCER,
        |it| it.observed.targets[0].endpoint = Endpoint::Other("satellite".into()),
        &[("target", "target-kind-unknown", "tmt-1")],
    );
    check(BALANCER, |it| it.balancers().clear(), &[("target", "balancer-gone", "net/s/1")]);
    check(
        BALANCER,
        |it| it.balancer().state = "failed".to_owned(),
        &[("target", "balancer-not-active", "net/s/1")],
    );
    check(ENDPOINT, |it| it.endpoints().clear(), &[("target", "endpoint-gone", "vpce-1")]);
    check(
        ENDPOINT,
        |it| it.endpoint().state = "rejected".to_owned(),
        &[("target", "endpoint-not-available", "vpce-1")],
    );
}

#[test]
fn a_load_balancer_needs_a_listener_a_node_and_a_healthy_sensor() {
    let no_listener = [("listener", "no-listener", "net/s/1")];
    check(BALANCER, |it| it.listeners().clear(), &no_listener);
    check(BALANCER, |it| it.listeners()[0].port = 4790, &no_listener);
    check(BALANCER, |it| it.listeners()[0].takes_udp = false, &no_listener);
    let no_sensor = [("health", "no-healthy-sensor", "net/s/1")];
    check(BALANCER, |it| it.sensors().clear(), &no_sensor);
    check(BALANCER, |it| it.sensors()[0].health = Health::Unhealthy, &no_sensor);
    check(
        BALANCER,
        |it| it.sensors()[0].health = Health::Unknown,
        &[("health", "health-unknown", "net/s/1")],
    );
    // The sensor is in another zone: what matters is whether packets cross.
    let elsewhere = [("health", "no-healthy-sensor-in-zone", "net/s/1/z-a")];
    check(BALANCER, |it| it.balancer().crosses_zones = Ok(false), &elsewhere);
    check(BALANCER, |it| it.pool().crosses_zones = Ok(Some(false)), &elsewhere);
    let neither = |it: &mut Stage| {
        it.balancer().crosses_zones = Ok(false);
        it.pool().crosses_zones = Ok(Some(true));
    };
    check(BALANCER, neither, &[]);
    let no_node = |it: &mut Stage| {
        it.balancer().zones = ["z-b".to_owned()].into();
        it.interface("eni-3").zone = "z-b".to_owned();
    };
    check(BALANCER, no_node, &[]);
    let no_way = |it: &mut Stage| {
        no_node(it);
        it.balancer().crosses_zones = Ok(false);
    };
    check(
        BALANCER,
        no_way,
        &[
            ("zone", "zone-without-node", "net/s/1/z-a"),
            ("health", "no-healthy-sensor-in-zone", "net/s/1/z-a"),
        ],
    );
}

#[test]
fn security_groups_and_network_acls_are_asked_on_every_leg() {
    check(
        INTERFACE,
        |it| it.group("sg-sensor").inbound.clear(),
        &[("security-group", "security-group-in", "sg-sensor")],
    );
    check(
        BALANCER,
        |it| it.group("sg-node").inbound.clear(),
        &[("security-group", "security-group-in", "sg-node")],
    );
    check(
        BALANCER,
        |it| it.group("sg-node").outbound.clear(),
        &[("security-group", "security-group-out", "sg-node")],
    );
    check(
        BALANCER,
        |it| it.group("sg-sensor").inbound.clear(),
        &[("security-group", "security-group-in", "sg-sensor")],
    );
    // Who is not healthy gets nothing, so his door may be shut.
    check(
        BALANCER,
        |it| {
            let mut shut = it.sensors()[0].clone();
            (shut.id, shut.health) = ("i-4".to_owned(), Health::Unhealthy);
            it.sensors().push(shut);
        },
        &[],
    );
    // A load balancer without security groups lets everything pass.
    check(BALANCER, |it| it.balancer().groups.clear(), &[]);
    let out = |it: &mut Stage| it.acl("subnet-1").outbound.clear();
    check(INTERFACE, out, &[("acl", "network-acl-out", "acl-subnet-1")]);
    check(
        ENDPOINT,
        out,
        &[("health", "behind-endpoint", "vpce-1"), ("acl", "network-acl-out", "acl-subnet-1")],
    );
    let into = |subnet: &'static str| move |it: &mut Stage| it.acl(subnet).inbound.clear();
    check(INTERFACE, into("subnet-2"), &[("acl", "network-acl-in", "acl-subnet-2")]);
    check(BALANCER, into("subnet-3"), &[("acl", "network-acl-in", "acl-subnet-3")]);
    check(BALANCER, into("subnet-2"), &[("acl", "network-acl-in", "acl-subnet-2")]);
    check(
        BALANCER,
        |it| it.acl("subnet-3").outbound.clear(),
        &[("acl", "network-acl-out", "acl-subnet-3")],
    );
}

#[test]
fn a_rule_is_for_its_port_its_protocol_and_its_peers() {
    let shut = [("security-group", "security-group-in", "sg-sensor")];
    check(INTERFACE, |it| it.rule("sg-sensor").ports = 1..=4788, &shut);
    check(INTERFACE, |it| it.rule("sg-sensor").takes_udp = false, &shut);
    check(INTERFACE, |it| it.rule("sg-sensor").blocks = vec![block("10.0.9.0/24")], &shut);
    check(
        INTERFACE,
        |it| {
            it.rule("sg-sensor").blocks.clear();
            it.rule("sg-sensor").groups = vec!["sg-source".to_owned()];
        },
        &[],
    );
    // Behind a load balancer, the sender is its security group and not the source's.
    let by_group = |group: &'static str| {
        move |it: &mut Stage| {
            it.rule("sg-sensor").blocks.clear();
            it.rule("sg-sensor").groups = vec![group.to_owned()];
        }
    };
    check(BALANCER, by_group("sg-source"), &shut);
    check(BALANCER, by_group("sg-node"), &[]);
    check(
        INTERFACE,
        |it| {
            it.rule("sg-sensor").blocks.clear();
            it.rule("sg-sensor").prefix_lists = vec!["pl-1".to_owned()];
        },
        &[("security-group", "prefix-list", "pl-1")],
    );
    // The lowest number decides.
    let deny = |number| {
        move |it: &mut Stage| {
            let mut rule = it.acl("subnet-2").inbound[0].clone();
            (rule.number, rule.allows) = (number, false);
            it.acl("subnet-2").inbound.push(rule);
        }
    };
    check(INTERFACE, deny(99), &[("acl", "network-acl-in", "acl-subnet-2")]);
    check(INTERFACE, deny(101), &[]);
}

#[test]
fn what_is_not_shown_is_not_fine() {
    check(
        INTERFACE,
        |it| it.network.groups.as_mut().unwrap().clear(),
        &[("security-group", "not-shown", "sg-sensor")],
    );
    check(
        INTERFACE,
        |it| it.network.acls.as_mut().unwrap().clear(),
        &[("acl", "not-shown", "subnet-1")],
    );
    check(
        INTERFACE,
        |it| it.routes().main_of_vpc.clear(),
        &[("route", "not-shown", "subnet-1"), ("mtu", "not-shown", "subnet-1")],
    );
    let hidden = |at: &'static str| {
        ["security-group", "acl", "route", "mtu"].map(|link| (link, "not-shown", at))
    };
    check(INTERFACE, |it| it.hide("eni-1"), &hidden("eni-1"));
    check(INTERFACE, |it| it.hide("eni-2"), &hidden("eni-2"));
    check(
        BALANCER,
        |it| it.hide("eni-2"),
        &["security-group", "acl", "route"].map(|link| (link, "not-shown", "i-2")),
    );
}

#[test]
fn a_permission_that_is_missing_is_named_where_it_matters() {
    type Deny = fn(&mut Network);
    let cases: [(&'static str, Deny, &[&str]); 4] = [
        (INTERFACE, |it| it.groups = problem("ec2:DescribeSecurityGroups"), &["security-group"]),
        (INTERFACE, |it| it.acls = problem("ec2:DescribeNetworkAcls"), &["acl"]),
        (INTERFACE, |it| it.routes = problem("ec2:DescribeRouteTables"), &["route", "mtu"]),
        (ENDPOINT, |it| it.endpoints = problem("ec2:DescribeVpcEndpoints"), &["target"]),
    ];
    for (target, deny, links) in cases {
        let mut stage = Stage::new(target);
        deny(&mut stage.network);
        let checked = stage.check();
        let denied: Vec<_> = checked[0]
            .links
            .iter()
            .filter_map(|(link, judgement)| Some((link, judgement.as_ref().err()?)))
            .filter(|(_, trouble)| trouble.code == "no-permission")
            .map(|(link, trouble)| {
                assert!(trouble.at.starts_with("ec2:Describe"), "{trouble:?}");
                assert_eq!(trouble.grade, Grade::CannotTell);
                link.name()
            })
            .collect();
        assert_eq!(denied, links);
    }
}

#[test]
fn the_worst_link_is_how_a_source_stands() {
    let grade = |fault: fn(&mut Stage)| {
        let mut stage = Stage::new(BALANCER);
        fault(&mut stage);
        let checked: Vec<Checked> =
            links(Subject { ..stage.subject(&stage.plan()) }, &stage.network);
        checked[0].grade()
    };
    assert_eq!(grade(|_| ()), None);
    assert_eq!(grade(|it| it.source_mtu = 9001), Some(Grade::Limited));
    assert_eq!(grade(|it| it.network.acls = problem("x")), Some(Grade::CannotTell));
    assert_eq!(grade(|it| it.listeners().clear()), Some(Grade::Broken));
    assert!(Link::Session < Link::Mtu);
}
