//! `doctor --flow`: whether copies leave the sources, as CloudWatch counts them. Each fault alone is among the cases.

use std::collections::BTreeSet;

use local_cloud::cloud::fault::{Fault, Kind as FaultKind};

use super::{
    super::{
        Answer, command,
        problems::{is_problem, refusal},
        terminal::on_a_terminal,
    },
    Way, ask,
    cases::AGREED,
    findings, is_fine,
    seen::{Sensor, ask_with, copies},
    way::Kind,
};
use crate::stage::user;

fn state(code: &str, state: &str, link: &str) -> (String, String, Vec<String>) {
    (code.to_owned(), state.to_owned(), vec![link.to_owned()])
}

/// The links of the first path, as JSON has them.
fn links(answer: &Answer) -> serde_json::Value {
    answer.json()["places"][0]["paths"][0]["links"].clone()
}

#[tokio::test]
async fn what_leaves_a_source_is_told_for_each_kind_of_target() {
    for kind in [Kind::Interface, Kind::Balancer, Kind::Endpoint] {
        let way = Way::new(kind).await;
        let answer = ask(&way, &[AGREED, &["--ignore", "behind-endpoint=*"]].concat());
        is_fine(&answer, &format!("{kind:?}"));
        let links = links(&answer);
        assert_eq!((&links["copies"], &links["load"]), (&"fine".into(), &"fine".into()));
        assert_eq!(links.get("bytes").is_some(), kind == Kind::Balancer, "{links}");
        let quiet = ask(&way, &["--ignore", "behind-endpoint=*"]);
        assert!(!quiet.out.contains("\"copies\""), "nobody asked: {}", quiet.out);
    }
}

/// Where a session or its filter is broken, that is why nothing is copied.
#[tokio::test]
async fn what_explains_the_silence_is_told_and_the_silence_is_not() {
    let way = Way::new(Kind::Interface).await;
    let session = way.stage.session(&way.source).id;
    way.stage.world().delete_session(&user(), &session).unwrap();
    let answer = ask(&way, AGREED);
    assert_eq!(findings(&answer), [state("not-mirrored", "broken", "session")]);
}

#[tokio::test]
async fn nothing_is_asked_that_nobody_agrees_to_pay_for() {
    let way = Way::new(Kind::Balancer).await;
    let cloud = &way.stage.deployment.cloud;
    cloud.clear_calls();
    for too_little in [&["--flow"][..], &["--flow", "--flow-cost", "0.40"]] {
        let answer = ask(&way, too_little);
        is_problem(&answer, "not-paid-for");
        assert!(
            answer.err.contains("at most 0.41 USD: --flow-cost 0.41 says yes"),
            "{}",
            answer.err
        );
        // The rest is judged.
        assert_eq!(answer.json()["places"][1]["counts"]["fine"], 1, "{}", answer.out);
    }
    assert!(cloud.calls().iter().all(|call| call.action != "GetMetricData"));
    is_fine(&ask(&way, &["--flow", "--flow-cost", "0.41"]), "agreed");
    // Two places cost twice as much.
    let roles = "arn:aws:iam::111122223333:role/one,arn:aws:iam::111122223333:role/two";
    let two = ["--role-arn", roles, "--flow", "--flow-cost", "0.41"];
    is_problem(&ask(&way, &two), "not-paid-for");
    for wrong in [&["--flow-cost", "1"][..], &["--flow", "--flow-cost", "much"]] {
        assert_eq!(ask(&way, wrong).code, 64, "{wrong:?}");
    }
}

#[tokio::test]
async fn on_a_terminal_it_asks_first() {
    let way = Way::new(Kind::Interface).await;
    let endpoint = way.stage.deployment.cloud.endpoint();
    let arguments = ["doctor", "--flow", "--source-mtu", "1500"];
    for (typed, expected) in [("y\n", Some(0)), ("\n", Some(1)), ("no\n", Some(1))] {
        let (code, shown) = on_a_terminal(&mut command(&endpoint, &arguments), Some(typed));
        assert_eq!(code, expected, "{typed:?}: {shown}");
        assert!(shown.contains("at most 0.41 USD. Go on? [y/N]"), "{shown:?}");
        assert_eq!(shown.contains("not-paid-for"), expected == Some(1), "{shown:?}");
    }
}

