//! What a filter accepts, for each direction and each version of IP: rules in their order, so that a
//! reject in front hides what is behind it.

use std::ops::RangeInclusive;

use crate::observed::{Addresses, Direction, Filter, FilterRule, Interface};

/// What a filter accepts at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    ipv4: Directions,
    ipv6: Directions,
    amazon_dns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Directions {
    ingress: bool,
    egress: bool,
}

#[derive(Clone, Copy)]
enum IpVersion {
    V4,
    V6,
}

impl Coverage {
    pub(super) fn of(filter: &Filter) -> Self {
        let directions = |version| Directions {
            ingress: accepts_some(filter, Direction::Ingress, version),
            egress: accepts_some(filter, Direction::Egress, version),
        };
        let (ipv4, ipv6) = (directions(IpVersion::V4), directions(IpVersion::V6));
        Self { ipv4, ipv6, amazon_dns: filter.amazon_dns }
    }

    /// What two filters accept together, Amazon DNS aside.
    pub(super) fn and(mut self, other: Self) -> Self {
        let both = |one: Directions, other: Directions| Directions {
            ingress: one.ingress || other.ingress,
            egress: one.egress || other.egress,
        };
        self.ipv4 = both(self.ipv4, other.ipv4);
        self.ipv6 = both(self.ipv6, other.ipv6);
        self
    }

    /// The filter accepts nothing.
    pub(super) fn is_empty(self) -> bool {
        let none = Directions { ingress: false, egress: false };
        self == Self { ipv4: none, ipv6: none, amazon_dns: false }
    }

    /// Of which packets it accepts none, in words; none where it accepts some of each kind that an
    /// interface with these addresses has.
    pub(super) fn missing(self, has_ipv4: bool, has_ipv6: bool) -> Option<String> {
        let kinds = [
            ("ingress IPv4", has_ipv4 && !self.ipv4.ingress),
            ("egress IPv4", has_ipv4 && !self.ipv4.egress),
            ("ingress IPv6", has_ipv6 && !self.ipv6.ingress),
            ("egress IPv6", has_ipv6 && !self.ipv6.egress),
        ];
        let missing = kinds.into_iter().filter(|(_, is_missing)| *is_missing);
        let missing: Vec<_> = missing.map(|(kind, _)| kind).collect();
        (!missing.is_empty()).then(|| missing.join(" and no "))
    }
}

/// Whether a filter accepts some packets: not every rule that accepts does, as a reject in front may hide it.
#[must_use]
pub fn accepts_packets(filter: &Filter) -> bool {
    !Coverage::of(filter).is_empty()
}

/// Of which packets of these interfaces a filter accepts none, in words; none where it accepts some of each kind that one
/// of them has. An interface that EC2 does not show counts as one with IPv4 only, and so does an empty list.
#[must_use]
pub fn missing_packets<'a>(
    filter: &Filter,
    interfaces: impl IntoIterator<Item = Option<&'a Interface>>,
) -> Option<String> {
    let kinds = interfaces.into_iter().map(kinds_of);
    let (has_ipv4, has_ipv6) =
        kinds.reduce(|a, b| (a.0 || b.0, a.1 || b.1)).unwrap_or((true, false));
    Coverage::of(filter).missing(has_ipv4, has_ipv6)
}

/// Whether an interface has packets of IPv4, and of IPv6.
pub(super) fn kinds_of(interface: Option<&Interface>) -> (bool, bool) {
    (interface.is_none_or(|it| !it.ipv6_only), interface.is_some_and(|it| it.has_ipv6))
}

fn accepts_some(filter: &Filter, direction: Direction, version: IpVersion) -> bool {
    let rules = filter.rules.iter().filter(|rule| rule.direction == direction);
    let mut rules: Vec<_> = rules.collect();
    rules.sort_by_key(|rule| rule.number);
    let mut rejected: Vec<Region> = Vec::new();
    for rule in rules {
        match (rule.accepts, region(rule, version)) {
            (true, Ok(Some(accepted))) => {
                let rejected: Vec<_> = rejected.iter().map(<[_; _]>::as_slice).collect();
                if has_gap(&accepted, &rejected) {
                    return true;
                }
            }
            (false, Ok(Some(region))) => rejected.push(region),
            (_, Ok(None)) | (true, Err(Unreadable)) => {}
            // It may hide everything behind it.
            (false, Err(Unreadable)) => return false,
        }
    }
    false
}

/// Protocols, source and destination ports, source and destination addresses, all as one kind of number.
type Region = [RangeInclusive<u128>; 5];

struct Unreadable;

/// The packets of a rule, or none where it is about the other version of IP.
fn region(rule: &FilterRule, version: IpVersion) -> Result<Option<Region>, Unreadable> {
    let packets = rule.packets.as_ref().ok_or(Unreadable)?;
    let (sources, destinations) = match (&packets.addresses, version) {
        (Addresses::V4(from, to), IpVersion::V4) => (wide(from), wide(to)),
        (Addresses::V6(from, to), IpVersion::V6) => (from.clone(), to.clone()),
        (Addresses::V4(..), IpVersion::V6) | (Addresses::V6(..), IpVersion::V4) => return Ok(None),
    };
    let ports = [wide(&packets.source_ports), wide(&packets.destination_ports)];
    let [source_ports, destination_ports] = ports;
    Ok(Some([wide(&packets.protocols), source_ports, destination_ports, sources, destinations]))
}

