//! The brake: what keeps automirror from deleting too much at once, and from changing one source without end. Whoever
//! remembers what was done passes it in.

use std::time::Duration;

use super::step::{Action, Step};

/// A source that was changed more than [`MAX_CHANGES`] times in this time is unstable, until it has been
/// left alone for as long.
pub const CALM: Duration = Duration::from_mins(10);

/// Two people, two installations or a tag that flaps undo each other's changes without end.
pub const MAX_CHANGES: usize = 3;

/// The time over which deletions for tags and settings are counted.
pub const DELETION_WINDOW: Duration = Duration::from_hours(1);

/// So many deletions for tags and settings within an hour are never held back.
const FREE_DELETIONS: usize = 10;

/// The percentage from which on there is no limit.
const NO_LIMIT: u8 = 100;

/// How many more sessions may be deleted because of tags or settings, of as many as there were an hour ago and
/// when so many of them were deleted since; none is no limit.
#[must_use]
pub fn deletions_left(percent: u8, before: usize, deleted: usize) -> Option<usize> {
    if percent >= NO_LIMIT {
        return None;
    }
    let limit = before.saturating_mul(percent.into()) / 100;
    Some(limit.max(FREE_DELETIONS).saturating_sub(deleted))
}

/// Whether a source is unstable that was changed so long ago, the latest change last.
#[must_use]
pub fn is_unstable(ages: impl DoubleEndedIterator<Item = Duration>) -> bool {
    let mut latest_first = ages.rev();
    let Some(latest) = latest_first.next() else { return false };
    let Some(first) = latest_first.nth(MAX_CHANGES - 1) else { return false };
    latest < CALM && first.saturating_sub(latest) < CALM
}

/// Whether the step deletes a session because of a tag or a setting.
#[must_use]
pub fn is_limited_deletion(step: &Step) -> bool {
    matches!(step.action, Action::Delete(_)) && is_limited(step.reason.code())
}

/// Whether the reason with this code is a tag or a setting, and not that a machine is off, that an interface is
/// attached to nothing, or that somebody removes the installation.
#[must_use]
pub fn is_limited(code: &str) -> bool {
    !matches!(code, "not-running" | "detached" | "removed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::reason::REASONS;

    #[test]
    fn the_reasons_without_a_limit_are_reasons() {
        let without = REASONS.iter().filter(|entry| !is_limited(entry.code));
        assert_eq!(without.count(), 3);
    }

    #[test]
    fn a_part_of_the_sessions_may_go_within_an_hour_and_a_few_always() {
        assert_eq!(deletions_left(50, 100, 0), Some(50));
        assert_eq!(deletions_left(50, 100, 30), Some(20));
        assert_eq!(deletions_left(50, 100, 60), Some(0));
        assert_eq!(deletions_left(50, 4, 0), Some(FREE_DELETIONS));
        assert_eq!(deletions_left(50, 4, 8), Some(2));
        assert_eq!(deletions_left(100, 4, 8), None);
    }

    #[test]
    fn four_changes_in_ten_minutes_are_too_many_until_it_was_calm() {
        let minutes = |ages: &[u64]| is_unstable(ages.iter().copied().map(Duration::from_mins));
        assert!(!minutes(&[]) && !minutes(&[6, 3, 0]));
        assert!(minutes(&[8, 5, 2, 0]) && minutes(&[17, 14, 11, 9]));
        assert!(!minutes(&[18, 15, 12, 10]), "it was calm");
        assert!(!minutes(&[24, 16, 8, 0]), "they are far apart");
        assert!(
            !minutes(&[10, 6, 3, 0]) && minutes(&[9, 6, 3, 0]),
            "within ten minutes is less than ten"
        );
    }
}
