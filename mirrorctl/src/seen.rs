//! What a sensor has seen, as a file that is taken elsewhere.

use std::{net::IpAddr, path::Path, time::SystemTime};

use aws_sdk_cloudwatchlogs::primitives::{DateTime, DateTimeFormat};
use capture::{Counts, LeftOut, Moment, Sender};
use serde::{Deserialize, Serialize};

use crate::{
    log::{millis, written},
    problem::{BAD_FILE, EXPIRED, Problem},
    signed::verified,
};

/// The format of the file. Another number is another format.
const FORMAT: &str = "mirrorctl-seen/1";

/// What the file holds: nothing of what was sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SeenFile {
    pub(crate) format: String,
    /// The version of mirrorctl that wrote it.
    pub(crate) version: String,
    /// When it was written.
    pub(crate) made: String,
    /// Until when it counts.
    pub(crate) expires: String,
    pub(crate) left_out: NotCounted,
    pub(crate) senders: Vec<SenderRow>,
}

/// Who sends copies: the interface with this address, in the session with this VNI.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SenderRow {
    pub(crate) address: IpAddr,
    pub(crate) vni: u32,
    pub(crate) packets: u64,
    /// Of what was mirrored, without what it was wrapped into.
    pub(crate) bytes: u64,
    /// When the earliest was captured, where the capture says so.
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
}

/// Packets that count for no sender, by the reason.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct NotCounted {
    pub(crate) not_vxlan: u64,
    pub(crate) cut_short: u64,
    pub(crate) malformed: u64,
    pub(crate) fragments: u64,
    pub(crate) unknown_link: u64,
    pub(crate) beyond_limit: u64,
}

impl SenderRow {
    pub(crate) fn new(sender: Sender, counts: Counts) -> Self {
        Self {
            address: sender.address,
            vni: sender.vni,
            packets: counts.packets,
            bytes: counts.bytes,
            first: counts.first.map(moment),
            last: counts.last.map(moment),
        }
    }
}

impl From<LeftOut> for NotCounted {
    fn from(left_out: LeftOut) -> Self {
        let LeftOut { not_vxlan, cut_short, malformed, fragments, unknown_link, beyond_limit } =
            left_out;
        Self { not_vxlan, cut_short, malformed, fragments, unknown_link, beyond_limit }
    }
}

/// A time to the nanosecond, as far as it is not zero.
fn moment(at: Moment) -> String {
    let time = DateTime::from_nanos(at.into());
    let text = time.ok().and_then(|time| time.fmt(DateTimeFormat::DateTime).ok());
    text.unwrap_or_else(|| at.to_string())
}

impl SeenFile {
    pub(crate) fn new(
        senders: Vec<SenderRow>,
        left_out: NotCounted,
        now: SystemTime,
        hours: u16,
    ) -> Self {
        let (format, version) = (FORMAT.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let (made, expires) = (written(millis(now)), expiry(now, hours));
        Self { format, version, made, expires, left_out, senders }
    }

    /// Reads a file that the owner of this public key has signed, and that counts at this time.
    pub(crate) fn read(path: &Path, key: &Path, now: SystemTime) -> Result<Self, Problem> {
        let content = verified(path, key)?;
        let bad = |why: String| Problem::new(&BAD_FILE, format!("{}: {why}", path.display()));
        let file: Self =
            serde_json::from_slice(&content).map_err(|error| bad(error.to_string()))?;
        if file.format != FORMAT {
            let format = shared::text::quote(&file.format);
            return Err(bad(format!("its format is {format}: accepted is `{FORMAT}`")));
        }
        check_expiry(path, &file.expires, now)?;
        Ok(file)
    }

    /// Who was captured no longer ago than the file counts for, and how many others there are: an old capture says
    /// nothing of today, however new the file is.
    pub(crate) fn recent(&self, now: SystemTime) -> (Vec<(IpAddr, u32)>, usize) {
        let period = seconds(&self.expires).zip(seconds(&self.made));
        let period = period.map_or(0, |(expires, made)| expires.saturating_sub(made));
        let since = millis(now).div_euclid(1_000).saturating_sub(period);
        let is_recent = |row: &&SenderRow| {
            row.last.as_deref().and_then(seconds).is_some_and(|last| last >= since)
        };
        let recent: Vec<_> =
            self.senders.iter().filter(is_recent).map(|row| (row.address, row.vni)).collect();
        let others = self.senders.len().saturating_sub(recent.len());
        (recent, others)
    }
}

/// The moment so many hours from now.
pub(crate) fn expiry(now: SystemTime, hours: u16) -> String {
    written(millis(now).saturating_add(i64::from(hours).saturating_mul(3_600_000)))
}

/// The seconds since 1970 of a time as the file has it.
fn seconds(text: &str) -> Option<i64> {
    Some(DateTime::from_str(text, DateTimeFormat::DateTime).ok()?.secs())
}

/// Refuses a file that has expired.
pub(crate) fn check_expiry(path: &Path, expires: &str, now: SystemTime) -> Result<(), Problem> {
    let path = path.display();
    let until = seconds(expires).ok_or_else(|| {
        let expires = shared::text::quote(expires);
        Problem::new(&BAD_FILE, format!("{path}: {expires} is no time"))
    })?;
    if until.saturating_mul(1_000) <= millis(now) {
        return Err(Problem::new(&EXPIRED, format!("{path}: it counted until {expires}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_counts_until_it_expires() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(490_896);
        let expires = expiry(now, 2);
        assert_eq!(expires, "2026-01-01T02:00:00Z");
        let check =
            |after| check_expiry(Path::new("x"), &expires, now + Duration::from_secs(after));
        assert!(check(7_199).is_ok());
        assert_eq!(check(7_200).unwrap_err().kind, &EXPIRED);
        assert_eq!(check_expiry(Path::new("x"), "soon", now).unwrap_err().kind, &BAD_FILE);
    }

    #[test]
    fn who_was_captured_longer_ago_than_the_file_counts_for_counts_no_more() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(490_896);
        let left_out = NotCounted::from(LeftOut::default());
        let row = |last: Option<String>| SenderRow {
            address: [10, 0, 0, 5].into(),
            vni: 7,
            packets: 1,
            bytes: 1,
            first: None,
            last,
        };
        let hours_ago = |hours| Some(expiry(now - Duration::from_hours(hours), 0));
        for (last, counts) in [
            (hours_ago(0), true),
            (hours_ago(2), true),
            (hours_ago(3), false),
            (None, false),
            (Some("soon".to_owned()), false),
        ] {
            let file = SeenFile::new(vec![row(last.clone())], left_out, now, 2);
            let (recent, others) = file.recent(now);
            assert_eq!((recent.len() == 1, others == 0), (counts, counts), "{last:?}");
        }
    }

    #[test]
    fn a_moment_has_the_digits_that_it_needs() {
        assert_eq!(moment(1_767_225_600_000_000_000), "2026-01-01T00:00:00Z");
        assert_eq!(moment(1_767_225_600_000_001_000), "2026-01-01T00:00:00.000001Z");
    }
}
