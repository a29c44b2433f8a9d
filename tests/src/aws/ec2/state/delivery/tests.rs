use super::super::stage::Stage;
use super::super::{Caller, CreateInterface, CreateRule, CreateSession, ModifySession, Tags};
use super::*;

const NONE: Versions = Versions { ipv4: false, ipv6: false };
const IPV4: Versions = Versions { ipv4: true, ipv6: false };
const IPV6: Versions = Versions { ipv4: false, ipv6: true };
const BOTH: Versions = Versions { ipv4: true, ipv6: true };
const INGRESS_IPV4: Flow = Flow { ingress: IPV4, egress: NONE, amazon_dns: false };

fn rule(stage: &mut Stage, filter: &str, direction: Direction, change: fn(&mut CreateRule)) {
    let number = stage.world.filter(filter).unwrap().rules.len();
    let mut rule = CreateRule::accept_all(filter, direction, number.try_into().unwrap());
    change(&mut rule);
    stage.world.create_rule(&stage.alice, rule, Tags::new()).unwrap();
}

fn ipv6(rule: &mut CreateRule) {
    rule.source_cidr = "::/0".to_owned();
    rule.destination_cidr = "::/0".to_owned();
}

fn reject(rule: &mut CreateRule) {
    "reject".clone_into(&mut rule.action);
}

/// A stage whose source has a session to the sensor that takes all that comes in over IPv4.
fn mirrored() -> Stage {
    let mut stage = Stage::new();
    let filter = stage.filter.clone();
    rule(&mut stage, &filter, Direction::Ingress, |_| ());
    stage.create(&stage.request());
    stage
}

fn one(stage: &Stage) -> Delivery {
    let [one] = &stage.world.delivers(&stage.source)[..] else { panic!("not one session") };
    one.clone()
}

#[test]
fn each_direction_and_version_has_rules_of_its_own() {
    let mut stage = mirrored();
    let filter = stage.filter.clone();
    let found = one(&stage);
    assert!(found.is_real());
    assert_eq!((found.accepts, found.gets), (INGRESS_IPV4, INGRESS_IPV4));
    rule(&mut stage, &filter, Direction::Egress, ipv6);
    assert_eq!(one(&stage).accepts, Flow { egress: IPV6, ..INGRESS_IPV4 });
    rule(&mut stage, &filter, Direction::Egress, reject);
    rule(&mut stage, &filter, Direction::Egress, |_| ());
    assert_eq!(one(&stage).accepts, Flow { egress: IPV6, ..INGRESS_IPV4 });
    rule(&mut stage, &filter, Direction::Ingress, ipv6);
    let accepts = Flow { ingress: BOTH, egress: IPV6, amazon_dns: false };
    assert_eq!(one(&stage).accepts, accepts);
}

#[test]
fn a_filter_without_rules_delivers_nothing_and_one_with_amazon_dns_that_only() {
    let mut stage = Stage::new();
    stage.create(&stage.request());
    assert!(!one(&stage).is_real());
    let (alice, filter) = (stage.alice.clone(), stage.filter.clone());
    let service = ["amazon-dns".to_owned()];
    stage.world.modify_network_services(&alice, &filter, &service, &[]).unwrap();
    let found = one(&stage);
    assert_eq!(found.accepts, Flow { amazon_dns: true, ..Flow::default() });
    assert!(found.is_real());
    // The one with the lower number, though it came later, leaves none of it.
    let target = stage.balancer();
    let session = &stage.world.delivers(&stage.source)[0].session;
    let change =
        ModifySession { session: session.clone(), number: Some(2), ..ModifySession::default() };
    stage.world.modify_session(&alice, &change).unwrap();
    stage.create(&CreateSession { target, ..stage.request() });
    let found = stage.world.delivers(&stage.source);
    assert_eq!([found[0].number, found[1].number], [1, 2]);
    assert_eq!([found[0].is_real(), found[1].is_real()], [true, false]);
    assert_eq!(found[0].accepts, found[1].accepts);
}

