//! From the SDK's types, where everything is optional, to ours.
//!
//! An item that lacks what identifies it gives nothing, and a line in the log: one odd answer
//! must not stop its neighbours.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use aws_sdk_ec2::types::{
    self as ec2, AttachmentStatus, InstanceStateName, NetworkInterfaceStatus,
    TrafficMirrorNetworkService, TrafficMirrorRuleAction, TrafficMirrorTargetType,
};

use crate::{
    id::{InterfaceId, VpcId},
    observed::{
        Filter, Instance, InstanceState, Interface, LooseInterface, LoosePlace, Session, Target,
        TargetKind,
    },
};

/// The tag that says which installation a session or filter belongs to.
const OWNER_TAG: &str = "ManagedBy";

/// Converts, and says so where an item is left out.
pub(crate) fn readable<T, U>(
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

/// What very many instances have in common, held once.
#[derive(Default)]
pub(crate) struct Common {
    words: BTreeSet<Arc<str>>,
    vpcs: BTreeSet<VpcId>,
}

impl Common {
    pub(crate) fn share(&mut self, instance: &mut Instance) {
        let Instance { instance_type, zone, tags, interfaces, .. } = instance;
        let tags = tags.iter_mut().flat_map(|(key, value)| [key, value]);
        for word in [instance_type].into_iter().chain(zone).chain(tags) {
            share(&mut self.words, word);
        }
        for Interface { kind, vpc, .. } in interfaces {
            share(&mut self.words, kind);
            if let Some(vpc) = vpc {
                share(&mut self.vpcs, vpc);
            }
        }
    }
}

fn share<T: Clone + Ord>(known: &mut BTreeSet<T>, item: &mut T) {
    if let Some(known) = known.get(item) {
        item.clone_from(known);
    } else {
        known.insert(item.clone());
    }
}

/// An instance with those of its tags whose keys `reads` accepts: of many instances, the others would
/// be most of what is held in memory.
pub(crate) fn instance(instance: &ec2::Instance, reads: impl Fn(&str) -> bool) -> Option<Instance> {
    let tags = instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value())));
    let tags = tags.filter(|(key, _)| reads(key));
    let tags = tags.map(|(key, value)| (key.into(), value.unwrap_or_default().into()));
    let mut tags: Vec<_> = tags.collect();
    tags.sort();
    let interfaces = instance.network_interfaces().iter();
    let interfaces = interfaces.filter_map(|item| {
        readable("network interface", item.network_interface_id(), item, interface)
    });
    let mut interfaces: Vec<_> = interfaces.collect();
    // Room is made for four of each, and most instances have one.
    interfaces.shrink_to_fit();
    tags.shrink_to_fit();
    let zone = instance.placement().and_then(|place| place.availability_zone());
    Some(Instance {
        id: parsed(instance.instance_id())?,
        state: state(instance.state()?.name()?)?,
        instance_type: instance.instance_type()?.as_str().into(),
        zone: zone.map(Into::into),
        tags,
        interfaces,
    })
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

fn interface(interface: &ec2::InstanceNetworkInterface) -> Option<Interface> {
    let attachment = interface.attachment();
    let device = attachment.and_then(ec2::InstanceNetworkInterfaceAttachment::device_index);
    let card = attachment.and_then(ec2::InstanceNetworkInterfaceAttachment::network_card_index);
    let status = attachment.and_then(|attachment| attachment.status());
    Some(Interface {
        id: parsed(interface.network_interface_id())?,
        kind: interface.interface_type().unwrap_or("interface").into(),
        vpc: parsed(interface.vpc_id()),
        primary: device == Some(0) && card.unwrap_or(0) == 0,
        detaching: matches!(status, Some(AttachmentStatus::Detaching | AttachmentStatus::Detached)),
        ipv6_only: interface.private_ip_address().is_none()
            && !interface.ipv6_addresses().is_empty(),
        // DescribeInstances does not show it: `observe` adds it from DescribeNetworkInterfaces.
        requester: None,
    })
}

/// An interface that a service manages, and that service.
pub(crate) fn requester(interface: &ec2::NetworkInterface) -> Option<(InterfaceId, String)> {
    let requester = interface.requester_id().unwrap_or("a service");
    Some((parsed(interface.network_interface_id())?, requester.to_owned()))
}

