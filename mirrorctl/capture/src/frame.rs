//! One captured packet: whose copy it is.

use std::net::IpAddr;

use etherparse::{
    EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket, TransportSlice, UdpSlice,
    err::{self, Layer},
};

/// Where EC2 sends VXLAN to.
const VXLAN_PORT: u16 = 4789;
/// Where a Gateway Load Balancer sends GENEVE to, with VXLAN in it.
const GENEVE_PORT: u16 = 6081;
const UDP_HEADER: u64 = 8;
const VXLAN_HEADER: u64 = 8;
/// The flag of a VXLAN header that says that it has a VNI.
const HAS_VNI: u8 = 0x08;

/// Who sends the copies: the interface with this address, in the session with this VNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender {
    /// The outer source address: the primary address of the mirrored interface.
    pub address: IpAddr,
    /// The VXLAN network identifier of the session.
    pub vni: u32,
}

/// A copy of a mirrored packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) sender: Sender,
    /// The length of the mirrored packet as it was sent, without what it was wrapped into.
    pub(crate) bytes: u64,
}

/// Why a captured packet is not counted for a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// It is no VXLAN over UDP port 4789.
    NotVxlan,
    /// What was captured of it ends before its VNI.
    CutShort,
    /// Its headers contradict each other.
    Malformed,
    /// It is a part of a packet other than the first.
    Fragment,
    /// The capture has it from a kind of link that is not known.
    UnknownLink,
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Ethernet,
    /// Linux "cooked" capture, of `tcpdump -i any`.
    Cooked1,
    Cooked2,
    /// IP at once.
    Raw,
    Unknown,
}

impl Link {
    /// By its number in captures (pcap-linktype(7)). Raw IP has had several.
    pub(crate) const fn new(number: i32) -> Self {
        match number {
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            113 => Self::Cooked1,
            276 => Self::Cooked2,
            _ => Self::Unknown,
        }
    }
}

/// Whose copy a frame is.
pub(crate) fn copy(link: Link, frame: &[u8]) -> Result<Copy, Other> {
    let packet = match link {
        Link::Ethernet => LaxSlicedPacket::from_ethernet(frame).map_err(|_| Other::CutShort)?,
        Link::Raw => LaxSlicedPacket::from_ip(frame).map_err(|error| match error {
            err::ip::LaxHeaderSliceError::Len(_) => Other::CutShort,
            err::ip::LaxHeaderSliceError::Content(_) => Other::NotVxlan,
        })?,
        Link::Cooked1 => after_type(frame, 14, 16)?,
        Link::Cooked2 => after_type(frame, 0, 20)?,
        Link::Unknown => return Err(Other::UnknownLink),
    };
    let udp = datagram(&packet)?;
    if udp.destination_port() != GENEVE_PORT {
        return vxlan(&packet, &udp);
    }
    // A Gateway Load Balancer wraps what the source sent once more.
    let packet = geneve(udp.payload())?;
    let udp = datagram(&packet)?;
    vxlan(&packet, &udp)
}

/// The packet after a header of this length, with the type of what follows at this place in it.
fn after_type(frame: &[u8], at: usize, header: usize) -> Result<LaxSlicedPacket<'_>, Other> {
    let (header, rest) = frame.split_at_checked(header).ok_or(Other::CutShort)?;
    let (_, kind) = header.split_at_checked(at).ok_or(Other::CutShort)?;
    let kind = kind.first_chunk().ok_or(Other::CutShort)?;
    Ok(LaxSlicedPacket::from_ether_type(EtherType(u16::from_be_bytes(*kind)), rest))
}

/// The packet in GENEVE (RFC 8926): eight bytes, and options whose length the first one tells in words.
fn geneve(payload: &[u8]) -> Result<LaxSlicedPacket<'_>, Other> {
    let first = payload.first().ok_or(Other::CutShort)?;
    let options = usize::from(first & 0x3f).saturating_mul(4);
    after_type(payload, 2, options.saturating_add(8))
}

/// The UDP datagram of a packet.
fn datagram<'a>(packet: &LaxSlicedPacket<'a>) -> Result<UdpSlice<'a>, Other> {
    if let Some(TransportSlice::Udp(udp)) = &packet.transport {
        return Ok(udp.clone());
    }
    let ip = packet.net.as_ref().and_then(LaxNetSlice::ip_payload_ref);
    if let Some(ip) = ip.filter(|ip| ip.fragmented && ip.ip_number == IpNumber::UDP) {
        // The headers are in the first part.
        return if is_first_part(packet) {
            UdpSlice::from_slice_lax(ip.payload).map_err(|_| Other::CutShort)
        } else {
            Err(Other::Fragment)
        };
    }
    match &packet.stop_err {
        // What other protocols have to say, however badly, is no matter here.
        None | Some((_, Layer::TcpHeader | Layer::Icmpv4 | Layer::Icmpv6)) => Err(Other::NotVxlan),
        Some((err::packet::SliceError::Len(_), _)) => Err(Other::CutShort),
        Some(_) => Err(Other::Malformed),
    }
}

fn is_first_part(packet: &LaxSlicedPacket<'_>) -> bool {
    match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => ip.header().fragments_offset().value() == 0,
        Some(LaxNetSlice::Ipv6(ip)) => ip.extensions().clone().into_iter().all(|it| match it {
            etherparse::Ipv6ExtensionSlice::Fragment(part) => part.fragment_offset().value() == 0,
            _ => true,
        }),
        Some(LaxNetSlice::Arp(_)) | None => false,
    }
}

fn vxlan(packet: &LaxSlicedPacket<'_>, udp: &UdpSlice<'_>) -> Result<Copy, Other> {
    if udp.destination_port() != VXLAN_PORT {
        return Err(Other::NotVxlan);
    }
    let address = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => IpAddr::V4(ip.header().source_addr()),
        Some(LaxNetSlice::Ipv6(ip)) => IpAddr::V6(ip.header().source_addr()),
        Some(LaxNetSlice::Arp(_)) | None => return Err(Other::NotVxlan),
    };
    let bytes = u64::from(udp.length()).checked_sub(UDP_HEADER + VXLAN_HEADER);
    let bytes = bytes.ok_or(Other::Malformed)?;
    let header: &[u8; 8] = udp.payload().first_chunk().ok_or(Other::CutShort)?;
    let [flags, _, _, _, high, middle, low, _] = *header;
    if flags & HAS_VNI == 0 {
        return Err(Other::Malformed);
    }
    let vni = u32::from_be_bytes([0, high, middle, low]);
    Ok(Copy { sender: Sender { address, vni }, bytes })
}
