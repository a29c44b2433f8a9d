//! The commands that change something: never by accident, and exactly what was shown.

use local_cloud::{
    aws::ec2::{CreateSession, RunInstances, Session},
    cloud::{
        call::{Call, Outcome},
        fault::{Fault, Kind},
    },
};

use super::{Answer, folder, problems::is_problem, story};
use crate::stage::{Stage, load_balancer, machine, stage, tagged, tags, user};

pub(super) const ACCOUNT: &str = "111122223333";

/// The changes that the command line has asked for, successful or not.
fn changes(stage: &Stage) -> Vec<Call> {
    let mut calls = stage.deployment.cloud.calls();
    calls.retain(|call| {
        call.caller.principal == "user/alice"
            && !["Describe", "List", "Get"].iter().any(|verb| call.action.starts_with(verb))
    });
    calls
}

fn all_sessions(stage: &Stage) -> Vec<Session> {
    stage.world().sessions().cloned().collect()
}

#[track_caller]
fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.code, 1, "{}{}", answer.out, answer.err);
    assert!(answer.err.contains(&format!("error[{code}]: ")), "{}", answer.err);
}

#[tokio::test]
async fn nothing_is_changed_without_the_number_of_the_account() {
    let stage = story().await;
    old_session(&stage);
    let before = all_sessions(&stage);
    for command in ["apply", "remove", "adopt"] {
        for confirm in
            [&[][..], &["--confirm", "999999999999"], &["--confirm", "yes"], &["--confirm", ""]]
        {
            refused(&stage.mirrorctl(&[&[command], confirm].concat()), "not-confirmed");
        }
        // Which of two accounts was meant?
        let regions = [command, "--region", "us-east-1,eu-central-1", "--confirm", ACCOUNT];
        refused(&stage.mirrorctl(&regions), "several-places");
    }
    assert_eq!(all_sessions(&stage), before);
    assert!(changes(&stage).is_empty());
}

#[tokio::test]
async fn apply_does_what_plan_shows_and_then_there_is_nothing_left() {
    let stage = stage().await;
    stage.launch_many(&RunInstances { count: 20, ..tagged() });
    let gone = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.untag(&gone, "Mirror");
    stage.launch_many(&RunInstances { count: 11, ..tagged() });
    stage.let_run();
    let plan = stage.mirrorctl(&["plan", "--output", "json"]).json()["places"][0]["counts"].clone();
    assert_eq!((&plan["create"], &plan["delete"]), (&11.into(), &1.into()));
    stage.deployment.cloud.clear_calls();
    let answer = stage.mirrorctl(&["apply", "--confirm", ACCOUNT]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("12 of 12 changes are made"), "{}", answer.out);
    let calls = changes(&stage);
    let actions: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions[0], "DeleteTrafficMirrorSession", "what makes room comes first");
    assert_eq!(actions.len(), 12);
    let made = calls.iter().filter(|call| call.outcome == Outcome::Done).count();
    assert_eq!(made, 12);
    let answer = stage.mirrorctl(&["status"]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    // automirror agrees, and takes the sessions for its own.
    stage.take_calls();
    stage.sweep().await;
    assert!(stage.take_calls().iter().all(|call| call.action.starts_with("Describe")));
    let answer = stage.mirrorctl(&["apply"]);
    assert_eq!(answer.code, 0, "nothing to ask: {}", answer.err);
}

/// A saved plan, and its path.
async fn saved(name: &str) -> (Stage, String, Vec<String>) {
    let stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 3, ..tagged() });
    stage.let_run();
    let path = folder(name).join("plan.json").to_str().unwrap().to_owned();
    let answer = stage.mirrorctl(&["plan", "--out", &path]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    (stage, path, instances)
}

#[tokio::test]
async fn a_saved_plan_is_carried_out_as_it_was_shown_and_no_more() {
    let (stage, path, instances) = saved("exact").await;
    // It was not shown.
    let late = stage.launch(&tagged());
    stage.let_run();
    let answer = stage.mirrorctl(&["apply", &path, "--confirm", ACCOUNT]);
    assert_eq!(answer.code, 2, "what was not shown is left: {}", answer.err);
    for instance in &instances {
        stage.session(instance);
    }
    assert_eq!(stage.sessions(&late), []);
}

#[tokio::test]
async fn a_saved_plan_is_refused_whole_when_one_step_is_stale() {
    for (name, change) in [
        ("untagged", (|stage, instance| stage.untag(instance, "Mirror")) as fn(&Stage, &str)),
        ("stopped", |stage, instance| {
            stage.world().stop_instances(&user(), &[instance.to_owned()]).unwrap();
        }),
        ("mirrored", |stage, instance| {
            let target = stage.target.clone();
            stage.foreign(&stage.interface(instance), 1, &target);
        }),
    ] {
        let (stage, path, instances) = saved(name).await;
        change(&stage, &instances[1]);
        stage.let_run();
        let before = all_sessions(&stage);
        let answer = stage.mirrorctl(&["apply", &path, "--confirm", ACCOUNT]);
        refused(&answer, "stale-plan");
        assert!(answer.err.contains(&instances[1]), "{name}: {}", answer.err);
        assert_eq!(all_sessions(&stage), before, "{name}");
    }
}

