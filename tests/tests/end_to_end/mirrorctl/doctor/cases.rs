//! The faults, in the order of the links.

use local_cloud::aws::ec2::{
    AclEntry, CreateRule, DEFAULT_VPC, Direction, GroupRule, OTHER_VPC, Peer, SECOND_VPC, Tags,
    Traffic, ZONE_A, ZONE_B,
};

use super::way::{
    Kind::{self, Balancer, Endpoint, Interface, Peered, Shared},
    SOURCES, Way, group,
};
use crate::stage::user;

/// A fault that is put in, and what becomes of it.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) code: &'static str,
    pub(super) link: &'static str,
    pub(super) kind: Kind,
    /// Words of the advice that the case follows: with other advice it is another case.
    pub(super) advice: &'static str,
    pub(super) put: fn(&mut Way),
    pub(super) mend: fn(&mut Way),
    /// What doctor is asked with, before and after.
    pub(super) arguments: &'static [&'static str],
}

const NOTHING: &[&str] = &[];
const BEHIND: &[&str] = &["--ignore", "behind-endpoint=*"];
const THEIRS: &[&str] = &["--ignore", "other-account=*"];
/// Somebody agrees to what CloudWatch costs.
pub(super) const AGREED: &[&str] = &["--flow", "--flow-cost", "1"];

const fn case(
    (code, link): (&'static str, &'static str),
    kind: Kind,
    advice: &'static str,
    put: fn(&mut Way),
    mend: fn(&mut Way),
) -> Case {
    let arguments = match kind {
        Kind::Endpoint => BEHIND,
        Kind::Shared => THEIRS,
        Kind::Interface | Kind::Peered | Kind::Balancer => NOTHING,
    };
    Case { code, link, kind, advice, put, mend, arguments }
}

fn delete_session(way: &mut Way) {
    let session = way.stage.session(&way.source).id;
    way.stage.world().delete_session(&user(), &session).unwrap();
}

fn stop(way: &Way, instance: &str) {
    way.stage.world().stop_instances(&user(), &[instance.to_owned()]).unwrap();
    way.stage.let_run();
    way.stage.let_run();
}

fn start(way: &Way, instance: &str) {
    way.stage.world().start_instances(&user(), &[instance.to_owned()]).unwrap();
    way.stage.let_run();
    way.stage.let_run();
}

fn terminate_sensor(way: &mut Way) {
    let sensor = way.sensor.clone();
    way.stage.world().terminate_instances(&user(), &[sensor]).unwrap();
    way.stage.let_run();
    way.stage.let_run();
}

/// Leaves the filter this many rules.
fn cut_filter(way: &Way, left: usize) {
    let mut world = way.stage.world();
    let rules = world.filter(&way.stage.filter).unwrap().rules.clone();
    for rule in rules.iter().skip(left) {
        world.delete_rule(&user(), rule).unwrap();
    }
}

fn fill_filter(way: &Way, directions: &[Direction]) {
    for direction in directions {
        let rule = CreateRule::accept_all(&way.stage.filter, *direction, 200);
        way.stage.world().create_rule(&user(), rule, Tags::new()).unwrap();
    }
}

fn health(way: &Way, state: &str) {
    way.balancer(|it| state.clone_into(&mut it.target_group().targets[0].1));
}

fn shut_group(way: &Way, id: &str) {
    way.stage.world().security_group(id).inbound.clear();
}

/// What `authorize-security-group-ingress` and `-egress` do.
fn open_group(way: &Way, id: &str) {
    way.stage.world().put_security_group(group(id));
}

/// What `create-network-acl-entry` does: a rule before the others.
fn entry(way: &Way, subnet: &str, number: i32, egress: bool, allows: bool) {
    let mut world = way.stage.world();
    if number == DENIED {
        world.give_own_acl(subnet);
    }
    world.acl_of(subnet).entries.push(AclEntry::everything(number, egress, allows));
}

