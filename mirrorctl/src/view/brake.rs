//! What the brake would hold back of a plan: of the function, as a sweep of it would; of a person, much less.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::{
    plan::{
        brake::{deletions_left, is_limited_deletion},
        restrict::{Limits, MAX_DRAINED, WithheldBy, restrict},
    },
    policy::run::Mode,
};

use crate::{log::Unread, world::Decided};

/// What a person may do: whoever asks for it has seen how many sessions go.
pub(crate) const BY_HAND: Limits<'static> =
    Limits { mode: Mode::Enforce, drains: true, deletions: None, unstable: &BTreeSet::new() };

/// How many changes would be held back, and what by.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Brake {
    /// All of them.
    pub(crate) held_back: usize,
    /// Sessions leave a draining target a few at a time.
    draining: usize,
    /// `MIRROR_DELETION_LIMIT`.
    deletion_limit: usize,
    /// Their interfaces were changed too often in a short time.
    unstable: usize,
    /// How many deletions the limit is about.
    deletions: usize,
    /// The limit, in percent.
    percent: u8,
    /// Why nobody knows what the function has changed within the hour.
    unread: Option<Unread>,
}

impl Brake {
    /// What a sweep would hold back, by what the function's log says that it has changed within the hour.
    pub(crate) fn of_sweep(decided: &Decided) -> Self {
        let (nothing, heard) = (BTreeSet::new(), decided.world.heard.as_ref());
        let deleted = heard.map_or(0, |heard| heard.deleted);
        let before = decided.owned_sessions().saturating_add(deleted);
        let percent = decided.parsed.run.deletion_limit;
        let limits = Limits {
            deletions: deletions_left(percent, before, deleted),
            unstable: heard.map_or(&nothing, |heard| &heard.unstable),
            ..BY_HAND
        };
        let has_changes = decided.plan.changes().next().is_some();
        let unread = heard.and_then(|heard| heard.unread.clone()).filter(|_| has_changes);
        Self { percent, unread, ..Self::with(decided, limits) }
    }

    /// The same for a person.
    pub(crate) fn by_hand(decided: &Decided) -> Self {
        Self::with(decided, BY_HAND)
    }

    fn with(decided: &Decided, limits: Limits<'_>) -> Self {
        let withheld = restrict(decided.plan.clone(), limits).withheld;
        let by = |by| withheld.iter().filter(|it| it.by == by).count();
        Self {
            held_back: withheld.len(),
            draining: by(WithheldBy::DrainLimit),
            deletion_limit: by(WithheldBy::DeletionLimit),
            unstable: by(WithheldBy::Unstable),
            deletions: decided.plan.steps.iter().filter(|step| is_limited_deletion(step)).count(),
            ..Self::default()
        }
    }

    /// What there is to say about it, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { draining, deletion_limit, unstable, deletions, percent, .. } = self;
        let mut lines = Vec::new();
        if *draining > 0 {
            lines.push(format!(
                "held back: {draining} sessions leave a draining target with later sweeps, {MAX_DRAINED} in each"
            ));
        }
        if *deletion_limit > 0 {
            lines.push(format!(
                "held back: {deletion_limit} of {deletions} deletions, by MIRROR_DELETION_LIMIT={percent}; if they \
                 are meant, invoke the function with {{\"sweep\":true,\"unlimited\":true}}"
            ));
        }
        if *unstable > 0 {
            lines.push(format!(
                "held back: {unstable} changes of interfaces that were changed more than three times in ten \
                 minutes, until they have been left alone for ten minutes"
            ));
        }
        if let Some(Unread { detail, .. }) = &self.unread {
            lines.push(format!(
                "cannot be seen: what the function has changed within the hour ({detail}), so it may hold back more"
            ));
        }
        lines
    }
}
