//! `mirrorctl doctor --pre`: an account in which everything is prepared; each thing that can be missing is taken away
//! alone, named, and there again when somebody does what the advice says.

pub(super) mod cases;

use std::collections::BTreeSet;

use local_cloud::{aws::cloudtrail::Trail, cloud::fault::Fault};
use serde_json::{Value, json};

use super::{
    super::{
        Answer,
        problems::{is_problem, refusal},
    },
    JSON,
    way::{Kind, Way, findings_with},
};
use crate::stage::user;
use cases::Case;

/// The account, before anything is deployed in it.
pub(super) struct Account {
    way: Way,
    /// `--set`: what the deployment is to be given.
    set: Vec<String>,
}

/// A trail whose selectors must be asked for.
pub(super) fn trail() -> Trail {
    let writes = json!([{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": true}]);
    let selectors = Some(("EventSelectors", writes));
    Trail { selectors, ..Trail::of_all_regions("111122223333") }
}

impl Account {
    async fn new(kind: Kind) -> Self {
        let way = Way::new(kind).await;
        let session = way.stage.session(&way.source).id;
        way.stage.world().delete_session(&user(), &session).unwrap();
        way.stage.deployment.cloud.trails().push(trail());
        let shared = (kind == Kind::Shared).then(|| "target-owners=999999999999".to_owned());
        Self { way, set: shared.into_iter().collect() }
    }

    fn set(&mut self, setting: String) {
        self.set = vec![setting];
    }

    fn ask(&self, arguments: &[&str]) -> Answer {
        let set = self.set.iter().flat_map(|setting| ["--set", setting]);
        let pre = ["doctor", "--pre", "--no-function"].into_iter();
        let all: Vec<_> = pre.chain(arguments.iter().copied()).chain(set).collect();
        self.way.stage.mirrorctl(&all)
    }
}

/// Each finding of the only place: its code, its state, and the checks that have it.
fn findings(answer: &Answer) -> Vec<(String, String, Vec<String>)> {
    findings_with(answer, "checks")
}

#[track_caller]
fn is_fine(answer: &Answer, what: &str) {
    assert_eq!(answer.code, 0, "{what}: {}{}", answer.out, answer.err);
    assert_eq!(findings(answer), [], "{what}");
    let counts = &answer.json()["places"][0]["counts"];
    assert_eq!(counts["limited"], 0, "{what}: {}", answer.out);
    assert!(counts["fine"].as_u64().unwrap() >= 11, "{what}: {}", answer.out);
}

#[tokio::test]
async fn what_config_and_cloudtrail_lack_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::SERVICES).await;
}

#[tokio::test]
async fn what_targets_and_filter_lack_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::TARGETS).await;
}

#[tokio::test]
async fn what_sources_and_quotas_lack_is_named_and_gone_when_its_advice_is_followed() {
    check(cases::SOURCES).await;
}

async fn check(cases: &[Case]) {
    for case in cases {
        let &Case { code, topic, kind, advice, put, mend } = case;
        let mut account = Account::new(kind).await;
        // An endpoint has somebody else's service behind it, and another account's target is that account's.
        let accepted = ["--ignore", "behind-endpoint=*", "--ignore", "other-account=*"];
        let ask = |account: &Account, more: &[&str]| {
            account.ask(&[&accepted[..], &["--threshold", "unsupported"], more].concat())
        };
        let what = format!("{code} of {kind:?}, {advice}");
        if kind == Kind::Balancer || kind == Kind::Interface {
            is_fine(&account.ask(&[&JSON[..], &["--threshold", "unsupported"]].concat()), &what);
        }
        put(&mut account);
        let answer = ask(&account, &JSON);
        let found = findings(&answer);
        let [(found_code, state, topics)] = &found[..] else { panic!("{what}: {found:?}") };
        assert_eq!(found_code, code, "{what}: {found:?}");
        assert!(topics.contains(&topic.to_owned()), "{what}: {topics:?}");
        assert_eq!(answer.code, if state == "cannot-tell" { 1 } else { 2 }, "{what}: {found:?}");
        // What is limited counts only for who asks for it.
        let usual = account.ask(&[&accepted[..], &JSON].concat()).code;
        let expected = match state.as_str() {
            "limited" => 0,
            "broken" => 2,
            _ => 1,
        };
        assert_eq!(usual, expected, "{what}");
        // The advice is shown where the fault is, and with its code.
        let text = ask(&account, &[]);
        assert!(text.out.contains(&format!("{state} {code} at ")), "{what}: {}", text.out);
        let explained = account.way.stage.mirrorctl(&["explain", code, "--output", "json"]);
        let told = explained.json()["places"][0]["mend"].as_str().unwrap().to_owned();
        assert!(told.contains(advice), "{what}: {told}");
        assert!(text.out.contains(&told), "{what}: {}", text.out);
        // Who accepts it at its place has no finding left, and is told so.
        let at = answer.json()["places"][0]["findings"][0]["at"].as_str().unwrap().to_owned();
        let ignored = ask(&account, &[&JSON[..], &["--ignore", &format!("{code}={at}")]].concat());
        assert_eq!((ignored.code, findings(&ignored)), (0, Vec::new()), "{what}");
        assert_ne!(ignored.json()["places"][0]["ignored"], 0, "{what}");
        mend(&mut account);
        is_fine(&ask(&account, &JSON), &what);
    }
}

