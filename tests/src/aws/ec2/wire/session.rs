//! The actions on traffic mirror sessions.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, Tag, respond, tag_set};
use crate::aws::ec2::{Caller, CreateSession, Field, ModifySession, Refusal, Session, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_mirror_session_id: Option<&'a str>,
    traffic_mirror_target_id: &'a str,
    traffic_mirror_filter_id: &'a str,
    network_interface_id: &'a str,
    owner_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_length: Option<u16>,
    session_number: u16,
    virtual_network_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    tag_set: Set<Tag<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    traffic_mirror_session_set: Set<SessionXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionBody<'a> {
    traffic_mirror_session: SessionXml<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteBody<'a> {
    traffic_mirror_session_id: &'a str,
}

impl<'a> From<&'a Session> for SessionXml<'a> {
    fn from(row: &'a Session) -> Self {
        Self {
            traffic_mirror_session_id: Some(&row.id),
            traffic_mirror_target_id: &row.target,
            traffic_mirror_filter_id: &row.filter,
            network_interface_id: &row.interface,
            owner_id: &row.owner,
            packet_length: row.packet_length,
            session_number: row.number,
            virtual_network_id: row.vni,
            description: row.description.as_deref(),
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
    let query = parameters.query("TrafficMirrorSessionId")?;
    let mut page = world.describe::<Session>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let traffic_mirror_session_set = page
        .rows
        .into_iter()
        .map(|row| SessionXml { traffic_mirror_session_id: flaw.id(row), ..row.into() })
        .collect();
    let body = DescribeBody { traffic_mirror_session_set, next_token: page.next_token };
    Ok(respond("DescribeTrafficMirrorSessions", body))
}

/// What is required is left to the world, so that the refusal is told of as an event too.
pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let request = CreateSession {
        interface: parameters.owned("NetworkInterfaceId").unwrap_or_default(),
        target: parameters.owned("TrafficMirrorTargetId").unwrap_or_default(),
        filter: parameters.owned("TrafficMirrorFilterId").unwrap_or_default(),
        number: parameters.number("SessionNumber")?,
        packet_length: parameters.number("PacketLength")?,
        vni: parameters.number("VirtualNetworkId")?,
        description: parameters.owned("Description"),
        tags: parameters.new_tags("traffic-mirror-session", &[])?,
        client_token: parameters.owned("ClientToken"),
    };
    let session = world.create_session(caller, &request)?;
    let client_token = request.client_token.as_deref();
    let body = SessionBody { traffic_mirror_session: (&session).into(), client_token };
    Ok(respond("CreateTrafficMirrorSession", body))
}

pub(super) fn modify(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let remove = parameters.list("RemoveField");
    let request = ModifySession {
        session: parameters.owned("TrafficMirrorSessionId").unwrap_or_default(),
        target: parameters.owned("TrafficMirrorTargetId"),
        filter: parameters.owned("TrafficMirrorFilterId"),
        number: parameters.number("SessionNumber")?,
        packet_length: parameters.number("PacketLength")?,
        vni: parameters.number("VirtualNetworkId")?,
        description: parameters.owned("Description"),
        remove: remove.iter().map(|name| Field::parse(name)).collect::<Result<_, _>>()?,
    };
    let session = world.modify_session(caller, &request)?;
    let body = SessionBody { traffic_mirror_session: (&session).into(), client_token: None };
    Ok(respond("ModifyTrafficMirrorSession", body))
}

pub(super) fn delete(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.text("TrafficMirrorSessionId").unwrap_or_default();
    world.delete_session(caller, id)?;
    Ok(respond("DeleteTrafficMirrorSession", DeleteBody { traffic_mirror_session_id: id }))
}
