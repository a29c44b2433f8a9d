//! The links of one source beyond its target: zone, health, security groups, network ACLs, routes, MTU.

use std::net::IpAddr;

use shared::number::PacketLength;

use super::{
    balancer::{healthy, node_in, receiving},
    link::{Link, Links},
    network::{Interface, Network},
    passage::{self, Copy},
    route::{self, End},
    target::{BalancerGate, Behind, Gate, VXLAN},
    trouble::{
        BEHIND_ENDPOINT, Grade, Judgement, NOT_SHOWN, PACKETS_CUT, ROUTE_NOT_FOLLOWED, Trouble,
        worse,
    },
};

/// VXLAN, UDP, IP and Ethernet around a copy ("Packet format").
const OVERHEAD_IPV4: u16 = 54;
const OVERHEAD_IPV6: u16 = 74;
/// The MTU of a Gateway Load Balancer endpoint ("Quotas").
const ENDPOINT_MTU: u16 = 8500;
/// Load balancers get at most so many bytes of a packet unless a session says less ("Sessions").
const BALANCER_LENGTH: u16 = 8500;

/// Who sends the copies.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) interface: &'a Interface,
    /// The primary address, from which every copy comes.
    pub(super) address: IpAddr,
    pub(super) packet_length: Option<PacketLength>,
    /// The longest packet that it sends.
    pub(super) mtu: u16,
}

/// Judges what lies between a source and what stands at its target.
pub(super) fn judge(network: &Network, sender: Sender<'_>, gate: &Gate<'_>) -> Links {
    match gate {
        Gate::Interface(interface) => to_interface(network, sender, interface),
        Gate::Balancer(gate) => to_balancer(network, sender, gate),
        Gate::Endpoint(id, nodes) => to_endpoint(network, sender, id, nodes),
    }
}

/// The way to the interface that copies are sent to.
struct Leg {
    acl: Judgement,
    route: Judgement,
    mtu: Option<u16>,
}

impl Leg {
    fn to(network: &Network, sender: Sender<'_>, to: &Interface) -> Self {
        let Sender { interface, address, .. } = sender;
        let Some(there) = to.address_like(address) else {
            let detail =
                format!("{} has no address of the same IP version as {}", to.id, interface.id);
            let trouble = Trouble::new(&NOT_SHOWN, &to.id, detail);
            return Self { acl: Err(trouble.clone()), route: Err(trouble), mtu: None };
        };
        let copy = Copy { from: address, to: there, port: VXLAN };
        let from = End { interface, address };
        let way = route::way(network, from, End { interface: to, address: there });
        let acl = passage::cross(network, interface, to, copy);
        Self { acl, route: way.judgement, mtu: way.mtu }
    }

    /// The worst of several: nobody knows which of them a copy takes.
    fn worst(legs: impl IntoIterator<Item = Self>) -> Self {
        let first = Self { acl: Ok(()), route: Ok(()), mtu: Some(u16::MAX) };
        legs.into_iter().fold(first, |one, other| Self {
            acl: worse(one.acl, other.acl),
            route: worse(one.route, other.route),
            mtu: one.mtu.zip(other.mtu).map(|(one, other)| one.min(other)),
        })
    }
}

fn to_interface(
    network: &Network,
    sender: Sender<'_>,
    interface: &Result<&Interface, Trouble>,
) -> Links {
    let to = match interface {
        Ok(interface) => *interface,
        Err(trouble) => {
            return all(trouble, &[Link::SecurityGroup, Link::Acl, Link::Route, Link::Mtu]);
        }
    };
    let leg = Leg::to(network, sender, to);
    let Sender { interface: source, address, .. } = sender;
    let copy = Copy { from: address, to: address, port: VXLAN };
    let groups = passage::let_in(network, (&to.id, &to.groups), &source.groups, copy);
    let mtu = cut(sender, &leg, None, &to.id);
    [
        (Link::SecurityGroup, groups),
        (Link::Acl, leg.acl),
        (Link::Route, leg.route),
        (Link::Mtu, mtu),
    ]
    .into()
}