/// Every call that `doctor --pre` makes for a load balancer and an endpoint.
const CALLS: [&str; 19] = [
    "DescribeConfigurationRecorderStatus",
    "DescribeConfigurationRecorders",
    "DescribeInstances",
    "DescribeListeners",
    "DescribeLoadBalancerAttributes",
    "DescribeLoadBalancers",
    "DescribeNetworkInterfaces",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeTrafficMirrorFilters",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "DescribeTrails",
    "DescribeVpcEndpoints",
    "GetCallerIdentity",
    "GetEventSelectors",
    "GetTrailStatus",
    "ListFunctions",
];

/// Whether packets cross zones matters to a source only, so what is not told about that spoils nothing here.
const NOT_NEEDED: [&str; 2] = ["DescribeLoadBalancerAttributes", "DescribeTargetGroupAttributes"];

#[tokio::test]
async fn without_any_one_permission_it_cannot_tell_names_it_and_tells_the_rest() {
    let mut missing: BTreeSet<_> = CALLS.into();
    for kind in [Kind::Balancer, Kind::Endpoint] {
        let account = Account::new(kind).await;
        let stage = &account.way.stage;
        stage.deployment.cloud.functions().clear();
        let ask = || {
            let accepted = ["doctor", "--pre", "--ignore", "behind-endpoint=*"];
            stage.mirrorctl(&[&accepted[..], &JSON].concat())
        };
        stage.deployment.cloud.clear_calls();
        is_fine(&ask(), "with every permission");
        let calls = stage.deployment.cloud.calls().into_iter();
        let by_user = calls.filter(|it| it.caller.principal == "user/alice");
        let made: BTreeSet<_> = by_user.map(|call| call.action).collect();
        for action in &made {
            assert!(
                missing.remove(action.as_str()) || CALLS.contains(&action.as_str()),
                "{action}"
            );
            stage.recover();
            stage.fault(Fault::new(action, refusal("AccessDenied")));
            let answer = ask();
            if NOT_NEEDED.contains(&action.as_str()) {
                is_fine(&answer, action);
                continue;
            }
            assert_eq!(answer.code, 1, "{action}: {}{}", answer.out, answer.err);
            // Without an account there is no place to tell anything about.
            if action == "GetCallerIdentity" {
                assert!(answer.err.contains("no-permission"), "{}", answer.err);
                continue;
            }
            let place = &answer.json()["places"][0];
            let found = place["findings"].as_array().unwrap();
            let its = |it: &&Value| {
                it["code"] == "no-permission"
                    && it["at"].as_str().unwrap().ends_with(&format!(":{action}"))
            };
            let finding = found.iter().find(its).unwrap_or_else(|| panic!("{action}: {found:?}"));
            assert_eq!(finding["state"], "cannot-tell", "{action}");
            assert_ne!(place["counts"]["fine"], 0, "{action}: the rest is told");
        }
    }
    assert!(missing.is_empty(), "no call of doctor --pre is {missing:?}");
}

