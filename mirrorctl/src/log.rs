//! What the deployed function says in its log, as far as whoever asks may read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::{
    Client,
    primitives::{DateTime, DateTimeFormat},
    types::FilteredLogEvent,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    id::InterfaceId,
    plan::brake::{DELETION_WINDOW, is_limited, is_unstable},
};

use crate::problem::{Problem, TOO_MUCH};

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// When it was written, in milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) fields: Map<String, Value>,
    /// The invocation that wrote it.
    request: String,
}

/// What was heard of the function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// When the log was read, in milliseconds since 1970.
    pub(crate) read_at: i64,
    /// The version that started last.
    pub(crate) version: Option<String>,
    pub(crate) last_sweep: Option<Sweep>,
    /// How many sessions it has deleted within an hour because of tags and settings.
    pub(crate) deleted: usize,
    /// The sources that it has changed too often.
    pub(crate) unstable: BTreeSet<InterfaceId>,
    /// Why the log could not be read.
    pub(crate) unread: Option<Unread>,
}

/// A sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    /// When it ended, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Whether it has read everything.
    pub(crate) complete: bool,
    /// The time from one sweep to the next, as it usually is: half of the times are longer. None where there
    /// was one sweep only.
    pub(crate) usual: Option<i64>,
}

/// A sweep should have ended within this time, where the schedule is the usual one: every 15 minutes. The alarm
/// Heartbeat rings then.
const LATE: Duration = Duration::from_mins(45);

/// So many sweeps may fail to appear before the next one is late, whatever the schedule.
const MISSED: i64 = 3;

/// A problem, as a file holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unread {
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// Pages of which even a busy function fills a few only.
const MAX_PAGES: usize = 200;

/// The lines that an answer needs: of the last hour what was changed, too, since the brake counts that.
const CHANGES: &str =
    r#"{ ($.fields.sweep IS TRUE) || ($.fields.version = "*") || ($.fields.cause = "*") }"#;
const STATE: &str = r#"{ ($.fields.sweep IS TRUE) || ($.fields.version = "*") }"#;

/// How far back to look, in hours, until a start and a sweep are found. No process of Lambda lives for a day, so a
/// function that works has started within one.
const LOOKS: [(u64, &str); 3] = [(1, CHANGES), (6, STATE), (LONGEST, STATE)];

/// The hours after which nothing more is looked for.
pub(crate) const LONGEST: u64 = 24;

impl Heard {
    /// Listens to the function whose log is in this group.
    pub(crate) async fn of(config: &SdkConfig, group: &str, now: SystemTime) -> Self {
        let mut heard = Self { read_at: millis(now), ..Self::default() };
        if let Err(Problem { kind, detail }) = heard.listen(config, group).await {
            heard.unread = Some(Unread { code: kind.code.to_owned(), detail });
        }
        heard
    }

    async fn listen(&mut self, config: &SdkConfig, group: &str) -> Result<(), Problem> {
        for (hours, pattern) in LOOKS {
            let from = self.read_at.saturating_sub(duration(Duration::from_hours(hours)));
            let lines = lines(config, group, pattern, from).await?;
            self.note_state(&lines);
            if pattern == CHANGES {
                self.note_changes(&lines);
            }
            // Whether one is late, the sweeps before it tell.
            if self.version.is_some() && self.last_sweep.is_some_and(|it| self.age(it.at) <= LATE) {
                break;
            }
        }
        Ok(())
    }

    fn note_state(&mut self, lines: &[Line]) {
        for line in lines {
            if let Some(version) = line.text("version") {
                self.version = Some(version.to_owned());
            }
        }
        let sweeps: Vec<_> = lines.iter().filter(|line| line.is("sweep")).collect();
        let pairs = sweeps.iter().zip(sweeps.iter().skip(1));
        let mut gaps: Vec<_> = pairs.map(|(one, next)| next.at.saturating_sub(one.at)).collect();
        gaps.sort_unstable();
        if let Some(line) = sweeps.last() {
            let usual = gaps.get(gaps.len() / 2).copied();
            self.last_sweep = Some(Sweep { at: line.at, complete: line.is("complete"), usual });
        }
    }

    /// Whether the next sweep should have ended before the log was read.
    pub(crate) fn is_late(&self, sweep: Sweep) -> bool {
        let usual = sweep.usual.unwrap_or_default().saturating_mul(MISSED);
        duration(self.age(sweep.at)) > duration(LATE).max(usual)
    }

    /// Counts as the function itself does: one change of a source for each invocation.
    fn note_changes(&mut self, lines: &[Line]) {
        let mut changed: BTreeMap<&str, Vec<(&str, Duration)>> = BTreeMap::new();
        for line in lines {
            let Some(action) = line.text("action") else { continue };
            let age = self.age(line.at);
            let is_limited = line.text("reason").is_some_and(is_limited);
            if action == "delete" && is_limited && age < DELETION_WINDOW {
                self.deleted = self.deleted.saturating_add(1);
            }
            let Some(source) = line.text("source_id") else { continue };
            let times = changed.entry(source).or_default();
            if times.last().is_none_or(|(request, _)| *request != line.request) {
                times.push((&line.request, age));
            }
        }
        let unstable =
            changed.into_iter().filter(|(_, times)| is_unstable(times.iter().map(|(_, age)| *age)));
        self.unstable = unstable.filter_map(|(source, _)| source.parse().ok()).collect();
    }

