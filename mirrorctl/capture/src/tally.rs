//! What was counted.

use std::collections::{BTreeMap, HashMap};

use crate::{
    clock::Moment,
    frame::{Copy, Other, Sender},
};

/// The most senders of one capture: ten accounts with as many sessions as each may have ("Traffic Mirroring
/// quotas"). Whoever reaches the sensor can invent any number of them.
pub const MAX_SENDERS: usize = 100_000;

/// What one sender has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Copies of packets.
    pub packets: u64,
    /// The length of the packets that were mirrored, without what the copies are wrapped into.
    pub bytes: u64,
    /// When the earliest was captured, where the capture says so.
    pub first: Option<Moment>,
    /// When the latest was captured.
    pub last: Option<Moment>,
}

/// Packets that count for no sender, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// No VXLAN over UDP port 4789.
    pub not_vxlan: u64,
    /// What was captured ends before the VNI.
    pub cut_short: u64,
    /// The headers contradict each other.
    pub malformed: u64,
    /// Parts of packets other than the first, which counts for all of them.
    pub fragments: u64,
    /// From a kind of link that is not known.
    pub unknown_link: u64,
    /// From senders beyond [`MAX_SENDERS`].
    pub beyond_limit: u64,
}

impl LeftOut {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { not_vxlan, cut_short, malformed, fragments, unknown_link, beyond_limit } = *self;
        let all = [not_vxlan, cut_short, malformed, fragments, unknown_link, beyond_limit];
        all.into_iter().fold(0, u64::saturating_add)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Hashed with a secret: whoever invents senders cannot make them collide.
    senders: HashMap<Sender, Counts>,
    left_out: LeftOut,
}

impl Tally {
    pub(crate) fn add(&mut self, found: Result<Copy, Other>, at: Option<Moment>) {
        let Some(counter) = self.counter(found, at) else { return };
        *counter = counter.saturating_add(1);
    }

    /// Counts the copy, or says which counter the packet belongs to.
    fn counter(&mut self, found: Result<Copy, Other>, at: Option<Moment>) -> Option<&mut u64> {
        let left_out = &mut self.left_out;
        let copy = match found {
            Ok(copy) => copy,
            Err(Other::NotVxlan) => return Some(&mut left_out.not_vxlan),
            Err(Other::CutShort) => return Some(&mut left_out.cut_short),
            Err(Other::Malformed) => return Some(&mut left_out.malformed),
            Err(Other::Fragment) => return Some(&mut left_out.fragments),
            Err(Other::UnknownLink) => return Some(&mut left_out.unknown_link),
        };
        if let Some(counts) = self.senders.get_mut(&copy.sender) {
            counts.add(copy.bytes, at);
        } else if self.senders.len() < MAX_SENDERS {
            self.senders.entry(copy.sender).or_default().add(copy.bytes, at);
        } else {
            return Some(&mut left_out.beyond_limit);
        }
        None
    }

    /// The senders in their order, and the rest.
    pub(crate) fn end(self) -> (BTreeMap<Sender, Counts>, LeftOut) {
        (self.senders.into_iter().collect(), self.left_out)
    }
}

impl Counts {
    fn add(&mut self, bytes: u64, at: Option<Moment>) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        let Some(at) = at else { return };
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn no_more_senders_are_kept_than_the_limit_and_those_that_are_go_on_counting() {
        let copy = |number: usize| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number).unwrap()));
            Ok(Copy { sender: Sender { address, vni: 7 }, bytes: 10 })
        };
        let mut tally = Tally::default();
        for number in 0..MAX_SENDERS + 5 {
            tally.add(copy(number), Some(1));
        }
        tally.add(copy(0), Some(2));
        let (senders, left_out) = tally.end();
        assert_eq!((senders.len(), left_out.beyond_limit), (MAX_SENDERS, 5));
        let first = senders.values().next().unwrap();
        assert_eq!(*first, Counts { packets: 2, bytes: 20, first: Some(1), last: Some(2) });
    }
}
