//! From the SDK's types, where everything is optional, to ours.
//!
//! An item that lacks what identifies it becomes nothing, and a line in the log: one odd answer must
//! not stop its neighbours.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use aws_sdk_ec2::types::{self as ec2, InstanceStateName, NetworkInterfaceStatus};
use shared::{
    id::{InstanceId, InterfaceId, VpcId},
    number::{PacketLength, Vni},
    observed::{
        Attachment, AttachmentStatus, DescribedInstance, Instance, InstanceState, Interface, Owner,
        Session, Shown, Source, Tag,
    },
};

/// The tag that names the owner of a session or filter.
const OWNER_TAG: &str = "ManagedBy";
const INSTALLATION_TAG: &str = "Installation";

/// Converts an item, and logs where it is left out.
pub(crate) fn convert_or_skip<T, U>(
    kind: &str,
    id: Option<&str>,
    item: &T,
    convert: impl FnOnce(&T) -> Option<U>,
) -> Option<U> {
    let converted = convert(item);
    if converted.is_none() {
        let id = id.unwrap_or("without an id");
        tracing::warn!("EC2 described {kind} {id} incompletely: it is left out");
    }
    converted
}

/// Texts that very many instances share, held once.
#[derive(Default)]
pub(crate) struct Interner {
    texts: BTreeSet<Arc<str>>,
    vpcs: BTreeSet<VpcId>,
}

impl Interner {
    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.texts.insert(new.clone());
        new
    }

    fn vpc(&mut self, id: Option<&str>) -> Option<VpcId> {
        let new: VpcId = parsed(id)?;
        if let Some(known) = self.vpcs.get(&new) {
            return Some(known.clone());
        }
        self.vpcs.insert(new.clone());
        Some(new)
    }
}

/// An instance with its interfaces, and with those of its tags whose keys `reads` accepts: of many
/// instances, the other tags would take most of the memory.
pub(crate) fn instance(
    item: &ec2::Instance,
    reads: impl Fn(&str) -> bool,
    interner: &mut Interner,
) -> Option<DescribedInstance> {
    let instance = Arc::new(Instance {
        id: parsed(item.instance_id())?,
        state: state(item.state()?.name()?)?,
        instance_type: interner.text(item.instance_type()?.as_str()),
        tags: tags(item.tags(), reads, interner),
        tags_confirmed: false,
    });
    let zone = item.placement().and_then(ec2::Placement::availability_zone);
    let sources = item
        .network_interfaces()
        .iter()
        .filter_map(|item| {
            let id = item.network_interface_id();
            let owner = Owner::Instance(instance.clone());
            let convert = |item: &_| source_on_instance(item, owner, zone, interner);
            convert_or_skip("network interface", id, item, convert)
        })
        .collect();
    Some(DescribedInstance { instance, sources })
}

/// Tags in the order of their keys.
fn tags(items: &[ec2::Tag], reads: impl Fn(&str) -> bool, interner: &mut Interner) -> Vec<Tag> {
    let items = items.iter().filter_map(|tag| Some((tag.key()?, tag.value())));
    let mut tags: Vec<_> = items
        .filter(|(key, _)| reads(key))
        .map(|(key, value)| Tag {
            key: interner.text(key),
            value: interner.text(value.unwrap_or_default()),
        })
        .collect();
    tags.sort();
    tags.shrink_to_fit();
    tags
}

fn state(name: &InstanceStateName) -> Option<InstanceState> {
    Some(match name {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    })
}

