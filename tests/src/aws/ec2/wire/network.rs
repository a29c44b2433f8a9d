//! The lists of security groups, network ACLs, route tables and endpoints.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, respond};
use crate::aws::ec2::{
    AclEntry, Caller, DEFAULT_ACCOUNT, GroupRule, NetworkAcl, Peer, Refusal, Resource, Route,
    RouteTable, SecurityGroup, VpcEndpoint, World,
};

/// One page of a list, under the name that its list has.
fn list<T: Resource, X: Serialize>(
    (world, caller, parameters, flaw): (&World, &Caller, &Parameters<'_>, &Flaw),
    (action, ids, set): (&str, &str, &'static str),
    show: impl Fn(&T, Option<String>) -> X,
) -> Result<String, Refusal> {
    let query = parameters.query(ids)?;
    let mut page = world.describe::<T>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let rows = page.rows.into_iter();
    let rows: Set<X> = rows.map(|row| show(row, flaw.id(row).map(str::to_owned))).collect();
    let rows = serde_json::to_value(rows).expect("rows are text and numbers");
    let mut body = serde_json::Map::from_iter([(set.to_owned(), rows)]);
    body.extend(page.next_token.map(|token| ("nextToken".to_owned(), token.into())));
    Ok(respond(action, body))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    group_name: &'static str,
    group_description: &'static str,
    owner_id: &'static str,
    vpc_id: String,
    ip_permissions: Set<RuleXml>,
    ip_permissions_egress: Set<RuleXml>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleXml {
    ip_protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_port: Option<i32>,
    groups: Set<PeerXml>,
    ip_ranges: Set<PeerXml>,
    prefix_list_ids: Set<PeerXml>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct PeerXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix_list_id: Option<String>,
}

fn rule(rule: &GroupRule) -> RuleXml {
    let (mut groups, mut blocks, mut lists) = (None, None, None);
    match &rule.peer {
        Peer::Group(id) => {
            groups = Some(PeerXml { group_id: Some(id.clone()), ..PeerXml::default() });
        }
        Peer::Block(block) => {
            blocks = Some(PeerXml { cidr_ip: Some(block.clone()), ..PeerXml::default() });
        }
        Peer::PrefixList(id) => {
            lists = Some(PeerXml { prefix_list_id: Some(id.clone()), ..PeerXml::default() });
        }
    }
    let (from_port, to_port) = rule.ports.unzip();
    RuleXml {
        ip_protocol: rule.protocol.clone(),
        from_port,
        to_port,
        groups: groups.into_iter().collect(),
        ip_ranges: blocks.into_iter().collect(),
        prefix_list_ids: lists.into_iter().collect(),
    }
}

pub(super) fn describe_groups(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let names = ("DescribeSecurityGroups", "GroupId", "securityGroupInfo");
    list((world, caller, parameters, flaw), names, |row: &SecurityGroup, group_id| GroupXml {
        group_id,
        group_name: "a group",
        group_description: "a group",
        owner_id: DEFAULT_ACCOUNT,
        vpc_id: row.vpc.clone(),
        ip_permissions: row.inbound.iter().map(rule).collect(),
        ip_permissions_egress: row.outbound.iter().map(rule).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AclXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    network_acl_id: Option<String>,
    owner_id: &'static str,
    vpc_id: String,
    entry_set: Set<EntryXml>,
    association_set: Set<AssociationXml>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryXml {
    rule_number: i32,
    protocol: String,
    rule_action: &'static str,
    egress: bool,
    cidr_block: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    port_range: Option<PortsXml>,
}

#[derive(Serialize)]
struct PortsXml {
    from: i32,
    to: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AssociationXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    main: Option<bool>,
}

fn entry(entry: &AclEntry) -> EntryXml {
    EntryXml {
        rule_number: entry.number,
        protocol: entry.protocol.clone(),
        rule_action: if entry.allows { "allow" } else { "deny" },
        egress: entry.egress,
        cidr_block: entry.block.clone(),
        port_range: entry.ports.map(|(from, to)| PortsXml { from, to }),
    }
}

pub(super) fn describe_acls(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let names = ("DescribeNetworkAcls", "NetworkAclId", "networkAclSet");
    let associated = |id: &String| AssociationXml { subnet_id: Some(id.clone()), main: None };
    list((world, caller, parameters, flaw), names, |row: &NetworkAcl, network_acl_id| AclXml {
        network_acl_id,
        owner_id: DEFAULT_ACCOUNT,
        vpc_id: row.vpc.clone(),
        entry_set: row.entries.iter().map(entry).collect(),
        association_set: row.subnets.iter().map(associated).collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TableXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    route_table_id: Option<String>,
    owner_id: &'static str,
    vpc_id: String,
    route_set: Set<RouteXml>,
    association_set: Set<AssociationXml>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_cidr_block: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_prefix_list_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_peering_connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transit_gateway_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_interface_id: Option<String>,
    state: &'static str,
}

fn route(route: &Route) -> RouteXml {
    let (to, via) = (Some(route.destination.clone()), Some(route.via.clone()));
    let state = if route.active { "active" } else { "blackhole" };
    let mut xml = RouteXml { state, ..RouteXml::default() };
    if route.destination.starts_with("pl-") {
        xml.destination_prefix_list_id = to;
    } else {
        xml.destination_cidr_block = to;
    }
    match route.via.split_once('-').map(|(kind, _)| kind) {
        Some("pcx") => xml.vpc_peering_connection_id = via,
        Some("tgw") => xml.transit_gateway_id = via,
        Some("eni") => xml.network_interface_id = via,
        _ => xml.gateway_id = via,
    }
    xml
}

pub(super) fn describe_route_tables(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let names = ("DescribeRouteTables", "RouteTableId", "routeTableSet");
    let own = |id: &String| AssociationXml { subnet_id: Some(id.clone()), main: Some(false) };
    list((world, caller, parameters, flaw), names, |row: &RouteTable, route_table_id| {
        let main = AssociationXml { subnet_id: None, main: Some(true) };
        let associations = row.is_main.then_some(main).into_iter();
        TableXml {
            route_table_id,
            owner_id: DEFAULT_ACCOUNT,
            vpc_id: row.vpc.clone(),
            route_set: row.routes.iter().map(route).collect(),
            association_set: associations.chain(row.subnets.iter().map(own)).collect(),
        }
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndpointXml {
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_id: Option<String>,
    vpc_endpoint_type: &'static str,
    vpc_id: String,
    service_name: String,
    state: String,
    owner_id: String,
}

pub(super) fn describe_endpoints(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let names = ("DescribeVpcEndpoints", "VpcEndpointId", "vpcEndpointSet");
    list((world, caller, parameters, flaw), names, |row: &VpcEndpoint, vpc_endpoint_id| {
        EndpointXml {
            vpc_endpoint_id,
            vpc_endpoint_type: "GatewayLoadBalancer",
            vpc_id: row.vpc.clone(),
            service_name: row.service.clone(),
            state: row.state.clone(),
            owner_id: row.owner.clone(),
        }
    })
}
