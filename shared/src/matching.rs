//! Which session of ours on an interface serves which wish, and which numbers new ones get.
//!
//! Sessions stand in the order of their numbers and wishes in the order they are wanted in, and
//! neither order is changed: the number decides which filter sees a packet first.

use std::{collections::BTreeSet, ops::RangeInclusive};

use crate::{id::SessionNumber, observed::Session, wish::Wish};

/// A wish and what serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    pub(crate) wish: Wish,
    pub(crate) service: Service<'a>,
}

/// What serves a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service<'a> {
    /// A session of ours that is there, right or not.
    Present(&'a Session),
    /// A new session with this number.
    New(SessionNumber),
    /// A new session, but no number is free for it.
    NoNumber,
    /// A new session, but the interface has no room for it.
    NoSlot,
}

/// Where new sessions fit on an interface.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// How many sessions of ours the interface takes.
    pub(crate) slots: usize,
    /// The numbers on the wanted side of the foreign sessions.
    pub(crate) numbers: RangeInclusive<SessionNumber>,
    /// The numbers that sessions on the interface have.
    pub(crate) taken: BTreeSet<SessionNumber>,
}

/// Pairs each wish with a session of ours or a place for a new one. Sessions that are left over
/// come second: they are duplicates.
///
/// Sessions that are right stay with their wish. Only where that leaves a wish without a number that
/// would have one otherwise do all sessions serve the wishes in their order.
pub(crate) fn pair<'a>(
    wishes: &[Wish],
    ours: &[&'a Session],
    room: &Room,
    fits: impl Fn(&Wish, &Session) -> bool,
) -> (Vec<Pair<'a>>, Vec<&'a Session>) {
    let by = |fixed: &[(usize, usize)]| {
        let (served, surplus) = around(wishes, ours, fixed);
        (number(&served, room), surplus)
    };
    let numberless =
        |pairs: &[Pair<'_>]| pairs.iter().filter(|pair| pair.service == Service::NoNumber).count();
    let staying = by(&longest(wishes, ours, &fits));
    if numberless(&staying.0) == 0 {
        return staying;
    }
    let moving = by(&[]);
    if numberless(&moving.0) < numberless(&staying.0) { moving } else { staying }
}

type Served<'a> = Vec<(Wish, Option<&'a Session>)>;

/// The most pairs of wish and fitting session, by position, that do not cross. Of two sessions that
/// fit, the one with the lower number is taken.
fn longest(
    wishes: &[Wish],
    ours: &[&Session],
    fits: &impl Fn(&Wish, &Session) -> bool,
) -> Vec<(usize, usize)> {
    let mut best: Vec<(usize, usize)> = Vec::new();
    for (first, wish) in wishes.iter().enumerate() {
        let Some(second) = ours.iter().position(|session| fits(wish, session)) else { continue };
        let (later_wishes, later_ours) = (wishes.get(first + 1..), ours.get(second + 1..));
        let rest = longest(later_wishes.unwrap_or_default(), later_ours.unwrap_or_default(), fits);
        let rest = rest.into_iter().map(|(wish, session)| (wish + first + 1, session + second + 1));
        let found: Vec<_> = std::iter::once((first, second)).chain(rest).collect();
        if found.len() > best.len() {
            best = found;
        }
    }
    best
}

/// Keeps the fixed pairs and pairs what lies between them in its order.
fn around<'a>(
    wishes: &[Wish],
    ours: &[&'a Session],
    fixed: &[(usize, usize)],
) -> (Served<'a>, Vec<&'a Session>) {
    let (mut served, mut surplus) = (Vec::new(), Vec::new());
    let mut sessions = ours.iter().copied().enumerate().peekable();
    for (position, wish) in wishes.iter().enumerate() {
        let own = fixed.iter().find(|(wish, _)| *wish == position).map(|(_, session)| *session);
        let next = fixed.iter().find(|(wish, _)| *wish >= position).map(|(_, session)| *session);
        if let Some(own) = own {
            // What stands before a fixed session and found no wish is too many.
            while let Some((_, session)) = sessions.next_if(|(at, _)| *at < own) {
                surplus.push(session);
            }
        }
        let free = |at: usize| own.is_some() || next.is_none_or(|next| at < next);
        let session = sessions.next_if(|(at, _)| free(*at)).map(|(_, session)| session);
        served.push((wish.clone(), session));
    }
    surplus.extend(sessions.map(|(_, session)| session));
    (served, surplus)
}

