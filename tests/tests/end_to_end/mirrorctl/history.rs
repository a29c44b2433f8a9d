//! What happened, who did it, and what could not be read of it.

use local_cloud::cloud::fault::Fault;
use serde_json::Value;

use super::{
    Answer,
    problems::{is_problem, refusal},
};
use crate::stage::{Stage, stage, tagged, user};

/// An instance that automirror mirrored, whose session somebody deleted, and which it mirrored again.
async fn story() -> (Stage, String, [String; 2]) {
    let stage = stage().await;
    // A token of the same minute would be answered with the session that is gone.
    stage.world().token_outlives_session = false;
    let other = stage.launch(&tagged());
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    let first = stage.session(&instance).id;
    let others = stage.session(&other).id;
    for session in [&first, &others] {
        stage.world().delete_session(&user(), session).unwrap();
    }
    // CloudTrail counts in seconds, and what comes later is to have a later one.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    stage.sweep().await;
    stage.tag(&instance, &[("Team", "shop")]);
    let second = stage.session(&instance).id;
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    (stage, instance, [first, second])
}

fn told(answer: &Answer) -> Vec<(String, String, String)> {
    let happenings = answer.json()["places"][0]["happenings"].as_array().unwrap().clone();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let row = |it: &Value| (text(it, "source"), text(it, "by"), text(it, "what"));
    happenings.iter().map(row).collect()
}

fn count(told: &[(String, String, String)], source: &str, by: &str, what: &str) -> usize {
    let is_it =
        |it: &&(String, String, String)| it.0 == source && it.1.contains(by) && it.2 == what;
    told.iter().filter(is_it).count()
}

#[tokio::test]
async fn history_tells_what_happened_and_who_did_it_by_time() {
    let (stage, instance, [first, second]) = story().await;
    let interface = stage.interface(&instance);
    for id in [&instance, &interface, &first, &second] {
        let answer = stage.mirrorctl(&["history", id, "--output", "json"]);
        assert_eq!(answer.code, 0, "{id}: {}", answer.err);
        let told = told(&answer);
        assert_eq!(
            count(&told, "cloudtrail", "role/automirror", "CreateTrafficMirrorSession"),
            2,
            "{id}: {told:?}"
        );
        assert_eq!(
            count(&told, "cloudtrail", "user/", "DeleteTrafficMirrorSession"),
            1,
            "{id}: {told:?}"
        );
        assert_eq!(count(&told, "log", "automirror", "create"), 2, "{id}: {told:?}");
        let tagged = count(&told, "cloudtrail", "user/", "CreateTags");
        assert_eq!(tagged, usize::from(*id == instance), "{id}: {told:?}");
        let times = answer.json()["places"][0]["happenings"].clone();
        let times: Vec<_> =
            times.as_array().unwrap().iter().map(|it| it["time"].to_string()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
    let csv = stage.mirrorctl(&["history", &instance, "--output", "csv"]).out;
    assert!(csv.starts_with("account,region,time,source,by,what,detail,error\n"), "{csv}");
    let lines = stage.mirrorctl(&["history", &instance, "--output", "ndjson"]).out;
    assert_eq!(lines.matches(r#""type":"happening""#).count(), csv.lines().count() - 1, "{lines}");
    let text = stage.mirrorctl(&["history", &instance]).out;
    assert!(text.contains(&first) && text.contains("`Team`=`shop`"), "{text}");
}

#[tokio::test]
async fn history_of_one_says_nothing_of_those_that_share_its_target() {
    let stage = stage().await;
    let sensor = stage.sensor("us-east-1a");
    // A target with a limit: all that fills it is read.
    let settings = [("MIRROR_TARGET_IDS", sensor.as_str())];
    let [one, other, without] = [(); 3].map(|()| stage.launch(&tagged()));
    stage.untag(&without, "Mirror");
    stage.let_run();
    stage.sweep_with(&settings).await;
    stage.deploy(&settings);
    let interface = stage.interface(&one);
    let others = [stage.interface(&other), stage.session(&other).id, other.clone()];
    let own = stage.session(&one).id;
    for id in [&one, &interface, &own] {
        let answer = stage.mirrorctl(&["history", id, "--output", "json"]);
        assert_eq!(answer.code, 0, "{id}: {}", answer.err);
        assert_eq!(
            count(&told(&answer), "cloudtrail", "", "CreateTrafficMirrorSession"),
            1,
            "{id}"
        );
        for other in &others {
            assert!(!answer.out.contains(other), "{id} tells of {other}: {}", answer.out);
        }
    }
    let answer = stage.mirrorctl(&["history", &without, "--output", "json"]);
    assert_eq!(count(&told(&answer), "cloudtrail", "", "CreateTrafficMirrorSession"), 0);
    assert_eq!(count(&told(&answer), "log", "", "create"), 0, "{}", answer.out);
}

#[tokio::test]
async fn each_permission_that_is_missing_is_told_and_the_rest_is_shown() {
    let (stage, instance, _) = story().await;
    for (action, said, left) in [
        ("LookupEvents", "cloudtrail:LookupEvents", "log"),
        ("FilterLogEvents", "logs:FilterLogEvents", "cloudtrail"),
        ("DescribeTrafficMirrorSessions", "ec2:DescribeTrafficMirrorSessions", "cloudtrail"),
        ("ListFunctions", "lambda:ListFunctions", "cloudtrail"),
        ("GetFunctionConfiguration", "lambda:GetFunctionConfiguration", "cloudtrail"),
    ] {
        stage.recover();
        stage.fault(Fault::new(action, refusal("AccessDeniedException")));
        let answer = stage.mirrorctl(&["history", &instance]);
        is_problem(&answer, "no-permission");
        assert!(
            answer.out.contains(&format!("cannot be seen: {said}: AccessDenied")),
            "{}",
            answer.out
        );
        assert!(answer.err.contains(said), "{}", answer.err);
        let json = stage.mirrorctl(&["history", &instance, "--output", "json"]);
        assert!(told(&json).iter().any(|it| it.0 == left), "{action}: {}", json.out);
    }
}

#[tokio::test]
async fn what_nothing_tells_of_is_not_found_and_no_other_id_is_taken() {
    let (stage, ..) = story().await;
    is_problem(&stage.mirrorctl(&["history", "i-0123456789abcdef0"]), "not-found");
    for id in ["tmt-0123456789abcdef0", "shadowed", ""] {
        assert_eq!(stage.mirrorctl(&["history", id]).code, 64, "{id}");
    }
    assert_eq!(stage.mirrorctl(&["history", "i-1", "--days", "91"]).code, 64);
}

#[tokio::test]
async fn what_has_more_calls_than_anybody_reads_is_told_and_not_cut() {
    let (stage, instance, _) = story().await;
    // 40 pages of 50 calls are read.
    for number in 0..2_001 {
        stage.tag(&instance, &[("Team", &number.to_string())]);
    }
    let answer = stage.mirrorctl(&["history", &instance]);
    is_problem(&answer, "too-much-to-read");
    assert!(answer.out.contains("cannot be seen: cloudtrail:LookupEvents"), "{}", answer.out);
    assert!(answer.err.contains("hint: Ask for fewer days with --days"), "{}", answer.err);
}