#[tokio::test]
async fn only_a_saved_plan_of_this_place_can_be_applied() {
    let (stage, path, _) = saved("other").await;
    let world = folder("world").join("world.json").to_str().unwrap().to_owned();
    assert_eq!(stage.mirrorctl(&["observe", "--out", &world]).code, 0);
    let not_saved = stage.mirrorctl(&["apply", &world, "--confirm", ACCOUNT]);
    refused(&not_saved, "bad-plan");
    assert!(
        not_saved.err.contains("hint: Save one with `mirrorctl plan --out FILE`"),
        "{}",
        not_saved.err
    );
    let missing = format!("{world}.none");
    refused(&stage.mirrorctl(&["apply", &missing, "--confirm", ACCOUNT]), "bad-plan");
    let role = "arn:aws:iam::444455556666:role/admin";
    let elsewhere = ["apply", &path, "--role-arn", role, "--confirm", "444455556666"];
    refused(&stage.mirrorctl(&elsewhere), "bad-plan");
    // Somebody changed the file, or another version wrote it.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("create session 1", "create session 2")).unwrap();
    refused(&stage.mirrorctl(&["apply", &path, "--confirm", ACCOUNT]), "bad-plan");
    assert!(all_sessions(&stage).is_empty());
}

#[tokio::test]
async fn one_refusal_does_not_stop_the_others_and_is_told() {
    let (stage, path, _) = saved("refusal").await;
    let code = "UnauthorizedOperation".to_owned();
    let refusal = Kind::Refuse { code, message: "no".to_owned(), status: 403 };
    stage.fault(Fault::once("CreateTrafficMirrorSession", refusal));
    let answer = stage.mirrorctl(&["apply", &path, "--confirm", ACCOUNT]);
    refused(&answer, "not-done");
    assert!(answer.out.contains("2 of 3 changes are made"), "{}", answer.out);
    assert!(answer.err.contains("UnauthorizedOperation"), "{}", answer.err);
}

#[tokio::test]
async fn ctrl_c_ends_it_cleanly_and_says_what_is_left() {
    let stage = stage().await;
    stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    // The first is held until the signal has come.
    stage.fault(Fault::once("CreateTrafficMirrorSession", Kind::Hold));
    let endpoint = stage.deployment.cloud.endpoint();
    let mut apply = super::command(&endpoint, &["apply", "--confirm", ACCOUNT]);
    let child = apply.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = child.spawn().unwrap();
    stage.deployment.cloud.faults().held(1).await;
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    // It waits for the answer, so the signal reaches it first.
    stage.deployment.cloud.faults().release();
    let answer: Answer = child.wait_with_output().unwrap().into();
    refused(&answer, "stopped");
    let made = all_sessions(&stage).len();
    assert!(answer.out.contains(&format!("{made} of 30 changes are made")), "{}", answer.out);
    assert!((1..30).contains(&made), "{made}");
    assert!(answer.err.contains(&format!("{} changes are left", 30 - made)), "{}", answer.err);
}

#[tokio::test]
async fn remove_deletes_what_is_automirrors_and_nothing_else() {
    let stage = story().await;
    let foreign: Vec<_> =
        all_sessions(&stage).into_iter().filter(|it| !it.tags.contains_key("ManagedBy")).collect();
    assert_eq!(foreign.len(), 1);
    let answer = stage.mirrorctl(&["remove", "--vpc", "vpc-0123456789abcdef0"]);
    assert_eq!(answer.code, 0, "nothing is there: {}", answer.err);
    assert!(
        answer.out.contains("no session in vpc-0123456789abcdef0 has the tag"),
        "{}",
        answer.out
    );
    let answer = stage.mirrorctl(&["remove", "--owner", "somebody"]);
    assert_eq!(answer.code, 0, "nothing is there: {}", answer.err);
    assert!(answer.out.contains("no session has the tag ManagedBy=somebody"), "{}", answer.out);
    let answer = stage.mirrorctl(&["remove", "--confirm", ACCOUNT]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.err.contains("hint: mirrorctl apply"), "{}", answer.err);
    assert_eq!(all_sessions(&stage), foreign);
    // The command that it names brings them back, and says that something else is left to do.
    assert_eq!(stage.mirrorctl(&["apply", "--confirm", ACCOUNT]).code, 2);
    assert!(all_sessions(&stage).len() > foreign.len());
}

