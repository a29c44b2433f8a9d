//! The numbers of an invocation: a line in the log, and part of the answer to a direct call. Alarms and
//! dashboards are made from the line, so its names do not change.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    id::InterfaceId,
    plan::{restrict::WithheldBy, room::RoomOnTargets},
};
use tracing::{info, warn};

use super::ledger::{Change, Entry, Fact, Fate, Ledger};

/// The numbers of an invocation.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Steps of the plan, one or more for each source.
    pub(crate) steps: usize,
    /// Sources that should be mirrored.
    pub(crate) wanted: usize,
    /// Of these, sources with a session that is as it should be by now.
    pub(crate) mirrored: usize,
    /// Of the wanted sources, those that EC2 cannot mirror.
    pub(crate) cannot: usize,
    /// Of the wanted sources, those where somebody must do something.
    pub(crate) must_act: usize,
    pub(crate) created: usize,
    pub(crate) modified: usize,
    pub(crate) deleted: usize,
    /// Changes that are not carried out: in detect mode all, and those below.
    pub(crate) withheld: usize,
    /// Of these, deletions beyond `MIRROR_DELETION_LIMIT`.
    pub(crate) held_back: usize,
    /// Of these, changes to sources that were changed too often.
    pub(crate) unstable: usize,
    /// Steps that something permanent prevents.
    pub(crate) blocked: usize,
    /// Changes that EC2 refused permanently.
    pub(crate) refused: usize,
    /// Changes that must be retried.
    pub(crate) unfinished: usize,
    /// Whether settings that cannot be right kept everything as it is.
    pub(crate) broken_settings: bool,
    /// The room on the allowed targets, where every session was read.
    #[serde(flatten)]
    pub(crate) room: Option<RoomNumbers>,
    /// Instances that an event named, but EC2 does not show.
    pub(crate) not_shown: Vec<String>,
    /// How often each reason was given.
    pub(crate) reasons: BTreeMap<&'static str, usize>,
}

/// The room on the allowed targets.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RoomNumbers {
    /// The allowed targets that EC2 shows.
    targets: usize,
    /// Of these, targets that take no source more.
    targets_full: usize,
    /// How many sources more those of known limit take together; none where no limit is known.
    room: Option<usize>,
}

impl RoomNumbers {
    pub(crate) fn of(room: &RoomOnTargets) -> Self {
        Self { targets: room.targets.len(), targets_full: room.full(), room: room.left() }
    }
}

/// What the summary says about the invocation as a whole.
pub(crate) struct Frame<'a> {
    /// What set it off: how many events of each kind.
    pub(crate) trigger: &'a str,
    pub(crate) records: usize,
    /// Records that come again.
    pub(crate) returned: usize,
    /// Of these, records that nobody can read.
    pub(crate) unreadable: usize,
    /// It was to sweep.
    pub(crate) sweep: bool,
    /// The sweep read everything.
    pub(crate) complete: bool,
}

impl Summary {
    /// Counts what became of the sources.
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let mut summary = Self::default();
        for Entry { reason, fate, .. } in ledger.entries() {
            summary.count(*fate);
            if let Some(reason) = reason {
                summary.steps += 1;
                *summary.reasons.entry(reason).or_default() += 1;
            }
        }
        summary.broken_settings = summary.reasons.contains_key("setting-broken");
        summary.count_sources(ledger);
        summary
    }

    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Nothing => {}
            Fate::Blocked => self.blocked += 1,
            Fate::Done(Change::Created) => self.created += 1,
            Fate::Done(Change::Modified) => self.modified += 1,
            Fate::Done(Change::Deleted) => self.deleted += 1,
            Fate::Refused => self.refused += 1,
            Fate::Unfinished => self.unfinished += 1,
            Fate::Withheld(by) => {
                self.withheld += 1;
                self.held_back += usize::from(by == WithheldBy::DeletionLimit);
                self.unstable += usize::from(by == WithheldBy::Unstable);
            }
        }
    }

    /// Counts sources, each of which may have several steps.
    fn count_sources(&mut self, ledger: &Ledger) {
        let facts = ledger.entries().iter().filter_map(|it| Some((&it.source, it.fact?)));
        let mut sources: Vec<(&InterfaceId, Fact)> = facts.collect();
        sources.sort_unstable_by_key(|(source, _)| *source);
        for source in sources.chunk_by(|(one, _), (next, _)| one == next) {
            let has = |fact| source.iter().any(|(_, it)| *it == fact);
            self.wanted += 1;
            self.mirrored += usize::from(has(Fact::Mirrored));
            self.must_act += usize::from(has(Fact::MustAct));
            self.cannot += usize::from(has(Fact::Cannot) && !has(Fact::MustAct));
        }
    }

    /// Adds what else the same invocation did.
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.wanted += other.wanted;
        self.mirrored += other.mirrored;
        self.cannot += other.cannot;
        self.must_act += other.must_act;
        self.blocked += other.blocked;
        self.withheld += other.withheld;
        self.held_back += other.held_back;
        self.unstable += other.unstable;
        self.refused += other.refused;
        self.broken_settings |= other.broken_settings;
        self.room = other.room.or(self.room);
        self.add_changes(other);
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    /// Adds what else was changed, or is still to be.
    pub(crate) fn add_changes(&mut self, other: &Self) {
        self.created += other.created;
        self.modified += other.modified;
        self.deleted += other.deleted;
        self.unfinished += other.unfinished;
        self.not_shown.extend(other.not_shown.iter().cloned());
    }

    /// Writes the line about the whole invocation.
    pub(crate) fn log(&self, frame: &Frame<'_>) {
        let Frame { trigger, records, returned, unreadable, sweep, complete } = *frame;
        if !self.not_shown.is_empty() {
            warn!("EC2 does not show {}", self.not_shown.join(", "));
        }
        let reasons: Vec<_> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let Self { wanted, mirrored, cannot, must_act, .. } = self;
        let Self { created, modified, deleted, unfinished, .. } = self;
        info!(
            summary = true,
            trigger,
            records,
            returned,
            unreadable,
            sweep,
            complete,
            steps = self.steps,
            wanted,
            mirrored,
            cannot,
            must_act,
            created,
            modified,
            deleted,
            withheld = self.withheld,
            held_back = self.held_back,
            unstable = self.unstable,
            blocked = self.blocked,
            refused = self.refused,
            unfinished,
            broken_settings = u8::from(self.broken_settings),
            targets = self.room.map(|it| it.targets),
            targets_full = self.room.map(|it| it.targets_full),
            room = self.room.and_then(|it| it.room),
            reasons = reasons.join(", "),
            "summary of {trigger}: interfaces that should be mirrored: {wanted}, mirrored: {mirrored}, \
             cannot be: {cannot}, somebody must act: {must_act}; sessions created: {created}, \
             modified: {modified}, deleted: {deleted}; changes withheld: {}, refused: {}, \
             to retry: {unfinished}; messages that come again: {returned} of {records}",
            self.withheld,
            self.refused,
        );
    }
}
