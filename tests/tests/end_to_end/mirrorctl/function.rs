//! The deployed function: its version, whether it sweeps, and what its brake would hold back.

use local_cloud::{
    aws::{ec2::RunInstances, logs::LogEvent},
    cloud::fault::Fault,
};
use serde_json::{Value, json};

use super::problems::{healthy, is_problem, refusal};
use crate::stage::{Stage, machine, running, stage, summary, summary_line, tagged};

const GROUP: &str = "/aws/lambda/automirror";
const MINUTE: u64 = 60_000;

fn status(stage: &Stage) -> (i32, Value) {
    let answer = stage.mirrorctl(&["status", "--output", "json"]);
    (answer.code, answer.json()["places"][0]["function"].clone())
}

/// Changes the function's log.
fn log(stage: &Stage, change: impl Fn(&mut Vec<LogEvent>)) {
    change(stage.deployment.cloud.logs().group_mut(GROUP));
}

fn make_older(stage: &Stage, minutes: u64) {
    log(stage, |lines| lines.iter_mut().for_each(|line| line.timestamp -= minutes * MINUTE));
}

#[tokio::test]
async fn status_says_which_version_runs_in_which_mode_and_when_it_swept_last() {
    let stage = healthy().await;
    let (code, function) = status(&stage);
    assert_eq!(code, 0);
    assert_eq!(function["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(function["mode"], "enforce");
    assert_eq!(
        (&function["last_sweep"]["complete"], &function["last_sweep"]["late"]),
        (&json!(true), &json!(false))
    );
    let text = stage.mirrorctl(&["status"]).out;
    assert!(text.contains("last sweep: less than 5 minutes ago, complete\n"), "{text}");
    // The start is further back than the sweep.
    let swept = |line: &LogEvent| line.message.contains(r#""sweep":true"#);
    log(&stage, |lines| {
        lines
            .iter_mut()
            .filter(|line| !swept(line))
            .for_each(|line| line.timestamp -= 300 * MINUTE);
    });
    let (code, function) = status(&stage);
    assert_eq!((code, &function["version"]), (0, &json!(env!("CARGO_PKG_VERSION"))));
}

/// What mirrorctl says of the room on targets, and what the function's log and its answer do.
async fn room(stage: &Stage) -> [Value; 3] {
    let invocation = stage.sweep().await;
    let numbers = |it: &Value| json!([it["targets"], it["targets_full"], it["room"]]);
    let shown = stage.mirrorctl(&["status", "--output", "json"]).json();
    let answered = summary(&invocation);
    [numbers(&shown["places"][0]["room"]), numbers(&summary_line(&invocation)), numbers(&answered)]
}

#[tokio::test]
async fn the_sweep_and_status_say_the_same_about_the_room_on_targets() {
    let stage = stage().await;
    // Of the load balancer nobody knows a limit.
    assert_eq!(room(&stage).await, [1, 1, 1].map(|targets| json!([targets, 0, null])));
    let (first, second) = (stage.sensor("us-east-1a"), stage.sensor("us-east-1b"));
    assert_eq!(room(&stage).await, [20, 20, 20].map(|room| json!([3, 0, room])));
    let filling = [("Mirror", "True"), ("Mirror-Target", &first)];
    stage.launch_many(&RunInstances { count: 10, ..machine(&filling) });
    stage.launch_many(&RunInstances {
        count: 3,
        ..machine(&[("Mirror", "True"), ("Mirror-Target", &second)])
    });
    stage.let_run();
    // What the sweep itself creates is in its numbers.
    assert_eq!(room(&stage).await, [7, 7, 7].map(|room| json!([3, 1, room])));
    let text = stage.mirrorctl(&["status"]).out;
    let said =
        "room: 1 of 3 allowed targets are full; those with a known limit take 7 more sources";
    assert!(text.contains(said), "{text}");
    let named = stage.batch(&[running(&stage.launch(&tagged()))]).await.1;
    assert_eq!(summary_line(&named).get("room"), None);
}

#[tokio::test]
async fn a_function_that_does_not_sweep_is_not_green() {
    let stage = healthy().await;
    make_older(&stage, 50);
    let (code, function) = status(&stage);
    assert_eq!((code, &function["last_sweep"]["late"]), (2, &json!(true)));
    let text = stage.mirrorctl(&["status"]).out;
    assert!(text.contains("last sweep: 50 minutes ago, complete; the next one is late"), "{text}");
    make_older(&stage, 24 * 60);
    let answer = stage.mirrorctl(&["status"]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.out.contains("last sweep: none in its log of 24 hours"), "{}", answer.out);
}

#[tokio::test]
async fn a_sweep_that_has_not_read_everything_is_not_green() {
    let stage = healthy().await;
    stage.fault(Fault::new("DescribeTrafficMirrorSessions", refusal("UnauthorizedOperation")));
    let invocation = stage.sweep().await;
    assert_eq!(summary_line(&invocation)["complete"], false);
    stage.recover();
    let (code, function) = status(&stage);
    assert_eq!((code, &function["last_sweep"]["complete"]), (2, &json!(false)));
}

#[tokio::test]
async fn without_the_log_the_rest_is_told_and_nothing_is_green() {
    let stage = healthy().await;
    stage.fault(Fault::new("FilterLogEvents", refusal("AccessDeniedException")));
    let answer = stage.mirrorctl(&["status"]);
    is_problem(&answer, "no-permission");
    let cannot = "last sweep: cannot tell: logs:FilterLogEvents: AccessDeniedException";
    assert!(answer.out.contains(cannot), "{}", answer.out);
    assert!(answer.out.contains("1 of 1 interfaces that should be mirrored are"), "{}", answer.out);
    let json = stage.mirrorctl(&["status", "--output", "json"]).json();
    let unread = &json["places"][0]["function"]["unread"];
    assert_eq!((&json["exit"], &unread["code"]), (&json!(1), &json!("no-permission")));
    stage.recover();
    // Nobody has ever written there.
    stage.deployment.cloud.functions().iter_mut().for_each(|it| it.name = format!("{}-2", it.name));
    is_problem(&stage.mirrorctl(&["status"]), "aws-refused");
    // Whoever asks no function hears nothing of one.
    let targets = format!("target-ids={}", stage.target);
    let answer = stage.mirrorctl(&["status", "--no-function", "--set", &targets]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
}

/// How many of its changes a plan says that a sweep would hold back, and what by.
fn brake(stage: &Stage) -> (u64, u64) {
    let answer = stage.mirrorctl(&["plan", "--output", "json"]);
    let brake = answer.json()["places"][0]["brake"].clone();
    (brake["deletion_limit"].as_u64().unwrap(), brake["unstable"].as_u64().unwrap())
}

#[tokio::test]
async fn plan_shows_what_the_deletion_limit_would_hold_back_and_a_sweep_holds_back_just_that() {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    stage.sweep().await;
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    for instance in &instances[..27] {
        stage.untag(instance, "Mirror");
    }
    assert_eq!(brake(&stage), (12, 0), "27 are to go, and half of 30 may");
    let text = stage.mirrorctl(&["plan"]).out;
    assert!(text.contains("27 to delete") && text.contains("12 of the changes wait"), "{text}");
    assert!(text.contains("held back: 12 of 27 deletions, by MIRROR_DELETION_LIMIT=50"), "{text}");
    assert_eq!(summary_line(&stage.sweep().await)["held_back"], 12);
    // What it has deleted within the hour counts, and its log says so.
    assert_eq!(brake(&stage), (12, 0));
    assert_eq!(summary_line(&stage.sweep().await)["held_back"], 12);
    // Without the log it looks as if half of what is left could go.
    stage.fault(Fault::new("FilterLogEvents", refusal("AccessDeniedException")));
    let text = stage.mirrorctl(&["plan"]).out;
    assert!(
        text.contains("cannot be seen: what the function has changed within the hour"),
        "{text}"
    );
    stage.recover();
    // What a person applies is another matter.
    let answer = stage.mirrorctl(&["apply", "--confirm", "111122223333"]);
    assert!(answer.out.contains("12 of 12 changes are made"), "{}{}", answer.out, answer.err);
    assert!(!answer.out.contains("held back"), "{}", answer.out);
}

#[tokio::test]
async fn plan_shows_which_interfaces_are_left_alone_until_they_are_calm() {
    let stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.deploy(&[("MIRROR_TARGET_IDS", &stage.target)]);
    for round in 0..3 {
        if round % 2 == 0 {
            stage.untag(&instance, "Mirror");
        } else {
            stage.tag(&instance, &[("Mirror", "True")]);
        }
        assert_eq!(brake(&stage), (0, 0), "{round}");
        stage.sweep().await;
    }
    stage.tag(&instance, &[("Mirror", "True")]);
    assert_eq!(brake(&stage), (0, 1));
    let text = stage.mirrorctl(&["plan"]).out;
    assert!(text.contains("held back: 1 changes of interfaces that were changed"), "{text}");
    assert_eq!(summary_line(&stage.sweep().await)["unstable"], 1);
    make_older(&stage, 11);
    assert_eq!(brake(&stage), (0, 0));
}
