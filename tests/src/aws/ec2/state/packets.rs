//! Sets of packets, exactly: which of them the rules of a filter accept.
//!
//! A set is a list of blocks that have no packet in common. A block is a range in each of five dimensions: the
//! addresses of source and destination, the protocol, and the ports of source and destination. Protocols without
//! ports are no special case, as only rules for TCP and UDP may name ports.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{CreateRule, PortRange};

/// Both ends included.
type Range = (u128, u128);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block([Range; 5]);

/// Packets of one version of IP.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    version: Version,
    blocks: Vec<Block>,
}

/// A packet, as far as filters look at it. The ports mean something for TCP and UDP only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) source: u128,
    pub(super) destination: u128,
    pub(super) protocol: u8,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
}

/// The number of TCP among IP's protocols.
const TCP: u128 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
}

impl Packets {
    /// All there can be.
    pub(super) fn all(version: Version) -> Self {
        let addresses = match version {
            Version::Four => (0, u32::MAX.into()),
            Version::Six => (0, u128::MAX),
        };
        let ports = (0, u16::MAX.into());
        Self { version, blocks: vec![Block([addresses, addresses, (0, 255), ports, ports])] }
    }

    pub(super) fn none(version: Version) -> Self {
        Self { version, blocks: Vec::new() }
    }

    /// One of them that this address sends, or that it gets. Of what a block leaves open, what is usual.
    pub(super) fn example(&self, own: u128, sends: bool) -> Option<Example> {
        let peer = match self.version {
            Version::Four => Ipv4Addr::new(198, 51, 100, 7).to_bits().into(),
            Version::Six => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).to_bits(),
        };
        let (source, destination) = if sends { (own, peer) } else { (peer, own) };
        let usual = [source, destination, TCP, 50_000, 443];
        // The address of an interface is not open.
        let own_at = usize::from(!sends);
        let has_own = |block: &&Block| (block.0[own_at].0..=block.0[own_at].1).contains(&own);
        let block = self.blocks.iter().find(has_own)?;
        let mut chosen = usual;
        for (value, (start, end)) in chosen.iter_mut().zip(block.0) {
            if !(start..=end).contains(value) {
                *value = start;
            }
        }
        let [source, destination, protocol, source_port, destination_port] = chosen;
        let port = |number| u16::try_from(number).unwrap_or_default();
        Some(Example {
            source,
            destination,
            protocol: u8::try_from(protocol).unwrap_or_default(),
            source_port: port(source_port),
            destination_port: port(destination_port),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Goes through rules, lowest number first, and divides into what they accept and what they do not: the first
    /// rule that fits a packet decides, and a packet that none fits is not accepted.
    pub(super) fn sift<'a>(self, rules: impl IntoIterator<Item = &'a CreateRule>) -> (Self, Self) {
        let Self { version, blocks: mut undecided } = self;
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        for rule in rules {
            let Some(rule_block) = of_rule(rule, version) else { continue };
            let mut others = Vec::new();
            for packets in undecided {
                let decided = packets.divide(rule_block, &mut others);
                match rule.action.as_str() {
                    "accept" => accepted.extend(decided),
                    _ => rejected.extend(decided),
                }
            }
            undecided = others;
        }
        rejected.extend(undecided);
        (Self { version, blocks: accepted }, Self { version, blocks: rejected })
    }
}

impl Block {
    /// What is within the other block, while what is outside goes to `others`.
    fn divide(mut self, other: Self, others: &mut Vec<Self>) -> Option<Self> {
        let meets = |(mine, its): (&Range, &Range)| mine.0 <= its.1 && its.0 <= mine.1;
        if !self.0.iter().zip(&other.0).all(meets) {
            others.push(self);
            return None;
        }
        for (dimension, (start, end)) in other.0.into_iter().enumerate() {
            let (mine_start, mine_end) = self.0[dimension];
            if mine_start < start {
                others.push(self.with(dimension, (mine_start, start - 1)));
            }
            if mine_end > end {
                others.push(self.with(dimension, (end + 1, mine_end)));
            }
            self.0[dimension] = (mine_start.max(start), mine_end.min(end));
        }
        Some(self)
    }

    fn with(mut self, dimension: usize, range: Range) -> Self {
        self.0[dimension] = range;
        self
    }
}

/// The packets that a rule is about, if it is about this version of IP.
fn of_rule(rule: &CreateRule, version: Version) -> Option<Block> {
    let (source_version, source) = addresses(&rule.source_cidr)?;
    let (destination_version, destination) = addresses(&rule.destination_cidr)?;
    if (source_version, destination_version) != (version, version) {
        return None;
    }
    let number = |number: i64| u128::try_from(number).unwrap_or_default();
    let protocol = rule.protocol.map_or((0, 255), |protocol| (number(protocol), number(protocol)));
    let ports = |range: Option<PortRange>| {
        range.map_or((0, u16::MAX.into()), |range| (number(range.from), number(range.to)))
    };
    Some(Block([
        source,
        destination,
        protocol,
        ports(rule.source_ports),
        ports(rule.destination_ports),
    ]))
}

/// The addresses of a CIDR block, or `None` if it is not one.
pub(super) fn addresses(cidr: &str) -> Option<(Version, Range)> {
    let (address, length) = cidr.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    let (version, width, address) = match address.parse::<Ipv4Addr>() {
        Ok(address) => (Version::Four, 32_u32, address.to_bits().into()),
        Err(_) => (Version::Six, 128, address.parse::<Ipv6Addr>().ok()?.to_bits()),
    };
    let hosts = width.checked_sub(length).map(|bits| 1_u128.checked_shl(bits).unwrap_or(0))?;
    let mask = hosts.wrapping_sub(1);
    Some((version, (address & !mask, address | mask)))
}

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::*;

