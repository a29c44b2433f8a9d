//! Which owned session serves which desired session, and which numbers new sessions get.
//!
//! Sessions are in the order of their numbers and desired sessions in the order of the tag. Neither
//! order is changed: the number decides which filter sees a packet first.

use std::{cmp::Reverse, collections::BTreeSet, ops::RangeInclusive};

use super::desired::DesiredSession;
use crate::{number::SessionNumber, observed::Session};

/// A desired session and what serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match<'a> {
    pub(super) desired: DesiredSession,
    pub(super) session: Served<'a>,
}

/// What serves a desired session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served<'a> {
    /// An owned session that is there, whether or not it is right.
    Existing(&'a Session),
    /// A new session with this number.
    New(SessionNumber),
    /// Nothing: no number is free for a new session.
    NoFreeNumber,
    /// Nothing: the interface has no room for a new session.
    NoFreeSlot,
}

impl<'a> Served<'a> {
    pub(super) fn existing(self) -> Option<&'a Session> {
        match self {
            Self::Existing(session) => Some(session),
            Self::New(_) | Self::NoFreeNumber | Self::NoFreeSlot => None,
        }
    }

    fn is_nothing(self) -> bool {
        matches!(self, Self::NoFreeNumber | Self::NoFreeSlot)
    }
}

/// How an owned session serves a desired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It must be modified.
    Wrong,
    /// It stays on its target, with another filter.
    OtherFilter,
    /// Whether it may stay is not known, so it does.
    Unsure,
    /// It may stay as it is.
    Right,
}

/// Where new sessions fit on a source.
#[derive(Clone, Debug)]
pub(super) struct FreeSlots {
    /// How many owned sessions the source takes.
    pub(super) slots: usize,
    /// The numbers on the side of the foreign sessions that the policy asks for.
    pub(super) numbers: RangeInclusive<u16>,
    /// The numbers of the sessions on the source.
    pub(super) taken: BTreeSet<SessionNumber>,
}

/// Matches each desired session with an owned session or a place for a new one. Owned sessions that
/// serve nothing come second: they are duplicates.
///
/// Of all assignments that keep both orders it is the one that leaves the fewest desired sessions
/// unserved; then the one in which the most sessions are right and stay as they are; then the one that
/// makes the fewest new ones; then the one that serves the first desired sessions by the first owned
/// ones. There are at most three desired sessions, and EC2 allows three sessions on a source.
pub(super) fn match_sessions<'a>(
    desired: &[DesiredSession],
    owned: &[&'a Session],
    free: &FreeSlots,
    fits: impl Fn(&DesiredSession, &Session) -> Fit,
) -> (Vec<Match<'a>>, Vec<&'a Session>) {
    let all = assignments(desired.len(), owned.len()).into_iter().map(|assignment| {
        let assigned = desired.iter().zip(&assignment);
        let assigned: Vec<_> = assigned
            .map(|(desired, at)| (desired, at.and_then(|at| owned.get(at).copied())))
            .collect();
        let matches = number(&assigned, free);
        (Cost::of(&matches, &assignment, &fits), matches)
    });
    let best = all.min_by(|(cost, _), (other, _)| cost.cmp(other));
    let matches = best.map(|(_, matches)| matches).unwrap_or_default();
    let serves = |session: &Session| {
        let served = matches.iter().filter_map(|it| it.session.existing());
        served.into_iter().any(|it| it.id == session.id)
    };
    let surplus = owned.iter().copied().filter(|session| !serves(session)).collect();
    (matches, surplus)
}

/// The owned session, by its position, that serves each desired session; none is a new one.
type Assignment = Vec<Option<usize>>;

/// Every assignment in which later desired sessions are served by later owned ones.
fn assignments(desired: usize, owned: usize) -> Vec<Assignment> {
    let mut all: Vec<Assignment> = vec![Vec::new()];
    for _ in 0..desired {
        let longer = all.iter().flat_map(|assignment| {
            let last = assignment.iter().rev().find_map(|at| *at);
            let first = last.map_or(0, |last| last.saturating_add(1));
            let next = (first..owned).map(Some).chain([None]);
            next.map(|next| assignment.iter().copied().chain([next]).collect())
        });
        all = longer.collect();
    }
    all
}

/// What an assignment costs, the most important first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    unserved: usize,
    /// Sessions that are right are worth something, so fewer of them cost more.
    right: Reverse<usize>,
    sure: Reverse<usize>,
    on_target: Reverse<usize>,
    new: usize,
    /// Which desired sessions are not served, the first one's position counting most.
    which: Vec<bool>,
    /// No owned session costs more than any.
    by: Vec<usize>,
}

