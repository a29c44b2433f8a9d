//! How many requests EC2 accepts: a token bucket for each action of an account ("Request throttling for the Amazon
//! EC2 API").

use std::collections::BTreeMap;

use tokio::time::Instant;

/// Requests at once, and a second in the long run.
const READS: (f64, f64) = (100.0, 20.0);
const CHANGES: (f64, f64) = (50.0, 5.0);

#[derive(Debug)]
pub(crate) struct Rates {
    reads: (f64, f64),
    changes: (f64, f64),
    buckets: BTreeMap<String, Bucket>,
}

impl Default for Rates {
    fn default() -> Self {
        Self::new(READS, CHANGES)
    }
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Rates {
    /// Of reads and of changes, so many at once and so many a second.
    pub(crate) fn new(reads: (f64, f64), changes: (f64, f64)) -> Self {
        Self { reads, changes, buckets: BTreeMap::new() }
    }

    /// Whether one more request is accepted.
    pub(crate) fn take(&mut self, action: &str) -> bool {
        let (size, rate) = if action.starts_with("Describe") { self.reads } else { self.changes };
        let now = Instant::now();
        let full = || Bucket { left: size, filled: now };
        let bucket = self.buckets.entry(action.to_owned()).or_insert_with(full);
        let gained = now.duration_since(bucket.filled).as_secs_f64() * rate;
        *bucket = Bucket { left: (bucket.left + gained).min(size), filled: now };
        let is_taken = bucket.left >= 1.0;
        if is_taken {
            bucket.left -= 1.0;
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_and_then_what_comes_back() {
        let mut rates = Rates::default();
        let mut taken = |count: usize, action| (0..count).filter(|_| rates.take(action)).count();
        assert_eq!(taken(60, "CreateTrafficMirrorSession"), 50);
        assert_eq!(taken(60, "DeleteTrafficMirrorSession"), 50, "each action by itself");
        assert_eq!(taken(110, "DescribeInstances"), 100);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(60, "CreateTrafficMirrorSession"), 10);
        assert_eq!(taken(60, "DescribeInstances"), 40);
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert_eq!(taken(60, "CreateTrafficMirrorSession"), 50, "no more than it holds");
    }
}
