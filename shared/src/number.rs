//! Numbers in a Traffic Mirror session, as types, so that one kind cannot be passed for another.

use std::{fmt, ops::RangeInclusive};

/// Why a number is not of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a whole number from {} to {}", .0.start(), .0.end())]
pub struct NumberError(RangeInclusive<i32>);

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($repr:ty) in $range:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(try_from = "i32")
        )]
        pub struct $name($repr);

        impl $name {
            /// The numbers there are.
            pub const RANGE: RangeInclusive<i32> = $range;

            /// The number itself.
            #[must_use]
            pub const fn get(self) -> $repr {
                self.0
            }
        }

        impl TryFrom<i32> for $name {
            type Error = NumberError;

            fn try_from(number: i32) -> Result<Self, NumberError> {
                let error = || NumberError(Self::RANGE);
                if !Self::RANGE.contains(&number) {
                    return Err(error());
                }
                number.try_into().map(Self).map_err(|_| error())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// A session number: EC2 evaluates the sessions of a source lowest first (EC2 API,
    /// `CreateTrafficMirrorSession`).
    SessionNumber(u16) in 1..=32_766;
    /// Bytes that a session mirrors of each packet, as EC2 could show them. `CreateTrafficMirrorSession`
    /// accepts 1 to [`PacketLength::MAX_REQUESTED`].
    PacketLength(u16) in 0..=65_535;
    /// A VXLAN network identifier, `VirtualNetworkId` in the EC2 API: 24 bits. A request accepts 1 and
    /// more.
    Vni(u32) in 0..=16_777_215;
}

impl SessionNumber {
    /// The lowest session number.
    pub const MIN: Self = Self(1);
    /// The highest session number.
    pub const MAX: Self = Self(32_766);

    /// The number after this one; none after the highest.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        (self < Self::MAX).then(|| Self(self.0 + 1))
    }

    /// The number before this one; none before the lowest.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        (self > Self::MIN).then(|| Self(self.0 - 1))
    }
}

impl From<SessionNumber> for i32 {
    fn from(number: SessionNumber) -> Self {
        number.0.into()
    }
}

impl PacketLength {
    /// The largest packet length that a request may ask for (EC2 API, `CreateTrafficMirrorSession`).
    pub const MAX_REQUESTED: Self = Self(8_500);
}

impl From<PacketLength> for i32 {
    fn from(length: PacketLength) -> Self {
        length.0.into()
    }
}

impl Vni {
    /// The number as the EC2 API takes it.
    #[must_use]
    pub fn to_i32(self) -> i32 {
        self.0.try_into().unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_is_refused_with_the_range() {
        for (number, is_accepted) in [(0, false), (1, true), (32_766, true), (32_767, false)] {
            assert_eq!(SessionNumber::try_from(number).is_ok(), is_accepted, "{number}");
        }
        assert_eq!(Vni::try_from(16_777_215).map(Vni::to_i32), Ok(16_777_215));
        assert!(Vni::try_from(16_777_216).is_err() && Vni::try_from(-1).is_err());
        let error = PacketLength::try_from(-1).unwrap_err();
        assert_eq!(error.to_string(), "a whole number from 0 to 65535");
    }

    #[test]
    fn session_numbers_end_at_both_ends_of_their_range() {
        assert_eq!(SessionNumber::MIN.previous(), None);
        assert_eq!(SessionNumber::MAX.next(), None);
        assert_eq!(
            SessionNumber::MIN.next().and_then(SessionNumber::previous),
            Some(SessionNumber::MIN)
        );
    }
}