    fn rule(action: &str, source: &str, destination: &str) -> CreateRule {
        CreateRule {
            action: action.to_owned(),
            source_cidr: source.to_owned(),
            destination_cidr: destination.to_owned(),
            ..CreateRule::accept_all("tmf-1", Direction::Ingress, 1)
        }
    }

    fn accept_all() -> CreateRule {
        rule("accept", "0.0.0.0/0", "0.0.0.0/0")
    }

    fn range(from: i64, to: i64) -> PortRange {
        PortRange { from, to }
    }

    fn accepted(rules: &[CreateRule], version: Version) -> bool {
        !Packets::all(version).sift(rules).0.is_empty()
    }

    fn four(rules: &[CreateRule]) -> bool {
        accepted(rules, Version::Four)
    }

    #[test]
    fn without_rules_nothing_is_accepted_and_a_rule_is_about_its_own_version_only() {
        assert!(!four(&[]));
        assert!(four(&[accept_all()]));
        assert!(!accepted(&[accept_all()], Version::Six));
        let six = [rule("accept", "::/0", "::/0")];
        assert!(accepted(&six, Version::Six) && !four(&six));
        let reject_six = [rule("reject", "::/0", "::/0"), accept_all()];
        assert!(four(&reject_six));
    }

    #[test]
    fn a_rejection_in_front_hides_all_and_one_behind_hides_nothing() {
        let reject = rule("reject", "0.0.0.0/0", "0.0.0.0/0");
        assert!(!four(&[reject.clone(), accept_all()]));
        assert!(four(&[accept_all(), reject]));
    }

    #[test]
    fn two_rejected_halves_are_a_whole_unless_a_packet_fits_between_them() {
        let halves = ["0.0.0.0/1", "128.0.0.0/1"];
        let sources = halves.map(|half| rule("reject", half, "0.0.0.0/0"));
        let [low, high] = sources;
        assert!(!four(&[low.clone(), high.clone(), accept_all()]));
        assert!(four(&[low.clone(), accept_all()]));
        // A quarter is left: from the upper half to the lower.
        let to_high = rule("reject", "0.0.0.0/0", "128.0.0.0/1");
        assert!(four(&[low.clone(), to_high.clone(), accept_all()]));
        let rest = rule("reject", "128.0.0.0/1", "0.0.0.0/1");
        assert!(!four(&[low, to_high, rest, accept_all()]));
        let six = ["::/1", "8000::/1"].map(|half| rule("reject", "::/0", half));
        let [low, high] = six;
        let accept = rule("accept", "::/0", "::/0");
        assert!(!accepted(&[low.clone(), high, accept.clone()], Version::Six));
        assert!(accepted(&[low, accept], Version::Six));
    }

    #[test]
    fn a_rejection_of_a_protocol_or_of_ports_hides_only_these() {
        let reject = rule("reject", "0.0.0.0/0", "0.0.0.0/0");
        let tcp = CreateRule { protocol: Some(6), ..reject.clone() };
        assert!(four(&[tcp.clone(), accept_all()]));
        let accept_tcp = CreateRule { protocol: Some(6), ..accept_all() };
        assert!(!four(&[tcp.clone(), accept_tcp.clone()]));
        let low = CreateRule { destination_ports: Some(range(0, 1023)), ..tcp.clone() };
        let high = CreateRule { destination_ports: Some(range(1024, 65_535)), ..tcp.clone() };
        assert!(four(&[low.clone(), accept_tcp.clone()]));
        assert!(!four(&[low.clone(), high.clone(), accept_tcp.clone()]));
        let gap = CreateRule { destination_ports: Some(range(1025, 65_535)), ..tcp.clone() };
        assert!(four(&[low, gap.clone(), accept_tcp.clone()]));
        let only_gap = CreateRule { destination_ports: Some(range(1024, 1024)), ..accept_tcp };
        assert!(four(&[gap, only_gap.clone()]) && !four(&[high, only_gap.clone()]));
        let sources = CreateRule { source_ports: Some(range(0, 65_535)), ..tcp };
        assert!(!four(&[sources, only_gap]));
    }

    #[test]
    fn a_cidr_block_stands_for_all_its_addresses_whatever_its_host_part() {
        let four = |start, end| Some((Version::Four, (start, end)));
        assert_eq!(addresses("0.0.0.0/0"), four(0, 0xffff_ffff));
        assert_eq!(addresses("10.1.2.3/8"), four(0x0a00_0000, 0x0aff_ffff));
        assert_eq!(addresses("10.1.2.3/32"), four(0x0a01_0203, 0x0a01_0203));
        assert_eq!(addresses("::/0"), Some((Version::Six, (0, u128::MAX))));
        assert_eq!(addresses("::1/128"), Some((Version::Six, (1, 1))));
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::/129", "x/0", "::/-1"] {
            assert_eq!(addresses(wrong), None, "{wrong}");
        }
    }
}
