//! The actions on traffic mirror filters and their rules.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, Tag, respond, tag_set};
use crate::aws::ec2::{
    Caller, Condition, CreateRule, Direction, Filter, PortRange, Refusal, Rule, Tags, World,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilterXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_mirror_filter_id: Option<&'a str>,
    ingress_filter_rule_set: Set<RuleXml<'a>>,
    egress_filter_rule_set: Set<RuleXml<'a>>,
    network_service_set: Set<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    tag_set: Set<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_mirror_filter_rule_id: Option<&'a str>,
    traffic_mirror_filter_id: &'a str,
    traffic_direction: &'static str,
    rule_number: i64,
    rule_action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_port_range: Option<PortsXml>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port_range: Option<PortsXml>,
    destination_cidr_block: &'a str,
    source_cidr_block: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    tag_set: Set<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortsXml {
    from_port: i64,
    to_port: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    traffic_mirror_filter_set: Set<FilterXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeRulesBody<'a> {
    traffic_mirror_filter_rule_set: Set<RuleXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FilterBody<'a> {
    traffic_mirror_filter: FilterXml<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleBody<'a> {
    traffic_mirror_filter_rule: RuleXml<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteBody<'a> {
    traffic_mirror_filter_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteRuleBody<'a> {
    traffic_mirror_filter_rule_id: &'a str,
}

impl<'a> FilterXml<'a> {
    fn of(world: &'a World, row: &'a Filter) -> Self {
        let rules =
            |direction| world.rules_of(row, direction).into_iter().map(RuleXml::from).collect();
        Self {
            traffic_mirror_filter_id: Some(&row.id),
            ingress_filter_rule_set: rules(Direction::Ingress),
            egress_filter_rule_set: rules(Direction::Egress),
            network_service_set: row.network_services.iter().map(String::as_str).collect(),
            description: row.description.as_deref(),
            tag_set: tag_set(&row.tags),
        }
    }
}

impl<'a> From<&'a Rule> for RuleXml<'a> {
    fn from(row: &'a Rule) -> Self {
        let spec = &row.spec;
        let ports = |range: PortRange| PortsXml { from_port: range.from, to_port: range.to };
        Self {
            traffic_mirror_filter_rule_id: Some(&row.id),
            traffic_mirror_filter_id: &spec.filter,
            traffic_direction: spec.direction.name(),
            rule_number: spec.number,
            rule_action: &spec.action,
            protocol: spec.protocol,
            destination_port_range: spec.destination_ports.map(ports),
            source_port_range: spec.source_ports.map(ports),
            destination_cidr_block: &spec.destination_cidr,
            source_cidr_block: &spec.source_cidr,
            description: spec.description.as_deref(),
            tag_set: tag_set(&row.tags),
        }
    }
}

pub(super) fn describe(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let query = parameters.query("TrafficMirrorFilterId")?;
    let mut page = world.describe::<Filter>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let traffic_mirror_filter_set = page
        .rows
        .into_iter()
        .map(|row| FilterXml {
            traffic_mirror_filter_id: flaw.id(row),
            ..FilterXml::of(world, row)
        })
        .collect();
    let body = DescribeBody { traffic_mirror_filter_set, next_token: page.next_token };
    Ok(respond("DescribeTrafficMirrorFilters", body))
}

pub(super) fn describe_rules(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let mut query = parameters.query("TrafficMirrorFilterRuleId")?;
    if let Some(filter) = parameters.owned("TrafficMirrorFilterId") {
        let name = "traffic-mirror-filter-id".to_owned();
        query.conditions.push(Condition { name, values: vec![filter] });
    }
    let mut page = world.describe::<Rule>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let traffic_mirror_filter_rule_set = page
        .rows
        .into_iter()
        .map(|row| RuleXml { traffic_mirror_filter_rule_id: flaw.id(row), ..row.into() })
        .collect();
    let body = DescribeRulesBody { traffic_mirror_filter_rule_set, next_token: page.next_token };
    Ok(respond("DescribeTrafficMirrorFilterRules", body))
}

pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let tags = parameters.new_tags("traffic-mirror-filter", &[])?;
    let id = world.create_filter(caller, parameters.owned("Description"), tags)?;
    let client_token = parameters.text("ClientToken");
    Ok(respond("CreateTrafficMirrorFilter", filter_body(world, &id, client_token)))
}

pub(super) fn delete(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.required("TrafficMirrorFilterId")?;
    world.delete_filter(caller, id)?;
    Ok(respond("DeleteTrafficMirrorFilter", DeleteBody { traffic_mirror_filter_id: id }))
}

pub(super) fn create_rule(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let number = parameters.number("RuleNumber")?;
    let spec = CreateRule {
        filter: parameters.required("TrafficMirrorFilterId")?.to_owned(),
        direction: direction(parameters.required("TrafficDirection")?)?,
        number: number.ok_or_else(|| Refusal::missing_parameter("RuleNumber"))?,
        action: parameters.required("RuleAction")?.to_owned(),
        protocol: parameters.number("Protocol")?,
        source_cidr: parameters.required("SourceCidrBlock")?.to_owned(),
        destination_cidr: parameters.required("DestinationCidrBlock")?.to_owned(),
        source_ports: ports(&parameters.structure("SourcePortRange"))?,
        destination_ports: ports(&parameters.structure("DestinationPortRange"))?,
        description: parameters.owned("Description"),
    };
    let tags: Tags = parameters.new_tags("traffic-mirror-filter-rule", &[])?;
    let id = world.create_rule(caller, spec, tags)?;
    let created = world.rule(&id).expect("it was just created");
    let body = RuleBody {
        traffic_mirror_filter_rule: created.into(),
        client_token: parameters.text("ClientToken"),
    };
    Ok(respond("CreateTrafficMirrorFilterRule", body))
}

pub(super) fn delete_rule(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.required("TrafficMirrorFilterRuleId")?;
    world.delete_rule(caller, id)?;
    let body = DeleteRuleBody { traffic_mirror_filter_rule_id: id };
    Ok(respond("DeleteTrafficMirrorFilterRule", body))
}

pub(super) fn modify_network_services(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.required("TrafficMirrorFilterId")?;
    let (add, remove) =
        (parameters.list("AddNetworkService"), parameters.list("RemoveNetworkService"));
    world.modify_network_services(caller, id, &add, &remove)?;
    Ok(respond("ModifyTrafficMirrorFilterNetworkServices", filter_body(world, id, None)))
}

fn filter_body<'a>(world: &'a World, id: &str, client_token: Option<&'a str>) -> FilterBody<'a> {
    let filter = world.filter(id).expect("it was just created or changed");
    FilterBody { traffic_mirror_filter: FilterXml::of(world, filter), client_token }
}

fn direction(name: &str) -> Result<Direction, Refusal> {
    [Direction::Ingress, Direction::Egress]
        .into_iter()
        .find(|direction| direction.name() == name)
        .ok_or_else(|| {
            Refusal::value(format!("Value ({name}) for parameter TrafficDirection is invalid."))
        })
}

fn ports(parameters: &Parameters<'_>) -> Result<Option<PortRange>, Refusal> {
    let (from, to) = (parameters.number("FromPort")?, parameters.number("ToPort")?);
    Ok(from.or(to).map(|any| PortRange { from: from.unwrap_or(any), to: to.unwrap_or(any) }))
}