#[test]
fn the_lowest_number_takes_a_packet_even_if_its_target_takes_nothing() {
    let mut stage = mirrored();
    let sensor = [stage.sensor.clone()];
    let other = stage.world.create_filter(&stage.alice, None, Tags::new()).unwrap();
    rule(&mut stage, &other, Direction::Ingress, |_| ());
    rule(&mut stage, &other, Direction::Egress, |_| ());
    let target = stage.balancer();
    let second = CreateSession { number: Some(9), target, filter: other, ..stage.request() };
    stage.create(&second);
    stage.world.stop_instances(&stage.alice, &sensor).unwrap();
    let found = stage.world.delivers(&stage.source);
    assert_eq!([found[0].number, found[1].number], [1, 9]);
    assert!(!found[0].target_is_up && !found[0].is_real());
    assert_eq!(found[1].accepts, Flow { egress: IPV4, ..INGRESS_IPV4 });
    assert_eq!(found[1].gets, Flow { egress: IPV4, ..Flow::default() });
    assert!(found[1].is_real());
}

#[test]
fn what_a_lower_number_rejects_is_left_to_the_next() {
    let mut stage = Stage::new();
    let filter = stage.filter.clone();
    rule(&mut stage, &filter, Direction::Ingress, |rule| {
        reject(rule);
        rule.protocol = Some(6);
    });
    rule(&mut stage, &filter, Direction::Ingress, |_| ());
    stage.create(&stage.request());
    let tcp = stage.world.create_filter(&stage.alice, None, Tags::new()).unwrap();
    rule(&mut stage, &tcp, Direction::Ingress, |rule| rule.protocol = Some(6));
    let udp = stage.world.create_filter(&stage.alice, None, Tags::new()).unwrap();
    rule(&mut stage, &udp, Direction::Ingress, |rule| rule.protocol = Some(17));
    for (number, filter) in [(2, udp), (3, tcp)] {
        stage.create(&CreateSession { number: Some(number), filter, ..stage.request() });
    }
    let gets: Vec<_> = stage.world.delivers(&stage.source).iter().map(|found| found.gets).collect();
    assert_eq!(gets, [INGRESS_IPV4, Flow::default(), INGRESS_IPV4]);
}

#[test]
fn a_machine_sends_until_it_is_off() {
    let mut stage = mirrored();
    let (alice, ids) = (stage.alice.clone(), [stage.instance.clone()]);
    stage.world.stop_instances(&alice, &ids).unwrap();
    assert!(one(&stage).is_real(), "stopping");
    stage.world.tick();
    assert!(!one(&stage).source_is_up, "stopped");
    stage.world.modify_instance_type(&alice, &ids[0], "m8g.large").unwrap();
    stage.world.start_instances(&alice, &ids).unwrap();
    assert!(!one(&stage).is_real(), "of a type without mirroring");
    stage.world.instance_mut(&ids[0]).unwrap().instance_type = "m5.large".to_owned();
    assert!(one(&stage).is_real(), "pending");
    stage.world.tick();
    assert!(one(&stage).is_real(), "running");
    stage.world.terminate_instances(&alice, &ids).unwrap();
    assert!(one(&stage).is_real(), "shutting-down");
    stage.world.tick();
    assert_eq!(stage.world.delivers(&stage.source), []);
}

#[test]
fn a_detached_source_sends_nothing_and_a_database_always_does() {
    let mut stage = mirrored();
    let spare = CreateInterface::default();
    let spare = stage.world.create_interface(&stage.alice, &spare).unwrap();
    let attachment =
        stage.world.attach_interface(&stage.alice, &spare, &stage.instance, 1).unwrap();
    stage.create(&CreateSession { interface: spare.clone(), ..stage.request() });
    assert!(stage.world.delivers(&spare)[0].is_real());
    stage.world.detach_interface(&stage.alice, &attachment).unwrap();
    assert!(!stage.world.delivers(&spare)[0].is_real());
    let database = stage.interface_of_service("amazon-rds");
    stage.create(&CreateSession { interface: database.clone(), ..stage.request() });
    assert!(stage.world.delivers(&database)[0].is_real());
}

