//! What a capture proves, and what it does not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::{
        arrival::{Arrivals, Captures, Sender, Sending, sending},
        link::Link,
        links::Checked,
        trouble::Grade,
    },
    properties::any_stage,
    stage::{BALANCER, Stage},
};

/// The outer address and VNI of the only session, which leads to `tmt-1`.
fn sender() -> Sender {
    ([10, 0, 1, 1].into(), 7)
}

fn with_vni(mut stage: Stage) -> Stage {
    for session in &mut stage.observed.sessions {
        session.vni = 7.try_into().ok();
    }
    stage.policy.vni = None;
    stage
}

/// What was captured behind one target.
fn behind(target: &str, seen: &[Sender]) -> Captures {
    [(target.parse().unwrap(), seen.iter().copied().collect())].into()
}

/// Another place with this session.
fn place(session: &str, target: &str, sender: Sender) -> Sending {
    [(session.parse().unwrap(), (target.parse().unwrap(), sender))].into()
}

/// The verdict with a capture behind the target, where there are these other places.
fn judged(stage: &Stage, captures: Captures, others: &[Sending]) -> Vec<Checked> {
    let sending = sending(&stage.observed, &stage.network);
    let mut checked = stage.check();
    let places = others.iter().chain([&sending]);
    Arrivals::new(captures, places).judge(&mut checked, &sending);
    checked
}

/// What is said of the last link of the only session.
fn arrival(checked: &[Checked]) -> Option<Result<(), &'static str>> {
    let judgement = checked[0].links.get(&Link::Arrival)?;
    Some(judgement.as_ref().copied().map_err(|trouble| trouble.code))
}

#[test]
fn a_sender_is_an_address_and_a_vni_at_a_target() {
    let stage = with_vni(Stage::new(BALANCER));
    let (address, vni) = sender();
    let expected = [
        ("tmt-1", vec![sender()], Some(Ok(()))),
        ("tmt-1", vec![], Some(Err("not-seen"))),
        ("tmt-1", vec![(address, vni + 1)], Some(Err("not-seen"))),
        ("tmt-1", vec![([10, 0, 1, 2].into(), vni)], Some(Err("not-seen"))),
        // A session that has moved since has arrived elsewhere.
        ("tmt-2", vec![sender()], None),
    ];
    for (target, seen, verdict) in expected {
        assert_eq!(arrival(&judged(&stage, behind(target, &seen), &[])), verdict, "{seen:?}");
    }
}

#[test]
fn what_a_session_of_another_account_may_have_sent_too_proves_nothing() {
    let stage = with_vni(Stage::new(BALANCER));
    let with = |other| arrival(&judged(&stage, behind("tmt-1", &[sender()]), &[other]));
    assert_eq!(with(place("tms-9", "tmt-1", sender())), Some(Err("same-sender")));
    for other in [
        place("tms-9", "tmt-1", ([10, 0, 1, 2].into(), 7)),
        place("tms-9", "tmt-2", sender()),
        // The same place, named twice.
        place("tms-1", "tmt-1", sender()),
    ] {
        assert_eq!(with(other), Some(Ok(())));
    }
}

#[test]
fn a_session_of_which_the_sender_is_not_shown_is_not_fine() {
    let seen = || behind("tmt-1", &[sender()]);
    let stage = Stage::new(BALANCER);
    assert_eq!(arrival(&judged(&stage, seen(), &[])), Some(Err("not-shown")));
    let mut stage = with_vni(Stage::new(BALANCER));
    stage.hide("eni-1");
    assert_eq!(arrival(&judged(&stage, seen(), &[])), Some(Err("not-shown")));
}

/// What is at another account's target is not shown: copies arrive, whole or not.
#[test]
fn a_capture_does_not_say_whether_long_packets_come_whole() {
    let mut stage = with_vni(Stage::new(BALANCER));
    stage.give_away();
    let checked = judged(&stage, behind("tmt-1", &[sender()]), &[]);
    let unknown = of_grade(&checked, Grade::CannotTell);
    assert_eq!(unknown, [Link::Mtu].into(), "{checked:?}");
    assert_eq!(arrival(&checked), Some(Ok(())));
}

#[test]
fn whoever_sends_for_no_session_is_a_stranger() {
    let stage = with_vni(Stage::new(BALANCER));
    let stranger = ([10, 9, 9, 9].into(), 7);
    let places = [sending(&stage.observed, &stage.network)];
    let arrivals = Arrivals::new(behind("tmt-1", &[sender(), stranger]), &places);
    assert_eq!(arrivals.strangers(), [(&"tmt-1".parse().unwrap(), stranger)]);
    let elsewhere = Arrivals::new(behind("tmt-2", &[sender()]), &places);
    assert_eq!(elsewhere.strangers(), [(&"tmt-2".parse().unwrap(), sender())]);
}

/// The links that are as bad as this.
fn of_grade(checked: &[Checked], grade: Grade) -> BTreeSet<Link> {
    let links = checked.iter().flat_map(|it| &it.links);
    let is_of_grade = |it: &Result<(), super::super::trouble::Trouble>| {
        it.as_ref().is_err_and(|trouble| trouble.grade == grade)
    };
    links.filter(|(_, it)| is_of_grade(it)).map(|(link, _)| *link).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    /// What is broken or cut stays so, and the capture speaks for the way only.
    #[test]
    fn a_capture_mends_nothing_and_its_absence_is_never_fine(stage in any_stage(), is_seen in any::<bool>()) {
        let stage = with_vni(stage);
        let before = stage.check();
        let seen: &[Sender] = if is_seen { &[sender()] } else { &[] };
        let after = judged(&stage, behind("tmt-1", seen), &[]);
        for grade in [Grade::Broken, Grade::Limited] {
            prop_assert_eq!(of_grade(&before, grade), of_grade(&after, grade));
        }
        let unknown = of_grade(&before, Grade::CannotTell);
        let still: BTreeSet<_> = of_grade(&after, Grade::CannotTell).into_iter().collect();
        let mended: BTreeSet<_> = unknown.difference(&still).copied().collect();
        let ends = [Link::Session, Link::Filter, Link::Mtu].into();
        prop_assert!(mended.is_disjoint(&ends), "{:?}", mended);
        prop_assert!(is_seen || mended.is_empty(), "{:?}", mended);
        for checked in after.iter().filter(|it| it.pair.session.is_some()) {
            let is_green = checked.grade() < Some(Grade::CannotTell);
            prop_assert!(!is_green || is_seen, "{:?}", checked);
        }
    }
}
