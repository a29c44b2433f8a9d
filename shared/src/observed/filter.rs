//! Traffic Mirror filters and their rules, as EC2 shows them.

use std::{ops::RangeInclusive, sync::Arc};

use crate::id::FilterId;

/// A Traffic Mirror filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Filter {
    /// Its id.
    pub id: FilterId,
    /// The value of its `ManagedBy` tag.
    pub managed_by: Option<Arc<str>>,
    /// Its rules, in any order.
    pub rules: Vec<FilterRule>,
    /// It also mirrors Amazon DNS.
    pub amazon_dns: bool,
}

/// A rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FilterRule {
    /// Which packets of a source it looks at.
    pub direction: Direction,
    /// Its place in the order of its direction, lowest first.
    pub number: i32,
    /// It mirrors the packets; otherwise it keeps them from the rules behind it.
    pub accepts: bool,
    /// Which packets; none where that cannot be read.
    pub packets: Option<Packets>,
}

/// Seen from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Direction {
    /// Packets that the source receives.
    Ingress,
    /// Packets that the source sends.
    Egress,
}

/// The packets that a rule is about: those that lie in every range.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Packets {
    /// Protocol numbers (IANA).
    pub protocols: RangeInclusive<u8>,
    /// Source ports.
    pub source_ports: RangeInclusive<u16>,
    /// Destination ports.
    pub destination_ports: RangeInclusive<u16>,
    /// From where to where.
    pub addresses: Addresses,
}

/// Source and destination addresses, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Addresses {
    /// Of IPv4.
    V4(RangeInclusive<u32>, RangeInclusive<u32>),
    /// Of IPv6.
    V6(RangeInclusive<u128>, RangeInclusive<u128>),
}
