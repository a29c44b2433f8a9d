//! What stands at a target, looked at once for all its sources.

use std::collections::BTreeMap;

use shared::{
    id::TargetId,
    observed::{Endpoint, Observed, Target, TargetState},
};
use shared_ec2::description;
pub(super) use shared_elb::VXLAN;
use shared_elb::is_active;

use super::{
    network::{Balancer, Interface, Network, Pool, Sensor},
    trouble::{
        BALANCER_GONE, BALANCER_NOT_ACTIVE, ENDPOINT_GONE, ENDPOINT_NOT_AVAILABLE, Grade,
        NO_LISTENER, NOT_SHOWN, OTHER_ACCOUNT, SHARE_WITHDRAWN, TARGET_KIND_UNKNOWN,
        TARGET_STATE_UNKNOWN, Trouble,
    },
};

/// What stands at a target.
pub(super) enum Gate<'a> {
    /// A network interface of a sensor.
    Interface(Result<&'a Interface, Trouble>),
    /// A Network Load Balancer.
    Balancer(Box<BalancerGate<'a>>),
    /// A Gateway Load Balancer endpoint, by its id, with its interfaces.
    Endpoint(&'a str, Nodes<'a>),
}

/// A load balancer and what is behind it.
pub(super) struct BalancerGate<'a> {
    pub(super) name: &'a str,
    pub(super) balancer: &'a Balancer,
    /// Its interfaces: one in each zone.
    pub(super) nodes: Nodes<'a>,
    /// The target groups behind its listener.
    pub(super) pools: Result<Vec<&'a Pool>, Trouble>,
    /// The sensors in them, with their interfaces.
    pub(super) sensors: Result<Vec<Behind<'a>>, Trouble>,
}

/// A sensor behind a load balancer.
#[derive(Clone)]
pub(super) struct Behind<'a> {
    pub(super) sensor: &'a Sensor,
    pub(super) interface: Result<&'a Interface, Trouble>,
}

/// What stands at this target, or why nothing does.
pub(super) fn gate<'a>(
    id: &TargetId,
    observed: &'a Observed,
    network: &'a Network,
) -> Result<Gate<'a>, Trouble> {
    let Some(target) = observed.targets.iter().find(|target| target.id == *id) else {
        return Err(if observed.not_found.targets.contains(id) {
            let detail = format!("EC2 does not find {id}: its owner no longer shares it");
            Trouble::new(&SHARE_WITHDRAWN, id.as_str(), detail)
        } else {
            let detail = format!("the list of targets does not show {id}");
            Trouble::new(&TARGET_STATE_UNKNOWN, id.as_str(), detail)
        });
    };
    if target.account != observed.account {
        let detail = format!("{id} belongs to account {}", target.account);
        return Err(Trouble::new(&OTHER_ACCOUNT, id.as_str(), detail));
    }
    match &target.endpoint {
        Endpoint::Interface(interface) => {
            receives(target)?;
            let id = interface.as_str();
            Ok(Gate::Interface(shown(network).and_then(|all| one(all, id))))
        }
        Endpoint::NetworkLoadBalancer(name) => {
            balancer(name, nodes(target, network, name), network)
        }
        Endpoint::GatewayLoadBalancerEndpoint(id) => {
            endpoint(id, nodes(target, network, id), network)
        }
        Endpoint::Other(kind) => {
            let detail = format!("{id} is a {kind}");
            Err(Trouble::new(&TARGET_KIND_UNKNOWN, id.as_str(), detail))
        }
    }
}

/// Whether the interface behind a target receives, as the decision sees it.
fn receives(target: &Target) -> Result<(), Trouble> {
    let id = target.id.as_str();
    let broken =
        |code, detail| Err(Trouble { grade: Grade::Broken, code, at: id.to_owned(), detail });
    match target.state {
        TargetState::Ready | TargetState::Full => Ok(()),
        TargetState::Stopped => {
            broken("target-stopped", format!("the instance behind {id} does not run"))
        }
        TargetState::Gone => {
            broken("target-gone", format!("the interface behind {id} is gone or on no instance"))
        }
        TargetState::Unknown | TargetState::Unread => {
            let detail = format!("nothing that EC2 shows says whether what is behind {id} runs");
            Err(Trouble::new(&TARGET_STATE_UNKNOWN, id, detail))
        }
    }
}

/// The interfaces on the way.
pub(super) fn shown(network: &Network) -> Result<&BTreeMap<String, Interface>, Trouble> {
    network.interfaces.as_ref().map_err(Trouble::unread)
}

/// The interface with this id.
pub(super) fn one<'a>(
    interfaces: &'a BTreeMap<String, Interface>,
    id: &str,
) -> Result<&'a Interface, Trouble> {
    let missing = || Trouble::new(&NOT_SHOWN, id, format!("EC2 does not show {id}"));
    interfaces.get(id).ok_or_else(missing)
}

