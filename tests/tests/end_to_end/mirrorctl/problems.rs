//! What cannot be read is never green, and each problem says what to do.

use std::{fs::File, process::Stdio};

use local_cloud::cloud::fault::{Fault, Kind};

use super::{Answer, command, folder, story};
use crate::stage::{Stage, stage, tagged};

/// Every call that `status` makes.
const CALLS: [&str; 9] = [
    "GetCallerIdentity",
    "ListFunctions",
    "GetFunctionConfiguration",
    "DescribeInstances",
    "DescribeNetworkInterfaces",
    "DescribeTrafficMirrorFilters",
    "DescribeTrafficMirrorSessions",
    "DescribeTrafficMirrorTargets",
    "FilterLogEvents",
];

pub(super) fn refusal(code: &str) -> Kind {
    Kind::Refuse { code: code.to_owned(), message: "no".to_owned(), status: 403 }
}

/// An account in which everything is as it should be: any exit code but 0 comes from the problem.
pub(super) async fn healthy() -> Stage {
    let stage = stage().await;
    stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    stage
}

#[track_caller]
pub(super) fn is_problem(answer: &Answer, code: &str) {
    let Answer { code: exit, err, .. } = answer;
    assert_eq!(*exit, 1, "{err}");
    assert!(err.contains(&format!("error[{code}]: ")), "{err}");
    assert!(err.contains("hint: "), "{err}");
}

#[tokio::test]
async fn without_any_one_permission_nothing_is_green() {
    let stage = healthy().await;
    let before = stage.mirrorctl(&["status"]);
    assert_eq!(before.code, 0, "{}{}", before.out, before.err);
    let calls = stage.deployment.cloud.calls();
    let made: std::collections::BTreeSet<_> = calls
        .iter()
        .filter(|call| call.caller.principal == "user/alice")
        .map(|call| call.action.as_str())
        .collect();
    assert_eq!(made, CALLS.into(), "each call that is made is taken away below");
    for action in CALLS {
        // A plan without changes has nothing that could be held back, so nothing in the log matters to it.
        let names: &[&str] =
            if action == "FilterLogEvents" { &["status"] } else { &["status", "plan"] };
        for name in names {
            stage.recover();
            stage.fault(Fault::new(action, refusal("AccessDenied")));
            let answer = stage.mirrorctl(&[name]);
            is_problem(&answer, "no-permission");
            assert!(answer.err.contains(action), "{action}: {}", answer.err);
        }
    }
}

#[tokio::test]
async fn each_kind_of_refusal_has_a_code_of_its_own() {
    let stage = healthy().await;
    for (kind, code) in [
        (refusal("UnauthorizedOperation"), "no-permission"),
        (refusal("OptInRequired"), "region-not-enabled"),
        (refusal("AuthFailure"), "credentials-refused"),
        (refusal("RequestExpired"), "credentials-expired"),
        (refusal("Odd"), "aws-refused"),
        (Kind::Throttle, "throttled"),
    ] {
        stage.recover();
        stage.fault(Fault::new("DescribeTrafficMirrorSessions", kind));
        is_problem(&stage.mirrorctl(&["status"]), code);
    }
}

#[tokio::test]
async fn who_has_no_credentials_no_region_or_no_network_is_told() {
    let stage = healthy().await;
    let endpoint = stage.deployment.cloud.endpoint();
    let run = |removed: &str| -> Answer {
        command(&endpoint, &["status"]).env_remove(removed).output().unwrap().into()
    };
    is_problem(&run("AWS_ACCESS_KEY_ID"), "no-credentials");
    is_problem(&run("AWS_REGION"), "no-region");
    // Nothing listens there.
    let answer: Answer = command("http://127.0.0.1:9", &["status"]).output().unwrap().into();
    is_problem(&answer, "no-answer");
    // Nobody is told of the SDK's inside.
    for inside in ["{", "ConnectorError", "ConstructionFailure"] {
        assert!(!answer.err.contains(inside), "{}", answer.err);
    }
    // A region that is not enabled looks to AWS's services like wrong credentials.
    is_problem(&stage.mirrorctl(&["status", "--region", "me-south-1"]), "credentials-refused");
}

