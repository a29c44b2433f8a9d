//! What a capture proves, and what it does not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::{
        arrival::{Arrivals, Sender, Sending, sending},
        link::Link,
        links::Checked,
        trouble::Grade,
    },
    properties::any_stage,
    stage::{BALANCER, Stage},
};

/// The outer address and VNI of the only session.
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

/// The verdict with a capture of these, where there are these other places.
fn judged(stage: &Stage, seen: &[Sender], others: &[Sending]) -> Vec<Checked> {
    let sending = sending(&stage.observed, &stage.network);
    let mut checked = stage.check();
    let places = others.iter().chain([&sending]);
    Arrivals::new(seen.iter().copied().collect(), places).judge(&mut checked, &sending);
    checked
}

/// What is said of the last link of the only session.
fn arrival(checked: &[Checked]) -> Option<Result<(), &'static str>> {
    let judgement = checked[0].links.get(&Link::Arrival)?;
    Some(judgement.as_ref().copied().map_err(|trouble| trouble.code))
}

#[test]
fn a_sender_is_an_address_and_a_vni() {
    let stage = with_vni(Stage::new(BALANCER));
    let (address, vni) = sender();
    let expected = [
        (vec![sender()], Some(Ok(()))),
        (vec![], Some(Err("not-seen"))),
        (vec![(address, vni + 1)], Some(Err("not-seen"))),
        (vec![([10, 0, 1, 2].into(), vni)], Some(Err("not-seen"))),
    ];
    for (seen, verdict) in expected {
        assert_eq!(arrival(&judged(&stage, &seen, &[])), verdict, "{seen:?}");
    }
}

#[test]
fn what_an_interface_of_another_account_may_have_sent_too_proves_nothing() {
    let stage = with_vni(Stage::new(BALANCER));
    let place = |sender| Sending::from([("tms-9".parse().unwrap(), sender)]);
    let same = judged(&stage, &[sender()], &[place(sender())]);
    assert_eq!(arrival(&same), Some(Err("same-sender")));
    let other = judged(&stage, &[sender()], &[place(([10, 0, 1, 2].into(), 7))]);
    assert_eq!(arrival(&other), Some(Ok(())));
}

#[test]
fn a_session_of_which_the_sender_is_not_shown_is_not_fine() {
    let stage = Stage::new(BALANCER);
    assert_eq!(arrival(&judged(&stage, &[sender()], &[])), Some(Err("not-shown")));
    let mut stage = with_vni(Stage::new(BALANCER));
    stage.hide("eni-1");
    assert_eq!(arrival(&judged(&stage, &[sender()], &[])), Some(Err("not-shown")));
}

#[test]
fn whoever_sends_for_no_session_is_a_stranger() {
    let stage = with_vni(Stage::new(BALANCER));
    let stranger = ([10, 9, 9, 9].into(), 7);
    let places = [sending(&stage.observed, &stage.network)];
    let arrivals = Arrivals::new([sender(), stranger].into(), &places);
    assert_eq!(arrivals.strangers(), [stranger]);
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
        let after = judged(&stage, seen, &[]);
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
