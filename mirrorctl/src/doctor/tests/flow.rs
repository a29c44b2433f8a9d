//! What CloudWatch proves, and what it does not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    super::{
        flow::{Flow, Others, Ranking, senders, silent},
        link::Link,
        links::Checked,
        network::Fact,
    },
    stage::{BALANCER, INTERFACE, Stage, problem},
};

/// One metric of some instances.
fn shown(amounts: &[(&str, f64)]) -> Ranking {
    let shown = amounts.iter().map(|(id, amount)| ((*id).to_owned(), *amount)).collect();
    Ranking { shown, others: Others::None }
}

/// The only source sends copies of what it receives, loses none, and the load balancer gets them.
fn flow() -> Flow {
    Flow {
        copied: Ok(vec![shown(&[("i-1", 5.0)]), shown(&[])]),
        dropped: Ok(vec![shown(&[("i-1", 0.0)]), shown(&[])]),
        traffic: Ok(BTreeMap::new()),
        balancers: Ok(BTreeMap::new()),
    }
}

fn judged(stage: &Stage, flow: &Flow) -> Vec<Checked> {
    let mut checked = stage.check();
    flow.judge(&mut checked, &stage.observed);
    checked
}

/// What is said of the links that CloudWatch knows something of.
fn said(checked: &[Checked]) -> [Option<&'static str>; 3] {
    let links = &checked[0].links;
    [Link::Copies, Link::Load, Link::Bytes].map(|link| match links.get(&link)? {
        Ok(()) => Some("fine"),
        Err(trouble) => Some(trouble.code),
    })
}

const FINE: Option<&str> = Some("fine");
const UNREAD: Option<&str> = Some("no-permission");

type Change = fn(&mut Flow);

/// What CloudWatch counts otherwise, and what is then said of the copies, the load, and the bytes.
const CASES: [(Change, [Option<&str>; 3]); 11] = [
    (|_| (), [FINE, FINE, FINE]),
    (|it| it.copied = Ok(vec![shown(&[]), shown(&[("i-1", 1.0)])]), [FINE, FINE, FINE]),
    (|it| it.copied = Ok(vec![shown(&[("i-1", 0.0)])]), [Some("idle"), None, None]),
    (
        |it| {
            it.copied = Ok(vec![shown(&[("i-2", 9.0)])]);
            it.traffic = Ok([("i-1".to_owned(), 2e6)].into());
        },
        [Some("no-copies"), None, None],
    ),
    (|it| it.dropped = Ok(vec![shown(&[("i-1", 1.0)])]), [FINE, Some("copies-dropped"), FINE]),
    (|it| it.balancers = Ok(BTreeMap::new()), [FINE, FINE, Some("balancer-gets-nothing")]),
    (|it| it.copied = problem("x"), [UNREAD, None, None]),
    (|it| it.dropped = problem("x"), [FINE, UNREAD, FINE]),
    (|it| it.balancers = problem("x"), [FINE, FINE, UNREAD]),
    (
        |it| {
            it.copied = Ok(Vec::new());
            it.traffic = problem("x");
        },
        [UNREAD, None, None],
    ),
    (
        |it| {
            for ranking in it.copied.iter_mut().chain(&mut it.dropped).flatten() {
                *ranking = Ranking { others: Others::Unknown, ..Ranking::default() };
            }
        },
        [Some("not-ranked"), Some("not-ranked"), None],
    ),
];

#[test]
fn each_link_says_what_cloudwatch_counts() {
    let name = Stage::new(BALANCER).balancers().keys().next().unwrap().clone();
    for (index, (change, expected)) in CASES.into_iter().enumerate() {
        let mut flow = Flow { balancers: Ok([(name.clone(), 5.0)].into()), ..flow() };
        change(&mut flow);
        assert_eq!(said(&judged(&Stage::new(BALANCER), &flow)), expected, "{index}");
        let [copies, load, _] = expected;
        let of_interface = judged(&Stage::new(INTERFACE), &flow);
        assert_eq!(said(&of_interface), [copies, load, None], "{index}");
    }
}

#[test]
fn who_has_stopped_is_not_asked_about() {
    let mut stage = Stage::new(INTERFACE);
    stage.stop_source();
    assert_eq!(said(&judged(&stage, &flow())), [None; 3]);
    assert_eq!(senders(&stage.check()), BTreeSet::new());
}

/// What a query shows of these amounts if it shows this many series.
fn ranked(amounts: &BTreeMap<String, f64>, least: bool, limit: usize) -> Ranking {
    let mut rows: Vec<_> = amounts.clone().into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    if !least {
        rows.reverse();
    }
    rows.truncate(limit);
    let end = rows.last().map(|(_, amount)| *amount).unwrap_or_default();
    let others = match (amounts.len() < limit, least) {
        (true, _) => Others::None,
        (_, true) => Others::AtLeast(end, amounts.keys().cloned().collect()),
        (_, false) => Others::AtMost(end),
    };
    Ranking { shown: rows.into_iter().collect(), others }
}

/// A metric of some of nine instances.
fn metric() -> impl Strategy<Value = BTreeMap<String, f64>> {
    let amount = prop_oneof![Just(0.0), 1.0..9.0];
    proptest::collection::btree_map((1_u8..10).prop_map(|it| format!("i-{it}")), amount, 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    /// However little of it a query shows.
    #[test]
    fn nothing_is_fine_or_broken_that_cloudwatch_would_not_say(
        metrics in proptest::collection::vec(metric(), 4),
        limit in 1_usize..9,
        is_busy in any::<bool>(),
    ) {
        let amount = |index: usize| metrics[index].get("i-1").copied().unwrap_or_default();
        let (copied, dropped) = (amount(0) + amount(1), amount(2) + amount(3));
        let rank = |index: usize| ranked(&metrics[index], index < 2, limit);
        let traffic = if is_busy { 2e6 } else { 2.0 };
        let flow = Flow {
            copied: Ok(vec![rank(0), rank(1)]),
            dropped: Ok(vec![rank(2), rank(3)]),
            traffic: Ok([("i-1".to_owned(), traffic)].into()),
            balancers: Fact::Ok(BTreeMap::new()),
        };
        let [copies, load, _] = said(&judged(&Stage::new(INTERFACE), &flow));
        match copies.unwrap() {
            "fine" => prop_assert!(copied > 0.0),
            "no-copies" => prop_assert!(copied <= 0.0 && is_busy),
            "idle" => prop_assert!(copied <= 0.0 && !is_busy),
            other => prop_assert_eq!(other, "not-ranked"),
        }
        match load {
            Some("fine") | None => prop_assert!(dropped <= 0.0),
            Some("copies-dropped") => prop_assert!(dropped > 0.0),
            other => prop_assert_eq!(other, Some("not-ranked")),
        }
        // Whoever is asked about has been shown, or is known to have nothing.
        let is_silent = silent(flow.copied.as_ref().unwrap(), &["i-1".to_owned()].into()).len() == 1;
        prop_assert!(!is_silent || copied <= 0.0);
        // With room for all nothing is open.
        prop_assert!(limit <= metrics.iter().map(BTreeMap::len).max().unwrap() || (copies, load) != (Some("not-ranked"), Some("not-ranked")));
    }
}