pub(crate) fn loose(interface: &ec2::NetworkInterface) -> Option<LooseInterface> {
    let place = match interface.status() {
        Some(NetworkInterfaceStatus::Available) => {
            LoosePlace::Available(parsed(interface.vpc_id()))
        }
        _ => LoosePlace::InUse,
    };
    Some(LooseInterface { id: parsed(interface.network_interface_id())?, place })
}

pub(crate) fn session(session: &ec2::TrafficMirrorSession) -> Option<Session> {
    Some(Session {
        id: parsed(session.traffic_mirror_session_id())?,
        account: parsed(session.owner_id())?,
        interface: parsed(session.network_interface_id())?,
        target: parsed(session.traffic_mirror_target_id())?,
        filter: parsed(session.traffic_mirror_filter_id())?,
        number: session.session_number()?,
        packet_length: session.packet_length(),
        vni: session.virtual_network_id(),
        managed_by: owner(session.tags()),
    })
}

pub(crate) fn target(target: &ec2::TrafficMirrorTarget) -> Option<Target> {
    let kind = match target.r#type()? {
        TrafficMirrorTargetType::NetworkInterface => TargetKind::Interface {
            id: parsed(target.network_interface_id())?,
            instance_type: None,
            zone: None,
        },
        TrafficMirrorTargetType::NetworkLoadBalancer => TargetKind::NetworkLoadBalancer,
        TrafficMirrorTargetType::GatewayLoadBalancerEndpoint => {
            TargetKind::GatewayLoadBalancerEndpoint
        }
        _ => return None,
    };
    Some(Target {
        id: parsed(target.traffic_mirror_target_id())?,
        account: parsed(target.owner_id())?,
        kind,
        refused: false,
    })
}

pub(crate) fn filter(filter: &ec2::TrafficMirrorFilter) -> Option<Filter> {
    let mut rules = filter.ingress_filter_rules().iter().chain(filter.egress_filter_rules());
    let accepts = rules.any(|rule| rule.rule_action() == Some(&TrafficMirrorRuleAction::Accept))
        || filter.network_services().contains(&TrafficMirrorNetworkService::AmazonDns);
    Some(Filter {
        id: parsed(filter.traffic_mirror_filter_id())?,
        accepts,
        managed_by: owner(filter.tags()),
    })
}

fn owner(tags: &[ec2::Tag]) -> Option<String> {
    let tag = tags.iter().find(|tag| tag.key() == Some(OWNER_TAG))?;
    Some(tag.value().unwrap_or_default().to_owned())
}

fn parsed<T: FromStr>(text: Option<&str>) -> Option<T> {
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
            assert_eq!(interface(&item).unwrap().primary, primary, "{device} {card:?}");
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
        let mut common = Common::default();
        let items = [("i-1", "vpc-1"), ("i-2", "vpc-1"), ("i-3", "vpc-2")];
        let [one, other, third] = items.map(|(id, vpc)| {
            let mut instance = instance(&item(id, vpc), |_| true).unwrap();
            let before = instance.clone();
            common.share(&mut instance);
            assert_eq!(instance, before);
            instance
        });
        let words = |instance: &Instance| {
            let (key, value) = instance.tags[0].clone();
            let kind = instance.interfaces[0].kind.clone();
            [instance.instance_type.clone(), instance.zone.clone().unwrap(), key, value, kind]
        };
        for (one, other) in words(&one).iter().zip(words(&other)) {
            assert!(Arc::ptr_eq(one, &other), "{one}");
        }
        let vpc = |it: &Instance| it.interfaces[0].vpc.as_ref().unwrap().as_str().as_ptr();
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
        let instance = instance(&item, |key| key != "Owner").unwrap();
        let tags: Vec<_> = instance.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(tags, [("Mirror", "True"), ("mirror", "")]);
    }

    #[test]
    fn what_lacks_its_id_is_left_out() {
        let item = ec2::TrafficMirrorSession::builder().session_number(1).build();
        assert_eq!(session(&item), None);
        let item = ec2::InstanceNetworkInterface::builder().build();
        assert_eq!(interface(&item), None);
    }
}