fn source_on_instance(
    item: &ec2::InstanceNetworkInterface,
    owner: Owner,
    zone: Option<&str>,
    interner: &mut Interner,
) -> Option<Source> {
    let attachment = item.attachment();
    let device = attachment.and_then(ec2::InstanceNetworkInterfaceAttachment::device_index);
    let card = attachment.and_then(ec2::InstanceNetworkInterfaceAttachment::network_card_index);
    let status = attachment.and_then(ec2::InstanceNetworkInterfaceAttachment::status);
    let interface = Interface {
        kind: interner.text(item.interface_type().unwrap_or("interface")),
        vpc: interner.vpc(item.vpc_id()),
        zone: zone.map(|zone| interner.text(zone)),
        ipv6_only: item.private_ip_address().is_none() && !item.ipv6_addresses().is_empty(),
        has_ipv6: !item.ipv6_addresses().is_empty() || !item.ipv6_prefixes().is_empty(),
        // DescribeInstances shows neither requester nor tags of an interface.
        requester: None,
        tags: Vec::new(),
        attachment: Some(Attachment {
            primary: device == Some(0) && card.unwrap_or(0) == 0,
            status: match status {
                Some(ec2::AttachmentStatus::Detaching) => AttachmentStatus::Detaching,
                Some(ec2::AttachmentStatus::Detached) => AttachmentStatus::Detached,
                _ => AttachmentStatus::Attached,
            },
        }),
        owner,
    };
    Some(Source { id: parsed(item.network_interface_id())?, interface: Shown::Yes(interface) })
}

/// An interface that a service manages, and that service.
pub(crate) fn requester(interface: &ec2::NetworkInterface) -> Option<(InterfaceId, Arc<str>)> {
    let requester = interface.requester_id().unwrap_or("a service");
    Some((parsed(interface.network_interface_id())?, requester.into()))
}

/// A tag of an instance, with that instance.
pub(crate) fn instance_tag(item: &ec2::TagDescription) -> Option<(InstanceId, Tag)> {
    let (key, value) = (item.key()?.into(), item.value().unwrap_or_default().into());
    Some((parsed(item.resource_id())?, Tag { key, value }))
}

/// An interface that belongs to no instance that was read.
pub(crate) fn unattached(
    item: &ec2::NetworkInterface,
    reads: impl Fn(&str) -> bool,
) -> Option<Source> {
    let is_managed = item.requester_managed() == Some(true);
    let is_available = item.status() == Some(&NetworkInterfaceStatus::Available);
    let owner = match (is_available, is_managed) {
        (true, _) => Owner::Nobody,
        (false, true) => Owner::Service,
        (false, false) => {
            let attachment = item.attachment();
            let instance = attachment.and_then(ec2::NetworkInterfaceAttachment::instance_id);
            Owner::NotVisible(parsed(instance))
        }
    };
    let kind = item.interface_type().map_or("interface", ec2::NetworkInterfaceType::as_str);
    let interface = Interface {
        kind: kind.into(),
        vpc: parsed(item.vpc_id()),
        zone: item.availability_zone().map(Into::into),
        ipv6_only: item.private_ip_address().is_none() && !item.ipv6_addresses().is_empty(),
        has_ipv6: !item.ipv6_addresses().is_empty() || !item.ipv6_prefixes().is_empty(),
        requester: item.requester_id().filter(|_| is_managed).map(Into::into),
        tags: tags(item.tag_set(), reads, &mut Interner::default()),
        attachment: (!is_available).then(Attachment::default),
        owner,
    };
    Some(Source { id: parsed(item.network_interface_id())?, interface: Shown::Yes(interface) })
}

pub(crate) fn session(session: &ec2::TrafficMirrorSession) -> Option<Session> {
    let length = session.packet_length();
    let vni = session.virtual_network_id();
    Some(Session {
        id: parsed(session.traffic_mirror_session_id())?,
        account: parsed(session.owner_id())?,
        interface: parsed(session.network_interface_id())?,
        target: parsed(session.traffic_mirror_target_id())?,
        filter: parsed(session.traffic_mirror_filter_id())?,
        number: session.session_number()?.try_into().ok()?,
        packet_length: length.and_then(|length| PacketLength::try_from(length).ok()),
        vni: vni.and_then(|vni| Vni::try_from(vni).ok()),
        managed_by: owner(session.tags()),
        installation: value_of(session.tags(), INSTALLATION_TAG),
    })
}

/// The owner that the tags of a session or filter name.
pub(crate) fn owner(tags: &[ec2::Tag]) -> Option<Arc<str>> {
    value_of(tags, OWNER_TAG)
}

