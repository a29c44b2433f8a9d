//! Filters and their rules, from the SDK's types to ours.

use std::{net::IpAddr, ops::RangeInclusive};

use aws_sdk_ec2::types::{
    TrafficDirection, TrafficMirrorFilter, TrafficMirrorFilterRule, TrafficMirrorNetworkService,
    TrafficMirrorPortRange, TrafficMirrorRuleAction,
};
use shared::observed::{Addresses, Direction, Filter, FilterRule, Packets};

use crate::convert::{owner, parsed};

pub(crate) fn filter(filter: &TrafficMirrorFilter) -> Option<Filter> {
    let ingress = rules(Direction::Ingress, filter.ingress_filter_rules());
    let egress = rules(Direction::Egress, filter.egress_filter_rules());
    Some(Filter {
        id: parsed(filter.traffic_mirror_filter_id())?,
        managed_by: owner(filter.tags()),
        rules: ingress.chain(egress).collect(),
        amazon_dns: filter.network_services().contains(&TrafficMirrorNetworkService::AmazonDns),
    })
}

fn rules(
    direction: Direction,
    rules: &[TrafficMirrorFilterRule],
) -> impl Iterator<Item = FilterRule> {
    rules.iter().map(move |rule| {
        let is_in_its_list = rule.traffic_direction().is_none_or(|it| match direction {
            Direction::Ingress => *it == TrafficDirection::Ingress,
            Direction::Egress => *it == TrafficDirection::Egress,
        });
        FilterRule {
            direction,
            // Without a number it goes first, where a reject hides the most.
            number: rule.rule_number().unwrap_or(i32::MIN),
            accepts: rule.rule_action() == Some(&TrafficMirrorRuleAction::Accept),
            packets: packets(rule).filter(|_| is_in_its_list),
        }
    })
}

/// The packets of a rule; none where something about them cannot be read.
fn packets(rule: &TrafficMirrorFilterRule) -> Option<Packets> {
    let protocols = match rule.protocol() {
        None => 0..=u8::MAX,
        Some(protocol) => {
            let protocol = u8::try_from(protocol).ok()?;
            protocol..=protocol
        }
    };
    let source = range(rule.source_cidr_block()?)?;
    let destination = range(rule.destination_cidr_block()?)?;
    let addresses = match (source, destination) {
        (CidrRange::V4(source), CidrRange::V4(destination)) => Addresses::V4(source, destination),
        (CidrRange::V6(source), CidrRange::V6(destination)) => Addresses::V6(source, destination),
        (CidrRange::V4(_), CidrRange::V6(_)) | (CidrRange::V6(_), CidrRange::V4(_)) => return None,
    };
    Some(Packets {
        protocols,
        source_ports: ports(rule.source_port_range())?,
        destination_ports: ports(rule.destination_port_range())?,
        addresses,
    })
}

fn ports(range: Option<&TrafficMirrorPortRange>) -> Option<RangeInclusive<u16>> {
    let Some(range) = range else { return Some(0..=u16::MAX) };
    let from = range.from_port().map_or(Ok(0), u16::try_from).ok()?;
    let to = range.to_port().map_or(Ok(u16::MAX), u16::try_from).ok()?;
    (from <= to).then_some(from..=to)
}

enum CidrRange {
    V4(RangeInclusive<u32>),
    V6(RangeInclusive<u128>),
}

/// The addresses of a CIDR block such as `10.0.0.0/8`.
fn range(cidr: &str) -> Option<CidrRange> {
    let (address, bits) = cidr.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let hosts = host_bits(u32::MAX.checked_shr(bits), bits, u32::BITS)?;
            let first = address.to_bits() & !hosts;
            Some(CidrRange::V4(first..=first | hosts))
        }
        IpAddr::V6(address) => {
            let hosts = host_bits(u128::MAX.checked_shr(bits), bits, u128::BITS)?;
            let first = address.to_bits() & !hosts;
            Some(CidrRange::V6(first..=first | hosts))
        }
    }
}

/// The bits that are free within a block. A block of all bits has none, which is no valid shift.
fn host_bits<T: Default>(shifted: Option<T>, bits: u32, all: u32) -> Option<T> {
    (bits <= all).then(|| shifted.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(source: &str, destination: &str) -> TrafficMirrorFilterRule {
        TrafficMirrorFilterRule::builder()
            .rule_number(7)
            .rule_action(TrafficMirrorRuleAction::Accept)
            .source_cidr_block(source)
            .destination_cidr_block(destination)
            .build()
    }

    #[test]
    fn a_rule_is_read_with_everything_that_limits_it() {
        let mut item = rule("10.1.2.3/8", "0.0.0.0/0");
        let all = packets(&item).unwrap();
        let expected = Packets {
            protocols: 0..=255,
            source_ports: 0..=65_535,
            destination_ports: 0..=65_535,
            addresses: Addresses::V4(0x0a00_0000..=0x0aff_ffff, 0..=u32::MAX),
        };
        assert_eq!(all, expected);
        item.protocol = Some(6);
        let port = TrafficMirrorPortRange::builder().from_port(80).to_port(443).build();
        item.destination_port_range = Some(port);
        let limited = packets(&item).unwrap();
        assert_eq!((limited.protocols, limited.destination_ports), (6..=6, 80..=443));
        let v6 = packets(&rule("::/0", "2001:db8::/32")).unwrap();
        let Addresses::V6(from, to) = v6.addresses else { panic!("{v6:?}") };
        assert_eq!(from, 0..=u128::MAX);
        assert_eq!((to.start() >> 96, to.end() >> 96), (0x2001_0db8, 0x2001_0db8));
        let one = packets(&rule("10.0.0.1/32", "::1/128"));
        assert_eq!(one, None, "two versions of IP in one rule");
        let one = packets(&rule("10.0.0.1/32", "10.0.0.2/32")).unwrap();
        assert_eq!(
            one.addresses,
            Addresses::V4(0x0a00_0001..=0x0a00_0001, 0x0a00_0002..=0x0a00_0002)
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_everything() {
        for bad in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "/8", "10.0.0.0/x"] {
            assert_eq!(packets(&rule(bad, "0.0.0.0/0")), None, "{bad}");
        }
        let mut item = rule("0.0.0.0/0", "0.0.0.0/0");
        item.protocol = Some(256);
        assert_eq!(packets(&item), None);
        let mut item = rule("0.0.0.0/0", "0.0.0.0/0");
        item.source_port_range =
            Some(TrafficMirrorPortRange::builder().from_port(2).to_port(1).build());
        assert_eq!(packets(&item), None);
        let mut item = rule("0.0.0.0/0", "0.0.0.0/0");
        item.destination_cidr_block = None;
        assert_eq!(packets(&item), None);
        item.rule_action = Some(TrafficMirrorRuleAction::Reject);
        item.rule_number = None;
        let unreadable = rules(Direction::Egress, &[item]).next().unwrap();
        let expected = FilterRule {
            direction: Direction::Egress,
            number: i32::MIN,
            accepts: false,
            packets: None,
        };
        assert_eq!(unreadable, expected);
    }
}
