//! What this execution environment remembers of its own work. It is lost with the environment, and nothing
//! that must be right depends on it: it spares EC2 reads, and it stops what goes on for ever.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use shared::{
    id::{InterfaceId, SessionId, TargetId},
    observed::Session,
    plan::brake::{CALM, DELETION_WINDOW, MAX_CHANGES, is_unstable},
};

/// Deletions of unknown sessions by others start a sweep at most once in this time.
const SWEEP_INTERVAL: Duration = Duration::from_mins(2);

/// A target that EC2 has refused for lack of room is left alone for so long: others may have filled it, whose
/// sessions this account does not see.
const FULL: Duration = Duration::from_mins(15);

/// What EC2 shows may be so many seconds behind.
const LAG: i64 = 60;

/// The sessions that an account may have are 10,000 (VPC User Guide, "Traffic Mirroring quotas"), if nobody
/// has raised that.
const MAX_SESSIONS: usize = 20_000;

#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Where each session was seen last.
    sessions: BTreeMap<SessionId, InterfaceId>,
    /// The latest invocations that changed a source, oldest first.
    changed: BTreeMap<InterfaceId, VecDeque<SystemTime>>,
    /// How many sessions were deleted for tags and settings, and when.
    deletions: VecDeque<(SystemTime, usize)>,
    /// How many sessions were owned when all of them were read last, with those that had been deleted for
    /// tags and settings in the hour before.
    base: Option<(usize, SystemTime)>,
    /// The start of the last sweep that read everything.
    swept: Option<SystemTime>,
    /// When EC2 said last that a target has no room.
    full: BTreeMap<TargetId, SystemTime>,
}

/// What to do about a session that somebody else has deleted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AfterDeletion {
    /// Look where it was.
    Look(InterfaceId),
    /// Nobody knows where it was: look everywhere.
    Sweep,
    /// The last sweep has already seen what it left.
    Nothing,
    /// The last sweep is too recent for another one: later.
    Wait,
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where sessions are.
    pub(crate) fn note_sessions<'a>(&self, sessions: impl IntoIterator<Item = &'a Session>) {
        let mut inner = self.inner();
        if inner.sessions.len() > MAX_SESSIONS {
            inner.sessions.clear();
        }
        inner.sessions.extend(sessions.into_iter().map(|it| (it.id.clone(), it.interface.clone())));
    }

    /// Remembers that everything was read, by a sweep that started at that time.
    pub(crate) fn note_sweep(&self, started: SystemTime) {
        self.inner().swept = Some(started);
    }

    /// Remembers how many owned sessions there are.
    pub(crate) fn note_owned(&self, owned: usize, now: SystemTime) {
        let deleted = self.deletions(now);
        self.inner().base = Some((owned.saturating_add(deleted), now));
    }

    /// Remembers a session that was created.
    pub(crate) fn note_created(&self, session: &SessionId, source: &InterfaceId) {
        let mut inner = self.inner();
        inner.sessions.insert(session.clone(), source.clone());
        inner.base = inner.base.map(|(base, at)| (base.saturating_add(1), at));
    }

    /// Where to look after a session was deleted at that time, in seconds since 1970.
    pub(crate) fn after_deletion(
        &self,
        session: &SessionId,
        time: Option<i64>,
        now: SystemTime,
    ) -> AfterDeletion {
        let inner = self.inner();
        if let Some(interface) = inner.sessions.get(session) {
            return AfterDeletion::Look(interface.clone());
        }
        let Some(swept) = inner.swept else { return AfterDeletion::Sweep };
        if time.is_some_and(|time| time.saturating_add(LAG) < seconds(swept)) {
            return AfterDeletion::Nothing;
        }
        let is_recent = now.duration_since(swept).is_ok_and(|age| age < SWEEP_INTERVAL);
        if is_recent { AfterDeletion::Wait } else { AfterDeletion::Sweep }
    }

    /// Remembers that an invocation has changed these sources.
    pub(crate) fn note_changes(&self, sources: BTreeSet<InterfaceId>, now: SystemTime) {
        let mut inner = self.inner();
        inner.changed.retain(|_, times| times.back().is_some_and(|last| age(*last, now) < CALM));
        for source in sources {
            let times = inner.changed.entry(source).or_default();
            times.push_back(now);
            if times.len() > MAX_CHANGES + 1 {
                times.pop_front();
            }
        }
    }

    /// The sources that were changed too often.
    pub(crate) fn unstable(&self, now: SystemTime) -> BTreeSet<InterfaceId> {
        let inner = self.inner();
        let unstable = inner
            .changed
            .iter()
            .filter(|(_, times)| is_unstable(times.iter().map(|time| age(*time, now))));
        unstable.map(|(source, _)| source.clone()).collect()
    }

    /// The sources that were changed a short time ago: what has never had a session goes before them.
    pub(crate) fn changed(&self, now: SystemTime) -> BTreeSet<InterfaceId> {
        let inner = self.inner();
        let is_recent =
            |times: &VecDeque<SystemTime>| times.back().is_some_and(|it| age(*it, now) < CALM);
        let recent = inner.changed.iter().filter(|(_, times)| is_recent(times));
        recent.map(|(source, _)| source.clone()).collect()
    }

    /// Remembers that EC2 says that there is no room on this target.
    pub(crate) fn note_full(&self, target: &TargetId, now: SystemTime) {
        self.inner().full.insert(target.clone(), now);
    }

    /// Remembers that a session has left this target.
    pub(crate) fn note_room(&self, target: &TargetId) {
        self.inner().full.remove(target);
    }

    /// The targets that are left alone since they were full a short time ago.
    pub(crate) fn full(&self, now: SystemTime) -> BTreeSet<TargetId> {
        let mut inner = self.inner();
        inner.full.retain(|_, time| age(*time, now) < FULL);
        inner.full.keys().cloned().collect()
    }

    /// Remembers deletions for tags and settings.
    pub(crate) fn note_deletions(&self, count: usize, now: SystemTime) {
        if count > 0 {
            self.inner().deletions.push_back((now, count));
        }
    }

    /// How many sessions were deleted for tags and settings within the last hour.
    pub(crate) fn deletions(&self, now: SystemTime) -> usize {
        let mut inner = self.inner();
        inner.deletions.retain(|(time, _)| age(*time, now) < DELETION_WINDOW);
        inner.deletions.iter().map(|(_, count)| count).sum()
    }

    /// How many sessions the limit of deletions is a part of, if all of them have been read within the last
    /// hour.
    pub(crate) fn base(&self, now: SystemTime) -> Option<usize> {
        let base = self.inner().base.filter(|(_, at)| age(*at, now) < DELETION_WINDOW);
        base.map(|(count, _)| count)
    }
}

