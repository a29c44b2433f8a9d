//! A saved plan, in many worlds that change in many ways: exactly the steps that were shown, or none.

use std::collections::BTreeSet;

use local_cloud::{
    aws::ec2::{ModifySession, RunInstances, Session},
    cloud::call::{Call, Outcome},
};
use serde_json::Value;

use super::folder;
use crate::stage::{Stage, load_balancer, machine, stage, tagged, tags, user};

/// Worlds that are tried, each with a plan and a change after it.
const WORLDS: u64 = 40;

/// What a step does: to create is an interface, a target and a filter; everything else is to a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    Create([String; 3]),
    Modify(String),
    Delete(String),
}

/// The steps of a plan that change something, as it shows them.
fn shown(plan: &Value) -> BTreeSet<Done> {
    let steps = plan["places"][0]["steps"].as_array().unwrap().iter();
    let text = |step: &Value, name: &str| step[name].as_str().unwrap().to_owned();
    let done = |step: &Value| match step["action"].as_str().unwrap() {
        "create" => Some(Done::Create(["interface", "target", "filter"].map(|it| text(step, it)))),
        "modify" => Some(Done::Modify(text(step, "session"))),
        "delete" => Some(Done::Delete(text(step, "session"))),
        _ => None,
    };
    steps.filter_map(done).collect()
}

/// The changes that a person has made since the last time.
fn made(stage: &Stage) -> BTreeSet<Done> {
    let text = |call: &Call, name: &str| call.parameters[name].clone();
    let session = "TrafficMirrorSessionId";
    let created = ["NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId"];
    let made = |call: Call| {
        let done = match call.action.as_str() {
            "CreateTrafficMirrorSession" => Done::Create(created.map(|name| text(&call, name))),
            "ModifyTrafficMirrorSession" => Done::Modify(text(&call, session)),
            "DeleteTrafficMirrorSession" => Done::Delete(text(&call, session)),
            action if action.starts_with("Describe") => return None,
            "GetCallerIdentity" | "ListFunctions" => return None,
            action => panic!("{action}"),
        };
        assert_eq!(call.outcome, Outcome::Done, "{done:?}");
        Some(done)
    };
    let calls = stage.deployment.cloud.calls();
    let made: Vec<_> = calls.into_iter().filter_map(made).collect();
    let once: BTreeSet<_> = made.iter().cloned().collect();
    assert_eq!(once.len(), made.len(), "nothing is done twice: {made:?}");
    once
}

fn all_sessions(stage: &Stage) -> Vec<Session> {
    stage.world().sessions().cloned().collect()
}

/// A few instances: some are mirrored, and of some the tag or the session has changed since.
async fn some_world(random: &mut fastrand::Rng) -> (Stage, Vec<String>) {
    let stage = stage().await;
    let count = random.usize(2..6);
    let mut instances = stage.launch_many(&RunInstances { count, ..tagged() });
    stage.let_run();
    stage.sweep().await;
    for instance in &instances {
        if random.u8(..3) == 0 {
            change(&stage, instance, random);
        }
    }
    let count = random.usize(1..4);
    instances.extend(stage.launch_many(&RunInstances { count, ..tagged() }));
    instances.push(stage.launch(&machine(&[])));
    stage.let_run();
    (stage, instances)
}

/// Somebody does something to an instance, or to its session if it has one.
fn change(stage: &Stage, instance: &str, random: &mut fastrand::Rng) {
    let session = stage.sessions(instance).first().map(|it| it.id.clone());
    match (random.u8(..6), session) {
        (0, _) => stage.untag(instance, "Mirror"),
        (1, _) => stage.tag(instance, &[("Mirror", "True")]),
        (2, _) => {
            stage.world().stop_instances(&user(), &[instance.to_owned()]).unwrap();
        }
        (3, Some(session)) => stage.world().delete_session(&user(), &session).unwrap(),
        (4, Some(session)) => {
            let target = Some(load_balancer(&mut stage.world(), &user()));
            let change = ModifySession { session, target, ..ModifySession::default() };
            stage.world().modify_session(&user(), &change).unwrap();
        }
        (5, Some(session)) => {
            let change = tags(&[("ManagedBy", "somebody")]);
            stage.world().create_tags(&user(), &[session], &change).unwrap();
        }
        // Nothing that matters.
        _ => stage.tag(instance, &[("Team", "shop")]),
    }
}

#[tokio::test]
async fn a_saved_plan_is_done_exactly_as_shown_or_not_at_all() {
    let path = folder("saved-random").join("plan.json").to_str().unwrap().to_owned();
    let settings = |stage: &Stage| format!("target-ids={}", stage.target);
    let [mut applied, mut refused] = [0, 0];
    for seed in 0..WORLDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let (stage, instances) = some_world(&mut random).await;
        let set = settings(&stage);
        let plan = ["plan", "--output", "json", "--no-function", "--set", &set, "--out", &path];
        let plan = stage.mirrorctl(&plan);
        let shown = shown(&plan.json());
        // The file is the world.
        let filed = stage.mirrorctl(&["plan", "--from", &path, "--output", "json"]);
        assert_eq!(
            (filed.code, &filed.json()["places"]),
            (plan.code, &plan.json()["places"]),
            "{seed}"
        );
        let is_changed = random.bool();
        if is_changed {
            for _ in 0..3 {
                let instance = random.choice(&instances).unwrap();
                change(&stage, instance, &mut random);
            }
            stage.let_run();
        }
        let before = all_sessions(&stage);
        stage.deployment.cloud.clear_calls();
        let answer = stage.mirrorctl(&["apply", &path, "--confirm", "111122223333"]);
        let made = made(&stage);
        if answer.code == 1 {
            assert!(answer.err.contains("error[stale-plan]"), "{seed}: {}", answer.err);
            assert!(is_changed, "{seed}: nothing has changed: {}", answer.err);
            assert_eq!((made, all_sessions(&stage)), (BTreeSet::new(), before), "{seed}");
            refused += 1;
        } else {
            assert_eq!(made, shown, "{seed}: {}", answer.out);
            applied += 1;
        }
    }
    assert!(applied > 10 && refused > 4, "{applied} {refused}: both must be tried");
}
