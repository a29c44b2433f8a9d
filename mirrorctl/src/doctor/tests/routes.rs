//! Between subnets: network ACLs, where routes lead, and what of a packet arrives by them.

use super::super::network::{Destination, Route, Via};
use super::check;
use super::stage::{BALANCER, ENDPOINT, INTERFACE, Stage, block};

const NO_ROUTE: [(&str, &str, &str); 2] =
    [("route", "no-route", "rtb-1"), ("mtu", "no-route", "rtb-1")];

/// A target in another VPC, with this route there.
fn far(via: Option<Via>) -> impl FnOnce(&mut Stage) {
    move |it: &mut Stage| {
        it.move_target_to_another_vpc();
        it.table("rtb-1").extend(via.map(Stage::route_to_the_other_vpc));
    }
}

#[test]
fn a_route_leads_to_the_target_or_is_named() {
    check(INTERFACE, |it| it.table("rtb-1").clear(), &NO_ROUTE);
    check(INTERFACE, |it| it.table("rtb-1")[0].is_active = false, &NO_ROUTE);
    check(BALANCER, |it| it.table("rtb-1").clear(), &NO_ROUTE);
    // Two VPCs with the same addresses: the packets never leave the source's.
    let twin = |it: &mut Stage| it.interface("eni-2").vpc = "vpc-2".to_owned();
    check(INTERFACE, twin, &NO_ROUTE);
    let peering = || Via::Peering("pcx-1".to_owned());
    check(INTERFACE, far(None), &NO_ROUTE);
    check(
        INTERFACE,
        |it| {
            far(Some(peering()))(it);
            it.table("rtb-2").push(Stage::route_back(peering()));
        },
        &[],
    );
    check(INTERFACE, far(Some(peering())), &[("route", "route-not-followed", "pcx-1")]);
    check(
        INTERFACE,
        |it| {
            far(Some(peering()))(it);
            it.table("rtb-2").push(Stage::route_back(Via::Peering("pcx-2".to_owned())));
        },
        &[("route", "route-not-followed", "pcx-1")],
    );
    check(
        INTERFACE,
        far(Some(Via::TransitGateway("tgw-1".to_owned()))),
        &[("route", "route-not-followed", "tgw-1")],
    );
    check(
        INTERFACE,
        far(Some(Via::Other("eni-9".to_owned()))),
        &[("route", "route-not-followed", "eni-9"), ("mtu", "route-not-followed", "eni-9")],
    );
}

#[test]
fn the_longest_prefix_wins_and_a_prefix_list_may_be_any() {
    check(
        INTERFACE,
        |it| {
            let to = Destination::Block(block("10.0.2.0/24"));
            let via = Via::Other("eni-9".to_owned());
            it.table("rtb-1").push(Route { to, via, is_active: true });
        },
        &[("route", "route-not-followed", "eni-9"), ("mtu", "route-not-followed", "eni-9")],
    );
    let list = |via| {
        move |it: &mut Stage| {
            far(None)(it);
            let to = Destination::PrefixList("pl-1".to_owned());
            it.table("rtb-1").push(Route { to, via, is_active: true });
        }
    };
    check(
        INTERFACE,
        list(Via::Peering("pcx-1".to_owned())),
        &[("route", "prefix-list", "pl-1"), ("mtu", "prefix-list", "pl-1")],
    );
    // S3's addresses are no VPC's.
    check(INTERFACE, list(Via::Service("vpce-9".to_owned())), &NO_ROUTE);
}

#[test]
fn what_is_cut_off_depends_on_the_way() {
    let mtu = |mtu| move |it: &mut Stage| it.source_mtu = mtu;
    let cut = |at: &'static str| [("mtu", "packets-cut", at)];
    check(INTERFACE, mtu(8947), &[]);
    check(INTERFACE, mtu(8948), &cut("eni-2"));
    check(BALANCER, mtu(8500), &[]);
    check(BALANCER, mtu(8501), &cut("net/s/1"));
    let behind = ("health", "behind-endpoint", "vpce-1");
    check(ENDPOINT, mtu(8446), &[behind]);
    check(ENDPOINT, mtu(8447), &[behind, cut("vpce-1")[0]]);
    // Who asks for the beginning of packets gets it; 8500 is the default, shown.
    let length = |length: i32| {
        move |it: &mut Stage| {
            it.source_mtu = 9001;
            it.observed.sessions[0].packet_length = Some(length.try_into().unwrap());
            it.policy.packet_length = it.observed.sessions[0].packet_length;
        }
    };
    check(INTERFACE, length(128), &[]);
    check(INTERFACE, length(8500), &cut("eni-2"));
}

#[test]
fn a_sensor_behind_a_load_balancer_in_another_vpc_is_not_followed() {
    check(BALANCER, Stage::move_target_to_another_vpc, &[("route", "route-not-followed", "i-2")]);
    // The same address in two VPCs: the load balancer's own is meant.
    check(
        BALANCER,
        |it| {
            it.sensors()[0].id = "10.0.2.2".to_owned();
            let mut twin = it.interface("eni-2").clone();
            (twin.id, twin.vpc) = ("eni-0".to_owned(), "vpc-2".to_owned());
            it.network.interfaces.as_mut().unwrap().insert("eni-0".to_owned(), twin);
        },
        &[],
    );
}

#[test]
fn network_acls_are_asked_between_subnets() {
    // Out of a subnet the target's address counts, and into one the source's.
    check(
        INTERFACE,
        |it| {
            it.acl("subnet-1").outbound[0].block = block("10.0.2.0/24");
            it.acl("subnet-2").inbound[0].block = block("10.0.1.0/24");
        },
        &[],
    );
    // Within one subnet no network ACL is asked.
    check(
        INTERFACE,
        |it| {
            it.interface("eni-2").subnet = "subnet-1".to_owned();
            it.acl("subnet-1").inbound.clear();
            it.acl("subnet-1").outbound.clear();
        },
        &[],
    );
}
