//! What lies between interfaces: security groups, network ACLs, routes, endpoints. Like the subnets they belong to
//! everybody, and nothing here forwards or stops a packet: tests set them as they like, and whoever asks is told.

use std::collections::BTreeMap;

use super::describe::fields;
use super::subnet::{self, Subnet};
use super::{Caller, Column, Resource, Tags, World};

/// The security group of whatever names no other, of every VPC.
pub const DEFAULT_GROUP: &str = "sg-00000000000000000";

/// Who owns what nobody has made.
const OWNER: &str = super::DEFAULT_ACCOUNT;

/// A security group.
#[derive(Clone, Debug, Default)]
pub struct SecurityGroup {
    pub id: String,
    pub vpc: String,
    pub inbound: Vec<GroupRule>,
    pub outbound: Vec<GroupRule>,
    pub tags: Tags,
}

/// A rule of a security group, with one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// `tcp`, `udp`, … or `-1` for everything, which has no ports.
    pub protocol: String,
    pub ports: Option<(i32, i32)>,
    pub peer: Peer,
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A block of addresses.
    Block(String),
    /// The interfaces with this security group.
    Group(String),
    /// The addresses of this prefix list.
    PrefixList(String),
}

/// A network ACL, with the subnets that have it.
#[derive(Clone, Debug, Default)]
pub struct NetworkAcl {
    pub id: String,
    pub vpc: String,
    pub subnets: Vec<String>,
    pub entries: Vec<AclEntry>,
    pub tags: Tags,
}

/// An entry of a network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    pub number: i32,
    pub egress: bool,
    pub allows: bool,
    /// A number, or `-1` for everything.
    pub protocol: String,
    pub ports: Option<(i32, i32)>,
    pub block: String,
}

/// A route table.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    pub id: String,
    pub vpc: String,
    /// It is that of the VPC's other subnets.
    pub is_main: bool,
    pub subnets: Vec<String>,
    pub routes: Vec<Route>,
    pub tags: Tags,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// A block of addresses, or the id of a prefix list.
    pub destination: String,
    /// `local`, or the id of what it leads through.
    pub via: String,
    pub active: bool,
}

/// A Gateway Load Balancer endpoint.
#[derive(Clone, Debug, Default)]
pub struct VpcEndpoint {
    pub id: String,
    pub vpc: String,
    pub service: String,
    pub state: String,
    pub owner: String,
    pub tags: Tags,
}

impl GroupRule {
    /// It allows UDP on one port.
    pub fn udp(port: i32, peer: Peer) -> Self {
        Self { protocol: "udp".to_owned(), ports: Some((port, port)), peer }
    }

    fn everything(peer: Peer) -> Self {
        Self { protocol: "-1".to_owned(), ports: None, peer }
    }
}

impl AclEntry {
    /// It is about everything.
    pub fn everything(number: i32, egress: bool, allows: bool) -> Self {
        let block = "0.0.0.0/0".to_owned();
        Self { number, egress, allows, protocol: "-1".to_owned(), ports: None, block }
    }
}

/// The default security group: members reach each other, and everything may leave.
pub(super) fn groups() -> BTreeMap<String, SecurityGroup> {
    let group = SecurityGroup {
        id: DEFAULT_GROUP.to_owned(),
        vpc: subnet::DEFAULT_VPC.to_owned(),
        inbound: vec![GroupRule::everything(Peer::Group(DEFAULT_GROUP.to_owned()))],
        outbound: vec![GroupRule::everything(Peer::Block("0.0.0.0/0".to_owned()))],
        tags: Tags::new(),
    };
    [(group.id.clone(), group)].into()
}

/// The default network ACL of each VPC: it allows everything.
pub(super) fn acls() -> BTreeMap<String, NetworkAcl> {
    let entries = [false, true].map(|egress| {
        [AclEntry::everything(100, egress, true), AclEntry::everything(32_767, egress, false)]
    });
    let acl = |(vpc, subnets): (String, Vec<String>)| {
        let id = vpc.replace("vpc-", "acl-");
        let entries = entries.as_flattened().to_vec();
        (id.clone(), NetworkAcl { id, vpc, subnets, entries, tags: Tags::new() })
    };
    by_vpc().into_iter().map(acl).collect()
}

/// The main route table of each VPC: it leads nowhere else.
pub(super) fn route_tables() -> BTreeMap<String, RouteTable> {
    let table = |(vpc, _): (String, Vec<String>)| {
        let id = vpc.replace("vpc-", "rtb-");
        let destination = subnet::block(&vpc).to_owned();
        let route = Route { destination, via: "local".to_owned(), active: true };
        let (subnets, routes, tags) = (Vec::new(), vec![route], Tags::new());
        (id.clone(), RouteTable { id, vpc, is_main: true, subnets, routes, tags })
    };
    by_vpc().into_iter().map(table).collect()
}

