//! The subnets and VPCs there are: always the same, so that tests can name them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The VPC where instances go that name no subnet.
pub const DEFAULT_VPC: &str = "vpc-0000000000000000a";
/// The VPC of [`SECOND_VPC`].
pub const OTHER_VPC: &str = "vpc-0000000000000000b";

/// The default VPC's subnet in us-east-1a, where instances go that name no other.
pub const ZONE_A: &str = "subnet-0000000000000000a";
/// The default VPC's subnet in us-east-1b.
pub const ZONE_B: &str = "subnet-0000000000000000b";
/// The default VPC's subnet in us-east-1c.
pub const ZONE_C: &str = "subnet-0000000000000000c";
/// A subnet of the default VPC, in us-east-1a, whose interfaces have no IPv4 address.
pub const IPV6_ONLY: &str = "subnet-00000000000000006";
/// A subnet in us-east-1a of the other VPC.
pub const SECOND_VPC: &str = "subnet-0000000000000000d";

/// A subnet; it belongs to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub id: String,
    pub vpc: String,
    pub availability_zone: String,
    pub ipv6_only: bool,
}

impl Subnet {
    /// Whether instances go here that name no subnet.
    pub(super) fn is_default(&self) -> bool {
        self.vpc == DEFAULT_VPC && !self.ipv6_only
    }
}

/// The block of a VPC's addresses: larger than AWS allows, and one for all its subnets, as 100,000 instances must
/// fit.
pub(super) fn block(vpc: &str) -> &'static str {
    if vpc == OTHER_VPC { "172.16.0.0/12" } else { "10.0.0.0/8" }
}

/// An address in it.
pub(super) fn address(vpc: &str, host: u32) -> Ipv4Addr {
    let bits =
        if vpc == OTHER_VPC { 0xac10_0000 | (host & 0x000f_ffff) } else { 0x0a00_0000 | host };
    Ipv4Addr::from_bits(bits)
}

pub(super) fn all() -> BTreeMap<String, Subnet> {
    [
        (ZONE_A, DEFAULT_VPC, "us-east-1a"),
        (ZONE_B, DEFAULT_VPC, "us-east-1b"),
        (ZONE_C, DEFAULT_VPC, "us-east-1c"),
        (IPV6_ONLY, DEFAULT_VPC, "us-east-1a"),
        (SECOND_VPC, OTHER_VPC, "us-east-1a"),
    ]
    .map(|(id, vpc, zone)| {
        let subnet = Subnet {
            id: id.to_owned(),
            vpc: vpc.to_owned(),
            availability_zone: zone.to_owned(),
            ipv6_only: id == IPV6_ONLY,
        };
        (id.to_owned(), subnet)
    })
    .into()
}
