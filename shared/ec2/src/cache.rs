//! What an execution environment keeps from one invocation to the next: targets and filters, which every
//! decision needs and which seldom change, and what EC2 has shown about instance types.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use shared::{
    observed::{KnownTypes, Observed, Target},
    plan::eligibility::proven,
};

use crate::resources::MirrorResources;

/// How long a decision may use targets and filters after they were read. Afterwards they only tell
/// whose sessions are worth reading early.
pub const TIME_TO_LIVE: Duration = Duration::from_mins(1);

/// How long a refusal of an instance type holds: AWS adds types now and then.
pub const REFUSAL: Duration = Duration::from_hours(24);

/// What is kept of one account and region.
#[derive(Debug, Default)]
pub struct Cache {
    entry: Mutex<Option<(MirrorResources, SystemTime)>>,
    types: Mutex<Types>,
}

#[derive(Debug, Default)]
struct Types {
    known: KnownTypes,
    /// When EC2 refused each refused type last.
    refused_at: BTreeMap<Arc<str>, SystemTime>,
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

    /// Notes that EC2 refused this instance type as a source.
    pub fn note_refused(&self, instance_type: &Arc<str>, now: SystemTime) {
        let mut types = self.lock_types();
        types.refused_at.insert(instance_type.clone(), now);
        types.known.refused.insert(instance_type.clone());
    }

    /// Notes what the sessions that are there prove.
    pub(crate) fn note_proven(&self, observed: &Observed) {
        self.lock_types().known.proven.extend(proven(observed));
    }

    /// What EC2 has shown about instance types.
    pub(crate) fn types(&self, now: SystemTime) -> KnownTypes {
        let mut types = self.lock_types();
        let Types { known, refused_at } = &mut *types;
        refused_at.retain(|_, at| now.duration_since(*at).is_ok_and(|age| age < REFUSAL));
        known.refused.retain(|kind| refused_at.contains_key(kind));
        known.clone()
    }

    fn lock_types(&self) -> MutexGuard<'_, Types> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
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
            endpoint: Endpoint::NetworkLoadBalancer("net/sensors/0".into()),
            location: Location::default(),
            capacity: Capacity::Unlimited,
            state: TargetState::Ready,
            draining: false,
            interfaces: Vec::new(),
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
    fn a_refused_instance_type_is_remembered_for_a_day() {
        let cache = Cache::default();
        cache.note_refused(&"m12x.large".into(), READ);
        let refused = |hours| cache.types(READ + Duration::from_hours(hours)).refused;
        assert_eq!(refused(23).len(), 1);
        assert_eq!(refused(24).len(), 0);
        cache.note_refused(&"m12x.large".into(), READ);
        assert_eq!(refused(1).len(), 1);
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