impl Cost {
    fn of(
        matches: &[Match<'_>],
        assignment: &[Option<usize>],
        fits: &impl Fn(&DesiredSession, &Session) -> Fit,
    ) -> Self {
        let served = || {
            let served = |it: &Match<'_>| Some(fits(&it.desired, it.session.existing()?));
            matches.iter().filter_map(served)
        };
        let which: Vec<_> = matches.iter().map(|it| it.session.is_nothing()).collect();
        Self {
            unserved: which.iter().filter(|unserved| **unserved).count(),
            right: Reverse(
                served().filter(|fit| !matches!(fit, Fit::Wrong | Fit::OtherFilter)).count(),
            ),
            sure: Reverse(served().filter(|fit| *fit == Fit::Right).count()),
            on_target: Reverse(served().filter(|fit| *fit != Fit::Wrong).count()),
            new: matches.iter().filter(|it| matches!(it.session, Served::New(_))).count(),
            which,
            by: assignment.iter().map(|at| at.unwrap_or(usize::MAX)).collect(),
        }
    }
}

/// Gives each desired session that no session serves the smallest free number between its neighbours.
fn number<'a>(
    assigned: &[(&DesiredSession, Option<&'a Session>)],
    free: &FreeSlots,
) -> Vec<Match<'a>> {
    let FreeSlots { slots, numbers, mut taken } = free.clone();
    let existing = assigned.iter().filter(|(_, session)| session.is_some()).count();
    let mut slots = slots.saturating_sub(existing);
    let mut lowest = *numbers.start();
    let mut matches = Vec::new();
    for (position, (desired, session)) in assigned.iter().enumerate() {
        // From this position on: where a session serves it already, the range is not used.
        let mut later = assigned.iter().skip(position).filter_map(|(_, session)| *session);
        let highest =
            later.next().map_or(*numbers.end(), |next| next.number.get().saturating_sub(1));
        let highest = highest.min(*numbers.end());
        let smallest = (lowest..=highest)
            .filter_map(|number| SessionNumber::try_from(i32::from(number)).ok())
            .find(|number| !taken.contains(number));
        let session = match (session, smallest) {
            (Some(session), _) => Served::Existing(session),
            (None, _) if slots == 0 => Served::NoFreeSlot,
            (None, None) => Served::NoFreeNumber,
            (None, Some(number)) => {
                slots = slots.saturating_sub(1);
                taken.insert(number);
                Served::New(number)
            }
        };
        if let Served::Existing(Session { number, .. }) | Served::New(number) = &session {
            lowest = lowest.max(number.get().saturating_add(1));
        }
        matches.push(Match { desired: (*desired).clone(), session });
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::desired::DesiredFilter;

    fn session(number: i32, filter: &str) -> Session {
        Session {
            id: format!("tms-{number}").parse().unwrap(),
            account: "111111111111".parse().unwrap(),
            interface: "eni-1".parse().unwrap(),
            target: "tmt-1".parse().unwrap(),
            filter: format!("tmf-{filter}").parse().unwrap(),
            number: number.try_into().unwrap(),
            packet_length: None,
            vni: None,
            managed_by: None,
            installation: None,
        }
    }

    /// Matches desired sessions with these filters and owned sessions, as number and filter.
    fn matched(desired: &[&str], owned: &[(i32, &str)], slots: usize) -> Vec<String> {
        matched_up_to(9, desired, owned, slots)
    }

    /// The same where no number above `highest` may be given.
    fn matched_up_to(
        highest: u16,
        desired: &[&str],
        owned: &[(i32, &str)],
        slots: usize,
    ) -> Vec<String> {
        let filter = |name: &str| format!("tmf-{name}").parse().unwrap();
        let desired: Vec<_> = desired
            .iter()
            .map(|name| DesiredSession { target: None, filter: DesiredFilter::Named(filter(name)) })
            .collect();
        let sessions: Vec<_> = owned.iter().map(|(number, name)| session(*number, name)).collect();
        let owned: Vec<_> = sessions.iter().collect();
        let taken = owned.iter().map(|session| session.number).collect();
        let free = FreeSlots { slots, numbers: 1..=highest, taken };
        let fits = |desired: &DesiredSession, session: &Session| {
            if desired.filter.accepts(&session.filter) { Fit::Right } else { Fit::Wrong }
        };
        let (matches, surplus) = match_sessions(&desired, &owned, &free, fits);
        let matches = matches.iter().map(|it| {
            let session = match it.session {
                Served::Existing(session) => session.id.to_string(),
                Served::New(number) => format!("new {number}"),
                Served::NoFreeNumber => "no number".to_owned(),
                Served::NoFreeSlot => "no slot".to_owned(),
            };
            format!("{} {session}", it.desired.filter.for_new().unwrap())
        });
        matches.chain(surplus.iter().map(|session| format!("surplus {}", session.id))).collect()
    }

    /// Matches one desired session with owned ones that fit like this, from number 1 on, and says which
    /// serves.
    fn serving(fits: &[Fit]) -> u16 {
        let desired =
            DesiredSession { target: None, filter: DesiredFilter::Named("tmf-a".parse().unwrap()) };
        let sessions: Vec<_> = (1..).take(fits.len()).map(|number| session(number, "a")).collect();
        let owned: Vec<_> = sessions.iter().collect();
        let taken = owned.iter().map(|session| session.number).collect();
        let free = FreeSlots { slots: 3, numbers: 1..=9, taken };
        let fit =
            |_: &DesiredSession, session: &Session| fits[usize::from(session.number.get()) - 1];
        let (matches, _) = match_sessions(&[desired], &owned, &free, fit);
        matches[0].session.existing().unwrap().number.get()
    }

    #[test]
    fn of_several_the_session_serves_that_fits_best() {
        use Fit::{OtherFilter, Right, Unsure, Wrong};
        for pair in [Wrong, OtherFilter, Unsure, Right].windows(2) {
            let (worse, better) = (pair[0], pair[1]);
            let served = [[worse, better], [better, worse], [worse; 2]].map(|fits| serving(&fits));
            assert_eq!(served, [2, 1, 1], "{worse:?} {better:?}");
        }
    }

    #[test]
    fn a_session_that_is_right_keeps_serving_whatever_stands_before_it() {
        let owned = [(1, "x"), (2, "b"), (3, "y"), (4, "c")];
        let expected = ["tmf-a tms-1", "tmf-b tms-2", "tmf-c tms-4", "surplus tms-3"];
        assert_eq!(matched(&["a", "b", "c"], &owned, 4), expected);
    }

    #[test]
    fn a_session_before_one_that_is_right_serves_the_desired_session_before() {
        let expected = ["tmf-a tms-2", "tmf-b tms-3"];
        assert_eq!(matched(&["a", "b"], &[(2, "x"), (3, "b")], 3), expected);
    }

    #[test]
    fn of_two_that_are_right_in_the_wrong_order_the_one_for_the_first_desired_session_stays() {
        let expected = ["tmf-a tms-2", "tmf-b new 3", "surplus tms-1"];
        assert_eq!(matched(&["a", "b"], &[(1, "b"), (2, "a")], 3), expected);
    }

    #[test]
    fn a_desired_session_in_front_of_a_served_one_gets_a_lower_number_or_all_move_up() {
        assert_eq!(matched(&["a", "b"], &[(2, "b")], 3), ["tmf-a new 1", "tmf-b tms-2"]);
        assert_eq!(matched(&["a", "b"], &[(1, "b")], 3), ["tmf-a tms-1", "tmf-b new 2"]);
    }

    #[test]
    fn a_desired_session_behind_a_served_one_gets_a_number_though_all_move_down() {
        let found = matched_up_to(2, &["b", "c"], &[(1, "a"), (2, "b")], 2);
        assert_eq!(found, ["tmf-b tms-1", "tmf-c tms-2"]);
        let found = matched_up_to(2, &["a", "b", "c"], &[(1, "b"), (2, "c")], 3);
        assert_eq!(found, ["tmf-a no number", "tmf-b tms-1", "tmf-c tms-2"], "no move would help");
    }

    #[test]
    fn a_session_serves_a_later_desired_session_where_a_number_is_free_only_in_front_of_it() {
        let found = matched_up_to(2, &["a", "b"], &[(2, "a")], 2);
        assert_eq!(found, ["tmf-a new 1", "tmf-b tms-2"]);
        let found = matched_up_to(3, &["a", "b", "c"], &[(2, "a"), (3, "b")], 3);
        assert_eq!(found, ["tmf-a new 1", "tmf-b tms-2", "tmf-c tms-3"]);
        let found = matched_up_to(3, &["a", "b", "c"], &[(3, "a")], 3);
        assert_eq!(found, ["tmf-a new 1", "tmf-b new 2", "tmf-c tms-3"]);
    }

    /// Every small case: whatever the sessions are, none is left unserved for which some assignment that
    /// keeps the orders has a number.
    #[test]
    fn no_desired_session_is_left_without_a_number_that_is_free() {
        let names = ["a", "b", "c"];
        for desired in 1..=3_usize {
            for present in 0..8_u8 {
                let numbers: Vec<i32> =
                    (1..=3).filter(|number| present & (1 << (number - 1)) != 0).collect();
                for filters in 0..27_usize {
                    let filter =
                        |at: usize| names[filters / 3_usize.pow(u32::try_from(at).unwrap()) % 3];
                    let owned: Vec<_> = numbers
                        .iter()
                        .enumerate()
                        .map(|(at, number)| (*number, filter(at)))
                        .collect();
                    let found = matched_up_to(3, &names[..desired], &owned, 3);
                    let unserved = found.iter().filter(|it| it.contains(" no ")).count();
                    assert_eq!(unserved, 0, "{desired} {owned:?}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn no_more_sessions_are_made_than_there_are_slots() {
        assert_eq!(matched(&["a", "b"], &[], 1), ["tmf-a new 1", "tmf-b no slot"]);
        assert_eq!(matched(&["a", "b"], &[(1, "a")], 1), ["tmf-a tms-1", "tmf-b no slot"]);
    }
}