/// AWS's guide: mirroring stops, nothing tells, and target and sessions stay.
#[test]
fn a_target_whose_interface_goes_stays_listed_with_its_sessions_and_takes_nothing() {
    let mut stage = mirrored();
    let alice = stage.alice.clone();
    let spare = CreateInterface::default();
    let spare = stage.world.create_interface(&alice, &spare).unwrap();
    let sensor = stage.sensor.clone();
    let attachment = stage.world.attach_interface(&alice, &spare, &sensor, 1).unwrap();
    let endpoint = Endpoint::Interface(spare.clone());
    let target = stage.world.create_target(&alice, endpoint, None, Tags::new()).unwrap();
    let own = stage.create(&CreateSession { number: Some(2), target, ..stage.request() });

    let is_up = |stage: &Stage| {
        assert!(stage.world.target(&own.target).is_some() && stage.world.sessions().count() == 2);
        stage.world.delivers(&stage.source)[1].target_is_up
    };
    assert!(is_up(&stage));
    stage.world.detach_interface(&alice, &attachment).unwrap();
    assert!(!is_up(&stage), "detached");
    stage.world.attach_interface(&alice, &spare, &sensor, 1).unwrap();
    assert!(is_up(&stage));
    stage.world.stop_instances(&alice, std::slice::from_ref(&sensor)).unwrap();
    assert!(!is_up(&stage), "stopping");
    stage.world.tick();
    assert!(!is_up(&stage), "stopped");
    stage.world.terminate_instances(&alice, std::slice::from_ref(&sensor)).unwrap();
    stage.world.tick();
    assert!(!is_up(&stage), "terminated");
    stage.world.delete_interface(&alice, &spare).unwrap();
    assert!(!is_up(&stage), "deleted");
    assert_eq!(stage.world.target(&own.target).unwrap().endpoint, Endpoint::Interface(spare));
    stage.world.target(&stage.target).expect("the one whose interface died with its instance");
}

#[test]
fn balancers_take_copies_until_they_are_deleted_and_targets_while_they_are_shared() {
    let mut stage = mirrored();
    let alice = stage.alice.clone();
    let endpoint = super::super::ZONE_A;
    let endpoint = stage.world.create_gateway_load_balancer_endpoint(&alice, endpoint).unwrap();
    let gateway = Endpoint::GatewayLoadBalancerEndpoint(endpoint.clone());
    let target = stage.world.create_target(&alice, gateway, None, Tags::new()).unwrap();
    stage.create(&CreateSession { number: Some(2), target, ..stage.request() });
    let made_up = stage.balancer();
    stage.create(&CreateSession { number: Some(3), target: made_up, ..stage.request() });
    let up = |stage: &Stage| {
        let found = stage.world.delivers(&stage.source);
        found.iter().map(|found| found.target_is_up).collect::<Vec<_>>()
    };
    assert_eq!(up(&stage), [true, true, true]);
    stage.world.delete_balancer_or_endpoint(&endpoint);
    assert_eq!(up(&stage), [true, false, true]);

    let bob = Caller::user("444455556666");
    let (foreign, source) = (stage.target.clone(), stage.launch("t3.micro"));
    stage.world.targets.get_mut(&foreign).unwrap().owner = bob.account;
    stage.world.share_target(&foreign, &alice.account);
    stage.create(&CreateSession { interface: source.clone(), ..stage.request() });
    assert!(stage.world.delivers(&source)[0].target_is_up);
    stage.world.unshare_target(&foreign);
    assert!(!stage.world.delivers(&source)[0].target_is_up);
}
