//! The actions on traffic mirror targets.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, Tag, respond, tag_set};
use crate::aws::ec2::{Caller, Endpoint, Refusal, Target, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_mirror_target_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_interface_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_load_balancer_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_load_balancer_endpoint_id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    owner_id: &'a str,
    tag_set: Set<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    traffic_mirror_target_set: Set<TargetXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    traffic_mirror_target: TargetXml<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteBody<'a> {
    traffic_mirror_target_id: &'a str,
}

impl<'a> From<&'a Target> for TargetXml<'a> {
    fn from(row: &'a Target) -> Self {
        let mut xml = Self {
            traffic_mirror_target_id: Some(&row.id),
            network_interface_id: None,
            network_load_balancer_arn: None,
            gateway_load_balancer_endpoint_id: None,
            kind: "",
            description: row.description.as_deref(),
            owner_id: &row.owner,
            tag_set: tag_set(&row.tags),
        };
        match &row.endpoint {
            Endpoint::Interface(id) => {
                (xml.kind, xml.network_interface_id) = ("network-interface", Some(id.as_str()));
            }
            Endpoint::NetworkLoadBalancer(arn) => {
                (xml.kind, xml.network_load_balancer_arn) =
                    ("network-load-balancer", Some(arn.as_str()));
            }
            Endpoint::GatewayLoadBalancerEndpoint(id) => {
                xml.kind = "gateway-load-balancer-endpoint";
                xml.gateway_load_balancer_endpoint_id = Some(id);
            }
        }
        xml
    }
}

pub(super) fn describe(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let query = parameters.query("TrafficMirrorTargetId")?;
    let mut page = world.describe::<Target>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let traffic_mirror_target_set = page
        .rows
        .into_iter()
        .map(|row| TargetXml { traffic_mirror_target_id: flaw.id(row), ..row.into() })
        .collect();
    let body = DescribeBody { traffic_mirror_target_set, next_token: page.next_token };
    Ok(respond("DescribeTrafficMirrorTargets", body))
}

pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let interface = parameters.owned("NetworkInterfaceId").map(Endpoint::Interface);
    let balancer = parameters.owned("NetworkLoadBalancerArn").map(Endpoint::NetworkLoadBalancer);
    let gateway = parameters
        .owned("GatewayLoadBalancerEndpointId")
        .map(Endpoint::GatewayLoadBalancerEndpoint);
    let mut given = interface.into_iter().chain(balancer).chain(gateway);
    let (Some(endpoint), None) = (given.next(), given.next()) else {
        let message = "Exactly one of NetworkInterfaceId, NetworkLoadBalancerArn and \
                       GatewayLoadBalancerEndpointId is required";
        return Err(Refusal::new("InvalidParameterCombination", message));
    };
    let tags = parameters.new_tags("traffic-mirror-target", &[])?;
    let id = world.create_target(caller, endpoint, parameters.owned("Description"), tags)?;
    let created = world.target(&id).expect("it was just created");
    let body = CreateBody {
        traffic_mirror_target: created.into(),
        client_token: parameters.text("ClientToken"),
    };
    Ok(respond("CreateTrafficMirrorTarget", body))
}

pub(super) fn delete(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.required("TrafficMirrorTargetId")?;
    world.delete_target(caller, id)?;
    Ok(respond("DeleteTrafficMirrorTarget", DeleteBody { traffic_mirror_target_id: id }))
}
