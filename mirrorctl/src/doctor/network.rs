//! What AWS shows of the way from the sources to the sensors, as plain data: nothing here decides. A fact that
//! could not be read says why.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::RangeInclusive,
};

pub(crate) use shared_elb::{Health, Listener};

use crate::{doctor::block::Block, problem::Problem};

/// What was read, or why it was not.
pub(crate) type Fact<T> = Result<T, Problem>;

/// The way from the sources to the sensors.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The interfaces of sources, and those behind targets, by id.
    pub(crate) interfaces: Fact<BTreeMap<String, Interface>>,
    /// The security groups on the way, by id.
    pub(crate) groups: Fact<BTreeMap<String, SecurityGroup>>,
    /// The network ACL of each subnet on the way.
    pub(crate) acls: Fact<BTreeMap<String, Acl>>,
    /// The routes of each VPC on the way.
    pub(crate) routes: Fact<Routes>,
    /// The load balancers behind targets, by the end of their ARN: `net/NAME/ID`. One that ELB says does not
    /// exist is not in it.
    pub(crate) balancers: Fact<BTreeMap<String, Balancer>>,
    /// The Gateway Load Balancer endpoints behind targets, by id. One that EC2 says does not exist is not in it.
    pub(crate) endpoints: Fact<BTreeMap<String, Endpoint>>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    /// The primary address first. Copies have the primary one as their source.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) groups: Vec<String>,
    /// The instance, where it is the primary interface of one.
    pub(crate) primary_of: Option<String>,
    pub(crate) description: String,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SecurityGroup {
    pub(crate) inbound: Vec<GroupRule>,
    pub(crate) outbound: Vec<GroupRule>,
}

/// A rule of a security group. It always allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupRule {
    /// It is about UDP, alone or with everything else.
    pub(crate) takes_udp: bool,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) blocks: Vec<Block>,
    /// Security groups on the other side.
    pub(crate) groups: Vec<String>,
    pub(crate) prefix_lists: Vec<String>,
}

/// A network ACL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acl {
    pub(crate) id: String,
    pub(crate) inbound: Vec<AclRule>,
    pub(crate) outbound: Vec<AclRule>,
}

/// A rule of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AclRule {
    /// Its place in the order, lowest first.
    pub(crate) number: i32,
    pub(crate) allows: bool,
    /// It is about UDP, alone or with everything else.
    pub(crate) takes_udp: bool,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) block: Block,
}

/// Route tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routes {
    pub(crate) tables: BTreeMap<String, Vec<Route>>,
    /// The table of a subnet that has one of its own.
    pub(crate) of_subnet: BTreeMap<String, String>,
    /// The table of the other subnets of a VPC.
    pub(crate) main_of_vpc: BTreeMap<String, String>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) to: Destination,
    pub(crate) via: Via,
    /// What it leads to is there; otherwise it is a black hole.
    pub(crate) is_active: bool,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Block(Block),
    PrefixList(String),
}

/// What a route leads through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The VPC itself.
    Local,
    Peering(String),
    TransitGateway(String),
    /// A gateway endpoint of a service of AWS, which takes that service's public addresses only.
    Service(String),
    /// Anything else, by its id.
    Other(String),
}

/// A Network Load Balancer.
#[derive(Clone, Debug)]
pub(crate) struct Balancer {
    /// Its state, in the words of Elastic Load Balancing.
    pub(crate) state: String,
    pub(crate) groups: Vec<String>,
    /// The zones that it has a node in.
    pub(crate) zones: BTreeSet<String>,
    pub(crate) crosses_zones: Fact<bool>,
    pub(crate) listeners: Fact<Vec<Listener>>,
    pub(crate) pools: Fact<BTreeMap<String, Pool>>,
}

/// A target group: the sensors behind a listener.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    /// What it says itself about zones; none where it follows the load balancer.
    pub(crate) crosses_zones: Fact<Option<bool>>,
    pub(crate) sensors: Fact<Vec<Sensor>>,
}

/// A sensor that is registered with a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sensor {
    /// The id of an instance, or an address.
    pub(crate) id: String,
    pub(crate) port: u16,
    pub(crate) health: Health,
}

/// A Gateway Load Balancer endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its state, in EC2's words.
    pub(crate) state: String,
    pub(crate) service: String,
}

impl Interface {
    /// Its address of the same version of IP as the other one.
    pub(crate) fn address_like(&self, other: IpAddr) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| address.is_ipv4() == other.is_ipv4())
    }
}
