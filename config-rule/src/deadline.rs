//! The end of an invocation: nothing starts shortly before it and nothing goes on after it, so that there is
//! time to say what was not reached.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout_at};

/// No call starts this long before the end: AWS answers most calls much faster.
const START_MARGIN: Duration = Duration::from_secs(2);
/// A call under way is cancelled this long before the end, which leaves time to log and answer.
const CALL_MARGIN: Duration = Duration::from_millis(500);

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    begin: Instant,
    last_start: Instant,
    last_call: Instant,
}

impl Deadline {
    /// From the end that Lambda gives, in milliseconds since 1970.
    pub(crate) fn at(end: u64, now: SystemTime) -> Self {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(end).saturating_sub(since_1970);
        let begin = Instant::now();
        // A function with a very short time-out still gets to work.
        let before = |margin: Duration| {
            let work = left.saturating_sub(margin.min(left / 4));
            // A time-out that no clock can show has no end.
            begin.checked_add(work).unwrap_or(begin + MAX_TIMEOUT)
        };
        Self { begin, last_start: before(START_MARGIN), last_call: before(CALL_MARGIN) }
    }

    /// The moment when so many percent of the time to start anything are over.
    pub(crate) fn after(self, percent: u32) -> Instant {
        self.begin + self.last_start.saturating_duration_since(self.begin) / 100 * percent
    }

    /// Whether it is too late to start anything.
    pub(crate) fn is_near(self) -> bool {
        Instant::now() >= self.last_start
    }

    /// Waits, but not until it would be too late to start anything.
    pub(crate) async fn pause(self, time: Duration) {
        // Whether the time was up does not matter: whoever starts something asks `is_near`.
        let _ = timeout_at(self.last_start, tokio::time::sleep(time)).await;
    }

    /// The result of `work`, or nothing if that takes too long.
    pub(crate) async fn cut<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.last_call, work).await.ok()
    }
}

/// The longest time-out of a Lambda function (Lambda quotas).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);

#[cfg(test)]
mod tests {
    use super::*;

    fn in_(time: Duration) -> Deadline {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        let end = Duration::from_hours(24) + time;
        Deadline::at(u64::try_from(end.as_millis()).unwrap(), now)
    }

    #[tokio::test(start_paused = true)]
    async fn the_parts_of_an_invocation_follow_each_other_and_nothing_is_left_after_the_end() {
        let minute = in_(Duration::from_mins(1));
        let seconds = |moment: Instant| (moment - minute.begin).as_secs_f64();
        assert!((seconds(minute.after(50)) - 29.0).abs() < 0.01);
        assert!(!minute.is_near());
        assert_eq!(minute.cut(std::future::pending::<()>()).await, None);
        assert!((seconds(Instant::now()) - 59.5).abs() < 0.01);
        assert!(minute.is_near());
        assert!(!in_(Duration::from_secs(2)).is_near(), "the margin is a quarter at most");
        let over = in_(Duration::ZERO);
        assert!(over.is_near());
        assert_eq!(over.cut(std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn an_end_that_no_clock_can_show_is_no_obstacle() {
        let never = Deadline::at(u64::MAX, SystemTime::UNIX_EPOCH);
        assert!(!never.is_near());
    }
}