    /// How long before the log was read this was.
    pub(crate) fn age(&self, at: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.read_at.saturating_sub(at)).unwrap_or_default())
    }
}

impl Line {
    /// A line that is not the function's own JSON, such as Lambda's, says nothing here.
    fn read(event: &FilteredLogEvent) -> Option<Self> {
        let message: Value = serde_json::from_str(event.message()?).ok()?;
        let fields = message.get("fields")?.as_object()?.clone();
        let request = message.pointer("/span/requestId").and_then(Value::as_str);
        let request = request.unwrap_or_default().to_owned();
        Some(Self { at: event.timestamp()?, fields, request })
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    fn is(&self, name: &str) -> bool {
        self.fields.get(name).and_then(Value::as_bool).unwrap_or_default()
    }
}

/// The lines since then that match, oldest first.
pub(crate) async fn lines(
    config: &SdkConfig,
    group: &str,
    pattern: &str,
    from: i64,
) -> Result<Vec<Line>, Problem> {
    let request = Client::new(config).filter_log_events();
    let request = request.log_group_name(group).filter_pattern(pattern).start_time(from);
    let mut pages = request.into_paginator().send();
    let (mut lines, mut read) = (Vec::new(), 0_usize);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Problem::refused("logs:FilterLogEvents", &error))?;
        lines.extend(page.events().iter().filter_map(Line::read));
        read = read.saturating_add(1);
        if read >= MAX_PAGES && page.next_token().is_some() {
            return Err(Problem::new(&TOO_MUCH, format!("{group}: {MAX_PAGES} pages")));
        }
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

/// A time in milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> i64 {
    duration(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A time as AWS writes it, in whole seconds.
pub(crate) fn written(at: i64) -> String {
    let time = DateTime::from_secs(at.div_euclid(1_000));
    time.fmt(DateTimeFormat::DateTime).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(minute: i64, request: &str, fields: &Value) -> Line {
        let fields = fields.as_object().unwrap().clone();
        Line { at: minute * 60_000, fields, request: request.to_owned() }
    }

    fn change(minute: i64, request: &str, action: &str, reason: &str) -> Line {
        let fields =
            json!({"action": action, "reason": reason, "source_id": "eni-1", "cause": "sweep"});
        line(minute, request, &fields)
    }

    fn heard(minute: i64) -> Heard {
        Heard { read_at: minute * 60_000, ..Heard::default() }
    }

    #[test]
    fn the_latest_start_and_sweep_count() {
        let mut heard = heard(30);
        heard.note_state(&[
            line(1, "", &json!({"version": "1.0.0"})),
            line(2, "a", &json!({"summary": true, "sweep": true, "complete": false})),
            line(3, "b", &json!({"summary": true, "sweep": true, "complete": true})),
            line(4, "c", &json!({"summary": true, "sweep": false, "complete": false})),
        ]);
        assert_eq!(heard.version.as_deref(), Some("1.0.0"));
        let expected = Sweep { at: 180_000, complete: true, usual: Some(60_000) };
        assert_eq!(heard.last_sweep, Some(expected));
    }

    #[test]
    fn a_sweep_is_late_by_the_schedule_that_the_log_shows() {
        let sweeps = |minutes: &[i64]| {
            let mut heard = heard(1_000);
            let fields = json!({"sweep": true, "complete": true});
            let lines: Vec<_> = minutes.iter().map(|at| line(1_000 - at, "", &fields)).collect();
            heard.note_state(&lines);
            heard.is_late(heard.last_sweep.unwrap())
        };
        assert!(!sweeps(&[45]) && sweeps(&[46]));
        assert!(!sweeps(&[75, 60, 45]) && sweeps(&[90, 75, 60]));
        assert!(!sweeps(&[300, 240, 180]) && sweeps(&[301, 241, 181]), "once an hour");
        // Somebody started one by hand in between, and there was a long night.
        assert!(!sweeps(&[900, 300, 240, 235, 180, 120]));
    }

    #[test]
    fn what_was_deleted_for_tags_within_the_hour_is_counted() {
        let mut heard = heard(70);
        heard.note_changes(&[
            change(5, "a", "delete", "not-selected"),
            change(20, "b", "delete", "not-selected"),
            change(21, "b", "delete", "not-running"),
            change(22, "b", "create", "not-mirrored"),
        ]);
        assert_eq!((heard.deleted, heard.unstable.len()), (1, 0));
    }

    #[test]
    fn a_source_that_four_invocations_changed_is_unstable_and_one_that_two_did_is_not() {
        for (requests, unstable) in [(["a", "b", "c", "d"], 1), (["a", "a", "b", "b"], 0)] {
            let mut heard = heard(10);
            let minutes = [1, 3, 5, 7].into_iter().zip(requests);
            let lines: Vec<_> =
                minutes.map(|(minute, it)| change(minute, it, "modify", "drifted")).collect();
            heard.note_changes(&lines);
            assert_eq!(heard.unstable.len(), unstable, "{requests:?}");
        }
    }

    #[test]
    fn a_time_is_written_in_whole_seconds() {
        assert_eq!(written(1_767_225_600_999), "2026-01-01T00:00:00Z");
    }
}