fn to_endpoint(
    network: &Network,
    sender: Sender<'_>,
    id: &str,
    nodes: &Result<Vec<&Interface>, Trouble>,
) -> Links {
    let health = Err(behind_endpoint(id));
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(trouble) => {
            let mut links = all(trouble, &[Link::Acl, Link::Route, Link::Mtu]);
            links.insert(Link::Health, health);
            return links;
        }
    };
    // An endpoint of this kind has no security group, so that link is not asked.
    let leg = Leg::worst(nodes.iter().map(|node| Leg::to(network, sender, node)));
    let leg = Leg { mtu: leg.mtu.map(|mtu| mtu.min(ENDPOINT_MTU)), ..leg };
    let mtu = cut(sender, &leg, None, id);
    [(Link::Health, health), (Link::Acl, leg.acl), (Link::Route, leg.route), (Link::Mtu, mtu)]
        .into()
}

/// What is behind the service of an endpoint is its provider's.
pub(super) fn behind_endpoint(id: &str) -> Trouble {
    let detail = format!("the load balancer behind {id} and its sensors are not looked at");
    Trouble::new(&BEHIND_ENDPOINT, id, detail)
}

fn to_balancer(network: &Network, sender: Sender<'_>, gate: &BalancerGate<'_>) -> Links {
    let zone = sender.interface.zone.as_str();
    let mut links = Links::new();
    let listener = gate.pools.as_ref().map(|_| ()).map_err(Clone::clone);
    let hears = listener.is_ok();
    links.insert(Link::Listener, listener);
    let node = node_in(gate, zone);
    // Whether packets cross zones is nothing to a load balancer that does not listen.
    if hears || node.as_ref().err().is_none_or(|trouble| trouble.grade != Grade::Broken) {
        links.insert(Link::Zone, node);
    }
    let nodes = match &gate.nodes {
        Ok(nodes) => {
            let near: Vec<_> = nodes.iter().copied().filter(|node| node.zone == zone).collect();
            Ok(if near.is_empty() { nodes.clone() } else { near })
        }
        Err(trouble) => Err(trouble.clone()),
    };
    let legs = nodes
        .clone()
        .map(|nodes| Leg::worst(nodes.into_iter().map(|node| Leg::to(network, sender, node))));
    let (acl, route, mtu) = match legs {
        Ok(leg) => {
            let mtu = cut(sender, &leg, Some(BALANCER_LENGTH), gate.name);
            (leg.acl, leg.route, mtu)
        }
        Err(trouble) => (Err(trouble.clone()), Err(trouble.clone()), Err(trouble)),
    };
    let groups = into_balancer(network, sender, gate);
    if hears {
        links.insert(Link::Health, healthy(gate, zone));
    }
    let mut route = route;
    if let Some(behind) = behind(network, sender, gate, &nodes) {
        links.insert(Link::SecurityGroup, worse(groups, behind.groups));
        links.insert(Link::Acl, worse(acl, behind.acl));
        route = worse(route, behind.route);
    } else {
        // Where nobody is behind it, half of the way is open or shut, and the other half is not asked.
        let shut = [(Link::SecurityGroup, groups), (Link::Acl, acl)];
        links.extend(shut.into_iter().filter(|(_, judgement)| judgement.is_err()));
    }
    links.extend([(Link::Route, route), (Link::Mtu, mtu)]);
    links
}

/// Whether the load balancer's own security groups take the copies. One without any takes everything.
fn into_balancer(network: &Network, sender: Sender<'_>, gate: &BalancerGate<'_>) -> Judgement {
    let groups = &gate.balancer.groups;
    if groups.is_empty() {
        return Ok(());
    }
    let copy = Copy { from: sender.address, to: sender.address, port: VXLAN };
    passage::let_in(network, (gate.name, groups), &sender.interface.groups, copy)
}

/// The way from a load balancer to its sensors.
struct Onward {
    groups: Judgement,
    acl: Judgement,
    route: Judgement,
}

