//! Facts about targets. A new kind of target is one variant of [`Endpoint`] and an arm in each match
//! here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_ec2::types::{
    NetworkInterface, NetworkInterfaceType, TrafficMirrorTarget, TrafficMirrorTargetType,
};
use shared::{
    id::{AccountId, InstanceId, InterfaceId, TargetId},
    observed::{
        AttachmentStatus, Capacity, Endpoint, InstanceState, Interface, Location, Owner, Shown,
        Source, Target, TargetState,
    },
    plan::eligibility::interface_capacity,
    policy::tag::{DRAIN_TAG, eq_ignore_case, is_true},
};

use crate::convert::parsed;

pub(crate) fn target(item: &TrafficMirrorTarget) -> Option<Target> {
    let endpoint = match item.r#type()? {
        TrafficMirrorTargetType::NetworkInterface => {
            Endpoint::Interface(parsed(item.network_interface_id())?)
        }
        TrafficMirrorTargetType::NetworkLoadBalancer => {
            let arn = item.network_load_balancer_arn().unwrap_or_default();
            let name = arn.split_once(":loadbalancer/").map_or(arn, |(_, name)| name);
            Endpoint::NetworkLoadBalancer(name.into())
        }
        TrafficMirrorTargetType::GatewayLoadBalancerEndpoint => {
            let id = item.gateway_load_balancer_endpoint_id().unwrap_or_default();
            Endpoint::GatewayLoadBalancerEndpoint(id.into())
        }
        // A session to it stays where it is, so such a target must not look as if it were gone.
        other => Endpoint::Other(other.as_str().into()),
    };
    let mut tags = item.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?)));
    let id: TargetId = parsed(item.traffic_mirror_target_id())?;
    let (capacity, state, interfaces) = facts(&endpoint);
    Some(Target {
        account: parsed(item.owner_id())?,
        location: Location::default(),
        capacity,
        state,
        draining: tags.any(|(key, value)| eq_ignore_case(key, DRAIN_TAG) && is_true(value)),
        interfaces,
        id,
        endpoint,
    })
}

/// What is known of a kind of target before anybody has looked at what is behind it.
fn facts(endpoint: &Endpoint) -> (Capacity, TargetState, Vec<InterfaceId>) {
    match endpoint {
        Endpoint::Interface(id) => (Capacity::Unknown, TargetState::Unread, vec![id.clone()]),
        Endpoint::NetworkLoadBalancer(_) | Endpoint::GatewayLoadBalancerEndpoint(_) => {
            (Capacity::Unlimited, TargetState::Unread, Vec::new())
        }
        Endpoint::Other(_) => (Capacity::Unknown, TargetState::Ready, Vec::new()),
    }
}

/// The description of the interfaces that AWS creates for a balancer or endpoint.
#[must_use]
pub fn description(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::NetworkLoadBalancer(name) => Some(format!("ELB {name}")),
        Endpoint::GatewayLoadBalancerEndpoint(id) => Some(format!("VPC Endpoint Interface {id}")),
        Endpoint::Interface(_) | Endpoint::Other(_) => None,
    }
}

/// The description and place of an interface that AWS created for a balancer or endpoint. Anybody can
/// write such a description on an interface of their own, so only the types count that AWS alone creates.
pub(crate) fn balancer_interface(item: &NetworkInterface) -> Option<(Arc<str>, Location)> {
    let is_aws_own = item.requester_managed() == Some(true)
        && matches!(
            item.interface_type(),
            Some(
                NetworkInterfaceType::NetworkLoadBalancer
                    | NetworkInterfaceType::GatewayLoadBalancerEndpoint
            )
        );
    let zones = item.availability_zone().map(Into::into).into_iter().collect();
    let location = Location { vpc: parsed(item.vpc_id()), zones };
    is_aws_own.then(|| (item.description().unwrap_or_default().into(), location))
}