#[tokio::test]
async fn a_configuration_that_no_call_can_be_made_with_is_told_before_one_is_made() {
    let stage = stage().await;
    let endpoint = stage.deployment.cloud.endpoint();
    for (name, value, told) in [
        ("AWS_REGION", "us_east_1", "`us_east_1`"),
        ("AWS_REGION", "us-east-1.evil.example", "`us-east-1.evil.example`"),
        ("AWS_REGION", "us east 1", "`us east 1`"),
        ("AWS_ENDPOINT_URL", "", "endpoint"),
    ] {
        let answer: Answer =
            command(&endpoint, &["status"]).env(name, value).output().unwrap().into();
        is_problem(&answer, "bad-aws-config");
        assert!(answer.err.contains(told), "{name}={value}: {}", answer.err);
    }
    assert!(stage.deployment.cloud.calls().is_empty());
    // Whoever types a list puts spaces into it, or names a region twice.
    let twice = "us-east-1, us-east-1";
    let answer =
        stage.mirrorctl(&["status", "--region", twice, "--no-function", "--output", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert_eq!(answer.json()["places"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_regions_the_one_that_failed_decides() {
    let stage = healthy().await;
    let answer =
        stage.mirrorctl(&["status", "--region", "us-east-1,me-south-1", "--output", "json"]);
    is_problem(&answer, "credentials-refused");
    let places = answer.json()["places"].as_array().unwrap().clone();
    assert_eq!(places.len(), 2, "{places:?}");
    let codes: Vec<_> = places.iter().filter_map(|it| it["error"]["code"].as_str()).collect();
    assert_eq!(codes, ["credentials-refused"]);
    assert!(places.iter().any(|it| it["coverage"]["mirrored"] == 1), "{places:?}");
}

#[tokio::test]
async fn what_cannot_be_read_of_a_list_is_no_answer() {
    let stage = healthy().await;
    let unreadable = Kind::Unreadable { per_mille: 1000 };
    stage.fault(Fault::new("DescribeTrafficMirrorTargets", unreadable));
    is_problem(&stage.mirrorctl(&["status"]), "unreadable-item");
}

#[tokio::test]
async fn a_wrong_command_line_is_64_and_help_is_0() {
    let stage = stage().await;
    let wrong: [&[&str]; 15] = [
        &[],
        &["sttus"],
        &["status", "--regoin", "x"],
        &["plan", "--set", "scope"],
        &["plan", "--set", "scop=all"],
        &["plan", "--set", "scope=al"],
        &["plan", "--set", "target-ids=tmt"],
        &["plan", "--region", ""],
        &["plan", "--region", "us_east_1"],
        &["plan", "--region", "us-east-1,,eu-west-1"],
        &["plan", "--region", "all,x"],
        &["plan", "--output", "xml"],
        &["plan", "--price", "-1"],
        &["explain", "no-such-thing"],
        &["plan", "--function", "x", "--no-function"],
    ];
    for arguments in wrong {
        let answer = stage.mirrorctl(arguments);
        assert_eq!((answer.code, answer.out.as_str()), (64, ""), "{arguments:?}: {}", answer.err);
        assert!(!answer.err.is_empty(), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"], ["help"], ["man"]] {
        let answer = stage.mirrorctl(&arguments);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{arguments:?}");
    }
    assert!(stage.deployment.cloud.calls().is_empty(), "none of them asks AWS");
}

#[tokio::test]
async fn whoever_reads_enough_gets_the_exit_code_and_a_full_disk_is_told() {
    let stage = story().await;
    let endpoint = stage.deployment.cloud.endpoint();
    // `mirrorctl plan | head -1`: the reader is gone.
    let mut child = command(&endpoint, &["plan"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap().code();
    assert_eq!(status, Some(2));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut plan = command(&endpoint, &["plan"]);
    let answer: Answer = plan.stdout(full).stderr(Stdio::piped()).output().unwrap().into();
    is_problem(&answer, "not-written");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_or_used_is_told() {
    let stage = healthy().await;
    let folder = folder("files");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let missing = path("no-such-folder/world.json");
    is_problem(&stage.mirrorctl(&["observe", "--out", &missing]), "not-written");
    is_problem(&stage.mirrorctl(&["report", "--html", &missing]), "not-written");
    for text in
        ["", "{}", "[1]", r#"{"format":"mirrorctl-world/2"}"#, r#"{"format":"mirrorctl-world/1"}"#]
    {
        std::fs::write(path("bad.json"), text).unwrap();
        is_problem(&stage.mirrorctl(&["plan", "--from", &path("bad.json")]), "bad-file");
    }
    is_problem(&stage.mirrorctl(&["plan", "--from", &missing]), "bad-file");
    // What is not whole is not written.
    stage.fault(Fault::new("DescribeInstances", refusal("UnauthorizedOperation")));
    let world = path("world.json");
    is_problem(&stage.mirrorctl(&["observe", "--out", &world]), "not-written");
    assert!(!folder.join("world.json").exists());
}

#[tokio::test]
async fn an_id_that_nothing_shows_is_not_found() {
    let stage = healthy().await;
    for id in [
        "i-0123456789abcdef0",
        "eni-0123456789abcdef0",
        "tms-0123456789abcdef0",
        "tmt-0123456789abcdef0",
    ] {
        is_problem(&stage.mirrorctl(&["explain", id]), "not-found");
    }
}
