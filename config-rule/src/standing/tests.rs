//! Each fault alone, and what is not known.

use shared::observed::{Capacity, Location};

use super::*;

fn target(endpoint: Endpoint) -> Target {
    Target {
        id: "tmt-1".parse().unwrap(),
        account: "111122223333".parse().unwrap(),
        endpoint,
        location: Location::default(),
        capacity: Capacity::Unlimited,
        state: TargetState::Ready,
        draining: false,
        interfaces: Vec::new(),
    }
}

fn sensor(health: Health) -> Sensor {
    Sensor { id: "i-1".to_owned(), port: Some(4789), health }
}

fn listener(takes_udp: bool, port: u16) -> Listener {
    Listener { takes_udp, port, pools: vec!["arn".to_owned()] }
}

/// A load balancer and an interface that receive.
fn facts() -> Facts {
    let balancer = Balancer {
        state: "active".to_owned(),
        groups: vec!["sg-1".to_owned()],
        listeners: Ok(vec![listener(true, 80), listener(false, 4789), listener(true, 4789)]),
        pools: vec![Ok(vec![sensor(Health::Unhealthy), sensor(Health::Healthy)])],
    };
    Facts {
        balancers: Ok([("net/a/b".to_owned(), balancer)].into()),
        interfaces: Ok([("eni-1".parse().unwrap(), vec!["sg-2".to_owned()])].into()),
        doors: Ok([("sg-1".to_owned(), true), ("sg-2".to_owned(), true)].into()),
    }
}

/// What a change of the facts makes of the load balancer.
fn balanced(change: impl Fn(&mut Balancer)) -> Standing {
    let mut facts = facts();
    change(facts.balancers.as_mut().unwrap().get_mut("net/a/b").unwrap());
    standing(&target(Endpoint::NetworkLoadBalancer("net/a/b".into())), &facts)
}

/// What a change makes of both kinds.
fn both(change: impl Fn(&mut Facts)) -> [Standing; 2] {
    let mut facts = facts();
    change(&mut facts);
    [
        standing(&target(Endpoint::NetworkLoadBalancer("net/a/b".into())), &facts),
        standing(&target(Endpoint::Interface("eni-1".parse().unwrap())), &facts),
    ]
}

#[track_caller]
fn is_unhealthy(standing: &Standing, expected: &str) {
    let Standing::Unhealthy(why) = standing else { panic!("{standing:?}") };
    assert!(why.contains(expected), "{why}");
}

#[track_caller]
fn is_unknown(standing: &Standing) {
    assert!(matches!(standing, Standing::Unknown(_)), "{standing:?}");
}

fn unread<T>() -> Read<T> {
    Err("denied".to_owned())
}

#[test]
fn what_receives_is_healthy_and_each_fault_alone_is_not() {
    assert_eq!(both(|_| {}), [Standing::Healthy, Standing::Healthy]);
    assert_eq!(balanced(|it| it.state = "active_impaired".to_owned()), Standing::Healthy);
    assert_eq!(balanced(|it| it.groups.clear()), Standing::Healthy);
    for state in ["failed", "provisioning"] {
        is_unhealthy(&balanced(|it| it.state = state.to_owned()), &format!("net/a/b is {state}"));
    }
    let no_listener = "no UDP listener on port 4789";
    is_unhealthy(&balanced(|it| it.listeners = Ok(vec![listener(true, 80)])), no_listener);
    is_unhealthy(&balanced(|it| it.listeners = Ok(vec![listener(false, 4789)])), no_listener);
    let ill = Ok(vec![sensor(Health::Unhealthy)]);
    is_unhealthy(&balanced(|it| it.pools = vec![ill.clone()]), "of 1 sensors");
    is_unhealthy(&balanced(|it| it.pools.clear()), "of 0 sensors");
    let gone = both(|it| it.balancers = Ok(BTreeMap::new()));
    is_unhealthy(&gone[0], "there is no load balancer net/a/b");
    for shut in both(|it| it.doors = Ok([("sg-1".into(), false), ("sg-2".into(), false)].into())) {
        is_unhealthy(&shut, "takes UDP 4789");
    }
    for (state, expected) in [(TargetState::Stopped, "does not run"), (TargetState::Gone, "gone")] {
        let it = Target { state, ..target(Endpoint::Interface("eni-1".parse().unwrap())) };
        is_unhealthy(&standing(&it, &facts()), expected);
    }
}

#[test]
fn one_open_door_is_enough() {
    let doors = |second| [("sg-1".to_owned(), false), ("sg-9".to_owned(), second)].into();
    let groups = || vec!["sg-1".to_owned(), "sg-9".to_owned()];
    let found = |second| door("it", &groups(), &Ok(doors(second)));
    assert_eq!(found(true), Standing::Healthy);
    is_unhealthy(&found(false), "no inbound rule of sg-1,sg-9 on it");
    is_unknown(&door("it", &groups(), &Ok([("sg-1".to_owned(), false)].into())));
}

#[test]
fn what_aws_does_not_say_is_neither_healthy_nor_unhealthy() {
    let starting = Ok(vec![sensor(Health::Unhealthy), sensor(Health::Unknown)]);
    is_unknown(&balanced(|it| it.pools = vec![starting.clone()]));
    is_unknown(&both(|it| it.interfaces = Ok(BTreeMap::new()))[1]);
    is_unknown(&both(|it| it.interfaces = Ok([("eni-1".parse().unwrap(), Vec::new())].into()))[1]);
    is_unknown(&balanced(|it| it.state = "in a state that is not named".to_owned()));
    both(|it| it.doors = Ok(BTreeMap::new())).iter().for_each(is_unknown);
    let state = TargetState::Unknown;
    let it = Target { state, ..target(Endpoint::Interface("eni-1".parse().unwrap())) };
    is_unknown(&standing(&it, &facts()));
    for endpoint in
        [Endpoint::GatewayLoadBalancerEndpoint("vpce-1".into()), Endpoint::Other("x".into())]
    {
        assert!(!can_be_seen(&target(endpoint.clone())));
        is_unknown(&standing(&target(endpoint), &facts()));
    }
}

#[test]
fn what_could_not_be_read_is_never_healthy_and_hides_no_fault_that_was_seen() {
    let denied = Standing::Unread("denied".to_owned());
    assert_eq!(balanced(|it| it.listeners = unread()), denied);
    assert_eq!(balanced(|it| it.pools = vec![unread()]), denied);
    assert_eq!(both(|it| it.balancers = unread()), [denied.clone(), Standing::Healthy]);
    assert_eq!(both(|it| it.interfaces = unread()), [Standing::Healthy, denied.clone()]);
    assert_eq!(both(|it| it.doors = unread()), [denied.clone(), denied]);
    // One healthy sensor is enough, and one fault.
    let healthy = vec![unread(), Ok(vec![sensor(Health::Healthy)])];
    assert_eq!(balanced(|it| it.pools = healthy.clone()), Standing::Healthy);
    let blind = both(|it| {
        it.doors = Ok([("sg-1".to_owned(), false)].into());
        it.balancers.as_mut().unwrap().get_mut("net/a/b").unwrap().listeners = unread();
    });
    is_unhealthy(&blind[0], "takes UDP 4789");
}
