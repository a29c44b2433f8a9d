//! Targets and filters: every decision needs them and they seldom change, so a process remembers them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use crate::observed::{Filter, Target};

/// How long targets and filters may be decided on after they were read. Afterwards they only tell
/// whose sessions are worth reading ahead.
pub const KEEP: Duration = Duration::from_mins(1);

/// The targets and filters the account can see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) targets: Vec<Target>,
    pub(crate) filters: Vec<Filter>,
}

/// What a process knows of targets and filters from one invocation to the next.
#[derive(Debug, Default)]
pub struct Memory {
    known: Mutex<Option<(Surroundings, SystemTime)>>,
}

impl Memory {
    /// Has the next decision read them anew: something did not go as they let expect.
    pub fn forget(&self) {
        if let Some((_, read)) = self.known().as_mut() {
            *read = SystemTime::UNIX_EPOCH;
        }
    }

    pub(crate) fn keep(&self, surroundings: Surroundings, now: SystemTime) {
        *self.known() = Some((surroundings, now));
    }

    /// What may be decided on.
    pub(crate) fn recall(&self, now: SystemTime) -> Option<Surroundings> {
        let known = self.known();
        let (surroundings, read) = known.as_ref()?;
        // A clock that was put back proves nothing.
        let age = now.duration_since(*read).ok()?;
        (age < KEEP).then(|| surroundings.clone())
    }

    /// The targets as they were last, however long ago.
    pub(crate) fn last_targets(&self) -> Vec<Target> {
        self.known().as_ref().map(|(known, _)| known.targets.clone()).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, Option<(Surroundings, SystemTime)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::TargetKind;

    const READ: SystemTime = SystemTime::UNIX_EPOCH;

    fn memory() -> Memory {
        let target = Target {
            id: "tmt-1".parse().unwrap(),
            account: "111111111111".parse().unwrap(),
            kind: TargetKind::NetworkLoadBalancer,
            refused: false,
        };
        let memory = Memory::default();
        let read = READ + Duration::from_hours(1);
        memory.keep(Surroundings { targets: vec![target], filters: Vec::new() }, read);
        memory
    }

    fn recalls(memory: &Memory, seconds: i64) -> bool {
        let hour = Duration::from_hours(1);
        let after = Duration::from_secs(seconds.unsigned_abs());
        let now = if seconds < 0 { READ + hour - after } else { READ + hour + after };
        memory.recall(now).is_some()
    }

    #[test]
    fn they_are_decided_on_for_a_minute_and_hinted_at_for_ever() {
        let memory = memory();
        assert!(recalls(&memory, 0) && recalls(&memory, 59));
        assert!(!recalls(&memory, 60) && !recalls(&memory, 86_400));
        assert!(!recalls(&memory, -1), "the clock was put back");
        assert_eq!(memory.last_targets().len(), 1);
    }

    #[test]
    fn what_is_forgotten_is_not_decided_on() {
        let memory = memory();
        memory.forget();
        assert!(!recalls(&memory, 0));
        assert_eq!(memory.last_targets().len(), 1);
        assert!(Memory::default().recall(READ).is_none());
    }
}
