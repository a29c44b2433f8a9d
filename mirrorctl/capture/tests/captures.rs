//! Captures are written here byte by byte, by the descriptions of their formats (pcap-savefile(5), pcapng).
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends at the first surprise"
)]

use std::{
    io::{self, Read},
    net::IpAddr,
};

use capture::{Counts, End, LeftOut, MAX_SENDERS, ReadError, Seen, Sender, read};

/// More than is held of a capture at a time.
const MUCH: usize = 1 << 20;

const SOURCE: [u8; 4] = [10, 0, 0, 5];
const SOURCE_6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
/// What is mirrored: its content is never looked at.
const MIRRORED: [u8; 100] = [0x5a; 100];

fn vxlan(vni: u32, mirrored: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = vni.to_be_bytes();
    [&[0x08, 0, 0, 0, high, middle, low, 0], mirrored].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    [&50_000_u16.to_be_bytes()[..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload]
        .concat()
}

/// An IPv4 packet, with the flags and the offset of a fragment.
fn ipv4(source: [u8; 4], fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20).unwrap().to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 0, fragment[0], fragment[1], 64, protocol, 0, 0];
    [&head[..], &source, &[10, 0, 0, 9], payload].concat()
}

fn ipv6(source: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x60, 0, 0, 0, length[0], length[1], next, 64][..], &source, &[0xfd; 16], payload].concat()
}

/// A whole IPv4 packet with a copy.
fn outer(source: [u8; 4], vni: u32) -> Vec<u8> {
    ipv4(source, 0, 17, &udp(4789, &vxlan(vni, &MIRRORED)))
}

fn ethernet(kind: u16, packet: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), packet].concat()
}

fn frame(source: [u8; 4], vni: u32) -> Vec<u8> {
    ethernet(0x0800, &outer(source, vni))
}

/// How a capture writes its numbers.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn four(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    fn two(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;

fn pcap_head(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let version = [order.two(2), order.two(4)].concat();
    let rest = [0, 0, 262_144, link].map(|number| order.four(number)).concat();
    [&order.four(magic)[..], &version, &rest].concat()
}

/// A packet at one second and so many units, cut after `keep` bytes.
fn record(order: Order, units: u32, frame: &[u8], keep: usize) -> Vec<u8> {
    let kept = &frame[..keep.min(frame.len())];
    let lengths = [kept.len(), frame.len()].map(|it| u32::try_from(it).unwrap());
    let head = [1, units, lengths[0], lengths[1]].map(|number| order.four(number)).concat();
    [&head, kept].concat()
}

fn pcap_of(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let records = frames.iter().map(|frame| record(Order::Little, 0, frame, usize::MAX));
    let head = pcap_head(Order::Little, MICROSECONDS, link);
    std::iter::once(head).chain(records).collect::<Vec<_>>().concat()
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let length = order.four(u32::try_from(body.len() + padding.len() + 12).unwrap());
    [&order.four(kind)[..], &length, body, &padding, &length].concat()
}

