//! What CloudWatch proves, and what it does not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use shared::observed::{Session, Source};

use super::{
    super::{
        flow::{Flow, Others, Ranking, mixed, senders, silent},
        link::Link,
        links::Checked,
        network::{Fact, Listener},
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
    flow.judge(&mut checked, &stage.observed, &mixed(&stage.network));
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

/// The source sends and receives, and sends no copies.
fn silent_flow() -> Flow {
    let traffic = Ok([("i-1".to_owned(), 2e6)].into());
    Flow { copied: Ok(Vec::new()), traffic, ..flow() }
}

/// Another interface on the instance of the source.
fn add_interface(stage: &mut Stage) {
    let id = "eni-9".parse().unwrap();
    let interface = stage.observed.sources[0].interface.clone();
    stage.observed.sources.push(Source { id, interface });
}

/// Another session like the first one, on this interface.
fn add_session(stage: &mut Stage, interface: &str) {
    let session = Session {
        id: "tms-9".parse().unwrap(),
        interface: interface.parse().unwrap(),
        number: 9.try_into().unwrap(),
        ..stage.observed.sessions[0].clone()
    };
    stage.observed.sessions.push(session);
}

#[test]
fn what_another_interface_sends_and_receives_may_be_what_is_counted() {
    let mut stage = Stage::new(INTERFACE);
    add_interface(&mut stage);
    assert_eq!(said(&judged(&stage, &silent_flow())), [Some("counted-together"), None, None]);
    let idle = Flow { traffic: Ok(BTreeMap::new()), ..silent_flow() };
    assert_eq!(said(&judged(&stage, &idle)), [Some("idle"), None, None]);
    // Copies can only be of the interface that is mirrored.
    assert_eq!(said(&judged(&stage, &flow())), [FINE, FINE, None]);
    // Of two that are, neither sends copies.
    add_session(&mut stage, "eni-9");
    assert_eq!(said(&judged(&stage, &silent_flow())), [Some("no-copies"), None, None]);
}

#[test]
fn copies_that_may_go_to_another_target_are_not_missed_at_a_load_balancer() {
    for interface in ["eni-1", "eni-9"] {
        let mut stage = Stage::new(BALANCER);
        add_interface(&mut stage);
        add_session(&mut stage, interface);
        let [copies, _, bytes] = said(&judged(&stage, &flow()));
        assert_eq!((copies, bytes), (Some("counted-together"), None), "{interface}");
    }
}

#[test]
fn other_udp_that_a_load_balancer_gets_is_no_copy() {
    let mut stage = Stage::new(BALANCER);
    let name = stage.balancers().keys().next().unwrap().clone();
    let gets = Flow { balancers: Ok([(name, 5.0)].into()), ..flow() };
    let bytes = |stage: &Stage, flow: &Flow| said(&judged(stage, flow))[2];
    let listener = Listener { takes_udp: false, port: 443, pools: Vec::new() };
    stage.listeners().push(listener.clone());
    assert_eq!(bytes(&stage, &gets), FINE);
    stage.listeners().push(Listener { takes_udp: true, port: 514, ..listener });
    assert_eq!(bytes(&stage, &gets), Some("counted-together"));
    assert_eq!(bytes(&stage, &flow()), Some("balancer-gets-nothing"));
}

/// The greatest of these amounts, as many as a query shows.
fn ranked(amounts: &BTreeMap<String, f64>, limit: usize) -> Ranking {
    let mut rows: Vec<_> = amounts.clone().into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    rows.truncate(limit);
    let end = rows.last().map(|(_, amount)| *amount).unwrap_or_default();
    let others = if amounts.len() < limit { Others::None } else { Others::AtMost(end) };
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
        // Of copies, what a query does not show is asked.
        let all = |index: usize| Ranking { shown: metrics[index].clone(), others: Others::None };
        let rank = |index: usize| ranked(&metrics[index], limit);
        let traffic = if is_busy { 2e6 } else { 2.0 };
        let flow = Flow {
            copied: Ok(vec![all(0), all(1)]),
            dropped: Ok(vec![rank(2), rank(3)]),
            traffic: Ok([("i-1".to_owned(), traffic)].into()),
            balancers: Fact::Ok(BTreeMap::new()),
        };
        let [copies, load, _] = said(&judged(&Stage::new(INTERFACE), &flow));
        match copies.unwrap() {
            "fine" => prop_assert!(copied > 0.0),
            "no-copies" => prop_assert!(copied <= 0.0 && is_busy),
            other => prop_assert!(other == "idle" && copied <= 0.0 && !is_busy, "{}", other),
        }
        match load {
            Some("fine") | None => prop_assert!(dropped <= 0.0),
            Some("copies-dropped") => prop_assert!(dropped > 0.0),
            other => prop_assert_eq!(other, Some("not-ranked")),
        }
        // Whoever is asked about has been shown, or is known to have nothing.
        let is_silent = silent(flow.copied.as_ref().unwrap(), &["i-1".to_owned()].into()).len() == 1;
        prop_assert_eq!(is_silent, copied <= 0.0);
        // With room for all nothing is open.
        let is_all = metrics.iter().all(|metric| metric.len() < limit);
        prop_assert!(!is_all || load != Some("not-ranked"));
    }
}