fn by_vpc() -> BTreeMap<String, Vec<String>> {
    let mut vpcs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Subnet { id, vpc, .. } in subnet::all().into_values() {
        vpcs.entry(vpc).or_default().push(id);
    }
    vpcs
}

impl World {
    /// Adds a security group, or puts it in the place of the one with its id.
    pub fn put_security_group(&mut self, group: SecurityGroup) {
        self.groups.insert(group.id.clone(), group);
    }

    /// # Panics
    /// Where there is none with this id.
    pub fn security_group(&mut self, id: &str) -> &mut SecurityGroup {
        self.groups.get_mut(id).expect("a test knows its security groups")
    }

    /// The network ACL of a subnet.
    ///
    /// # Panics
    /// Where there is none.
    pub fn acl_of(&mut self, subnet: &str) -> &mut NetworkAcl {
        let is_its = |acl: &&mut NetworkAcl| acl.subnets.iter().any(|it| it == subnet);
        self.acls.values_mut().find(is_its).expect("every subnet has a network ACL")
    }

    /// Gives a subnet a network ACL of its own, a copy of that it had.
    pub fn give_own_acl(&mut self, subnet: &str) {
        let shared = self.acl_of(subnet);
        let id = subnet.replace("subnet-", "acl-1");
        let own = NetworkAcl { id, subnets: vec![subnet.to_owned()], ..shared.clone() };
        shared.subnets.retain(|it| it != subnet);
        self.acls.insert(own.id.clone(), own);
    }

    /// The main route table of a VPC.
    ///
    /// # Panics
    /// Where there is no such VPC.
    pub fn main_route_table(&mut self, vpc: &str) -> &mut RouteTable {
        let is_its = |table: &&mut RouteTable| table.vpc == vpc && table.is_main;
        self.route_tables.values_mut().find(is_its).expect("every VPC has a main route table")
    }

    /// # Panics
    /// Where there is none with this id.
    pub fn vpc_endpoint(&mut self, id: &str) -> &mut VpcEndpoint {
        self.endpoints.get_mut(id).expect("a test knows its endpoints")
    }
}

/// What belongs to everybody.
macro_rules! of_everybody {
    ($type:ident, $name:literal, $rows:ident, $missing:literal, $noun:literal, $largest:literal, $columns:expr) => {
        impl Resource for $type {
            const TYPE: &'static str = $name;
            const MISSING: (&'static str, &'static str) = ($missing, $noun);
            const COLUMNS: &'static [Column<Self>] = $columns;
            const PAGED_WITH_IDS: bool = false;
            const LARGEST_PAGE: i64 = $largest;

            fn rows(world: &World) -> &BTreeMap<String, Self> {
                &world.$rows
            }

            fn id(&self) -> &str {
                &self.id
            }

            fn owner(&self) -> &str {
                OWNER
            }

            fn tags(&self) -> &Tags {
                &self.tags
            }

            fn tags_mut(&mut self) -> &mut Tags {
                &mut self.tags
            }

            fn is_visible(&self, _: &World, _: &Caller) -> bool {
                true
            }
        }
    };
}

of_everybody!(
    SecurityGroup,
    "security-group",
    groups,
    "InvalidGroup.NotFound",
    "security group",
    1000,
    &[("group-id", |_, it| vec![it.id.clone()]), ("vpc-id", |_, it| vec![it.vpc.clone()])]
);
of_everybody!(
    NetworkAcl,
    "network-acl",
    acls,
    "InvalidNetworkAclID.NotFound",
    "network ACL",
    1000,
    &[
        ("network-acl-id", |_, it| vec![it.id.clone()]),
        ("vpc-id", |_, it| vec![it.vpc.clone()]),
        ("association.subnet-id", |_, it| it.subnets.clone()),
    ]
);
of_everybody!(
    RouteTable,
    "route-table",
    route_tables,
    "InvalidRouteTableID.NotFound",
    "route table",
    100,
    &[
        ("route-table-id", |_, it| vec![it.id.clone()]),
        ("vpc-id", |_, it| vec![it.vpc.clone()]),
        ("association.subnet-id", |_, it| it.subnets.clone()),
    ]
);

impl Resource for VpcEndpoint {
    const TYPE: &'static str = "vpc-endpoint";
    const MISSING: (&'static str, &'static str) = ("InvalidVpcEndpointId.NotFound", "Vpc Endpoint");
    const COLUMNS: &'static [Column<Self>] = &[
        ("vpc-endpoint-id", |_, it| vec![it.id.clone()]),
        ("vpc-id", |_, it| vec![it.vpc.clone()]),
        ("service-name", |_, it| vec![it.service.clone()]),
        ("vpc-endpoint-state", |_, it| vec![it.state.clone()]),
    ];

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.endpoints
    }

    fields!();
}
