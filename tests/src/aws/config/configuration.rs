//! The `configuration` of an item for each type of resource: an instance in camel case, a session, as
//! all newer types, in Pascal case.

use serde_json::{Map, Value, json};

use super::{Relationship, ResourceKey, Time};
use crate::aws::ec2::{Instance, Interface, Session};

pub(super) fn instance(row: &Instance, interfaces: &[Interface]) -> Value {
    let tags: Vec<_> =
        row.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "imageId": "ami-00000000000000000",
        "instanceId": row.id,
        "instanceType": row.instance_type,
        "launchTime": Time::of_seconds(row.launched).to_string(),
        "placement": { "availabilityZone": row.availability_zone, "tenancy": "default" },
        "state": { "code": row.state.code(), "name": row.state.name() },
        "subnetId": row.subnet,
        "vpcId": row.vpc,
        "networkInterfaces": interfaces.iter().map(interface).collect::<Vec<_>>(),
        "tags": tags,
    })
}

fn interface(row: &Interface) -> Value {
    let attachment = row.attachment.as_ref().map(|attachment| {
        json!({
            "attachmentId": attachment.id,
            "deleteOnTermination": attachment.delete_on_termination,
            "deviceIndex": attachment.device_index,
            "networkCardIndex": attachment.network_card_index,
            "status": attachment.status,
        })
    });
    json!({
        "networkInterfaceId": row.id,
        "interfaceType": row.interface_type,
        "ownerId": row.owner,
        "status": row.status(),
        "subnetId": row.subnet,
        "vpcId": row.vpc,
        "privateIpAddress": row.ipv4,
        "attachment": attachment,
    })
}

pub(super) fn relationships(row: &Instance) -> Vec<Relationship> {
    let to = |name, kind: &str, id: &String| {
        let key = ResourceKey::new(&format!("AWS::EC2::{kind}"), id);
        Relationship { key, name }
    };
    let interfaces = row.interfaces.iter();
    interfaces
        .map(|id| to("Contains NetworkInterface", "NetworkInterface", id))
        .chain(row.subnet.iter().map(|id| to("Is contained in Subnet", "Subnet", id)))
        .chain(row.vpc.iter().map(|id| to("Is contained in Vpc", "VPC", id)))
        .collect()
}

/// Neither owner nor tags are in it.
pub(super) fn session(row: &Session) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("Id", json!(row.id));
    put("NetworkInterfaceId", json!(row.interface));
    put("TrafficMirrorTargetId", json!(row.target));
    put("TrafficMirrorFilterId", json!(row.filter));
    put("SessionNumber", json!(row.number));
    put("VirtualNetworkId", json!(row.vni));
    if let Some(length) = row.packet_length {
        put("PacketLength", json!(length));
    }
    if let Some(description) = &row.description {
        put("Description", json!(description));
    }
    Value::Object(fields)
}
