//! The copies of packets in VXLAN, as EC2 sends them to a target ("VXLAN encapsulation" in the Traffic Mirroring guide).

use etherparse::PacketBuilder;

use super::Copied;

const PORT: u16 = 4789;
/// The link type of Ethernet in a capture.
const ETHERNET: u32 = 1;
/// The largest packet that a capture may hold.
const LARGEST: u32 = 262_144;

/// The copy in an Ethernet frame, as it comes to the target.
pub fn wrap(copy: &Copied) -> Vec<u8> {
    let [_, high, middle, low] = copy.vni.to_be_bytes();
    // The flag says that there is a VNI.
    let payload = [&[0x08, 0, 0, 0, high, middle, low, 0], &copy.frame[..]].concat();
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 3], [2, 0, 0, 0, 0, 4])
        .ipv4(copy.from.octets(), copy.to.octets(), 64)
        .udp(source_port(copy), PORT);
    let mut frame = Vec::new();
    builder.write_to_vec(&mut frame, &payload).expect("it is shorter than any UDP datagram");
    frame
}

/// The copies as a capture in the format of pcap, the first at this Unix time and each a millisecond after the last.
pub fn pcap(copies: &[Copied], start: u32) -> Vec<u8> {
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    // Version 2.4, no time zone, no precision.
    let mut capture = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, LARGEST, ETHERNET]);
    for (copy, milliseconds) in copies.iter().zip(0_u32..) {
        let frame = wrap(copy);
        let length = u32::try_from(frame.len()).expect("it is shorter than any UDP datagram");
        let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
        capture.extend(words(&[start + seconds, rest * 1_000, length, length]));
        capture.extend(frame);
    }
    capture
}

/// Differs by flow, so that whatever is on the way can share out the flows (RFC 7348, section 5).
fn source_port(copy: &Copied) -> u16 {
    let sum = copy.frame.iter().fold(0_u16, |sum, byte| sum.rotate_left(3) ^ u16::from(*byte));
    0xc000 | (sum & 0x3fff)
}
