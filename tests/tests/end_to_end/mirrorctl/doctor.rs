//! `mirrorctl doctor`: each fault is put in, named with its link, and gone when somebody does what the advice says.

mod cases;
mod export;
mod flow;
mod pre;
mod seen;
mod way;

use std::collections::BTreeSet;

use local_cloud::cloud::fault::Fault;

use super::{Answer, problems::refusal};
use crate::stage::{Stage, tagged, user};
use cases::Case;
use way::{Kind, Way, findings};

/// A length that every way takes whole.
const WHOLE: [&str; 2] = ["--source-mtu", "1500"];
const JSON: [&str; 2] = ["--output", "json"];

/// An account in which no link is broken and nothing is missing before a deployment, and an instance that is mirrored.
pub(super) async fn prepared() -> (Stage, String) {
    let Way { stage, source, .. } = Way::new(Kind::Interface).await;
    stage.deployment.cloud.trails().push(pre::trail());
    (stage, source)
}

fn ask(way: &Way, arguments: &[&str]) -> Answer {
    way.doctor(&[&WHOLE, &JSON, arguments].concat())
}

#[track_caller]
fn is_fine(answer: &Answer, what: &str) {
    assert_eq!(answer.code, 0, "{what}: {}{}", answer.out, answer.err);
    assert_eq!(findings(answer), [], "{what}");
    assert_eq!(answer.json()["places"][0]["counts"]["fine"], 1, "{what}: {}", answer.out);
}

#[tokio::test]
async fn each_fault_of_sessions_and_targets_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::ENDS).await;
}

#[tokio::test]
async fn each_fault_of_load_balancers_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::BALANCERS).await;
}

#[tokio::test]
async fn each_shut_door_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::DOORS).await;
}

#[tokio::test]
async fn each_fault_of_routes_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::WAYS).await;
}

#[tokio::test]
async fn each_fault_of_copies_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::FLOW).await;
}

/// Those with a test of their own below, and those that only the tests of the decision can bring about: the local cloud
/// has no target of another kind, and always shows what is behind an interface.
const OTHERS: [&str; 10] = [
    "behind-endpoint",
    "lost-on-the-way",
    "not-ranked",
    "not-seen",
    "other-account",
    "packets-cut",
    "room-unknown",
    "same-sender",
    "target-kind-unknown",
    "target-state-unknown",
];