/// The interfaces of a load balancer or an endpoint, which AWS has created.
type Nodes<'a> = Result<Vec<&'a Interface>, Trouble>;

/// Those of the load balancer or endpoint at a target.
fn nodes<'a>(target: &Target, network: &'a Network, of: &str) -> Nodes<'a> {
    let described = description(&target.endpoint);
    let is_node = |it: &&Interface| described.as_ref() == Some(&it.description);
    let found: Vec<_> = shown(network)?.values().filter(is_node).collect();
    if found.is_empty() {
        let detail = format!("EC2 shows no interface of {of}");
        return Err(Trouble::new(&NOT_SHOWN, of, detail));
    }
    Ok(found)
}

fn balancer<'a>(
    name: &'a str,
    nodes: Nodes<'a>,
    network: &'a Network,
) -> Result<Gate<'a>, Trouble> {
    let balancers = network.balancers.as_ref().map_err(Trouble::unread)?;
    let Some(balancer) = balancers.get(name) else {
        let detail = format!("there is no load balancer {name}");
        return Err(Trouble::new(&BALANCER_GONE, name, detail));
    };
    if is_active(&balancer.state) != Some(true) {
        let detail = format!("load balancer {name} is {}", balancer.state);
        return Err(Trouble::new(&BALANCER_NOT_ACTIVE, name, detail));
    }
    let pools = pools(name, balancer);
    let vpc = nodes.iter().flatten().next().map(|node| node.vpc.as_str());
    let sensors = pools.clone().and_then(|pools| sensors(&pools, network, vpc));
    Ok(Gate::Balancer(Box::new(BalancerGate { name, balancer, nodes, pools, sensors })))
}

/// The target groups that copies come to.
fn pools<'a>(name: &str, balancer: &'a Balancer) -> Result<Vec<&'a Pool>, Trouble> {
    let listeners = balancer.listeners.as_ref().map_err(Trouble::unread)?;
    let Some(listener) = listeners.iter().find(|it| it.takes_copies()) else {
        let detail = format!("load balancer {name} has no UDP listener on port {VXLAN}");
        return Err(Trouble::new(&NO_LISTENER, name, detail));
    };
    let shown = balancer.pools.as_ref().map_err(Trouble::unread)?;
    let pool = |arn: &String| {
        let missing = || Trouble::new(&NOT_SHOWN, arn, format!("ELB does not show {arn}"));
        shown.get(arn).ok_or_else(missing)
    };
    listener.pools.iter().map(pool).collect()
}

fn sensors<'a>(
    pools: &[&'a Pool],
    network: &'a Network,
    vpc: Option<&str>,
) -> Result<Vec<Behind<'a>>, Trouble> {
    let mut found = Vec::new();
    for pool in pools {
        for sensor in pool.sensors.as_ref().map_err(Trouble::unread)? {
            let interface = shown(network).and_then(|all| interface_of(sensor, all, vpc));
            found.push(Behind { sensor, interface });
        }
    }
    Ok(found)
}

/// A load balancer sends to the primary interface of an instance, or to an address ("Target type"). Other VPCs may
/// have the same address, so that of its own goes first.
fn interface_of<'a>(
    sensor: &Sensor,
    interfaces: &'a BTreeMap<String, Interface>,
    vpc: Option<&str>,
) -> Result<&'a Interface, Trouble> {
    let is_its = |interface: &&Interface| match sensor.id.parse() {
        Ok(address) => interface.addresses.contains(&address),
        Err(_) => interface.primary_of.as_deref() == Some(&sensor.id),
    };
    let found: Vec<_> = interfaces.values().filter(is_its).collect();
    let own = found.iter().find(|interface| Some(interface.vpc.as_str()) == vpc);
    match (own, found.as_slice()) {
        (Some(interface), _) | (None, [interface]) => Ok(interface),
        (None, _) => {
            let detail = format!("EC2 does not show which interface the sensor {} has", sensor.id);
            Err(Trouble::new(&NOT_SHOWN, &sensor.id, detail))
        }
    }
}

fn endpoint<'a>(id: &'a str, nodes: Nodes<'a>, network: &'a Network) -> Result<Gate<'a>, Trouble> {
    let endpoints = network.endpoints.as_ref().map_err(Trouble::unread)?;
    let Some(endpoint) = endpoints.get(id) else {
        let detail = format!("there is no endpoint {id}");
        return Err(Trouble::new(&ENDPOINT_GONE, id, detail));
    };
    // EC2 writes it in two ways (EC2 API, `State` of a VPC endpoint).
    if !endpoint.state.eq_ignore_ascii_case("available") {
        let detail = format!("endpoint {id} of {} is {}", endpoint.service, endpoint.state);
        return Err(Trouble::new(&ENDPOINT_NOT_AVAILABLE, id, detail));
    }
    Ok(Gate::Endpoint(id, nodes))
}
