//! Reads captures of mirrored packets, and counts who sent how many.
//!
//! EC2 wraps each copy into VXLAN (RFC 7348) over UDP port 4789. The outer source address is the primary address of
//! the interface that is mirrored, and the VNI is that of its session ("VXLAN encapsulation" in the Traffic
//! Mirroring guide). VNIs are unique within one account only, so the two together are the key: a [`Sender`].
//!
//! In reading order, each floor over the ones before it: `frame` finds the sender of one packet, `tally` counts,
//! `clock` is when a packet was captured, [`read`] goes through a capture. Nothing of what was sent is kept.
//! Captures are input from outside: memory is bounded, and whatever they hold, the rest of them is counted.

#![deny(missing_docs)]

mod clock;
mod frame;
mod read;
mod tally;

pub use clock::Moment;
pub use frame::Sender;
pub use read::{End, ReadError, Seen, read};
pub use tally::{Counts, LeftOut, MAX_SENDERS};