const DENIED: i32 = 50;
const ALLOWED: i32 = 40;

fn shut_acl(way: &Way, subnet: &str, egress: bool) {
    entry(way, subnet, DENIED, egress, false);
}

fn open_acl(way: &Way, subnet: &str, egress: bool) {
    entry(way, subnet, ALLOWED, egress, true);
}

/// Changes the route between the VPCs, from one of them.
fn via(way: &Way, vpc: &str, via: &str, active: bool) {
    let mut world = way.stage.world();
    let route = world.main_route_table(vpc).routes.last_mut().unwrap();
    (route.via, route.active) = (via.to_owned(), active);
}

fn lose_route(way: &mut Way) {
    way.stage.world().main_route_table(DEFAULT_VPC).routes.pop();
}

fn add_route(way: &mut Way) {
    let mut world = way.stage.world();
    let mut route = world.main_route_table(OTHER_VPC).routes.last().unwrap().clone();
    "172.16.0.0/12".clone_into(&mut route.destination);
    world.main_route_table(DEFAULT_VPC).routes.push(route);
}

fn relisten(way: &mut Way) {
    let sensor = way.sensor.clone();
    way.balancer(|it| it.listen(&[&sensor]));
}

fn cross(way: &mut Way) {
    way.balancer(|it| it.crosses_zones = true);
}

fn open_sensor(way: &mut Way) {
    open_group(way, "sg-sensor");
}

fn lead_back(way: &mut Way) {
    via(way, DEFAULT_VPC, "pcx-1", true);
    via(way, OTHER_VPC, "pcx-1", true);
}

/// Sessions, filters and targets.
pub(super) const ENDS: &[Case] = &[
    case(
        ("not-mirrored", "session"),
        Interface,
        "at the next event or sweep",
        delete_session,
        |_| (),
    ),
    Case {
        arguments: &["--set", "keep-stopped=true"],
        ..case(
            ("session-idle", "session"),
            Interface,
            "Start the instance",
            |way| stop(way, &way.source.clone()),
            |way| start(way, &way.source.clone()),
        )
    },
    case(
        ("filter-empty", "filter"),
        Interface,
        "Add rules",
        |way| cut_filter(way, 0),
        |way| fill_filter(way, &[Direction::Ingress, Direction::Egress]),
    ),
    case(
        ("filter-partial", "filter"),
        Interface,
        "Add rules",
        |way| cut_filter(way, 1),
        |way| fill_filter(way, &[Direction::Egress]),
    ),
    case(
        ("target-stopped", "target"),
        Interface,
        "Start the instance",
        |way| stop(way, &way.sensor.clone()),
        |way| start(way, &way.sensor.clone()),
    ),
    case(
        ("target-gone", "target"),
        Interface,
        "another sensor",
        terminate_sensor,
        Way::put_interface,
    ),
    case(
        ("share-withdrawn", "target"),
        Shared,
        "share the target again",
        |way| way.stage.world().unshare_target(&way.target),
        |way| way.stage.world().share_target(&way.target, "111122223333"),
    ),
    case(
        ("balancer-gone", "target"),
        Balancer,
        "name that target in MIRROR_TARGET_IDS",
        |way| way.remove_what_is_at_the_target(),
        |way| {
            way.put_balancer();
            way.name_target();
        },
    ),
    case(
        ("balancer-not-active", "target"),
        Balancer,
        "Wait if it is being provisioned",
        |way| way.balancer(|it| "provisioning".clone_into(&mut it.state)),
        |way| way.balancer(|it| "active".clone_into(&mut it.state)),
    ),
    case(
        ("endpoint-gone", "target"),
        Endpoint,
        "name that target in MIRROR_TARGET_IDS",
        |way| way.remove_what_is_at_the_target(),
        |way| {
            way.put_endpoint();
            way.name_target();
        },
    ),
    case(
        ("endpoint-not-available", "target"),
        Endpoint,
        "accept the endpoint",
        |way| way.set_endpoint("pendingAcceptance"),
        |way| way.set_endpoint("available"),
    ),
];