#[tokio::test]
async fn another_accounts_target_is_not_fine_unless_somebody_says_so() {
    let account = Account::new(Kind::Shared).await;
    let answer = account.ask(&JSON);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let [(code, state, checks)] = &findings(&answer)[..] else { panic!("{}", answer.out) };
    assert_eq!((code.as_str(), state.as_str()), ("other-account", "cannot-tell"));
    assert_eq!(checks, &["target"]);
    let accepted = format!("other-account={}", account.way.target);
    is_fine(&account.ask(&[&JSON[..], &["--ignore", &accepted]].concat()), "accepted");
}

#[tokio::test]
async fn the_trail_of_an_organization_counts_as_far_as_a_member_sees_it() {
    let account = Account::new(Kind::Balancer).await;
    let of_organization = Trail { is_organization: true, ..Trail::of_all_regions("999999999999") };
    let cloud = &account.way.stage.deployment.cloud;
    *cloud.trails() = vec![of_organization];
    is_fine(&account.ask(&JSON), "a trail without selectors of its own");
    cloud.trails()[0].selectors = trail().selectors;
    let answer = account.ask(&JSON);
    assert_eq!(answer.code, 1, "{}", answer.out);
    let expected = ("aws-refused".to_owned(), "cannot-tell".to_owned(), vec!["trail".to_owned()]);
    assert_eq!(findings(&answer), [expected]);
    assert!(answer.out.contains("cloudtrail:GetEventSelectors: TrailNotFoundException"));
    // One that is seen to log is enough.
    cloud.trails().push(trail());
    is_fine(&account.ask(&JSON), "beside another trail");
}

#[tokio::test]
async fn each_region_has_an_answer_of_its_own() {
    let account = Account::new(Kind::Balancer).await;
    let regions = ["--region", "us-east-1,eu-west-1"];
    let answer = account.ask(&[&JSON[..], &regions].concat());
    assert_eq!(answer.code, 2, "{}{}", answer.out, answer.err);
    let places = answer.json()["places"].as_array().unwrap().clone();
    let codes = |place: &Value| {
        let found = place["findings"].as_array().unwrap().clone();
        found.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of = |region| codes(places.iter().find(|it| it["region"] == region).unwrap());
    assert_eq!(of("us-east-1"), [""; 0]);
    // The trail is of all regions, and the local cloud has one EC2 for them.
    assert_eq!(of("eu-west-1"), ["no-recorder"]);
}

#[tokio::test]
async fn what_has_no_meaning_before_a_deployment_is_refused_and_nothing_is_changed() {
    let account = Account::new(Kind::Balancer).await;
    let cloud = &account.way.stage.deployment.cloud;
    cloud.clear_calls();
    for more in [["--failure-threshold", "2"], ["--source-mtu", "1500"], ["--ignore", "no-trail"]] {
        assert_eq!(account.ask(&more).code, 64, "{more:?}");
    }
    assert!(cloud.calls().is_empty());
    is_fine(&account.ask(&JSON), "reads only");
    let is_read =
        |action: &str| ["Describe", "Get", "List"].iter().any(|it| action.starts_with(it));
    let calls = cloud.calls();
    assert!(calls.iter().all(|call| is_read(&call.action)), "{calls:?}");
}

#[tokio::test]
async fn settings_that_cannot_be_asked_about_are_an_error_and_no_finding() {
    let mut account = Account::new(Kind::Balancer).await;
    account.set("scope=al".to_owned());
    assert_eq!(account.ask(&[]).code, 64);
    let stage = &account.way.stage;
    stage.deployment.cloud.functions().clear();
    stage.deploy(&[("MIRROR_SCOPE", "al")]);
    is_problem(&stage.mirrorctl(&["doctor", "--pre"]), "bad-setting");
    is_problem(&stage.mirrorctl(&["doctor", "--pre", "--function", "x"]), "no-such-function");
}

#[tokio::test]
async fn many_targets_are_one_screen() {
    let account = Account::new(Kind::Balancer).await;
    for number in 0..30 {
        let name = format!("sensor-{number}");
        let mut world = account.way.stage.world();
        world.create_balancer_target(&user(), &name, &[local_cloud::aws::ec2::ZONE_A]).unwrap();
    }
    let answer = account.ask(&[]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.out.contains("and 18 more findings"), "{}", answer.out);
    assert!(answer.out.lines().count() <= 80, "{}", answer.out);
    let all = account.ask(&JSON);
    assert_eq!(findings(&all).len(), 30, "{}", all.out);
}