/// Adds where balancers and endpoints are: the VPC of their interfaces, and all zones.
pub(crate) fn locate_balancers(targets: &mut [Target], interfaces: &[(Arc<str>, Location)]) {
    let mut places: BTreeMap<&str, Location> = BTreeMap::new();
    for (description, location) in interfaces {
        let place = places.entry(description).or_default();
        place.vpc = place.vpc.take().or_else(|| location.vpc.clone());
        place.zones.extend(location.zones.iter().cloned());
        place.zones.sort();
        place.zones.dedup();
    }
    for target in targets {
        let place = description(&target.endpoint).and_then(|it| places.get(it.as_str()));
        if let Some(place) = place {
            target.location = place.clone();
        }
    }
}

/// What was looked for behind targets, and what was found.
pub(crate) struct Behind<'a> {
    pub(crate) sources: BTreeMap<&'a InterfaceId, &'a Source>,
    pub(crate) sought: &'a BTreeSet<InterfaceId>,
    /// Descriptions of balancers' interfaces that were looked for more than once.
    pub(crate) sought_balancers: &'a BTreeSet<String>,
}

/// Adds what the interfaces behind a target tell: where the target is, how many sources it takes, and
/// whether it can receive. Another account's interfaces cannot be seen and count as alive.
pub(crate) fn locate(targets: &mut [Target], account: &AccountId, behind: &Behind<'_>) {
    for target in targets {
        if target.account != *account {
            target.state = TargetState::Ready;
        } else if let Some(interface) = target.interfaces.first().cloned() {
            locate_interface(target, &interface, behind);
        } else if let Some(description) = description(&target.endpoint) {
            target.state = if !target.location.zones.is_empty() {
                TargetState::Ready
            } else if behind.sought_balancers.contains(&description) {
                TargetState::Unknown
            } else {
                TargetState::Unread
            };
        }
    }
}

fn locate_interface(target: &mut Target, interface: &InterfaceId, behind: &Behind<'_>) {
    let Some(source) = behind.sources.get(interface) else {
        if behind.sought.contains(interface) {
            target.state = TargetState::Unknown;
        }
        return;
    };
    if let Some(instance) = source.instance() {
        target.capacity = interface_capacity(&instance.instance_type);
    }
    if let Some(interface) = source.interface.as_ref().yes() {
        let zones: Vec<Arc<str>> = interface.zone.clone().into_iter().collect();
        target.location = Location { vpc: interface.vpc.clone(), zones };
    }
    target.state = match (&source.interface, target.state) {
        // EC2 knows better than its lists.
        (_, TargetState::Full) => TargetState::Full,
        (Shown::Yes(interface), _) => state(interface),
        (Shown::NotInList, _) => TargetState::Unknown,
        (Shown::NotFound, _) => TargetState::Gone,
    };
}

/// Whether packets sent to this interface are received.
fn state(interface: &Interface) -> TargetState {
    let status = interface.attachment.unwrap_or_default().status;
    match &interface.owner {
        Owner::Nobody => TargetState::Gone,
        Owner::Instance(_) if status == AttachmentStatus::Detached => TargetState::Gone,
        Owner::Instance(instance) => match instance.state {
            InstanceState::Pending | InstanceState::Running => TargetState::Ready,
            InstanceState::Stopping | InstanceState::Stopped | InstanceState::ShuttingDown => {
                TargetState::Stopped
            }
            InstanceState::Terminated => TargetState::Gone,
        },
        Owner::Service | Owner::NotVisible(None) => TargetState::Ready,
        // An instance that nothing shows may be stopped.
        Owner::NotVisible(Some(_)) => TargetState::Unknown,
    }
}

/// The instance that an interface is attached to, where a list did not show that instance.
pub(crate) fn hidden_instance(source: &Source) -> Option<&InstanceId> {
    match &source.interface.as_ref().yes()?.owner {
        Owner::NotVisible(instance) => instance.as_ref(),
        Owner::Instance(_) | Owner::Service | Owner::Nobody => None,
    }
}