/// How long ago a time is; a clock that was set back counts as no time.
fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

fn seconds(time: SystemTime) -> i64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_hours(1_000) + Duration::from_mins(minute)
    }

    fn source(id: &str) -> BTreeSet<InterfaceId> {
        [id.parse().unwrap()].into()
    }

    #[test]
    fn a_source_that_was_changed_four_times_is_left_alone_until_it_was_calm_for_ten_minutes() {
        let memory = Memory::default();
        for minute in [0, 3, 6] {
            memory.note_changes(source("eni-1"), at(minute));
        }
        assert_eq!(memory.unstable(at(6)), BTreeSet::new());
        memory.note_changes(source("eni-1"), at(8));
        memory.note_changes(source("eni-2"), at(8));
        assert_eq!(memory.unstable(at(8)), source("eni-1"));
        assert_eq!(memory.unstable(at(17)), source("eni-1"));
        assert_eq!(memory.unstable(at(18)), BTreeSet::new());
        // One change in a quiet time is nothing.
        memory.note_changes(source("eni-1"), at(30));
        assert_eq!(memory.unstable(at(30)), BTreeSet::new());
    }

    #[test]
    fn changes_far_apart_are_no_flapping() {
        let memory = Memory::default();
        for minute in [0, 9, 18, 27, 36, 60] {
            memory.note_changes(source("eni-1"), at(minute));
            assert_eq!(memory.unstable(at(minute)), BTreeSet::new(), "{minute}");
        }
        assert_eq!(memory.changed(at(65)), source("eni-1"));
        assert_eq!(memory.changed(at(70)), BTreeSet::new());
    }

    #[test]
    fn a_full_target_is_left_alone_for_a_quarter_of_an_hour_or_until_a_session_leaves_it() {
        let memory = Memory::default();
        let [one, other]: [TargetId; 2] = ["tmt-1", "tmt-2"].map(|id| id.parse().unwrap());
        memory.note_full(&one, at(0));
        memory.note_full(&other, at(5));
        assert_eq!(memory.full(at(14)), [one.clone(), other.clone()].into());
        assert_eq!(memory.full(at(15)), [other.clone()].into());
        memory.note_full(&one, at(16));
        memory.note_room(&other);
        assert_eq!(memory.full(at(16)), [one].into());
    }

    #[test]
    fn deletions_are_counted_over_an_hour() {
        let memory = Memory::default();
        memory.note_deletions(3, at(0));
        memory.note_deletions(0, at(1));
        memory.note_deletions(4, at(30));
        assert_eq!(memory.deletions(at(59)), 7);
        assert_eq!(memory.deletions(at(60)), 4);
        assert_eq!(memory.deletions(at(90)), 0);
        // What was deleted within the hour counts as if it were still there.
        memory.note_deletions(30, at(100));
        assert_eq!(memory.base(at(100)), None);
        memory.note_owned(70, at(110));
        assert_eq!(memory.base(at(110)), Some(100));
        memory.note_owned(70, at(160));
        assert_eq!(memory.base(at(160)), Some(70));
        assert_eq!(memory.base(at(220)), None, "it is read again");
    }

    #[test]
    fn a_deleted_session_is_looked_for_where_it_was_and_a_strangers_starts_few_sweeps() {
        let memory = Memory::default();
        let unknown: SessionId = "tms-2".parse().unwrap();
        let second = |minute| Some(seconds(at(minute)));
        assert_eq!(memory.after_deletion(&unknown, None, at(0)), AfterDeletion::Sweep);
        memory.note_sweep(at(0));
        assert_eq!(memory.after_deletion(&unknown, second(1), at(1)), AfterDeletion::Wait);
        assert_eq!(memory.after_deletion(&unknown, None, at(1)), AfterDeletion::Wait);
        assert_eq!(memory.after_deletion(&unknown, second(1), at(2)), AfterDeletion::Sweep);
        assert_eq!(memory.after_deletion(&unknown, second(0), at(1)), AfterDeletion::Wait);
        let before = second(0).map(|time| time - LAG - 1);
        assert_eq!(memory.after_deletion(&unknown, before, at(1)), AfterDeletion::Nothing);
    }
}
