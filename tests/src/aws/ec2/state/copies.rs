//! The copies of packets that targets receive: what a sensor sees of the sessions that work.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{Ethernet2Header, IpNumber, PacketBuilder, PacketBuilderStep, ip_number};

use super::delivery::Share;
use super::packets::{Example, Version};
use super::{Direction, Endpoint, Interface, Session, World};

/// The bytes that EC2 keeps of a packet where a session does not say how many (`PacketLength`).
const WHOLE: usize = 8_500;
/// Amazon's DNS server, from each instance.
const AMAZON_DNS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
/// Where the copies go of a target whose balancer only its ARN tells of.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 255, 255, 254);
/// What is in the synthetic packets.
const CONTENT: [u8; 32] = *b"a packet that a source has sent.";

/// A copy of one packet, before it is wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub session: String,
    pub target: String,
    pub vni: u32,
    /// The primary address of the source.
    pub from: Ipv4Addr,
    /// An address behind the target.
    pub to: Ipv4Addr,
    /// The mirrored packet with its Ethernet header, as much of it as the session keeps.
    pub frame: Vec<u8>,
}

/// A packet with its Ethernet header, and which way it goes.
pub(super) type Frame = (Direction, Vec<u8>);

impl World {
    /// Copies of a small packet of each kind that each session takes: in and out, IPv4 and IPv6, and of Amazon's DNS. A
    /// session that would not work in AWS sends none.
    pub fn copies(&self) -> Vec<Copied> {
        self.interfaces.values().flat_map(|source| self.copies_of(source)).collect()
    }

    fn copies_of(&self, source: &Interface) -> Vec<Copied> {
        let Some(from) = source.ipv4 else { return Vec::new() };
        let mut copies = Vec::new();
        for (session, frames) in self.taken(source) {
            let to = self.address_behind(session).unwrap_or(ELSEWHERE);
            copies.extend(frames.into_iter().map(|(_, frame)| {
                let (session, target, vni) =
                    (session.id.clone(), session.target.clone(), session.vni);
                Copied { session, target, vni, from, to, frame }
            }));
        }
        copies
    }

    /// What each session that works takes of this source, in a small packet of each kind.
    pub(super) fn taken(&self, source: &Interface) -> Vec<(&Session, Vec<Frame>)> {
        if source.instance().is_some_and(|id| self.traffic.sends_no_copies(id)) {
            return Vec::new();
        }
        let real =
            self.shares(&source.id).into_iter().filter(|(_, delivery, _)| delivery.is_real());
        let taken = real.map(|(session, _, share)| {
            let mut frames = frames(&share, source);
            let keep = session.packet_length.map_or(WHOLE, usize::from);
            for (_, frame) in &mut frames {
                frame.truncate(keep);
            }
            (session, frames)
        });
        taken.collect()
    }

    /// Where the copies of a session are sent to.
    fn address_behind(&self, session: &Session) -> Option<Ipv4Addr> {
        let description = match &self.targets.get(&session.target)?.endpoint {
            Endpoint::Interface(id) => return self.interfaces.get(id)?.ipv4,
            Endpoint::NetworkLoadBalancer(arn) => {
                format!("ELB {}", arn.split_once(":loadbalancer/")?.1)
            }
            Endpoint::GatewayLoadBalancerEndpoint(id) => format!("VPC Endpoint Interface {id}"),
        };
        let mut interfaces = self.interfaces.values();
        interfaces.find(|it| it.requester.is_some() && it.description == description)?.ipv4
    }
}

/// A packet of each kind that the session takes of this source.
fn frames(share: &Share, source: &Interface) -> Vec<Frame> {
    let mut frames = Vec::new();
    for (direction, version, packets) in &share.packets {
        let own = match version {
            Version::Four => source.ipv4.map(|address| address.to_bits().into()),
            Version::Six => source.ipv6.first().map(|address| address.to_bits()),
        };
        let example = own.and_then(|own| packets.example(own, *direction == Direction::Egress));
        frames.extend(example.map(|example| (*direction, frame(*version, example))));
    }
    if let Some(own) = source.ipv4.filter(|_| share.amazon_dns) {
        let query = ethernet().ipv4(own.octets(), AMAZON_DNS.octets(), 64).udp(50_000, 53);
        let mut frame = Vec::new();
        query.write_to_vec(&mut frame, &CONTENT).expect("it is short");
        frames.push((Direction::Egress, frame));
    }
    frames
}

fn ethernet() -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
}