/// The advice: capture for longer, on every sensor.
#[tokio::test]
async fn copies_that_leave_and_are_not_captured_are_lost() {
    let way = Way::new(Kind::Interface).await;
    let sensor = Sensor::new("lost");
    sensor.sees(&[]);
    let answer = ask_with(&way, &[&sensor], AGREED);
    assert_eq!(findings(&answer), [state("lost-on-the-way", "broken", "arrival")]);
    assert_eq!(answer.code, 2);
    sensor.sees(&copies(&way));
    is_fine(&ask_with(&way, &[&sensor], AGREED), "captured");
    // Who is idle now has sent what was captured before.
    way.stage.world().traffic.idle.insert(way.source.clone());
    is_fine(&ask_with(&way, &[&sensor], AGREED), "idle since");
    sensor.sees(&[]);
    let answer = ask_with(&way, &[&sensor], AGREED);
    let expected = [("idle", "copies"), ("not-seen", "arrival")]
        .map(|(code, link)| state(code, "cannot-tell", link));
    let found: BTreeSet<_> = findings(&answer).into_iter().collect();
    assert_eq!(found, expected.into());
}

#[tokio::test]
async fn what_cloudwatch_does_not_say_is_neither_fine_nor_broken() {
    let way = Way::new(Kind::Balancer).await;
    let stage = &way.stage;
    let fault = |kind: FaultKind| Fault::new("GetMetricData", kind);
    for (kind, code) in [
        (refusal("AccessDenied"), "no-permission"),
        (refusal("InternalServiceFault"), "aws-refused"),
        (FaultKind::Garbage, "no-answer"),
    ] {
        stage.recover();
        stage.fault(fault(kind));
        let answer = ask(&way, AGREED);
        assert_eq!(answer.code, 1, "{code}: {}{}", answer.out, answer.err);
        let links = links(&answer);
        assert_eq!(links["copies"], "cannot-tell", "{code}: {links}");
        assert!(answer.out.contains(code), "{code}: {}", answer.out);
    }
}

/// A query shows 500 instances of any number: four queries, and a call for each 500 more.
#[tokio::test]
async fn two_thousand_sources_cost_four_queries() {
    let way = Way::new(Kind::Balancer).await;
    let mut instances = way.mirror_many(1_999);
    let cloud = &way.stage.deployment.cloud;
    let ask = |more: &[&str]| {
        ask(&way, &[&["--no-function", "--flow", "--flow-cost", "1"], more].concat())
    };
    let count = |action: &str| cloud.calls().iter().filter(|it| it.action == action).count();
    cloud.clear_calls();
    let answer = ask(&[]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(answer.json()["places"][0]["counts"]["fine"], 2_000);
    // The four queries, and the load balancer's bytes; 5 pages of who has each of the two metrics.
    assert_eq!((count("GetMetricData"), count("ListMetrics")), (4 + 1, 2 * 5));
    // Some are silent: the query shows them first, and what they do otherwise is one call more.
    let mute: Vec<_> = instances.drain(..100).collect();
    way.stage.world().traffic.mute.extend(mute);
    cloud.clear_calls();
    let answer = ask(&[]);
    assert_eq!(findings(&answer), [state("no-copies", "broken", "copies")]);
    assert_eq!(answer.json()["places"][0]["counts"]["broken"], 100);
    assert_eq!(count("GetMetricData"), 4 + 1 + 1);
    // Of more than it shows nobody can tell who is silent. Nor who loses copies.
    let mute: Vec<_> = instances.drain(..600).collect();
    way.stage.world().traffic.mute.extend(mute);
    let lossy = instances.drain(..700).map(|id| (id, 0.05));
    way.stage.world().traffic.lossy.extend(lossy);
    let answer = ask(&[]);
    assert_eq!(answer.code, 1);
    let counts = &answer.json()["places"][0]["counts"];
    assert_eq!(counts["fine"], 0, "{counts}");
    assert!(counts["broken"].as_u64().unwrap() <= 500, "{counts}");
    let found: BTreeSet<_> = findings(&answer).into_iter().map(|(code, ..)| code).collect();
    let expected = ["no-copies", "not-ranked", "copies-dropped"].map(str::to_owned);
    assert_eq!(found, expected.into());
    // Who may not list the metrics knows nothing of those that are not shown.
    way.stage.world().traffic = local_cloud::aws::ec2::Traffic::default();
    way.stage.fault(Fault::new("ListMetrics", refusal("AccessDenied")));
    let answer = ask(&[]);
    assert!(answer.out.contains("cloudwatch:ListMetrics"), "{}", answer.out);
    assert_eq!(answer.json()["places"][0]["counts"]["cannot_tell"], 2_000);
}
