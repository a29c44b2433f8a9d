//! The actions on instances.

use serde::Serialize;
use serde_json::Value;

use super::flaw::Flaw;
use super::interface::{AttachedXml, OperatorXml};
use super::parameters::Parameters;
use super::usual;
use super::xml::{Set, Tag, done, respond, shown_tags};
use crate::aws::ec2::{
    Caller, Instance, LaunchInterface, Query, Refusal, RunInstances, State, StateChange, World,
    timestamp,
};

/// Resources that a launch may tag too, and whose tags are not kept.
const COMES_ALONG: [&str; 3] = ["network-interface", "spot-instances-request", "volume"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    reservation_set: Set<ReservationXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReservationXml<'a> {
    reservation_id: &'a str,
    owner_id: &'a str,
    group_set: Set<()>,
    instances_set: Set<InstanceXml<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    image_id: &'static str,
    instance_state: StateXml,
    instance_type: &'a str,
    launch_time: String,
    placement: PlacementXml<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subnet_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_ip_address: Option<String>,
    tag_set: Set<Tag<'a>>,
    network_interface_set: Set<AttachedXml<'a>>,
    operator: OperatorXml<'a>,
    #[serde(flatten)]
    usual: &'static Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacementXml<'a> {
    availability_zone: &'a str,
    tenancy: &'static str,
}

#[derive(Serialize)]
struct StateXml {
    code: u16,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangesBody {
    instances_set: Set<ChangeXml>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeXml {
    instance_id: String,
    current_state: StateXml,
    previous_state: StateXml,
}

impl From<State> for StateXml {
    fn from(state: State) -> Self {
        Self { code: state.code(), name: state.name() }
    }
}

pub(super) fn describe(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let query = parameters.query("InstanceId")?;
    let mut page = world.describe::<Instance>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    // Instances that were launched together follow each other by id.
    let reservations = page.rows.chunk_by(|a, b| a.reservation == b.reservation);
    let reservation_set = reservations.map(|rows| reservation(world, &query, rows, flaw)).collect();
    Ok(respond("DescribeInstances", DescribeBody { reservation_set, next_token: page.next_token }))
}

pub(super) fn run(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let (min, max): (Option<usize>, _) =
        (parameters.number("MinCount")?, parameters.number("MaxCount")?);
    let min = min.ok_or_else(|| Refusal::missing_parameter("MinCount"))?;
    let count = max.ok_or_else(|| Refusal::missing_parameter("MaxCount"))?;
    if min == 0 || min > count {
        return Err(Refusal::value("MinCount must be from 1 to MaxCount"));
    }
    let defaults = RunInstances::default();
    let interfaces = parameters.structures("NetworkInterface");
    let request = RunInstances {
        instance_type: parameters.owned("InstanceType").unwrap_or(defaults.instance_type),
        count,
        subnet: parameters.owned("SubnetId"),
        availability_zone: parameters.owned("Placement.AvailabilityZone"),
        tags: parameters.new_tags("instance", &COMES_ALONG)?,
        interfaces: interfaces.iter().map(launch_interface).collect::<Result<_, _>>()?,
        operator: None,
    };
    let ids = world.run_instances(caller, &request)?;
    let rows: Vec<_> = ids.iter().filter_map(|id| world.instance(id)).collect();
    Ok(respond("RunInstances", reservation(world, &Query::default(), &rows, &Flaw::None)))
}

fn launch_interface(parameters: &Parameters<'_>) -> Result<LaunchInterface, Refusal> {
    let defaults = LaunchInterface::default();
    Ok(LaunchInterface {
        device_index: parameters.number("DeviceIndex")?.unwrap_or(defaults.device_index),
        subnet: parameters.owned("SubnetId"),
        interface: parameters.owned("NetworkInterfaceId"),
        interface_type: parameters.owned("InterfaceType").unwrap_or(defaults.interface_type),
        delete_on_termination: parameters.optional_flag("DeleteOnTermination")?,
    })
}

pub(super) fn start(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let changes = world.start_instances(caller, &parameters.required_list("InstanceId")?)?;
    Ok(respond("StartInstances", changes_body(changes)))
}

pub(super) fn stop(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let changes = world.stop_instances(caller, &parameters.required_list("InstanceId")?)?;
    Ok(respond("StopInstances", changes_body(changes)))
}

pub(super) fn terminate(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let changes = world.terminate_instances(caller, &parameters.required_list("InstanceId")?)?;
    Ok(respond("TerminateInstances", changes_body(changes)))
}

/// Changes the type; the other attributes do not exist here.
pub(super) fn modify(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let id = parameters.required("InstanceId")?;
    let instance_type = parameters.required("InstanceType.Value")?;
    world.modify_instance_type(caller, id, instance_type)?;
    Ok(done("ModifyInstanceAttribute"))
}

fn reservation<'a>(
    world: &'a World,
    query: &Query,
    rows: &[&'a Instance],
    flaw: &Flaw,
) -> ReservationXml<'a> {
    let first = rows.first();
    ReservationXml {
        reservation_id: first.map_or("", |row| &row.reservation),
        owner_id: first.map_or("", |row| &row.owner),
        group_set: Set::from_iter([]),
        instances_set: rows.iter().map(|row| instance(world, query, row, flaw)).collect(),
    }
}

fn instance<'a>(
    world: &'a World,
    query: &Query,
    row: &'a Instance,
    flaw: &Flaw,
) -> InstanceXml<'a> {
    let attached: Vec<_> = (row.interfaces.iter())
        .filter_map(|id| world.interface(id))
        .filter(|interface| world.shows(*interface, query))
        .collect();
    let address = attached.first().and_then(|primary| primary.ipv4);
    InstanceXml {
        instance_id: flaw.id(row),
        image_id: "ami-00000000000000000",
        instance_state: row.state.into(),
        instance_type: &row.instance_type,
        launch_time: timestamp(row.launched),
        placement: PlacementXml { availability_zone: &row.availability_zone, tenancy: "default" },
        subnet_id: row.subnet.as_deref(),
        vpc_id: row.vpc.as_deref(),
        private_ip_address: address.map(|address| address.to_string()),
        tag_set: shown_tags(&row.tags, |key| flaw.shows_tag(key)),
        network_interface_set: attached.into_iter().map(AttachedXml::from).collect(),
        operator: OperatorXml::of(row.operator.as_deref()),
        usual: &usual::OF_INSTANCE,
    }
}

fn changes_body(changes: Vec<StateChange>) -> ChangesBody {
    let change = |change: StateChange| ChangeXml {
        instance_id: change.instance,
        current_state: change.current.into(),
        previous_state: change.previous.into(),
    };
    ChangesBody { instances_set: changes.into_iter().map(change).collect() }
}
