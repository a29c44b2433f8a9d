//! Interfaces by their addresses, for whoever must recognise what they send. No function asks for them.

use std::net::IpAddr;

use aws_sdk_ec2::types as ec2;
use shared::id::{InstanceId, InterfaceId, VpcId};

use crate::convert::parsed;

/// An interface and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    /// Its id.
    pub id: InterfaceId,
    /// Its VPC.
    pub vpc: Option<VpcId>,
    /// Its Availability Zone.
    pub zone: Option<String>,
    /// The instance it is attached to, where EC2 names one.
    pub instance: Option<InstanceId>,
    /// The primary private IPv4 address, from which the copies of mirrored packets come.
    pub primary: Option<IpAddr>,
    /// All private IPv4 and all IPv6 addresses, the primary one first.
    pub addresses: Vec<IpAddr>,
}

/// All private IPv4 and all IPv6 addresses of an interface, each once and the primary one first.
#[must_use]
pub fn addresses_of(item: &ec2::NetworkInterface) -> Vec<IpAddr> {
    let primary = parsed(item.private_ip_address());
    let four = item.private_ip_addresses().iter().map(|it| parsed(it.private_ip_address()));
    let six = item.ipv6_addresses().iter().map(|it| parsed(it.ipv6_address()));
    let mut addresses = Vec::new();
    for address in std::iter::once(primary).chain(four).chain(six).flatten() {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

pub(crate) fn convert(item: &ec2::NetworkInterface) -> Option<Addressed> {
    Some(Addressed {
        id: parsed(item.network_interface_id())?,
        vpc: parsed(item.vpc_id()),
        zone: item.availability_zone().map(str::to_owned),
        instance: parsed(item.attachment().and_then(ec2::NetworkInterfaceAttachment::instance_id)),
        primary: parsed(item.private_ip_address()),
        addresses: addresses_of(item),
    })
}

#[cfg(test)]
mod tests {
    use ec2::{NetworkInterface, NetworkInterfaceIpv6Address, NetworkInterfacePrivateIpAddress};

    use super::*;

    #[test]
    fn the_primary_address_comes_first_and_each_once() {
        let four = |address: &str| {
            NetworkInterfacePrivateIpAddress::builder().private_ip_address(address).build()
        };
        let six = NetworkInterfaceIpv6Address::builder().ipv6_address("fd00::5").build();
        let item = NetworkInterface::builder()
            .network_interface_id("eni-1")
            .private_ip_address("10.0.0.5")
            .private_ip_addresses(four("10.0.0.9"))
            .private_ip_addresses(four("10.0.0.5"))
            .ipv6_addresses(six)
            .build();
        let found = convert(&item).unwrap();
        assert_eq!(found.primary, "10.0.0.5".parse().ok());
        let written: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["10.0.0.5", "10.0.0.9", "fd00::5"]);
    }
}