/// Load balancers.
pub(super) const BALANCERS: &[Case] = &[
    case(
        ("zone-without-node", "zone"),
        Balancer,
        "cross_zone",
        |way| {
            way.balancer(|it| {
                it.zones = vec![("us-east-1b".to_owned(), ZONE_B.to_owned())];
                it.crosses_zones = false;
            });
        },
        cross,
    ),
    case(
        ("no-listener", "listener"),
        Balancer,
        "--protocol UDP --port 4789",
        |way| way.balancer(|it| it.listeners.clear()),
        relisten,
    ),
    case(
        ("no-listener", "listener"),
        Balancer,
        "--protocol UDP --port 4789",
        |way| way.balancer(|it| "TCP".clone_into(&mut it.listeners[0].protocol)),
        relisten,
    ),
    case(
        ("no-healthy-sensor", "health"),
        Balancer,
        "Start the sensors",
        |way| health(way, "unhealthy"),
        |way| health(way, "healthy"),
    ),
    case(
        ("no-healthy-sensor", "health"),
        Balancer,
        "register them",
        |way| way.balancer(|it| it.target_group().targets.clear()),
        relisten,
    ),
    case(
        ("health-unknown", "health"),
        Balancer,
        "wait for the first one",
        |way| health(way, "initial"),
        |way| health(way, "healthy"),
    ),
    case(
        ("no-healthy-sensor-in-zone", "health"),
        Balancer,
        "cross_zone",
        |way| way.balancer(|it| it.crosses_zones = false),
        cross,
    ),
    case(
        ("no-healthy-sensor-in-zone", "health"),
        Balancer,
        "cross_zone",
        |way| way.balancer(|it| it.target_group().crosses_zones = Some(false)),
        |way| way.balancer(|it| it.target_group().crosses_zones = None),
    ),
];

/// Security groups and network ACLs.
pub(super) const DOORS: &[Case] = &[
    case(
        ("security-group-in", "security-group"),
        Interface,
        "inbound rule",
        |way| shut_group(way, "sg-sensor"),
        open_sensor,
    ),
    case(
        ("security-group-in", "security-group"),
        Interface,
        "inbound rule",
        |way| {
            let wrong = GroupRule::udp(4790, Peer::Block(SOURCES.to_owned()));
            way.stage.world().security_group("sg-sensor").inbound = vec![wrong];
        },
        open_sensor,
    ),
    case(
        ("security-group-in", "security-group"),
        Balancer,
        "inbound rule",
        |way| shut_group(way, "sg-node"),
        |way| open_group(way, "sg-node"),
    ),
    case(
        ("security-group-in", "security-group"),
        Balancer,
        "inbound rule",
        |way| shut_group(way, "sg-sensor"),
        open_sensor,
    ),
    case(
        ("security-group-out", "security-group"),
        Balancer,
        "outbound rule",
        |way| way.stage.world().security_group("sg-node").outbound.clear(),
        |way| open_group(way, "sg-node"),
    ),
    case(
        ("prefix-list", "security-group"),
        Interface,
        "get-managed-prefix-list-entries",
        |way| {
            let list = GroupRule::udp(4789, Peer::PrefixList("pl-1".to_owned()));
            way.stage.world().security_group("sg-sensor").inbound = vec![list];
        },
        open_sensor,
    ),
    case(
        ("not-shown", "security-group"),
        Interface,
        "as the account that owns it",
        |way| {
            let interface = way.stage.interface(&way.sensor);
            way.set_groups(&interface, &["sg-of-another-account"]);
        },
        |way| way.stage.world().put_security_group(group("sg-of-another-account")),
    ),
    case(
        ("network-acl-out", "acl"),
        Interface,
        "outbound rule that allows UDP",
        |way| shut_acl(way, ZONE_A, true),
        |way| open_acl(way, ZONE_A, true),
    ),
    case(
        ("network-acl-in", "acl"),
        Interface,
        "inbound rule that allows UDP",
        |way| shut_acl(way, ZONE_B, false),
        |way| open_acl(way, ZONE_B, false),
    ),
    case(
        ("network-acl-in", "acl"),
        Balancer,
        "inbound rule that allows UDP",
        |way| shut_acl(way, ZONE_B, false),
        |way| open_acl(way, ZONE_B, false),
    ),
    case(
        ("network-acl-out", "acl"),
        Balancer,
        "outbound rule that allows UDP",
        |way| shut_acl(way, ZONE_A, true),
        |way| open_acl(way, ZONE_A, true),
    ),
    case(
        ("network-acl-in", "acl"),
        Endpoint,
        "inbound rule that allows UDP",
        |way| shut_acl(way, ZONE_B, false),
        |way| open_acl(way, ZONE_B, false),
    ),
    case(
        ("endpoint-not-available", "target"),
        Endpoint,
        "create another",
        |way| way.set_endpoint("failed"),
        |way| {
            way.put_endpoint();
            way.name_target();
        },
    ),
];