/// Gives each wish without a session the smallest free number between its neighbours.
fn number<'a>(served: &Served<'a>, room: &Room) -> Vec<Pair<'a>> {
    let Room { slots, numbers, mut taken } = room.clone();
    let present = served.iter().filter(|(_, session)| session.is_some()).count();
    let mut slots = slots.saturating_sub(present);
    let mut lowest = *numbers.start();
    let mut pairs = Vec::new();
    for (position, (wish, session)) in served.iter().enumerate() {
        // Itself included: where it has a session, no number is looked for.
        let mut later = served.iter().skip(position).filter_map(|(_, session)| *session);
        let highest = later.next().map_or(*numbers.end(), |next| next.number.saturating_sub(1));
        let highest = highest.min(*numbers.end());
        let free = (lowest..=highest).find(|number| !taken.contains(number));
        let service = match (session, free) {
            (Some(session), _) => Service::Present(session),
            (None, _) if slots == 0 => Service::NoSlot,
            (None, None) => Service::NoNumber,
            (None, Some(number)) => {
                slots -= 1;
                taken.insert(number);
                Service::New(number)
            }
        };
        if let Service::Present(Session { number, .. }) | Service::New(number) = &service {
            lowest = lowest.max(number.saturating_add(1));
        }
        pairs.push(Pair { wish: wish.clone(), service });
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs wishes for these filters with sessions of ours, as number and filter.
    fn paired(wishes: &[&str], ours: &[(SessionNumber, &str)], slots: usize) -> Vec<String> {
        paired_up_to(9, wishes, ours, slots)
    }

    /// The same where no number above `highest` may be given.
    fn paired_up_to(
        highest: SessionNumber,
        wishes: &[&str],
        ours: &[(SessionNumber, &str)],
        slots: usize,
    ) -> Vec<String> {
        let filter = |name: &str| format!("tmf-{name}").parse().unwrap();
        let wishes: Vec<_> =
            wishes.iter().map(|name| Wish { target: None, filter: filter(name) }).collect();
        let sessions: Vec<_> = ours
            .iter()
            .map(|(number, name)| Session {
                id: format!("tms-{number}").parse().unwrap(),
                account: "111111111111".parse().unwrap(),
                interface: "eni-1".parse().unwrap(),
                target: "tmt-1".parse().unwrap(),
                filter: filter(name),
                number: *number,
                packet_length: None,
                vni: None,
                managed_by: None,
            })
            .collect();
        let ours: Vec<_> = sessions.iter().collect();
        let taken = ours.iter().map(|session| session.number).collect();
        let room = Room { slots, numbers: 1..=highest, taken };
        let (pairs, surplus) =
            pair(&wishes, &ours, &room, |wish, session| wish.filter == session.filter);
        let pairs = pairs.iter().map(|pair| {
            let service = match pair.service {
                Service::Present(session) => session.id.to_string(),
                Service::New(number) => format!("new {number}"),
                Service::NoNumber => "no number".to_owned(),
                Service::NoSlot => "no slot".to_owned(),
            };
            format!("{} {service}", pair.wish.filter)
        });
        pairs.chain(surplus.iter().map(|session| format!("surplus {}", session.id))).collect()
    }

    #[test]
    fn a_session_that_is_right_stays_with_its_wish_whatever_stands_before_it() {
        let ours = [(1, "x"), (2, "b"), (3, "y"), (4, "c")];
        let expected = ["tmf-a tms-1", "tmf-b tms-2", "tmf-c tms-4", "surplus tms-3"];
        assert_eq!(paired(&["a", "b", "c"], &ours, 4), expected);
    }

    #[test]
    fn what_stands_before_a_session_that_is_right_serves_the_wish_before() {
        let expected = ["tmf-a tms-2", "tmf-b tms-3"];
        assert_eq!(paired(&["a", "b"], &[(2, "x"), (3, "b")], 3), expected);
    }

    #[test]
    fn of_two_that_are_right_in_the_wrong_order_the_one_of_the_first_wish_stays() {
        let expected = ["tmf-a tms-2", "tmf-b new 3", "surplus tms-1"];
        assert_eq!(paired(&["a", "b"], &[(1, "b"), (2, "a")], 3), expected);
    }

    #[test]
    fn a_wish_in_front_of_one_that_is_served_gets_a_lower_number_or_all_move_up() {
        assert_eq!(paired(&["a", "b"], &[(2, "b")], 3), ["tmf-a new 1", "tmf-b tms-2"]);
        assert_eq!(paired(&["a", "b"], &[(1, "b")], 3), ["tmf-a tms-1", "tmf-b new 2"]);
    }

    #[test]
    fn a_wish_behind_one_that_is_served_gets_a_number_though_all_move_down() {
        let found = paired_up_to(2, &["b", "c"], &[(1, "a"), (2, "b")], 2);
        assert_eq!(found, ["tmf-b tms-1", "tmf-c tms-2"]);
        let found = paired_up_to(2, &["a", "b"], &[(2, "a")], 2);
        assert_eq!(found, ["tmf-a tms-2", "tmf-b no number"], "moving would not help");
        let found = paired_up_to(2, &["a", "b", "c"], &[(1, "b"), (2, "c")], 3);
        assert_eq!(found, ["tmf-a no number", "tmf-b tms-1", "tmf-c tms-2"], "nor would it here");
    }

    #[test]
    fn no_more_sessions_are_made_than_there_are_slots() {
        assert_eq!(paired(&["a", "b"], &[], 1), ["tmf-a new 1", "tmf-b no slot"]);
        assert_eq!(paired(&["a", "b"], &[(1, "a")], 1), ["tmf-a tms-1", "tmf-b no slot"]);
    }
}
