//! The subnets and VPCs there are: always the same, so that tests can name them.

use std::collections::BTreeMap;

const DEFAULT_VPC: &str = "vpc-0000000000000000a";

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

pub(super) fn all() -> BTreeMap<String, Subnet> {
    [
        (ZONE_A, DEFAULT_VPC, "us-east-1a"),
        (ZONE_B, DEFAULT_VPC, "us-east-1b"),
        (ZONE_C, DEFAULT_VPC, "us-east-1c"),
        (IPV6_ONLY, DEFAULT_VPC, "us-east-1a"),
        (SECOND_VPC, "vpc-0000000000000000b", "us-east-1a"),
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
