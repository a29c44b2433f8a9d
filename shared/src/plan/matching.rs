//! Which owned session serves which desired session, and which numbers new sessions get.
//!
//! Sessions are in the order of their numbers and desired sessions in the order of the tag. Neither
//! order is changed: the number decides which filter sees a packet first.

use std::{collections::BTreeSet, ops::RangeInclusive};

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
/// Sessions that are right keep serving what they serve. If that leaves a desired session without a
/// number, all sessions are assigned anew in their order, provided that leaves fewer without one.
pub(super) fn match_sessions<'a>(
    desired: &[DesiredSession],
    owned: &[&'a Session],
    free: &FreeSlots,
    fits: impl Fn(&DesiredSession, &Session) -> bool,
) -> (Vec<Match<'a>>, Vec<&'a Session>) {
    let around = |fixed: &[(usize, usize)]| {
        let (assigned, surplus) = assign_around(desired, owned, fixed);
        (number(&assigned, free), surplus)
    };
    let unnumbered = |matches: &[Match<'_>]| {
        matches.iter().filter(|it| it.session == Served::NoFreeNumber).count()
    };
    let staying = around(&longest_fitting(desired, owned, &fits));
    if unnumbered(&staying.0) == 0 {
        return staying;
    }
    let moving = around(&[]);
    if unnumbered(&moving.0) < unnumbered(&staying.0) { moving } else { staying }
}

/// Each desired session with the owned session that serves it.
type Assigned<'a> = Vec<(DesiredSession, Option<&'a Session>)>;

/// The most pairs of desired and fitting session, by position, that do not cross. Of two sessions that
/// fit, the one with the lower number is taken.
fn longest_fitting(
    desired: &[DesiredSession],
    owned: &[&Session],
    fits: &impl Fn(&DesiredSession, &Session) -> bool,
) -> Vec<(usize, usize)> {
    let mut longest: Vec<(usize, usize)> = Vec::new();
    for (first, wanted) in desired.iter().enumerate() {
        let Some(second) = owned.iter().position(|session| fits(wanted, session)) else { continue };
        let (later_desired, later_owned) = (desired.get(first + 1..), owned.get(second + 1..));
        let rest = longest_fitting(
            later_desired.unwrap_or_default(),
            later_owned.unwrap_or_default(),
            fits,
        );
        let rest = rest.into_iter().map(|(left, right)| (left + first + 1, right + second + 1));
        let found: Vec<_> = std::iter::once((first, second)).chain(rest).collect();
        if found.len() > longest.len() {
            longest = found;
        }
    }
    longest
}

/// Keeps the fixed pairs, and assigns in their order the sessions that lie between them.
fn assign_around<'a>(
    desired: &[DesiredSession],
    owned: &[&'a Session],
    fixed: &[(usize, usize)],
) -> (Assigned<'a>, Vec<&'a Session>) {
    let (mut assigned, mut surplus) = (Vec::new(), Vec::new());
    let mut sessions = owned.iter().copied().enumerate().peekable();
    for (position, wanted) in desired.iter().enumerate() {
        let own = fixed.iter().find(|(left, _)| *left == position).map(|(_, session)| *session);
        let next = fixed.iter().find(|(left, _)| *left >= position).map(|(_, session)| *session);
        if let Some(own) = own {
            // Sessions left over before the fixed one serve nothing: they are surplus.
            while let Some((_, session)) = sessions.next_if(|(at, _)| *at < own) {
                surplus.push(session);
            }
        }
        let is_free = |at: usize| own.is_some() || next.is_none_or(|next| at < next);
        let session = sessions.next_if(|(at, _)| is_free(*at)).map(|(_, session)| session);
        assigned.push((wanted.clone(), session));
    }
    surplus.extend(sessions.map(|(_, session)| session));
    (assigned, surplus)
}

/// Gives each desired session that no session serves the smallest free number between its neighbours.
fn number<'a>(assigned: &Assigned<'a>, free: &FreeSlots) -> Vec<Match<'a>> {
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
                slots -= 1;
                taken.insert(number);
                Served::New(number)
            }
        };
        if let Served::Existing(Session { number, .. }) | Served::New(number) = &session {
            lowest = lowest.max(number.get().saturating_add(1));
        }
        matches.push(Match { desired: desired.clone(), session });
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

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
            .map(|name| DesiredSession { target: None, filter: filter(name) })
            .collect();
        let sessions: Vec<_> = owned
            .iter()
            .map(|(number, name)| Session {
                id: format!("tms-{number}").parse().unwrap(),
                account: "111111111111".parse().unwrap(),
                interface: "eni-1".parse().unwrap(),
                target: "tmt-1".parse().unwrap(),
                filter: filter(name),
                number: (*number).try_into().unwrap(),
                packet_length: None,
                vni: None,
                managed_by: None,
            })
            .collect();
        let owned: Vec<_> = sessions.iter().collect();
        let taken = owned.iter().map(|session| session.number).collect();
        let free = FreeSlots { slots, numbers: 1..=highest, taken };
        let fits = |desired: &DesiredSession, session: &Session| desired.filter == session.filter;
        let (matches, surplus) = match_sessions(&desired, &owned, &free, fits);
        let matches = matches.iter().map(|it| {
            let session = match it.session {
                Served::Existing(session) => session.id.to_string(),
                Served::New(number) => format!("new {number}"),
                Served::NoFreeNumber => "no number".to_owned(),
                Served::NoFreeSlot => "no slot".to_owned(),
            };
            format!("{} {session}", it.desired.filter)
        });
        matches.chain(surplus.iter().map(|session| format!("surplus {}", session.id))).collect()
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
        let found = matched_up_to(2, &["a", "b"], &[(2, "a")], 2);
        assert_eq!(found, ["tmf-a tms-2", "tmf-b no number"], "moving would not help");
        let found = matched_up_to(2, &["a", "b", "c"], &[(1, "b"), (2, "c")], 3);
        assert_eq!(found, ["tmf-a no number", "tmf-b tms-1", "tmf-c tms-2"], "nor would it here");
    }

    #[test]
    fn no_more_sessions_are_made_than_there_are_slots() {
        assert_eq!(matched(&["a", "b"], &[], 1), ["tmf-a new 1", "tmf-b no slot"]);
        assert_eq!(matched(&["a", "b"], &[(1, "a")], 1), ["tmf-a tms-1", "tmf-b no slot"]);
    }
}
