//! From the EC2 SDK's types to ours. What cannot be read whole is left out, and then counts as not shown: half of a
//! network ACL could look open.

use std::ops::RangeInclusive;

use aws_sdk_ec2::types as ec2;
use shared_ec2::{
    addresses_of,
    doors::{EVERYTHING, is_about_udp},
};

use super::super::{
    block::Block,
    network::{
        Acl, AclRule, Destination, Endpoint, GroupRule, Interface, Route, Routes, SecurityGroup,
        Via,
    },
};

pub(super) fn interface(item: &ec2::NetworkInterface) -> Option<Interface> {
    let attachment = item.attachment();
    let is_primary = attachment.is_some_and(|it| {
        it.device_index() == Some(0) && it.network_card_index().unwrap_or(0) == 0
    });
    let primary_of = attachment.filter(|_| is_primary).and_then(|it| it.instance_id());
    let text = |text: Option<&str>| text.map(str::to_owned);
    Some(Interface {
        id: text(item.network_interface_id())?,
        vpc: text(item.vpc_id())?,
        subnet: text(item.subnet_id())?,
        zone: text(item.availability_zone())?,
        addresses: addresses_of(item),
        groups: item.groups().iter().filter_map(|group| text(group.group_id())).collect(),
        primary_of: text(primary_of),
        description: text(item.description().filter(|_| is_of_aws(item))).unwrap_or_default(),
    })
}

/// Anybody can write a description, so only those count on interfaces that AWS alone creates.
fn is_of_aws(item: &ec2::NetworkInterface) -> bool {
    use ec2::NetworkInterfaceType::{GatewayLoadBalancerEndpoint, NetworkLoadBalancer};
    item.requester_managed() == Some(true)
        && matches!(item.interface_type(), Some(NetworkLoadBalancer | GatewayLoadBalancerEndpoint))
}

pub(super) fn group(item: &ec2::SecurityGroup) -> Option<(String, SecurityGroup)> {
    let rules = |list: &[ec2::IpPermission]| list.iter().map(group_rule).collect::<Option<_>>();
    let inbound = rules(item.ip_permissions())?;
    let outbound = rules(item.ip_permissions_egress())?;
    Some((item.group_id()?.to_owned(), SecurityGroup { inbound, outbound }))
}

fn group_rule(item: &ec2::IpPermission) -> Option<GroupRule> {
    let protocol = item.ip_protocol()?;
    let blocks = item.ip_ranges().iter().map(|range| range.cidr_ip());
    let blocks = blocks.chain(item.ipv6_ranges().iter().map(|range| range.cidr_ipv6()));
    let blocks: Option<_> = blocks.map(|block| block?.parse::<Block>().ok()).collect();
    let groups = item.user_id_group_pairs().iter().filter_map(|it| it.group_id());
    let lists = item.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id());
    let takes_udp = is_about_udp(protocol);
    Some(GroupRule {
        takes_udp,
        // Everything comes without ports, and so may another protocol's rule.
        ports: if takes_udp && protocol != EVERYTHING {
            ports(item.from_port()?, item.to_port()?)
        } else {
            0..=u16::MAX
        },
        blocks: blocks?,
        groups: groups.map(str::to_owned).collect(),
        prefix_lists: lists.map(str::to_owned).collect(),
    })
}

/// -1 and -1 are all ports.
fn ports(from: i32, to: i32) -> RangeInclusive<u16> {
    match (u16::try_from(from), u16::try_from(to)) {
        (Ok(from), Ok(to)) => from..=to,
        _ => 0..=u16::MAX,
    }
}

/// A network ACL, for each subnet that has it.
pub(super) fn acl(item: &ec2::NetworkAcl) -> Vec<(String, Acl)> {
    let Some(acl) = rules_of(item) else { return Vec::new() };
    let subnets = item.associations().iter().filter_map(|it| it.subnet_id());
    subnets.map(|subnet| (subnet.to_owned(), acl.clone())).collect()
}

fn rules_of(item: &ec2::NetworkAcl) -> Option<Acl> {
    let mut acl = Acl { id: item.network_acl_id()?.to_owned(), ..Acl::default() };
    for entry in item.entries() {
        let rule = acl_rule(entry)?;
        if entry.egress()? {
            acl.outbound.push(rule);
        } else {
            acl.inbound.push(rule);
        }
    }
    Some(acl)
}

fn acl_rule(entry: &ec2::NetworkAclEntry) -> Option<AclRule> {
    let protocol = entry.protocol()?;
    let all = 0..=u16::MAX;
    let ports = match entry.port_range().filter(|_| protocol != EVERYTHING) {
        Some(range) => ports(range.from()?, range.to()?),
        None => all,
    };
    Some(AclRule {
        number: entry.rule_number()?,
        allows: *entry.rule_action()? == ec2::RuleAction::Allow,
        takes_udp: is_about_udp(protocol),
        ports,
        block: entry.cidr_block().or(entry.ipv6_cidr_block())?.parse().ok()?,
    })
}

/// Adds a route table, unless a route of it cannot be read.
pub(super) fn table(item: &ec2::RouteTable, routes: &mut Routes) {
    let read: Option<Vec<_>> = item.routes().iter().map(route).collect();
    let (Some(id), Some(read)) = (item.route_table_id(), read) else { return };
    routes.tables.insert(id.to_owned(), read);
    for association in item.associations() {
        if let Some(subnet) = association.subnet_id() {
            routes.of_subnet.insert(subnet.to_owned(), id.to_owned());
        }
        if let (Some(true), Some(vpc)) = (association.main(), item.vpc_id()) {
            routes.main_of_vpc.insert(vpc.to_owned(), id.to_owned());
        }
    }
}

fn route(item: &ec2::Route) -> Option<Route> {
    let block = item.destination_cidr_block().or(item.destination_ipv6_cidr_block());
    let to = match (block, item.destination_prefix_list_id()) {
        (Some(block), _) => Destination::Block(block.parse().ok()?),
        (None, list) => Destination::PrefixList(list?.to_owned()),
    };
    let is_active = item.state() == Some(&ec2::RouteState::Active);
    Some(Route { to, via: via(item), is_active })
}

fn via(item: &ec2::Route) -> Via {
    if let Some(id) = item.vpc_peering_connection_id() {
        return Via::Peering(id.to_owned());
    }
    if let Some(id) = item.transit_gateway_id() {
        return Via::TransitGateway(id.to_owned());
    }
    match item.gateway_id() {
        Some("local") => return Via::Local,
        // With a block as its destination it is a Gateway Load Balancer endpoint.
        Some(id) if id.starts_with("vpce-") && item.destination_prefix_list_id().is_some() => {
            return Via::Service(id.to_owned());
        }
        _ => {}
    }
    let others = [
        item.gateway_id(),
        item.nat_gateway_id(),
        item.network_interface_id(),
        item.instance_id(),
        item.egress_only_internet_gateway_id(),
        item.carrier_gateway_id(),
        item.local_gateway_id(),
        item.core_network_arn(),
        item.odb_network_arn(),
    ];
    let other = others.into_iter().flatten().next().unwrap_or("something that EC2 does not name");
    Via::Other(other.to_owned())
}

pub(super) fn endpoint(item: &ec2::VpcEndpoint) -> Option<(String, Endpoint)> {
    let state = item.state()?.as_str().to_owned();
    let service = item.service_name().unwrap_or_default().to_owned();
    Some((item.vpc_endpoint_id()?.to_owned(), Endpoint { state, service }))
}
