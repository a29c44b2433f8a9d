//! Captures: whoever reaches a sensor decides what is in them.

use std::io::{self, Read};

use capture::{MAX_SENDERS, read};

/// The shortest record of a capture, without a packet.
const RECORD: usize = 16;

/// Whatever a capture holds, it is counted the same in whatever pieces it comes, and nothing is counted that is not there.
pub fn check(input: &[u8]) {
    let seen = read(input).ok();
    assert_eq!(seen, read(Dripping(input)).ok(), "it depends on the pieces");
    let Some(seen) = seen else { return };
    assert!(seen.senders.len() <= MAX_SENDERS);
    let mut packets = seen.left_out.total();
    for (sender, counts) in &seen.senders {
        assert!(sender.vni < 1 << 24, "{sender:?}");
        assert!(counts.packets > 0 && counts.first <= counts.last, "{counts:?}");
        assert!(counts.bytes <= counts.packets * u64::from(u16::MAX), "{counts:?}");
        packets += counts.packets;
    }
    assert!(packets <= u64::try_from(input.len() / RECORD).unwrap(), "{packets} packets");
}

/// Gives few bytes at a time.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let few = buffer.len().min(7);
        self.0.read(&mut buffer[..few])
    }
}