/// A new fault needs a case.
#[tokio::test]
async fn every_fault_has_a_case() {
    let way = Way::new(Kind::Interface).await;
    let listed = way.stage.mirrorctl(&["codes", "--output", "json"]).json();
    let levels = ["limited", "broken", "cannot-tell"];
    let listed = listed["places"].as_array().unwrap().iter();
    let faults = listed.filter(|it| levels.iter().any(|level| it["level"] == *level));
    let faults: BTreeSet<_> = faults.map(|it| it["code"].as_str().unwrap().to_owned()).collect();
    let all = [cases::ENDS, cases::BALANCERS, cases::DOORS, cases::WAYS, cases::FLOW];
    let before = [pre::cases::SERVICES, pre::cases::TARGETS, pre::cases::SOURCES];
    let before = before.into_iter().flatten().map(|case| case.code);
    let cases = all.into_iter().flatten().map(|case| case.code).chain(before).chain(OTHERS);
    let cases = cases.map(str::to_owned);
    let cases: BTreeSet<_> = cases.collect();
    let missing: Vec<_> = faults.difference(&cases).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

async fn check(cases: &[Case]) {
    for case in cases {
        let &Case { code, link, kind, advice, put, mend, arguments } = case;
        let mut way = Way::new(kind).await;
        let what = format!("{code} of {kind:?}");
        is_fine(&ask(&way, arguments), &what);
        put(&mut way);
        let answer = ask(&way, arguments);
        let found = findings(&answer);
        let finding = found.iter().find(|(it, ..)| it == code);
        let (_, state, links) = finding.unwrap_or_else(|| panic!("{what}: {found:?}"));
        assert!(links.contains(&link.to_owned()), "{what}: {links:?}");
        let is_unknown = found.iter().any(|(_, state, _)| state == "cannot-tell");
        assert_eq!(answer.code, if is_unknown { 1 } else { 2 }, "{what}: {found:?}");
        // The advice is shown where the fault is, and with its code.
        let text = way.doctor(&[&WHOLE, arguments].concat());
        assert!(text.out.contains(&format!("{state} {code} at ")), "{what}: {}", text.out);
        let explained = way.stage.mirrorctl(&["explain", code, "--output", "json"]);
        let told = explained.json()["places"][0]["mend"].as_str().unwrap().to_owned();
        assert!(told.contains(advice), "{what}: {told}");
        assert!(text.out.contains(&told), "{what}: {}", text.out);
        mend(&mut way);
        way.sweep().await;
        is_fine(&ask(&way, arguments), &what);
    }
}

#[tokio::test]
async fn another_accounts_target_is_not_fine_unless_somebody_says_so() {
    let way = Way::new(Kind::Shared).await;
    let answer = ask(&way, &[]);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let [(code, state, links)] = &findings(&answer)[..] else { panic!("{}", answer.out) };
    assert_eq!((code.as_str(), state.as_str()), ("other-account", "cannot-tell"));
    assert_eq!(links, &["target"]);
    let ignored = format!("other-account={}", way.target);
    assert_eq!(ask(&way, &["--ignore", &ignored]).code, 0);
    assert_eq!(ask(&way, &["--ignore", "other-account=tmt-other"]).code, 1);
    for wrong in ["other-account", "other-account=", "no-code-like-this=*", "=*"] {
        assert_eq!(ask(&way, &["--ignore", wrong]).code, 64, "{wrong}");
    }
    assert_eq!(ask(&way, &["--failure-threshold", "0"]).code, 64);
}

#[tokio::test]
async fn long_packets_are_cut_and_count_as_what_ec2_cannot_do() {
    for (kind, fits) in
        [(Kind::Interface, "8947"), (Kind::Balancer, "8500"), (Kind::Endpoint, "8446")]
    {
        let way = Way::new(kind).await;
        let ask = |arguments: &[&str]| {
            way.doctor(&[&JSON, &["--ignore", "behind-endpoint=*"], arguments].concat())
        };
        let answer = ask(&[]);
        assert_eq!(answer.code, 0, "{}", answer.out);
        let expected = ("packets-cut".to_owned(), "limited".to_owned(), vec!["mtu".to_owned()]);
        assert_eq!(findings(&answer), [expected]);
        assert!(answer.out.contains(&format!("the first {fits} arrive")), "{}", answer.out);
        assert_eq!(ask(&["--threshold", "unsupported"]).code, 2);
        let mended = ask(&["--threshold", "unsupported", "--source-mtu", fits]);
        is_fine(&mended, fits);
    }
}

/// Every call that `doctor` makes for a load balancer and an endpoint.
const CALLS: [&str; 19] = [
    "DescribeInstances",
    "DescribeListeners",
    "DescribeLoadBalancerAttributes",
    "DescribeLoadBalancers",
    "DescribeNetworkAcls",
    "DescribeNetworkInterfaces",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeTrafficMirrorFilters",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "DescribeVpcEndpoints",
    "GetCallerIdentity",
    "GetFunctionConfiguration",
    "GetMetricData",
    "ListFunctions",
];

#[tokio::test]
async fn without_any_one_permission_it_cannot_tell_and_names_it() {
    let mut missing: BTreeSet<_> = CALLS.into();
    for kind in [Kind::Balancer, Kind::Endpoint] {
        let way = Way::new(kind).await;
        let cloud = &way.stage.deployment.cloud;
        cloud.clear_calls();
        let accepted = [&["--ignore", "behind-endpoint=*"], cases::AGREED].concat();
        is_fine(&ask(&way, &accepted), "with every permission");
        let by_user = cloud.calls().into_iter().filter(|it| it.caller.principal == "user/alice");
        let made: BTreeSet<_> = by_user.map(|call| call.action).collect();
        for action in &made {
            assert!(
                missing.remove(action.as_str()) || CALLS.contains(&action.as_str()),
                "{action}"
            );
            way.stage.recover();
            way.stage.fault(Fault::new(action, refusal("AccessDenied")));
            let answer = ask(&way, &accepted);
            assert_eq!(answer.code, 1, "{action}: {}{}", answer.out, answer.err);
            let told = format!("{}{}", answer.out, answer.err);
            assert!(told.contains(&format!(":{action}")), "{action}: {told}");
            assert!(told.contains("no-permission"), "{action}: {told}");
            let counts = &answer.json()["places"][0]["counts"];
            assert_ne!(counts["fine"], 1, "{action}: {}", answer.out);
        }
    }
    assert!(missing.is_empty(), "no call of doctor is {missing:?}");
}

#[tokio::test]
async fn a_threshold_counts_sources_and_one_source_can_be_accepted() {
    let way = Way::new(Kind::Balancer).await;
    let second = way.stage.launch(&tagged());
    way.stage.let_run();
    way.sweep().await;
    way.balancer(|it| it.listeners.clear());
    for (threshold, code) in [("1", 2), ("2", 2), ("3", 0)] {
        assert_eq!(ask(&way, &["--failure-threshold", threshold]).code, code, "{threshold}");
    }
    let one = format!("no-listener={second}");
    assert_eq!(ask(&way, &["--ignore", &one]).code, 2);
    assert_eq!(ask(&way, &["--ignore", &one, "--failure-threshold", "2"]).code, 0);
    let both = format!("no-listener={}", way.target);
    let answer = ask(&way, &["--ignore", &both]);
    assert_eq!((answer.code, findings(&answer)), (0, Vec::new()));
    assert_eq!(answer.json()["places"][0]["ignored"], 2);
    // Two sessions are paid for nothing.
    let answer = ask(&way, &[]);
    assert_eq!(answer.json()["places"][0]["dead"]["sessions"], 2);
}

#[tokio::test]
async fn a_forged_description_opens_no_door() {
    let way = Way::new(Kind::Balancer).await;
    // Whoever may create interfaces can call one like the load balancer's, here in a subnet that is shut.
    let description = {
        let world = way.stage.world();
        let is_node = |it: &&local_cloud::aws::ec2::Interface| it.description.starts_with("ELB ");
        let query = local_cloud::aws::ec2::Query::default();
        let all = world.describe::<local_cloud::aws::ec2::Interface>(&user(), &query).unwrap().rows;
        all.into_iter().find(is_node).unwrap().description.clone()
    };
    let forged = local_cloud::aws::ec2::CreateInterface {
        description,
        ..local_cloud::aws::ec2::CreateInterface::default()
    };
    way.stage.world().create_interface(&user(), &forged).unwrap();
    is_fine(&ask(&way, &[]), "beside a forged interface");
}

#[tokio::test]
async fn ten_thousand_sessions_cost_pages_and_not_a_call_each() {
    let way = Way::new(Kind::Balancer).await;
    way.mirror_many(9_999);
    let cloud = &way.stage.deployment.cloud;
    cloud.clear_calls();
    let answer = ask(&way, &["--no-function"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(answer.json()["places"][0]["counts"]["fine"], 10_000);
    // Reading the world as `plan` does (23), 51 requests for 200 interfaces each, and a dozen for the rest.
    let calls = cloud.count_calls();
    assert!(calls <= 23 + 51 + 12, "{calls} calls");
    // A door that is shut is one finding, and one screen.
    way.stage.world().security_group("sg-sensor").inbound.clear();
    let answer = way.doctor(&["--no-function", "--source-mtu", "1500"]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.out.contains("10000 paths"), "{}", answer.out);
    assert!(answer.out.lines().count() <= 24, "{}", answer.out);
}