fn frame(version: Version, example: Example) -> Vec<u8> {
    let Example { source, destination, protocol, source_port, destination_port } = example;
    let four = |address| Ipv4Addr::from_bits(u32::try_from(address).unwrap_or_default()).octets();
    let six = |address| Ipv6Addr::from_bits(address).octets();
    let ip = match version {
        Version::Four => ethernet().ipv4(four(source), four(destination), 64),
        Version::Six => ethernet().ipv6(six(source), six(destination), 64),
    };
    let mut frame = Vec::new();
    let written = match IpNumber(protocol) {
        ip_number::TCP => ip
            .tcp(source_port, destination_port, 1, 1_024)
            .ack(1)
            .write_to_vec(&mut frame, &CONTENT),
        ip_number::UDP => ip.udp(source_port, destination_port).write_to_vec(&mut frame, &CONTENT),
        other => ip.write_to_vec(&mut frame, other, &CONTENT),
    };
    written.expect("it is short");
    frame
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateRule, CreateSession, ModifySession, PortRange, Tags};
    use super::*;

    fn accept(stage: &mut Stage, direction: Direction, change: fn(&mut CreateRule)) {
        let filter = stage.filter.clone();
        let number = stage.world.filter(&filter).unwrap().rules.len() + 1;
        let number = number.try_into().unwrap();
        let mut rule = CreateRule::accept_all(&filter, direction, number);
        change(&mut rule);
        stage.world.create_rule(&stage.alice, rule, Tags::new()).unwrap();
    }

    /// A stage with one session that takes all of IPv4.
    fn mirrored() -> Stage {
        let mut stage = Stage::new();
        for direction in [Direction::Ingress, Direction::Egress] {
            accept(&mut stage, direction, |_| ());
        }
        stage.create(&CreateSession { vni: Some(77), ..stage.request() });
        stage
    }

    #[test]
    fn a_session_that_works_sends_copies_from_its_source_to_what_is_behind_its_target() {
        let mut stage = mirrored();
        let (source, sensor) = (stage.source.clone(), stage.sensor.clone());
        let address = |id: &str| stage.world.interface(id).unwrap().ipv4.unwrap();
        let sensor = stage.world.instance(&sensor).unwrap().interfaces[0].clone();
        let (from, to) = (address(&source), address(&sensor));
        let copies = stage.world.copies();
        assert_eq!(copies.len(), 2);
        for copy in &copies {
            assert_eq!((copy.from, copy.to, copy.vni), (from, to, 77));
            assert_eq!(copy.frame.len(), 14 + 20 + 20 + CONTENT.len());
        }
        let addresses = |copy: &Copied| copy.frame[26..34].to_vec();
        let peer = [198, 51, 100, 7];
        assert_eq!(addresses(&copies[0]), [&peer[..], &from.octets()].concat());
        assert_eq!(addresses(&copies[1]), [&from.octets()[..], &peer].concat());
        let session = copies[0].session.clone();
        let request =
            ModifySession { session, packet_length: Some(40), ..ModifySession::default() };
        stage.world.modify_session(&stage.alice, &request).unwrap();
        assert!(stage.world.copies().iter().all(|copy| copy.frame.len() == 40));
    }

    #[test]
    fn what_would_not_work_in_aws_sends_none() {
        let mut stage = mirrored();
        let alice = stage.alice.clone();
        for ids in [[stage.sensor.clone()], [stage.instance.clone()]] {
            stage.world.stop_instances(&alice, &ids).unwrap();
            stage.world.tick();
            assert_eq!(stage.world.copies(), []);
            stage.world.start_instances(&alice, &ids).unwrap();
            stage.world.tick();
            assert_eq!(stage.world.copies().len(), 2);
        }
        // Another session takes all of it first.
        let session = stage.world.copies()[0].session.clone();
        let later = ModifySession { session, number: Some(2), ..ModifySession::default() };
        let later = stage.world.modify_session(&alice, &later).unwrap();
        let target = stage.balancer();
        let first = stage.create(&CreateSession { target, ..stage.request() });
        let sent: Vec<_> = stage.world.copies().into_iter().map(|copy| copy.session).collect();
        assert_eq!(sent, [first.id.clone(), first.id]);
        assert!(!sent.contains(&later.id));
    }

    #[test]
    fn the_packet_is_one_that_the_filter_accepts() {
        let mut stage = Stage::new();
        accept(&mut stage, Direction::Egress, |rule| {
            rule.protocol = Some(17);
            rule.destination_ports = Some(PortRange { from: 8_000, to: 9_000 });
            "203.0.113.0/24".clone_into(&mut rule.destination_cidr);
        });
        // Nothing that this source has an address for.
        accept(&mut stage, Direction::Ingress, |rule| {
            "192.0.2.0/24".clone_into(&mut rule.destination_cidr);
        });
        stage.create(&stage.request());
        let copies = stage.world.copies();
        let [copy] = &copies[..] else { panic!("{copies:?}") };
        assert_eq!(copy.frame[23], 17);
        assert_eq!(copy.frame[30..34], [203, 0, 113, 0]);
        assert_eq!(copy.frame[36..38], 8_000_u16.to_be_bytes());
    }
}
