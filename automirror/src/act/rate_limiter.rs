//! Keeps changes within a share of the rate that EC2 allows the account.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// Changes of one kind that EC2 accepts at once ("Request throttling for the Amazon EC2 API").
const BURST: f64 = 50.0;
/// Changes of one kind a second that EC2 accepts in the long run (the same).
const RATE: f64 = 5.0;

/// The token bucket of one kind of change, such as all creations. EC2 has one for each kind.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// The part of EC2's bucket to use, above 0 and at most 1.
    share: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Changes that may happen at once; below zero where some wait.
    tokens: f64,
    refilled: Instant,
}

impl RateLimiter {
    /// `share` is in percent, 1 to 100.
    pub(crate) fn new(share: u8) -> Self {
        Self::at(share, Instant::now())
    }

    fn at(share: u8, now: Instant) -> Self {
        let share = f64::from(share.clamp(1, 100)) / 100.0;
        let bucket = Bucket { tokens: (BURST * share).max(1.0), refilled: now };
        Self { share, bucket: Mutex::new(bucket) }
    }

    /// Waits until one more change may happen.
    pub(crate) async fn acquire(&self) {
        sleep(self.wait(Instant::now())).await;
    }

    /// Takes a token, and says how long to wait for it.
    fn wait(&self, now: Instant) -> Duration {
        let mut bucket = self.refilled(now);
        bucket.tokens -= 1.0;
        Duration::from_secs_f64((-bucket.tokens).max(0.0) / self.rate())
    }

    /// The time between two changes, once the burst is used up.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate())
    }

    /// Empties the bucket: EC2 has throttled a call, so somebody else uses the bucket, too.
    pub(crate) fn drain(&self) {
        let mut bucket = self.refilled(Instant::now());
        bucket.tokens = bucket.tokens.min(0.0);
    }

    fn rate(&self) -> f64 {
        RATE * self.share
    }

    fn refilled(&self, now: Instant) -> MutexGuard<'_, Bucket> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.duration_since(bucket.refilled).as_secs_f64() * self.rate();
        bucket.tokens = (bucket.tokens + gained).min((BURST * self.share).max(1.0));
        bucket.refilled = now;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the last of so many changes waits that are asked for at this second.
    fn seconds(limiter: &RateLimiter, begin: Instant, second: u64, changes: usize) -> f64 {
        let now = begin + Duration::from_secs(second);
        (0..changes).map(|_| limiter.wait(now)).last().unwrap().as_secs_f64()
    }

    fn about(left: f64, right: f64) -> bool {
        (left - right).abs() < 0.001
    }

    #[test]
    fn a_burst_is_free_and_the_rest_waits_for_ec2s_rate() {
        let begin = Instant::now();
        let limiter = RateLimiter::at(100, begin);
        assert!(about(seconds(&limiter, begin, 0, 50), 0.0));
        assert!(about(seconds(&limiter, begin, 0, 100), 20.0));
        assert!(about(seconds(&limiter, begin, 24, 20), 0.0), "it fills again");
        assert!(about(seconds(&limiter, begin, 1_000, 55), 1.0), "but not beyond its size");
    }

    #[test]
    fn a_share_is_a_share_of_both_burst_and_rate() {
        let begin = Instant::now();
        let limiter = RateLimiter::at(20, begin);
        assert!(about(seconds(&limiter, begin, 0, 10), 0.0));
        assert!(about(seconds(&limiter, begin, 0, 10), 10.0));
        let limiter = RateLimiter::at(1, begin);
        assert!(about(seconds(&limiter, begin, 0, 1), 0.0), "there is always a first");
        assert!(about(seconds(&limiter, begin, 0, 1), 20.0));
    }

    #[test]
    fn a_bucket_that_others_emptied_is_waited_for() {
        let begin = Instant::now();
        let limiter = RateLimiter::at(100, begin);
        limiter.drain();
        let waits = seconds(&limiter, begin, 0, 5);
        assert!((0.9..=1.001).contains(&waits), "{waits}");
    }
}
