//! How fast EC2 is changed: within the rate that EC2 allows the account, of which we take a share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// Changes of one kind that EC2 takes at once ("Request throttling for the Amazon EC2 API").
const BURST: f64 = 50.0;
/// Changes of one kind a second that EC2 takes in the long run (the same).
const RATE: f64 = 5.0;

/// The bucket of one kind of change, such as all creations. EC2 counts each kind by itself.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The part of EC2's bucket that is ours, above 0 and at most 1.
    share: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Changes that may be made at once; below zero where some wait for their turn.
    left: f64,
    filled: Instant,
}

impl Pace {
    /// `share` is in percent, 1 to 100.
    pub(crate) fn new(share: i32) -> Self {
        Self::at(share, Instant::now())
    }

    fn at(share: i32, now: Instant) -> Self {
        let share = f64::from(share.clamp(1, 100)) / 100.0;
        let bucket = Bucket { left: (BURST * share).max(1.0), filled: now };
        Self { share, bucket: Mutex::new(bucket) }
    }

    /// Waits until one more change may be made.
    pub(crate) async fn turn(&self) {
        sleep(self.wait(Instant::now())).await;
    }

    /// Takes one more change, and says how long it has to wait.
    fn wait(&self, now: Instant) -> Duration {
        let mut bucket = self.filled(now);
        bucket.left -= 1.0;
        Duration::from_secs_f64((-bucket.left).max(0.0) / self.rate())
    }

    /// EC2 says that the bucket is empty: somebody else takes from it too.
    pub(crate) fn found_empty(&self) {
        let mut bucket = self.filled(Instant::now());
        bucket.left = bucket.left.min(0.0);
    }

    fn rate(&self) -> f64 {
        RATE * self.share
    }

    fn filled(&self, now: Instant) -> MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.duration_since(bucket.filled).as_secs_f64() * self.rate();
        bucket.left = (bucket.left + gained).min((BURST * self.share).max(1.0));
        bucket.filled = now;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the last of so many changes has to wait that are asked for at this second.
    fn seconds(pace: &Pace, begin: Instant, second: u64, changes: usize) -> f64 {
        let now = begin + Duration::from_secs(second);
        (0..changes).map(|_| pace.wait(now)).last().unwrap().as_secs_f64()
    }

    fn about(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.001
    }

    #[test]
    fn a_burst_is_free_and_the_rest_waits_for_ec2s_rate() {
        let begin = Instant::now();
        let pace = Pace::at(100, begin);
        assert!(about(seconds(&pace, begin, 0, 50), 0.0));
        assert!(about(seconds(&pace, begin, 0, 100), 20.0));
        assert!(about(seconds(&pace, begin, 24, 20), 0.0), "it fills again");
        assert!(about(seconds(&pace, begin, 1_000, 55), 1.0), "but not beyond its size");
    }

    #[test]
    fn a_share_is_a_share_of_both_burst_and_rate() {
        let begin = Instant::now();
        let pace = Pace::at(20, begin);
        assert!(about(seconds(&pace, begin, 0, 10), 0.0));
        assert!(about(seconds(&pace, begin, 0, 10), 10.0));
        let pace = Pace::at(1, begin);
        assert!(about(seconds(&pace, begin, 0, 1), 0.0), "there is always a first");
        assert!(about(seconds(&pace, begin, 0, 1), 20.0));
    }

    #[test]
    fn a_bucket_that_others_emptied_is_waited_for() {
        let begin = Instant::now();
        let pace = Pace::at(100, begin);
        pace.found_empty();
        let waits = seconds(&pace, begin, 0, 5);
        assert!((0.9..=1.001).contains(&waits), "{waits}");
    }
}
