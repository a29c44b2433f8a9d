//! The end of an invocation: nothing starts shortly before it and nothing goes on after it, so that there is
//! time to answer Lambda and to say what was not reached.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout_at};

/// No call starts this long before the end: EC2 answers most calls much faster.
const START_MARGIN: Duration = Duration::from_secs(2);
/// A call under way is cancelled this long before the end, which leaves time to answer Lambda.
const CALL_MARGIN: Duration = Duration::from_millis(500);

/// The longest that an invocation waits for something to come right: launches wait behind it, where all
/// execution environments do that.
const MAX_PAUSES: Duration = Duration::from_secs(25);

/// The longest time-out of a Lambda function (Lambda quotas).
const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    begin: Instant,
    pause_until: Instant,
    last_start: Instant,
    last_call: Instant,
}

impl Deadline {
    /// From the end that Lambda gives, in milliseconds since 1970.
    #[must_use]
    pub fn at(end: u64, now: SystemTime) -> Self {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(end).saturating_sub(since_1970).min(MAX_TIMEOUT);
        let begin = Instant::now();
        // A function with a very short time-out still gets to work.
        let before = |margin: Duration| begin + left.saturating_sub(margin.min(left / 4));
        Self {
            begin,
            pause_until: begin + MAX_PAUSES.min(left * 2 / 5),
            last_start: before(START_MARGIN),
            last_call: before(CALL_MARGIN),
        }
    }

    /// The moment when so many percent of the time to start anything are over.
    #[must_use]
    pub fn after(self, percent: u32) -> Instant {
        self.begin + self.last_start.saturating_duration_since(self.begin) / 100 * percent
    }

    /// An earlier deadline, which leaves this much time to start other things, but at most half of it.
    #[must_use]
    pub fn leaving(self, time: Duration) -> Self {
        let left = self.last_start.saturating_duration_since(Instant::now());
        let last_start = self.last_start.checked_sub(time.min(left / 2));
        Self { last_start: last_start.unwrap_or(self.last_start), ..self }
    }

    /// Waits for so long, and says so; or does not, where that would leave too little time for work.
    pub async fn pause(self, time: Duration) -> bool {
        let is_possible = Instant::now().checked_add(time).is_some_and(|it| it <= self.pause_until);
        if is_possible {
            sleep(time).await;
        }
        is_possible
    }

    /// Whether it is too late to start anything.
    #[must_use]
    pub fn is_near(self) -> bool {
        Instant::now() >= self.last_start
    }

    /// The result of waiting for `turn`, or nothing if it would be too late to start then.
    pub async fn wait<T>(self, turn: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.last_start, turn).await.ok()
    }

    /// The result of `work`, or nothing if that takes too long.
    pub async fn cut<T>(self, work: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.last_call, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_(time: Duration) -> Deadline {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        let end = Duration::from_hours(24) + time;
        Deadline::at(u64::try_from(end.as_millis()).unwrap(), now)
    }

    #[tokio::test]
    async fn a_short_time_out_leaves_time_to_work_and_none_is_left_after_the_end() {
        assert!(!in_(Duration::from_mins(1)).is_near());
        assert!(!in_(Duration::from_secs(2)).is_near(), "the margin is a quarter at most");
        assert!(!in_(Duration::from_secs(2)).leaving(Duration::MAX).is_near());
        let over = in_(Duration::ZERO);
        assert!(over.is_near());
        assert_eq!(over.cut(std::future::pending::<()>()).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_parts_of_an_invocation_follow_each_other() {
        let minute = in_(Duration::from_mins(1));
        let seconds = |moment: Instant| (moment - minute.begin).as_secs_f64();
        assert!((seconds(minute.after(50)) - 29.0).abs() < 0.01);
        assert_eq!(minute.wait(std::future::pending::<()>()).await, None);
        assert!((seconds(Instant::now()) - 58.0).abs() < 0.01);
        assert!(minute.is_near());
        assert_eq!(minute.cut(std::future::pending::<()>()).await, None);
        assert!((seconds(Instant::now()) - 59.5).abs() < 0.01);
    }

    #[tokio::test]
    async fn an_end_that_no_clock_can_show_is_no_obstacle() {
        let never = Deadline::at(u64::MAX, SystemTime::UNIX_EPOCH);
        assert!(!never.is_near());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_take_two_fifths_of_the_time_and_25_seconds_at_most() {
        for (time_out, expected) in [(60, 24), (900, 25), (10, 4), (0, 0)] {
            let deadline = in_(Duration::from_secs(time_out));
            let mut pauses = 0;
            while deadline.pause(Duration::from_secs(1)).await {
                pauses += 1;
            }
            assert_eq!(pauses, expected, "{time_out}");
        }
    }
}