fn section(order: Order) -> Vec<u8> {
    let version = [order.two(1), order.two(0)].concat();
    block(order, 0x0a0d_0d0a, &[&order.four(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat())
}

/// An interface of Ethernet with the options `if_tsresol` and `if_tsoffset`.
fn interface(order: Order, resolution: u8, offset: i64) -> Vec<u8> {
    let offset = match order {
        Order::Little => offset.to_le_bytes(),
        Order::Big => offset.to_be_bytes(),
    };
    let body = [
        &order.two(1)[..],
        &[0, 0],
        &order.four(262_144),
        &order.two(9),
        &order.two(1),
        &[resolution, 0, 0, 0],
        &order.two(14),
        &order.two(8),
        &offset,
        &[0; 4],
    ];
    block(order, 1, &body.concat())
}

fn enhanced(order: Order, interface: u32, time: u64, frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap();
    let [high, low] = [time >> 32, time & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
    let head = [interface, high, low, length, length].map(|number| order.four(number)).concat();
    block(order, 6, &[&head, frame].concat())
}

#[track_caller]
fn seen(capture: &[u8]) -> Seen {
    read(capture).unwrap()
}

fn from(source: impl Into<IpAddr>, vni: u32) -> Sender {
    Sender { address: source.into(), vni }
}

/// How many packets each sender has sent.
fn packets(seen: &Seen) -> Vec<(Sender, u64)> {
    seen.senders.iter().map(|(sender, counts)| (*sender, counts.packets)).collect()
}

/// All that a capture of a single good copy shows.
#[track_caller]
fn assert_one(capture: &[u8]) {
    let seen = seen(capture);
    assert_eq!(packets(&seen), [(from(SOURCE, 7), 1)], "{seen:?}");
    assert_eq!((seen.left_out.total(), seen.end), (0, End::Whole));
}

#[test]
fn pcap_is_read_in_either_order_and_resolution() {
    for order in [Order::Little, Order::Big] {
        for (magic, nanoseconds) in [(MICROSECONDS, 1_000), (NANOSECONDS, 1)] {
            let frame = frame(SOURCE, 7);
            let records = [9, 3, 5].map(|units| record(order, units, &frame, usize::MAX));
            let capture = [pcap_head(order, magic, 1), records.concat()].concat();
            let seen = seen(&capture);
            let expected = Counts {
                packets: 3,
                bytes: 300,
                first: Some(1_000_000_000 + 3 * nanoseconds),
                last: Some(1_000_000_000 + 9 * nanoseconds),
            };
            assert_eq!(seen.senders, [(from(SOURCE, 7), expected)].into());
            assert_eq!((seen.left_out, seen.end), (LeftOut::default(), End::Whole));
        }
    }
}

#[test]
fn pcapng_is_read_in_either_order_with_each_interfaces_clock() {
    for order in [Order::Little, Order::Big] {
        let frame = frame(SOURCE, 7);
        let capture = [
            section(order),
            interface(order, 9, 100),
            interface(order, 0x80 | 0x0a, 0),
            enhanced(order, 0, 5_000_000_001, &frame),
            enhanced(order, 1, 3 << 10, &frame),
        ];
        let seen = seen(&capture.concat());
        let counts = seen.senders[&from(SOURCE, 7)];
        assert_eq!((counts.first, counts.last), (Some(3_000_000_000), Some(105_000_000_001)));
        assert_eq!((counts.packets, seen.end), (2, End::Whole));
    }
}

#[test]
fn a_section_of_pcapng_begins_anew_and_a_simple_packet_has_no_time() {
    let frame = frame(SOURCE, 7);
    let length = u32::try_from(frame.len()).unwrap();
    let simple = |order: Order| block(order, 3, &[&order.four(length)[..], &frame].concat());
    let (little, big) = (Order::Little, Order::Big);
    let capture = [
        section(little),
        interface(little, 6, 0),
        simple(little),
        // Whatever this is, it has a length.
        block(little, 0x0bad, &[1; 40]),
        section(big),
        enhanced(big, 0, 1, &frame),
        interface(big, 6, 0),
        simple(big),
    ];
    let seen = seen(&capture.concat());
    let expected = Counts { packets: 2, bytes: 200, first: None, last: None };
    assert_eq!(seen.senders, [(from(SOURCE, 7), expected)].into());
    // The interfaces of the section before do not count.
    assert_eq!(seen.left_out, LeftOut { unknown_link: 1, ..LeftOut::default() });
}

#[test]
fn every_kind_of_link_has_its_header() {
    let packet = outer(SOURCE, 7);
    assert_one(&pcap_of(1, &[ethernet(0x0800, &packet)]));
    let tagged = [&[0, 5, 0x08, 0][..], &packet].concat();
    assert_one(&pcap_of(1, &[ethernet(0x8100, &tagged)]));
    let cooked = [&[0; 14][..], &[0x08, 0], &packet].concat();
    assert_one(&pcap_of(113, &[cooked]));
    let cooked = [&[0x08, 0][..], &[0; 18], &packet].concat();
    assert_one(&pcap_of(276, &[cooked]));
    for raw in [12, 14, 101, 228] {
        assert_one(&pcap_of(raw, std::slice::from_ref(&packet)));
    }
    let seen = seen(&pcap_of(147, &[packet]));
    assert_eq!(seen.left_out, LeftOut { unknown_link: 1, ..LeftOut::default() });
}

#[test]
fn the_outer_packet_may_be_ipv6() {
    let packet = ipv6(SOURCE_6, 17, &udp(4789, &vxlan(0xff_ffff, &MIRRORED)));
    for capture in
        [pcap_of(1, &[ethernet(0x86dd, &packet)]), pcap_of(229, std::slice::from_ref(&packet))]
    {
        assert_eq!(packets(&seen(&capture)), [(from(SOURCE_6, 0xff_ffff), 1)]);
    }
}

#[test]
fn one_vni_of_two_addresses_and_two_vnis_of_one_address_are_different_senders() {
    let other = [10, 0, 0, 6];
    let frames = [frame(SOURCE, 7), frame(other, 7), frame(SOURCE, 8), frame(SOURCE, 7)];
    let expected = [(from(SOURCE, 7), 2), (from(SOURCE, 8), 1), (from(other, 7), 1)];
    assert_eq!(packets(&seen(&pcap_of(1, &frames))), expected);
}

#[test]
fn what_is_mirrored_may_be_vxlan_itself_and_is_not_looked_at() {
    let inner = frame([192, 168, 0, 1], 99);
    let packet = ipv4(SOURCE, 0, 17, &udp(4789, &vxlan(7, &inner)));
    let seen = seen(&pcap_of(1, &[ethernet(0x0800, &packet)]));
    assert_eq!(packets(&seen), [(from(SOURCE, 7), 1)]);
    assert_eq!(seen.senders[&from(SOURCE, 7)].bytes, u64::try_from(inner.len()).unwrap());
}

#[test]
fn what_a_gateway_load_balancer_wraps_once_more_is_unwrapped() {
    let inner = outer(SOURCE, 7);
    // Eight words of options, then what IP calls IPv4.
    let geneve = [&[8, 0, 0x08, 0, 0, 0, 0, 0][..], &[0; 32], &inner].concat();
    let packet = ipv4([10, 9, 9, 9], 0, 17, &udp(6081, &geneve));
    assert_one(&pcap_of(101, &[packet]));
    let cut = ipv4([10, 9, 9, 9], 0, 17, &udp(6081, &geneve[..20]));
    assert_eq!(seen(&pcap_of(101, &[cut])).left_out.cut_short, 1);
}

#[test]
fn the_first_part_of_a_packet_counts_for_all_of_it() {
    let datagram = udp(4789, &vxlan(7, &MIRRORED));
    let first = ipv4(SOURCE, 0x2000, 17, &datagram[..64]);
    let second = ipv4(SOURCE, 0x0008, 17, &datagram[64..]);
    let seen = seen(&pcap_of(101, &[first, second]));
    assert_eq!(seen.senders[&from(SOURCE, 7)].bytes, 100);
    assert_eq!(seen.left_out, LeftOut { fragments: 1, ..LeftOut::default() });
    // In IPv6 a header of its own says which part it is: the offset in eight bytes, and whether more follow.
    let part = |offset: u8, more: u8, payload: &[u8]| {
        ipv6(SOURCE_6, 44, &[&[17, 0, 0, (offset << 3) | more, 0, 0, 0, 1], payload].concat())
    };
    let parts = [part(0, 1, &datagram[..64]), part(8, 0, &datagram[64..])];
    let seen = self::seen(&pcap_of(101, &parts));
    assert_eq!(seen.senders[&from(SOURCE_6, 7)].bytes, 100);
    assert_eq!(seen.left_out, LeftOut { fragments: 1, ..LeftOut::default() });
}

#[test]
fn a_capture_of_headers_alone_still_tells_everything() {
    let frame = frame(SOURCE, 7);
    let whole = 14 + 20 + 8 + 8;
    let head = pcap_head(Order::Big, MICROSECONDS, 1);
    let of = |keep| seen(&[head.clone(), record(Order::Big, 0, &frame, keep)].concat());
    let kept = of(whole);
    assert_eq!(kept.senders[&from(SOURCE, 7)].bytes, 100);
    for keep in 0..whole {
        let seen = of(keep);
        assert_eq!(seen.left_out, LeftOut { cut_short: 1, ..LeftOut::default() }, "{keep}");
        assert!(seen.senders.is_empty());
    }
}

#[test]
fn what_is_no_copy_is_counted_by_the_reason() {
    let no_vni = udp(4789, &[&[0; 8][..], &MIRRORED].concat());
    let mut too_short = udp(4789, &vxlan(7, &MIRRORED));
    too_short[4..6].copy_from_slice(&15_u16.to_be_bytes());
    let frames = [
        frame(SOURCE, 7),
        // Another port, TCP, ARP, an IP that there is not, and no IP at all.
        ethernet(0x0800, &ipv4(SOURCE, 0, 17, &udp(4790, &vxlan(7, &MIRRORED)))),
        ethernet(0x0800, &ipv4(SOURCE, 0, 6, &[0x50; 40])),
        ethernet(0x0806, &[0; 28]),
        ethernet(0x88cc, &[0; 28]),
        ethernet(0x0800, &ipv4(SOURCE, 0, 17, &no_vni)),
        ethernet(0x0800, &ipv4(SOURCE, 0, 17, &too_short)),
    ];
    let seen = seen(&pcap_of(1, &frames));
    assert_eq!(packets(&seen), [(from(SOURCE, 7), 1)]);
    let expected = LeftOut { not_vxlan: 4, malformed: 2, ..LeftOut::default() };
    assert_eq!(seen.left_out, expected);
}

#[test]
fn a_capture_that_ends_or_breaks_in_the_middle_tells_where() {
    let good = pcap_of(1, &[frame(SOURCE, 7)]);
    let end = u64::try_from(good.len()).unwrap();
    let more = record(Order::Little, 0, &frame(SOURCE, 7), usize::MAX);
    for cut in 1..more.len() {
        let seen = seen(&[&good, &more[..cut]].concat());
        assert_eq!((packets(&seen), seen.end), (vec![(from(SOURCE, 7), 1)], End::CutOff(end)));
    }
    // A packet of four gigabytes, and blocks whose lengths contradict each other.
    let huge = [1, 0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat();
    let seen = seen(&[good, huge, vec![0; MUCH]].concat());
    assert_eq!((packets(&seen), seen.end), (vec![(from(SOURCE, 7), 1)], End::Broken(end)));
    let order = Order::Little;
    let enhanced = [(8, 8), (60, 64), (u32::MAX, u32::MAX), (13, 13), (0, 0)].map(|it| (6, it));
    // The block of a process, which may be the shortest.
    let of_process = (0x8000_0001, (7_u32, 7_u32));
    for (kind, lengths) in enhanced.into_iter().chain([of_process]) {
        let odd = [&order.four(kind)[..], &order.four(lengths.0), &[0; 52], &order.four(lengths.1)];
        let begin = [section(order), interface(order, 6, 0)].concat();
        let capture = [&begin[..], &odd.concat(), &vec![0; 2 * MUCH]].concat();
        let seen = read(&capture[..]).unwrap();
        assert_eq!(seen.end, End::Broken(begin.len().try_into().unwrap()), "{kind} {lengths:?}");
    }
}

/// Fails after the header.
struct Failing(Vec<u8>);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let head = std::mem::take(&mut self.0);
        if head.is_empty() {
            return Err(io::Error::other("unplugged"));
        }
        buffer[..head.len()].copy_from_slice(&head);
        Ok(head.len())
    }
}

#[test]
fn what_is_no_capture_is_told_from_what_cannot_be_read() {
    for text in [&b""[..], b"\xa1\xb2", b"GIF89a..................................", &[0; 100]] {
        assert!(matches!(read(text), Err(ReadError::NotACapture)), "{text:?}");
    }
    let failing = Failing(pcap_head(Order::Little, MICROSECONDS, 1));
    assert!(matches!(read(failing), Err(ReadError::Unreadable)));
}

/// Gives a byte at a time, as a slow pipe does.
struct Dripping<R>(R);

impl<R: Read> Read for Dripping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn a_pipe_may_give_a_byte_at_a_time() {
    let capture = pcap_of(1, &[frame(SOURCE, 7)]);
    let seen = read(Dripping(&capture[..])).unwrap();
    assert_eq!((packets(&seen), seen.end), (vec![(from(SOURCE, 7), 1)], End::Whole));
}

/// One in ten is hostile.
#[test]
fn a_million_packets_are_counted_exactly() {
    let good = (0..9).map(|host| record(Order::Big, 0, &frame([10, 0, 1, host], 7), usize::MAX));
    let frame = frame(SOURCE, 7);
    let hostile = [
        record(Order::Big, 0, &frame, 30),
        record(Order::Big, 0, &ethernet(0x0800, &ipv4(SOURCE, 0, 6, &[0; 20])), usize::MAX),
    ];
    let good = good.collect::<Vec<_>>().concat();
    let [cut, other] = &hostile;
    let twenty = [&good, &cut[..], &good, other].concat();
    let chunk = twenty.repeat(500);
    let head = pcap_head(Order::Big, MICROSECONDS, 1);
    let mut capture: Box<dyn Read + Send> = Box::new(&head[..]);
    for _ in 0..100 {
        capture = Box::new(capture.chain(&chunk[..]));
    }
    let seen = read(capture).unwrap();
    assert_eq!(seen.end, End::Whole);
    let expected: Vec<_> = (0..9).map(|host| (from([10, 0, 1, host], 7), 100_000)).collect();
    assert_eq!(packets(&seen), expected);
    let expected = LeftOut { cut_short: 50_000, not_vxlan: 50_000, ..LeftOut::default() };
    assert_eq!(seen.left_out, expected);
    assert!(seen.senders.len() < MAX_SENDERS);
}
