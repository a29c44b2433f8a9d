//! When a packet was captured.

/// Nanoseconds since 1970. A capture that says what does not fit says nothing.
pub type Moment = i64;

const NANOS: u64 = 1_000_000_000;

/// How the times of an interface are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Units in a second; none where it says so many that they do not fit.
    units: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    pub(crate) const MICROSECONDS: Self = Self { units: Some(1_000_000), offset: 0 };
    pub(crate) const NANOSECONDS: Self = Self { units: Some(NANOS), offset: 0 };

    /// By the option `if_tsresol` of pcapng: a power of ten, or with the highest bit a power of two.
    pub(crate) fn new(resolution: u8, offset: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let base = if resolution & 0x80 == 0 { 10_u64 } else { 2 };
        Self { units: base.checked_pow(exponent), offset }
    }

    /// The moment so many units after the beginning.
    pub(crate) fn at(self, count: u64) -> Option<Moment> {
        let units = self.units?;
        let seconds = i64::try_from(count.checked_div(units)?).ok()?;
        self.sum(seconds, count.checked_rem(units)?)
    }

    /// The same in seconds and units.
    pub(crate) fn sum(self, seconds: i64, rest: u64) -> Option<Moment> {
        let units = u128::from(self.units?);
        let nanos = u128::from(rest).checked_mul(u128::from(NANOS))?.checked_div(units)?;
        let seconds = seconds.checked_add(self.offset)?.checked_mul(NANOS.try_into().ok()?)?;
        seconds.checked_add(nanos.try_into().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_powers_of_ten_or_two_and_what_does_not_fit_is_no_time() {
        for (resolution, count, expected) in [
            (6, 1_500_000, Some(1_500_000_000)),
            (9, 1_500_000_000, Some(1_500_000_000)),
            (0, 2, Some(2_000_000_000)),
            (0x80 | 1, 3, Some(1_500_000_000)),
            (0x80 | 63, 1 << 62, Some(500_000_000)),
            (20, 1, None),
            (0xff, 1, None),
            (0, u64::MAX, None),
        ] {
            assert_eq!(Clock::new(resolution, 0).at(count), expected, "{resolution} {count}");
        }
        assert_eq!(Clock::new(6, 10).at(0), Some(10_000_000_000));
        assert_eq!(Clock::new(6, i64::MAX).at(1_000_000), None);
        assert_eq!(Clock::MICROSECONDS.sum(1, 5), Some(1_000_005_000));
    }
}
