//! Targets and filters: every decision needs them and they seldom change, so an execution environment
//! keeps them from one invocation to the next.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use shared::observed::Target;

use crate::resources::MirrorResources;

/// How long a decision may use targets and filters after they were read. Afterwards they only tell
/// whose sessions are worth reading early.
pub const TIME_TO_LIVE: Duration = Duration::from_mins(1);

/// The targets and filters of one account and region, from one invocation to the next.
#[derive(Debug, Default)]
pub struct Cache {
    entry: Mutex<Option<(MirrorResources, SystemTime)>>,
}

impl Cache {
    /// Makes the next decision read them anew: a change failed that they said would work.
    pub fn invalidate(&self) {
        if let Some((_, read_at)) = self.entry().as_mut() {
            *read_at = SystemTime::UNIX_EPOCH;
        }
    }

    pub(crate) fn store(&self, resources: MirrorResources, now: SystemTime) {
        *self.entry() = Some((resources, now));
    }

    /// What a decision may use.
    pub(crate) fn fresh(&self, now: SystemTime) -> Option<MirrorResources> {
        let entry = self.entry();
        let (resources, read_at) = entry.as_ref()?;
        // If the clock was put back, the age is not known.
        let age = now.duration_since(*read_at).ok()?;
        (age < TIME_TO_LIVE).then(|| resources.clone())
    }

    /// The targets as they were last read, however long ago.
    pub(crate) fn last_targets(&self) -> Vec<Target> {
        self.entry().as_ref().map(|(known, _)| known.targets.clone()).unwrap_or_default()
    }

    fn entry(&self) -> MutexGuard<'_, Option<(MirrorResources, SystemTime)>> {
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use shared::observed::{Capacity, Endpoint, Location, TargetState};

    use super::*;

    const READ: SystemTime = SystemTime::UNIX_EPOCH;

    fn cache() -> Cache {
        let target = Target {
            id: "tmt-1".parse().unwrap(),
            account: "111111111111".parse().unwrap(),
            endpoint: Endpoint::NetworkLoadBalancer,
            location: Location::default(),
            capacity: Capacity::Unlimited,
            state: TargetState::Ready,
            interfaces: Vec::new(),
            default_packet_length: None,
        };
        let cache = Cache::default();
        let read = READ + Duration::from_hours(1);
        cache.store(MirrorResources { targets: vec![target], filters: Vec::new() }, read);
        cache
    }

    fn is_fresh(cache: &Cache, seconds: i64) -> bool {
        let hour = Duration::from_hours(1);
        let after = Duration::from_secs(seconds.unsigned_abs());
        let now = if seconds < 0 { READ + hour - after } else { READ + hour + after };
        cache.fresh(now).is_some()
    }

    #[test]
    fn a_decision_may_use_them_for_a_minute_and_the_targets_remain_as_a_hint() {
        let cache = cache();
        assert!(is_fresh(&cache, 0) && is_fresh(&cache, 59));
        assert!(!is_fresh(&cache, 60) && !is_fresh(&cache, 86_400));
        assert!(!is_fresh(&cache, -1), "the clock was put back");
        assert_eq!(cache.last_targets().len(), 1);
    }

    #[test]
    fn no_decision_uses_what_was_invalidated() {
        let cache = cache();
        cache.invalidate();
        assert!(!is_fresh(&cache, 0));
        assert_eq!(cache.last_targets().len(), 1);
        assert!(Cache::default().fresh(READ).is_none());
    }
}