/// Routes to another VPC.
pub(super) const WAYS: &[Case] = &[
    case(("no-route", "route"), Peered, "Add a route", lose_route, add_route),
    case(
        ("no-route", "route"),
        Peered,
        "Add a route",
        |way| via(way, DEFAULT_VPC, "pcx-1", false),
        lead_back,
    ),
    case(
        ("route-not-followed", "route"),
        Peered,
        "Check what the message assumes",
        |way| via(way, OTHER_VPC, "pcx-2", true),
        lead_back,
    ),
    case(
        ("route-not-followed", "route"),
        Peered,
        "Check what the message assumes",
        |way| via(way, DEFAULT_VPC, "tgw-1", true),
        lead_back,
    ),
    case(
        ("network-acl-in", "acl"),
        Peered,
        "inbound rule that allows UDP",
        |way| shut_acl(way, SECOND_VPC, false),
        |way| open_acl(way, SECOND_VPC, false),
    ),
];

/// The same with what CloudWatch counts.
const fn flow(case: Case) -> Case {
    Case { arguments: AGREED, ..case }
}

fn back_to_normal(way: &mut Way) {
    way.stage.world().traffic = Traffic::default();
}

pub(super) const FLOW: &[Case] = &[
    flow(case(
        ("no-copies", "copies"),
        Interface,
        "See whether the filter takes",
        |way| {
            way.stage.world().traffic.mute.insert(way.source.clone());
        },
        back_to_normal,
    )),
    flow(case(
        ("idle", "copies"),
        Balancer,
        "Have the source send something",
        |way| {
            way.stage.world().traffic.idle.insert(way.source.clone());
        },
        back_to_normal,
    )),
    flow(case(
        ("counted-together", "copies"),
        Interface,
        "Look at a capture",
        |way| {
            let interface = way.stage.interface(&way.source);
            way.stage.foreign(&interface, 9, &way.target);
        },
        |way| {
            let foreign = {
                let world = way.stage.world();
                let found = world.sessions().find(|session| session.number == 9);
                found.unwrap().id.clone()
            };
            way.stage.world().delete_session(&user(), &foreign).unwrap();
        },
    )),
    Case {
        arguments: &["--flow", "--flow-cost", "1", "--threshold", "unsupported"],
        ..case(
            ("copies-dropped", "load"),
            Balancer,
            "an instance type with more bandwidth",
            |way| {
                way.stage.world().traffic.lossy.insert(way.source.clone(), 0.2);
            },
            back_to_normal,
        )
    },
    flow(case(
        ("balancer-gets-nothing", "bytes"),
        Balancer,
        "Look at the links before this one",
        |way| way.stage.world().traffic.is_lost = true,
        back_to_normal,
    )),
];