impl Onward {
    fn unknown(trouble: &Trouble) -> Self {
        let [groups, acl, route] = [(); 3].map(|()| Err(trouble.clone()));
        Self { groups, acl, route }
    }

    fn worse(self, other: Self) -> Self {
        Self {
            groups: worse(self.groups, other.groups),
            acl: worse(self.acl, other.acl),
            route: worse(self.route, other.route),
        }
    }
}

/// The way from the load balancer to each sensor that may get the copies; none where there is no such sensor.
fn behind(
    network: &Network,
    sender: Sender<'_>,
    gate: &BalancerGate<'_>,
    nodes: &Result<Vec<&Interface>, Trouble>,
) -> Option<Onward> {
    let (sensors, nodes) = match (receiving(gate, &sender.interface.zone), nodes) {
        (Ok(sensors), _) if sensors.is_empty() => return None,
        (Ok(sensors), Ok(nodes)) => (sensors, nodes),
        (Err(trouble), _) if trouble.grade == Grade::Broken => return None,
        (Err(trouble), _) => return Some(Onward::unknown(&trouble)),
        (_, Err(trouble)) => return Some(Onward::unknown(trouble)),
    };
    let each = sensors.iter().map(|it| onward(network, sender, gate, nodes, it));
    each.reduce(Onward::worse)
}

/// The way from any of these nodes to one sensor.
fn onward(
    network: &Network,
    sender: Sender<'_>,
    gate: &BalancerGate<'_>,
    nodes: &[&Interface],
    Behind { sensor, interface }: &Behind<'_>,
) -> Onward {
    let to = match interface {
        Ok(interface) => *interface,
        Err(trouble) => return Onward::unknown(trouble),
    };
    let Some(address) = to.address_like(sender.address) else {
        let detail = format!("sensor {} has no address of the source's IP version", to.id);
        return Onward::unknown(&Trouble::new(&NOT_SHOWN, &to.id, detail));
    };
    let copy = Copy { from: sender.address, to: address, port: sensor.port };
    let balancer = &gate.balancer.groups;
    let out = if balancer.is_empty() {
        Ok(())
    } else {
        passage::let_out(network, (gate.name, balancer), &to.groups, copy)
    };
    let into = passage::let_in(network, (&to.id, &to.groups), balancer, copy);
    let acls = nodes.iter().map(|node| passage::cross(network, node, to, copy));
    let route = if nodes.iter().all(|node| node.vpc == to.vpc) {
        Ok(())
    } else {
        let detail = format!("the sensor {} is in {}, and {} is not", sensor.id, to.vpc, gate.name);
        Err(Trouble::new(&ROUTE_NOT_FOLLOWED, &sensor.id, detail))
    };
    Onward { groups: worse(out, into), acl: acls.fold(Ok(()), worse), route }
}

/// Whether long packets are cut off: by the way, or by what a session to a load balancer takes.
fn cut(sender: Sender<'_>, leg: &Leg, most: Option<u16>, at: &str) -> Judgement {
    let Some(mtu) = leg.mtu else {
        // What is not known about the route is not known about its MTU.
        return leg.route.clone();
    };
    let overhead = if sender.address.is_ipv4() { OVERHEAD_IPV4 } else { OVERHEAD_IPV6 };
    let fits = mtu.saturating_sub(overhead);
    let asked = sender.packet_length.map(PacketLength::get);
    // EC2's default is shown or not: absent and 8500 are the same.
    let most = most.or(asked.filter(|asked| *asked == BALANCER_LENGTH));
    let fits = most.map_or(fits, |most| fits.min(most));
    // Who asks for less than fits has chosen so.
    let is_chosen = asked.is_some_and(|asked| asked < fits);
    if is_chosen || sender.mtu <= fits {
        return Ok(());
    }
    let detail = format!("of a packet of {} bytes the first {fits} arrive", sender.mtu);
    Err(Trouble::new(&PACKETS_CUT, at, detail))
}

fn all(trouble: &Trouble, links: &[Link]) -> Links {
    links.iter().map(|link| (*link, Err(trouble.clone()))).collect()
}
