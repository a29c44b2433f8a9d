//! Goes through a capture in the format of pcap or pcapng, packet by packet.

use std::{collections::BTreeMap, io};

use pcap_parser::{
    Block, PcapBlockOwned, PcapError, create_reader,
    traits::{PcapNGPacketBlock, PcapReaderIterator},
};

use crate::{
    clock::Clock,
    frame::{Link, Sender, copy},
    tally::{Counts, LeftOut, Tally},
};

/// The largest piece of a capture that is held: four times the largest packet that libpcap writes. A larger one
/// ends the reading.
const BUFFER: usize = 1 << 20;
/// The most interfaces of a section of pcapng whose link and clock are remembered.
const MAX_INTERFACES: usize = 10_000;

/// The type of a block of pcapng, and its length before and behind its content.
const BLOCK_FRAME: u32 = 12;

/// What a capture shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What each sender has sent.
    pub senders: BTreeMap<Sender, Counts>,
    /// What counts for no sender.
    pub left_out: LeftOut,
    /// Whether it was read to its end.
    pub end: End,
}

/// How the reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the capture.
    Whole,
    /// In the middle of a packet, at this byte: the capture goes no further.
    CutOff(u64),
    /// At this byte, as what follows has no form that is known.
    Broken(u64),
}

/// Why there is nothing to count.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has the form of neither pcap nor pcapng.
    #[error("it is no capture in the format of pcap or pcapng")]
    NotACapture,
    /// It could not be read.
    #[error("it could not be read to its end")]
    Unreadable,
}

/// Reads a capture to its end.
///
/// # Errors
/// It is no capture, or reading fails.
pub fn read(capture: impl io::Read + Send) -> Result<Seen, ReadError> {
    let mut reader = create_reader(BUFFER, Filling(capture)).map_err(|error| match error {
        PcapError::ReadError => ReadError::Unreadable,
        _ => ReadError::NotACapture,
    })?;
    let mut tally = Tally::default();
    let end = go_through(&mut *reader, &mut tally)?;
    let (senders, left_out) = tally.end();
    Ok(Seen { senders, left_out, end })
}

fn go_through(reader: &mut dyn PcapReaderIterator, tally: &mut Tally) -> Result<End, ReadError> {
    let mut section = Section::default();
    loop {
        let at = u64::try_from(reader.consumed()).unwrap_or(u64::MAX);
        if section.cannot_begin(reader.data()) {
            return Ok(End::Broken(at));
        }
        match reader.next() {
            Ok((length, block)) => {
                section.count(&block, tally);
                reader.consume(length);
            }
            Err(PcapError::Eof) => return Ok(End::Whole),
            // It asks for more only as long as that fits into the buffer.
            Err(PcapError::Incomplete(_)) => {
                reader.refill().map_err(|_| ReadError::Unreadable)?;
            }
            Err(PcapError::UnexpectedEof) => return Ok(End::CutOff(at)),
            Err(PcapError::ReadError) => return Err(ReadError::Unreadable),
            Err(_) => return Ok(End::Broken(at)),
        }
    }
}

/// What the packets that follow are from. A capture in the format of pcap has one section with one interface.
#[derive(Debug, Default)]
struct Section {
    interfaces: Vec<(Link, Clock)>,
    is_big_endian: bool,
    is_pcapng: bool,
}

impl Section {
    /// Whether a block of pcapng is shorter than its own frame, of which the parser takes the length away unchecked.
    fn cannot_begin(&self, data: &[u8]) -> bool {
        let length = data.get(4..).and_then(|data| data.first_chunk());
        let Some(length) = length.filter(|_| self.is_pcapng) else { return false };
        // The header of a section may be in the other order: it has a check of its own.
        let length = if self.is_big_endian {
            u32::from_be_bytes(*length)
        } else {
            u32::from_le_bytes(*length)
        };
        length < BLOCK_FRAME
    }

    fn count(&mut self, block: &PcapBlockOwned<'_>, tally: &mut Tally) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let is_fine = header.is_nanosecond_precision();
                let clock = if is_fine { Clock::NANOSECONDS } else { Clock::MICROSECONDS };
                // The upper bits say how long the checksum of a frame is.
                self.interfaces = vec![(Link::new(header.network.0 & 0xffff), clock)];
            }
            PcapBlockOwned::Legacy(packet) => {
                let (link, clock) = self.interface(0);
                let at = clock.sum(packet.ts_sec.into(), packet.ts_usec.into());
                tally.add(copy(link, packet.data), at);
            }
            PcapBlockOwned::NG(block) => self.count_block(block, tally),
        }
    }

    fn count_block(&mut self, block: &Block<'_>, tally: &mut Tally) {
        match block {
            Block::SectionHeader(header) => {
                let is_big_endian = header.big_endian();
                *self = Self { is_big_endian, is_pcapng: true, ..Self::default() };
            }
            Block::InterfaceDescription(it) if self.interfaces.len() < MAX_INTERFACES => {
                // The parser takes the offset for little-endian in either case.
                let offset =
                    if self.is_big_endian { it.if_tsoffset.swap_bytes() } else { it.if_tsoffset };
                let clock = Clock::new(it.if_tsresol, offset);
                self.interfaces.push((Link::new(it.linktype.0), clock));
            }
            Block::EnhancedPacket(packet) => {
                let (link, clock) = self.interface(packet.if_id);
                let at = clock.at(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low));
                tally.add(copy(link, packet.packet_data()), at);
            }
            // It says no time, and is from the first interface.
            Block::SimplePacket(packet) => {
                let (link, _) = self.interface(0);
                tally.add(copy(link, packet.packet_data()), None);
            }
            _ => {}
        }
    }

    fn interface(&self, number: u32) -> (Link, Clock) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let known = self.interfaces.get(number).copied();
        known.unwrap_or((Link::Unknown, Clock::MICROSECONDS))
    }
}

/// Fills what it is given, where a pipe would fill as much as has come: the first piece must have the header.
struct Filling<R>(R);

impl<R: io::Read> io::Read for Filling<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0_usize;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}