fn value_of(tags: &[ec2::Tag], key: &str) -> Option<Arc<str>> {
    let tag = tags.iter().find(|tag| tag.key() == Some(key))?;
    Some(tag.value().unwrap_or_default().into())
}

pub(crate) fn parsed<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_interface_is_the_first_device_of_the_first_card() {
        for (device, card, primary) in
            [(0, None, true), (0, Some(0), true), (0, Some(1), false), (1, None, false)]
        {
            let attachment = ec2::InstanceNetworkInterfaceAttachment::builder()
                .device_index(device)
                .set_network_card_index(card)
                .build();
            let item = ec2::InstanceNetworkInterface::builder()
                .network_interface_id("eni-1")
                .attachment(attachment)
                .build();
            let source =
                source_on_instance(&item, Owner::NotVisible(None), None, &mut Interner::default());
            let interface = source.unwrap().interface.yes().unwrap();
            assert_eq!(interface.attachment.unwrap().primary, primary, "{device} {card:?}");
        }
    }

    #[test]
    fn what_two_instances_have_in_common_is_held_once() {
        let item = |id: &str, vpc: &str| {
            let state = ec2::InstanceState::builder().name(InstanceStateName::Running).build();
            let interface = ec2::InstanceNetworkInterface::builder()
                .network_interface_id("eni-1")
                .vpc_id(vpc)
                .build();
            ec2::Instance::builder()
                .instance_id(id)
                .state(state)
                .instance_type("m5.large".into())
                .placement(ec2::Placement::builder().availability_zone("us-east-1a").build())
                .tags(ec2::Tag::builder().key("Mirror").value("True").build())
                .network_interfaces(interface)
                .build()
        };
        let mut interner = Interner::default();
        let items = [("i-1", "vpc-1"), ("i-2", "vpc-1"), ("i-3", "vpc-2")];
        let [one, other, third] =
            items.map(|(id, vpc)| instance(&item(id, vpc), |_| true, &mut interner).unwrap());
        let interface = |it: &DescribedInstance| it.sources[0].interface.clone().yes().unwrap();
        let texts = |it: &DescribedInstance| {
            let Tag { key, value } = it.instance.tags[0].clone();
            let Interface { kind, zone, .. } = interface(it);
            [it.instance.instance_type.clone(), zone.unwrap(), key, value, kind]
        };
        for (one, other) in texts(&one).iter().zip(texts(&other)) {
            assert!(Arc::ptr_eq(one, &other), "{one}");
        }
        let vpc = |it: &DescribedInstance| interface(it).vpc.unwrap().as_str().as_ptr();
        assert_eq!(vpc(&one), vpc(&other));
        assert_ne!(vpc(&one), vpc(&third));
    }

    #[test]
    fn the_tags_that_are_read_are_in_the_order_of_their_keys() {
        let tag = |key, value: Option<&str>| {
            ec2::Tag::builder().key(key).set_value(value.map(str::to_owned)).build()
        };
        let state = ec2::InstanceState::builder().name(InstanceStateName::Running).build();
        let item = ec2::Instance::builder()
            .instance_id("i-1")
            .state(state)
            .instance_type("m5.large".into())
            .tags(tag("mirror", None))
            .tags(tag("Owner", Some("me")))
            .tags(tag("Mirror", Some("True")))
            .build();
        let read = instance(&item, |key| key != "Owner", &mut Interner::default()).unwrap();
        let tags = read.instance.tags.iter().map(|tag| (&*tag.key, &*tag.value));
        let tags: Vec<_> = tags.collect();
        assert_eq!(tags, [("Mirror", "True"), ("mirror", "")]);
    }

    #[test]
    fn what_lacks_its_id_is_left_out() {
        let item = ec2::TrafficMirrorSession::builder().session_number(1).build();
        assert_eq!(session(&item), None);
        let item = ec2::InstanceNetworkInterface::builder().build();
        let source = source_on_instance(&item, Owner::Nobody, None, &mut Interner::default());
        assert_eq!(source, None);
    }
}
