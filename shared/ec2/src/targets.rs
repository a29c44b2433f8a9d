//! Facts about targets. A new kind of target is one variant of [`Endpoint`] and an arm in each match
//! here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_ec2::types::{TrafficMirrorTarget, TrafficMirrorTargetType};
use shared::{
    id::{InterfaceId, TargetId},
    number::PacketLength,
    observed::{Capacity, Endpoint, Location, Source, Target, TargetState},
    plan::eligibility::interface_capacity,
};

use crate::convert::parsed;

pub(crate) fn target(item: &TrafficMirrorTarget) -> Option<Target> {
    let endpoint = match item.r#type()? {
        TrafficMirrorTargetType::NetworkInterface => {
            Endpoint::Interface(parsed(item.network_interface_id())?)
        }
        TrafficMirrorTargetType::NetworkLoadBalancer => Endpoint::NetworkLoadBalancer,
        TrafficMirrorTargetType::GatewayLoadBalancerEndpoint => {
            Endpoint::GatewayLoadBalancerEndpoint
        }
        // A session to it stays where it is, so such a target must not look as if it were gone.
        other => Endpoint::Other(other.as_str().into()),
    };
    let id: TargetId = parsed(item.traffic_mirror_target_id())?;
    Some(Target {
        account: parsed(item.owner_id())?,
        location: Location::default(),
        capacity: capacity(&endpoint),
        state: TargetState::Ready,
        interfaces: interface(&endpoint).into_iter().cloned().collect(),
        default_packet_length: default_packet_length(&endpoint),
        id,
        endpoint,
    })
}

fn capacity(endpoint: &Endpoint) -> Capacity {
    match endpoint {
        Endpoint::Interface(_) => interface_capacity(None),
        Endpoint::NetworkLoadBalancer | Endpoint::GatewayLoadBalancerEndpoint => {
            Capacity::Unlimited
        }
        Endpoint::Other(_) => Capacity::Unknown,
    }
}

fn interface(endpoint: &Endpoint) -> Option<&InterfaceId> {
    match endpoint {
        Endpoint::Interface(id) => Some(id),
        Endpoint::NetworkLoadBalancer
        | Endpoint::GatewayLoadBalancerEndpoint
        | Endpoint::Other(_) => None,
    }
}

/// EC2 shows the largest length where none was given for a load balancer (EC2 API,
/// `CreateTrafficMirrorSession`).
fn default_packet_length(endpoint: &Endpoint) -> Option<PacketLength> {
    match endpoint {
        Endpoint::Interface(_) => None,
        Endpoint::NetworkLoadBalancer
        | Endpoint::GatewayLoadBalancerEndpoint
        | Endpoint::Other(_) => Some(PacketLength::MAX_REQUESTED),
    }
}

/// Adds what the interfaces behind the targets tell: where a target is, and how many sources it takes.
pub(crate) fn locate<'a>(targets: &mut [Target], sources: impl Iterator<Item = &'a Source>) {
    let behind: BTreeSet<_> =
        targets.iter().flat_map(|target| &target.interfaces).cloned().collect();
    let sources = sources.filter(|it| it.instance().is_some() && behind.contains(&it.id));
    let sources: BTreeMap<_, _> = sources.map(|source| (&source.id, source)).collect();
    for target in targets {
        let Some(source) = target.interfaces.first().and_then(|id| sources.get(id)) else {
            continue;
        };
        if let Some(instance) = source.instance() {
            target.capacity = interface_capacity(Some(&instance.instance_type));
        }
        if let Some(interface) = source.interface.as_ref().yes() {
            let zones: Vec<Arc<str>> = interface.zone.clone().into_iter().collect();
            target.location = Location { vpc: interface.vpc.clone(), zones };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_target_that_is_not_known_is_carried() {
        let item = |kind: &str| {
            TrafficMirrorTarget::builder()
                .traffic_mirror_target_id("tmt-1")
                .owner_id("111111111111")
                .r#type(kind.into())
                .network_interface_id("eni-1")
                .build()
        };
        let new = target(&item("quantum-link")).unwrap();
        assert_eq!(new.endpoint, Endpoint::Other("quantum-link".into()));
        assert_eq!((new.capacity, new.interfaces), (Capacity::Unknown, Vec::new()));

        let sensor = target(&item("network-interface")).unwrap();
        assert_eq!(sensor.interfaces, ["eni-1".parse().unwrap()]);
        assert_eq!(sensor.capacity, Capacity::Sources(10));
        let balancer = target(&item("network-load-balancer")).unwrap();
        assert_eq!((balancer.capacity, balancer.interfaces), (Capacity::Unlimited, Vec::new()));
    }
}
