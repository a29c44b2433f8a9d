//! Time as AWS Config counts it: in milliseconds.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::aws::ec2::timestamp;

/// Unix time in milliseconds. Shown as in events, serialized as in the API: in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    pub(super) fn of_seconds(seconds: u64) -> Self {
        Self(seconds * 1000)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = timestamp(self.0 / 1000);
        write!(f, "{}.{:03}Z", seconds.trim_end_matches('Z'), self.0 % 1000)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(Duration::from_millis(self.0).as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let time = Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)?;
        // A fraction of a second is rarely exact in binary.
        let rounded = time + Duration::from_micros(500);
        u64::try_from(rounded.as_millis()).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_survive_the_way_over_the_wire() {
        for millisecond in 0..1000 {
            let time = Time(1_767_225_600_000 + millisecond);
            let wire = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&wire).unwrap(), time, "{wire}");
        }
        assert_eq!(serde_json::from_str::<Time>("1767225600").unwrap(), Time(1_767_225_600_000));
        assert!(serde_json::from_str::<Time>("\"2026-01-01T00:00:00Z\"").is_err());
    }

    #[test]
    fn events_show_milliseconds() {
        assert_eq!(Time(1_767_225_600_043).to_string(), "2026-01-01T00:00:00.043Z");
    }
}