#[tokio::test]
async fn remove_says_before_it_asks_whether_the_sessions_come_back() {
    let stage = stage().await;
    let [own, other] = [(); 2].map(|()| stage.launch(&tagged()));
    stage.let_run();
    stage.sweep().await;
    let taken = stage.session(&other).id;
    stage.world().create_tags(&user(), &[taken], &tags(&[("ManagedBy", "other")])).unwrap();
    let own = stage.session(&own).id;
    let said = |mode: Option<&str>, owner: Option<&str>| {
        let targets = stage.target.clone();
        stage.deployment.cloud.functions().clear();
        if let Some(mode) = mode {
            stage.deploy(&[("MIRROR_TARGET_IDS", &targets), ("MIRROR_MODE", mode)]);
        }
        let owner: Vec<_> = owner.into_iter().flat_map(|owner| ["--owner", owner]).collect();
        // Nobody agrees.
        let answer = stage.mirrorctl(&[&["remove"], &owner[..]].concat());
        is_problem(&answer, "not-confirmed");
        answer.out
    };
    for (mode, owner, told) in [
        (Some("enforce"), None, "function automirror hears of it, and creates again"),
        (Some("detect"), None, "function automirror is in mode detect: it does not create them"),
        (None, None, "a function with these settings, if there is one, creates them again"),
        (Some("enforce"), Some("other"), "only a function with MIRROR_OWNER=other creates them"),
    ] {
        let out = said(mode, owner);
        assert!(out.contains(told), "{mode:?} {owner:?}: {out}");
        assert_eq!(out.contains(&own), owner.is_none(), "{out}");
    }
    // What it names brings them back.
    let answer = stage.mirrorctl(&["remove", "--owner", "other", "--confirm", ACCOUNT]);
    assert!(answer.err.contains("hint: mirrorctl apply --set owner=other"), "{}", answer.err);
    assert_eq!(stage.sessions(&other), []);
    let apply = ["apply", "--set", "owner=other", "--confirm", ACCOUNT];
    assert_eq!(stage.mirrorctl(&apply).code, 0);
    assert_eq!(stage.session(&other).tags["ManagedBy"], "other");
}

/// A session as 3CORESec's AutoMirror makes it.
pub(super) fn old_session(stage: &Stage) -> Session {
    let instance = stage.launch(&machine(&[("Mirror", "True")]));
    stage.let_run();
    let request = CreateSession {
        interface: stage.interface(&instance),
        target: stage.target.clone(),
        filter: stage.filter.clone(),
        number: Some(1),
        description: Some("Created by AutoMirror".to_owned()),
        tags: tags(&[("Name", &instance)]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap()
}

#[tokio::test]
async fn adopt_tags_the_sessions_of_the_other_automirror_and_no_others() {
    let stage = story().await;
    let [first, second] = [old_session(&stage), old_session(&stage)];
    let answer = stage.mirrorctl(&["adopt", "--confirm", ACCOUNT]);
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(answer.out.contains("2 sessions belong to automirror now"), "{}", answer.out);
    let calls = changes(&stage);
    let actions: Vec<_> = calls.iter().map(|call| call.action.as_str()).collect();
    assert_eq!(actions, ["CreateTags"]);
    let owned: Vec<_> = all_sessions(&stage)
        .into_iter()
        .filter(|it| it.tags.get("ManagedBy").is_some_and(|owner| owner == "automirror"))
        .map(|it| it.id)
        .collect();
    assert!(owned.contains(&first.id) && owned.contains(&second.id), "{owned:?}");
    assert_eq!(owned.len(), 4, "with the two that automirror has made: {owned:?}");
    let answer = stage.mirrorctl(&["adopt"]);
    assert_eq!(answer.code, 0, "nothing is left to take over: {}", answer.err);
}

#[tokio::test]
async fn adopt_says_how_many_changes_wait() {
    let stage = stage().await;
    for _ in 0..52 {
        old_session(&stage);
    }
    let drain = tags(&[("Mirror-Drain", "True")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&stage.target), &drain).unwrap();
    // Fifty sessions leave a target at once.
    let ready = load_balancer(&mut stage.world(), &user());
    stage.deploy(&[("MIRROR_TARGET_IDS", &format!("{},{ready}", stage.target))]);
    let answer = stage.mirrorctl(&["adopt"]);
    refused(&answer, "not-confirmed");
    let plan = "automirror's plan once it owns them: 0 to create, 52 to modify, 0 to delete, 0 blocked; 0 as \
                they should be, 0 not to be mirrored; 2 of the changes wait";
    assert!(answer.out.contains(plan), "{}", answer.out);
    assert_eq!(stage.mirrorctl(&["adopt", "--confirm", ACCOUNT]).code, 0);
    let after = stage.mirrorctl(&["plan"]).out;
    assert!(after.contains("52 to modify") && after.contains("2 of the changes wait"), "{after}");
}