fn wide<T: Copy + Into<u128>>(range: &RangeInclusive<T>) -> RangeInclusive<u128> {
    (*range.start()).into()..=(*range.end()).into()
}

/// Whether some packet of the region is in none of the rejected ones.
///
/// If there is one, there is one whose every coordinate is either the lowest of the region or just
/// behind the end of a rejected region: move it down, one coordinate after the other, as far as no
/// rejected region is in the way. So only those are tried.
fn has_gap(region: &[RangeInclusive<u128>], rejected: &[&[RangeInclusive<u128>]]) -> bool {
    let Some((range, rest)) = region.split_first() else { return rejected.is_empty() };
    let split: Vec<_> = rejected.iter().filter_map(|it| it.split_first()).collect();
    let behind = split.iter().filter_map(|(range, _)| range.end().checked_add(1));
    let mut candidates =
        std::iter::once(*range.start()).chain(behind).filter(|at| range.contains(at));
    candidates.any(|at| {
        let here = split.iter().filter(|(range, _)| range.contains(&at));
        let here: Vec<_> = here.map(|(_, rest)| *rest).collect();
        here.is_empty() || has_gap(rest, &here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Packets;

    const ALL: &str = "0.0.0.0/0";

    /// A rule as `NUMBER accept|reject PROTOCOLS PORTS SOURCES DESTINATIONS`; `*` is any.
    fn rule(direction: Direction, text: &str) -> FilterRule {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap();
        let (number, accepts) = (word().parse().unwrap(), word() == "accept");
        let protocols = match word() {
            "*" => 0..=255,
            protocol => protocol.parse().unwrap()..=protocol.parse().unwrap(),
        };
        let destination_ports = match word().split_once('-') {
            Some((from, to)) => from.parse().unwrap()..=to.parse().unwrap(),
            None => 0..=65_535,
        };
        let addresses = match (cidr(word()), cidr(word())) {
            ((Some(from), _), (Some(to), _)) => Addresses::V4(from, to),
            ((_, from), (_, to)) => Addresses::V6(from.unwrap(), to.unwrap()),
        };
        let packets = Packets { protocols, source_ports: 0..=65_535, destination_ports, addresses };
        FilterRule { direction, number, accepts, packets: Some(packets) }
    }

    type Cidr = (Option<RangeInclusive<u32>>, Option<RangeInclusive<u128>>);

    /// Of IPv6 only the block of everything.
    fn cidr(text: &str) -> Cidr {
        if text == "::/0" {
            return (None, Some(0..=u128::MAX));
        }
        let (address, bits) = text.split_once('/').unwrap();
        let bytes = address.split('.').map(|byte| byte.parse().unwrap());
        let bytes: [u8; 4] = bytes.collect::<Vec<_>>().try_into().unwrap();
        let first = u32::from_be_bytes(bytes);
        let hosts = u32::MAX.checked_shr(bits.parse().unwrap()).unwrap_or_default();
        (Some(first..=first | hosts), None)
    }

    fn filter(ingress: &[&str], egress: &[&str]) -> Filter {
        let rules = |direction, texts: &[&str]| -> Vec<_> {
            texts.iter().map(|text| rule(direction, text)).collect()
        };
        let (ingress, egress) =
            (rules(Direction::Ingress, ingress), rules(Direction::Egress, egress));
        Filter {
            id: "tmf-1".parse().unwrap(),
            managed_by: None,
            rules: [ingress, egress].concat(),
            amazon_dns: false,
        }
    }

    /// What is missing to an interface with both versions of IP.
    fn missing(ingress: &[&str], egress: &[&str]) -> String {
        Coverage::of(&filter(ingress, egress)).missing(true, true).unwrap_or_default()
    }

    #[test]
    fn each_direction_and_each_version_of_ip_counts() {
        let (v4, v6) = ("1 accept * * 0.0.0.0/0 0.0.0.0/0", "2 accept * * ::/0 ::/0");
        assert_eq!(missing(&[v4, v6], &[v4, v6]), "");
        assert_eq!(missing(&[v4, v6], &[v6]), "egress IPv4");
        assert_eq!(missing(&[v6], &[v4, v6]), "ingress IPv4");
        assert_eq!(missing(&[v4], &[v4]), "ingress IPv6 and no egress IPv6");
        let only_v4 = Coverage::of(&filter(&[v4], &[v4]));
        assert_eq!((only_v4.missing(true, false), only_v4.is_empty()), (None, false));
        let only_v6 = Coverage::of(&filter(&[v6], &[v6]));
        assert_eq!(only_v6.missing(false, true), None);
    }

    #[test]
    fn two_filters_may_see_together_what_each_misses() {
        let v4 = "1 accept * * 0.0.0.0/0 0.0.0.0/0";
        let [ingress, egress] =
            [filter(&[v4], &[]), filter(&[], &[v4])].map(|filter| Coverage::of(&filter));
        assert_eq!(ingress.and(egress).missing(true, false), None);
        assert_eq!(ingress.and(ingress).missing(true, false).as_deref(), Some("egress IPv4"));
        assert_eq!(egress.and(egress).missing(true, false).as_deref(), Some("ingress IPv4"));
    }

    #[test]
    fn amazon_dns_alone_is_not_nothing_and_leaves_everything_missing() {
        let nothing = Coverage::of(&filter(&[], &[]));
        assert!(nothing.is_empty());
        let hidden = ["1 reject * * 0.0.0.0/0 0.0.0.0/0", "2 accept * * 0.0.0.0/0 0.0.0.0/0"];
        assert!(!accepts_packets(&filter(&hidden, &hidden)));
        assert!(accepts_packets(&filter(&hidden, &hidden[1..])));
        let dns = Coverage::of(&Filter { amazon_dns: true, ..filter(&[], &[]) });
        assert!(!dns.is_empty());
        let expected = "ingress IPv4 and no egress IPv4";
        assert_eq!(dns.missing(true, false).as_deref(), Some(expected));
    }

    /// Whether something is accepted with these ingress rules.
    #[track_caller]
    fn accepts(rules: &[&str], expected: bool) {
        let accepts = accepts_some(&filter(rules, &[]), Direction::Ingress, IpVersion::V4);
        assert_eq!(accepts, expected, "{rules:?}");
        let mut reversed = filter(rules, &[]);
        reversed.rules.reverse();
        assert_eq!(accepts_some(&reversed, Direction::Ingress, IpVersion::V4), expected);
    }

    #[test]
    fn a_reject_in_front_hides_what_is_behind_it() {
        let all = format!("5 accept * * {ALL} {ALL}");
        accepts(&[&all], true);
        accepts(&[&all, &format!("9 reject * * {ALL} {ALL}")], true);
        accepts(&[&all, &format!("1 reject * * {ALL} {ALL}")], false);
        accepts(&[&all, &format!("1 reject * * 10.0.0.0/8 {ALL}")], true);
        let behind = format!("5 accept * * 10.1.0.0/16 {ALL}");
        accepts(&[&behind, &format!("1 reject * * 10.0.0.0/8 {ALL}")], false);
    }

    #[test]
    fn several_rejects_may_hide_together_what_none_hides_alone() {
        let all = format!("5 accept * * {ALL} {ALL}");
        let low = format!("1 reject * * 0.0.0.0/1 {ALL}");
        let high = format!("2 reject * * 128.0.0.0/1 {ALL}");
        accepts(&[&all, &low], true);
        accepts(&[&all, &low, &high], false);
        let high_to_low = "2 reject * * 128.0.0.0/1 0.0.0.0/1";
        let high_to_high = "3 reject * * 128.0.0.0/1 128.0.0.0/1";
        accepts(&[&all, &low, high_to_low], true);
        accepts(&[&all, &low, high_to_low, high_to_high], false);
        let https = format!("5 accept 6 443-443 {ALL} {ALL}");
        let ports =
            ["1 reject 6 0-400", "2 reject 6 401-500"].map(|it| format!("{it} {ALL} {ALL}"));
        accepts(&[&https, &ports[0]], true);
        accepts(&[&https, &ports[0], &ports[1]], false);
        accepts(&[&all, &ports[0], &ports[1]], true);
    }

    #[test]
    fn a_reject_of_one_protocol_or_port_hides_no_other() {
        let tcp = format!("5 accept 6 * {ALL} {ALL}");
        accepts(&[&tcp, &format!("1 reject 17 * {ALL} {ALL}")], true);
        accepts(&[&tcp, &format!("1 reject 6 0-65534 {ALL} {ALL}")], true);
        accepts(&[&tcp, &format!("1 reject 6 0-65535 {ALL} {ALL}")], false);
        accepts(&[&tcp, "1 reject 6 * ::/0 ::/0"], true);
    }

    #[test]
    fn a_rule_that_cannot_be_read_accepts_nothing_and_may_hide_everything() {
        let unreadable = |number, accepts| FilterRule {
            direction: Direction::Ingress,
            number,
            accepts,
            packets: None,
        };
        let mut filter = filter(&[&format!("5 accept * * {ALL} {ALL}")], &[]);
        let accepts = |filter: &Filter| accepts_some(filter, Direction::Ingress, IpVersion::V4);
        filter.rules.push(unreadable(1, true));
        assert!(accepts(&filter));
        filter.rules.remove(0);
        assert!(!accepts(&filter));
        filter.rules.insert(0, rule(Direction::Ingress, &format!("5 accept * * {ALL} {ALL}")));
        filter.rules.push(unreadable(9, false));
        assert!(accepts(&filter));
        filter.rules.push(unreadable(2, false));
        assert!(!accepts(&filter));
    }
}
