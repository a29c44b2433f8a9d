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
    way.stage.deployment.cloud.clear_calls();
    // Nor does anybody have to pay for an answer to it.
    let answer = ask(&way, &["--flow"]);
    assert_eq!(findings(&answer), [state("not-mirrored", "broken", "session")]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    let calls = way.stage.deployment.cloud.calls();
    assert!(calls.iter().all(|call| call.action != "GetMetricData"));
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

/// It says so of a series, and not of the whole answer.
#[tokio::test]
async fn what_a_query_has_not_looked_at_is_neither_fine_nor_broken() {
    let way = Way::new(Kind::Balancer).await;
    let mut instances = way.mirror_many(5);
    instances.push(way.source.clone());
    let lossy = instances.into_iter().map(|id| (id, 0.2));
    way.stage.world().traffic.lossy.extend(lossy);
    way.stage.world().traffic.looked_at = Some(1);
    let answer = ask(&way, AGREED);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let expected =
        [state("not-ranked", "cannot-tell", "load"), state("copies-dropped", "limited", "load")];
    assert_eq!(findings(&answer), expected);
    let counts = &answer.json()["places"][0]["counts"];
    assert_eq!((&counts["cannot_tell"], &counts["limited"]), (&5.into(), &1.into()), "{counts}");
}

#[tokio::test]
async fn a_metric_without_an_answer_is_not_one_without_values() {
    let way = Way::new(Kind::Balancer).await;
    let code = |metrics: &[&'static str]| {
        way.stage.world().traffic.left_out = metrics.iter().copied().collect();
        let answer = ask(&way, AGREED);
        assert_eq!(answer.code, 1, "{}", answer.out);
        findings(&answer)
    };
    let refused = |link| [state("aws-refused", "cannot-tell", link)];
    assert_eq!(code(&["ProcessedBytes_UDP"]), refused("bytes"));
    way.stage.world().traffic.mute.insert(way.source.clone());
    assert_eq!(code(&["NetworkIn"]), refused("copies"));
}

/// A query shows 500 instances of any number: four queries, and two calls for each 500 more.
#[tokio::test]
async fn two_thousand_sources_cost_four_queries_and_seven_calls() {
    let way = Way::new(Kind::Balancer).await;
    let mut instances = way.mirror_many(1_999);
    let cloud = &way.stage.deployment.cloud;
    let ask = |more: &[&str]| {
        ask(&way, &[&["--no-function", "--flow", "--flow-cost", "1"], more].concat())
    };
    // A busy machine may answer so late that a call is made again.
    let count = || {
        let calls = cloud.calls().into_iter().filter(|it| it.action == "GetMetricData");
        calls.map(|it| it.parameters).collect::<BTreeSet<_>>().len()
    };
    cloud.clear_calls();
    let answer = ask(&[]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(answer.json()["places"][0]["counts"]["fine"], 2_000);
    // The four queries, the copies of those that two of them do not show, and the load balancer's bytes.
    assert_eq!(count(), 4 + 2 * 3 + 1);
    // What the silent ones do otherwise is one call more.
    let mute: Vec<_> = instances.drain(..100).collect();
    way.stage.world().traffic.mute.extend(mute);
    cloud.clear_calls();
    let answer = ask(&[]);
    assert_eq!(findings(&answer), [state("no-copies", "broken", "copies")]);
    assert_eq!(answer.json()["places"][0]["counts"]["broken"], 100);
    assert_eq!(count(), 4 + 2 * 3 + 1 + 1);
    // Each that is silent is known; of losses, no more than a query shows.
    let mute: Vec<_> = instances.drain(..600).collect();
    way.stage.world().traffic.mute.extend(mute);
    let lossy = instances.drain(..700).map(|id| (id, 0.05));
    way.stage.world().traffic.lossy.extend(lossy);
    let answer = ask(&[]);
    assert_eq!(answer.code, 1);
    let counts = &answer.json()["places"][0]["counts"];
    assert_eq!((&counts["fine"], &counts["broken"]), (&0.into(), &700.into()), "{counts}");
    let found: BTreeSet<_> = findings(&answer).into_iter().map(|(code, ..)| code).collect();
    let expected = ["no-copies", "not-ranked", "copies-dropped"].map(str::to_owned);
    assert_eq!(found, expected.into());
    // Of whom a query does not show nothing is known where nobody may ask further.
    way.stage.world().traffic = local_cloud::aws::ec2::Traffic::default();
    way.stage.fault(Fault { skip: 5, ..Fault::new("GetMetricData", refusal("AccessDenied")) });
    let answer = ask(&[]);
    assert!(answer.out.contains("cloudwatch:GetMetricData"), "{}", answer.out);
    assert_eq!(answer.json()["places"][0]["counts"]["cannot_tell"], 2_000);
}
