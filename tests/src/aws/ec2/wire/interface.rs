//! The actions on network interfaces, in the two shapes that EC2 shows them in.

use serde::Serialize;
use serde_json::Value;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::usual;
use super::xml::{Set, Tag, done, respond, tag_set};
use crate::aws::ec2::{Attachment, Caller, CreateInterface, Interface, Refusal, World};

/// An interface in `DescribeInstances`: without tags, requester and zone.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AttachedXml<'a> {
    network_interface_id: &'a str,
    subnet_id: &'a str,
    vpc_id: &'a str,
    description: &'a str,
    owner_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_ip_address: Option<String>,
    private_ip_addresses_set: Set<AddressXml>,
    ipv6_addresses_set: Set<Ipv6Xml>,
    group_set: Set<GroupXml<'a>>,
    source_dest_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<AttachmentXml<'a>>,
    interface_type: &'a str,
    operator: OperatorXml<'a>,
    #[serde(flatten)]
    usual: &'static Value,
}

/// An interface in `DescribeNetworkInterfaces`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InterfaceXml<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    network_interface_id: Option<&'a str>,
    subnet_id: &'a str,
    vpc_id: &'a str,
    availability_zone: &'a str,
    description: &'a str,
    owner_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester_id: Option<&'a str>,
    requester_managed: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_ip_address: Option<String>,
    private_ip_addresses_set: Set<AddressXml>,
    ipv6_addresses_set: Set<Ipv6Xml>,
    group_set: Set<GroupXml<'a>>,
    source_dest_check: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<AttachmentXml<'a>>,
    interface_type: &'a str,
    tag_set: Set<Tag<'a>>,
    operator: OperatorXml<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddressXml {
    private_ip_address: String,
    primary: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupXml<'a> {
    group_id: &'a str,
    group_name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ipv6Xml {
    ipv6_address: String,
}

/// The instance is named only where it is not the context.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachmentXml<'a> {
    attachment_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_owner_id: Option<&'a str>,
    device_index: u32,
    network_card_index: u32,
    status: &'a str,
    delete_on_termination: bool,
}

#[derive(Serialize)]
pub(super) struct OperatorXml<'a> {
    managed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeBody<'a> {
    network_interface_set: Set<InterfaceXml<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    network_interface: InterfaceXml<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttachBody {
    attachment_id: String,
    network_card_index: u32,
}

impl<'a> OperatorXml<'a> {
    pub(super) fn of(principal: Option<&'a str>) -> Self {
        Self { managed: principal.is_some(), principal }
    }
}

impl<'a> From<&'a Interface> for AttachedXml<'a> {
    fn from(row: &'a Interface) -> Self {
        let attachment = row.attachment.as_ref().map(|attachment| AttachmentXml {
            instance_id: None,
            instance_owner_id: None,
            ..AttachmentXml::from(attachment)
        });
        Self {
            network_interface_id: &row.id,
            subnet_id: &row.subnet,
            vpc_id: &row.vpc,
            description: &row.description,
            owner_id: &row.owner,
            status: row.status(),
            private_ip_address: row.ipv4.map(|address| address.to_string()),
            private_ip_addresses_set: addresses(row),
            ipv6_addresses_set: ipv6_addresses(row),
            group_set: groups(row),
            source_dest_check: true,
            attachment,
            interface_type: &row.interface_type,
            operator: OperatorXml::of(row.operator.as_deref()),
            usual: &usual::OF_INTERFACE,
        }
    }
}

impl<'a> From<&'a Interface> for InterfaceXml<'a> {
    fn from(row: &'a Interface) -> Self {
        Self {
            network_interface_id: Some(&row.id),
            subnet_id: &row.subnet,
            vpc_id: &row.vpc,
            availability_zone: &row.availability_zone,
            description: &row.description,
            owner_id: &row.owner,
            requester_id: row.requester.as_deref(),
            requester_managed: row.requester.is_some(),
            status: row.status(),
            private_ip_address: row.ipv4.map(|address| address.to_string()),
            private_ip_addresses_set: addresses(row),
            ipv6_addresses_set: ipv6_addresses(row),
            group_set: groups(row),
            source_dest_check: true,
            attachment: row.attachment.as_ref().map(AttachmentXml::from),
            interface_type: &row.interface_type,
            tag_set: tag_set(&row.tags),
            operator: OperatorXml::of(row.operator.as_deref()),
        }
    }
}

impl<'a> From<&'a Attachment> for AttachmentXml<'a> {
    fn from(attachment: &'a Attachment) -> Self {
        Self {
            attachment_id: &attachment.id,
            instance_id: attachment.instance.as_deref(),
            instance_owner_id: Some(&attachment.instance_owner),
            device_index: attachment.device_index,
            network_card_index: attachment.network_card_index,
            status: &attachment.status,
            delete_on_termination: attachment.delete_on_termination,
        }
    }
}

fn addresses(row: &Interface) -> Set<AddressXml> {
    let address =
        |ip: std::net::Ipv4Addr| AddressXml { private_ip_address: ip.to_string(), primary: true };
    row.ipv4.into_iter().map(address).collect()
}

fn ipv6_addresses(row: &Interface) -> Set<Ipv6Xml> {
    row.ipv6.iter().map(|address| Ipv6Xml { ipv6_address: address.to_string() }).collect()
}

fn groups(row: &Interface) -> Set<GroupXml<'_>> {
    row.groups.iter().map(|group_id| GroupXml { group_id, group_name: "a group" }).collect()
}

pub(super) fn describe(
    world: &World,
    caller: &Caller,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let query = parameters.query("NetworkInterfaceId")?;
    let mut page = world.describe::<Interface>(caller, &query)?;
    flaw.spoil(&query, &mut page.rows, &mut page.next_token);
    let network_interface_set = page
        .rows
        .into_iter()
        .map(|row| InterfaceXml { network_interface_id: flaw.id(row), ..row.into() })
        .collect();
    let body = DescribeBody { network_interface_set, next_token: page.next_token };
    Ok(respond("DescribeNetworkInterfaces", body))
}

pub(super) fn create(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let defaults = CreateInterface::default();
    let request = CreateInterface {
        subnet: parameters.required("SubnetId")?.to_owned(),
        interface_type: parameters.owned("InterfaceType").unwrap_or(defaults.interface_type),
        description: parameters.owned("Description").unwrap_or_default(),
        tags: parameters.new_tags("network-interface", &[])?,
        ..CreateInterface::default()
    };
    let id = world.create_interface(caller, &request)?;
    let created = world.interface(&id).expect("it was just created");
    Ok(respond("CreateNetworkInterface", CreateBody { network_interface: created.into() }))
}

pub(super) fn delete(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    world.delete_interface(caller, parameters.required("NetworkInterfaceId")?)?;
    Ok(done("DeleteNetworkInterface"))
}

pub(super) fn attach(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let device_index = parameters.number("DeviceIndex")?;
    let attachment_id = world.attach_interface(
        caller,
        parameters.required("NetworkInterfaceId")?,
        parameters.required("InstanceId")?,
        device_index.ok_or_else(|| Refusal::missing_parameter("DeviceIndex"))?,
    )?;
    Ok(respond("AttachNetworkInterface", AttachBody { attachment_id, network_card_index: 0 }))
}

pub(super) fn detach(
    world: &mut World,
    caller: &Caller,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    world.detach_interface(caller, parameters.required("AttachmentId")?)?;
    Ok(done("DetachNetworkInterface"))
}
