//! What keeps automirror from doing harm at great speed: the limit of deletions, the calm after too many
//! changes, two installations that leave each other alone; and the removal of everything, which is meant.

use local_cloud::{
    aws::ec2::{CreateSession, RunInstances},
    lambda::Answer,
};
use serde_json::{Value, json};

use crate::stage::{Stage, machine, said, summary, summary_line, tagged, tags, user};

/// A stage with so many mirrored instances.
async fn mirrored(settings: &[(&str, &str)], count: usize) -> (Stage, Vec<String>) {
    let stage = Stage::new(settings).await;
    let request = RunInstances { count, ..tagged() };
    let instances = stage.launch_many(&request);
    stage.let_run();
    stage.sweep().await;
    for instance in &instances {
        stage.session(instance);
    }
    (stage, instances)
}

fn left(stage: &Stage, instances: &[String]) -> usize {
    instances.iter().filter(|instance| !stage.sessions(instance).is_empty()).count()
}

fn untag_all(stage: &Stage, instances: &[String]) -> Vec<String> {
    for instance in instances {
        stage.untag(instance, "Mirror");
    }
    stage.world().take_events().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn no_more_than_half_of_the_sessions_go_for_tags_however_that_is_told() {
    for by_events in [true, false] {
        let (stage, instances) = mirrored(&[], 40).await;
        let events = untag_all(&stage, &instances);
        let invocation = if by_events { stage.batch(&events).await.1 } else { stage.sweep().await };
        assert_eq!(left(&stage, &instances), 20, "by events: {by_events}");
        let errors = said(&invocation.log, "ERROR");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(
            errors[0].contains("MIRROR_DELETION_LIMIT: 20 sessions stay")
                && errors[0].contains(r#"{"sweep":true,"unlimited":true}"#),
            "{errors:?}"
        );
        assert_eq!(summary_line(&invocation)["held_back"], 20);
        // The hour counts, not the invocation.
        stage.sweep().await;
        assert_eq!(left(&stage, &instances), 20);
        stage.invoke(&json!({"sweep": true, "unlimited": true})).await;
        assert_eq!(left(&stage, &instances), 0);
    }
}

#[tokio::test]
async fn a_new_process_counts_the_sessions_before_it_deletes_many_of_them() {
    let (mut stage, instances) = mirrored(&[], 40).await;
    let events = untag_all(&stage, &instances[..30]);
    // Another execution environment, which has swept nothing yet.
    stage.deployment.add_worker(&[]).await.unwrap();
    stage.deployment.workers.remove(0);
    stage.batch(&events).await;
    assert_eq!(left(&stage, &instances), 20);
}

#[tokio::test]
async fn a_few_deletions_and_those_of_machines_that_are_off_are_never_held_back() {
    let (stage, instances) = mirrored(&[("MIRROR_DELETION_LIMIT", "1")], 30).await;
    untag_all(&stage, &instances[..9]);
    stage.world().stop_instances(&user(), &instances[9..20]).unwrap();
    stage.let_run();
    let invocation = stage.sweep().await;
    assert_eq!(left(&stage, &instances), 10, "{:#?}", invocation.log);
    assert_eq!(summary_line(&invocation)["held_back"], 0);
    untag_all(&stage, &instances[20..]);
    stage.sweep().await;
    assert_eq!(left(&stage, &instances), 9, "ten in an hour");
}

#[tokio::test]
async fn a_mistyped_value_ends_no_more_than_half_of_the_coverage() {
    let (mut stage, instances) = mirrored(&[], 40).await;
    stage.deployment.add_worker(&[("MIRROR_TAG_VALUE", "Treu")]).await.unwrap();
    stage.deployment.workers.remove(0);
    let invocation = stage.sweep().await;
    stage.sweep().await;
    assert_eq!(left(&stage, &instances), 20, "{:#?}", invocation.log);
}

#[tokio::test]
async fn an_interface_that_is_changed_again_and_again_is_left_alone() {
    let (mut stage, instances) = mirrored(&[], 1).await;
    let instance = &instances[0];
    // The first change was its creation.
    for change in 2..=8 {
        if change % 2 == 0 {
            stage.untag(instance, "Mirror");
        } else {
            stage.tag(instance, &[("Mirror", "True")]);
        }
        let deliveries = stage.settle().await;
        let errors = said(&crate::stage::whole_log(&deliveries), "ERROR");
        // After the fourth change there is none, so every other time nothing is to be done.
        let is_held = change > 4 && change % 2 == 1;
        assert_eq!(errors.is_empty(), !is_held, "change {change}: {errors:?}");
        assert!(errors.iter().all(|line| line.contains("changed more than three times")));
    }
    assert_eq!(stage.sessions(instance), [], "it stays as it was after the fourth change");
    // It holds nobody else up.
    let other = stage.launch(&tagged());
    stage.settle().await;
    stage.session(&other);
}

#[tokio::test]
async fn somebody_who_undoes_each_change_does_not_keep_automirror_busy_for_ever() {
    let (mut stage, instances) = mirrored(&[], 1).await;
    let instance = &instances[0];
    for _ in 0..6 {
        for session in stage.sessions(instance) {
            stage.world().delete_session(&user(), &session.id).unwrap();
        }
        stage.settle().await;
    }
    let creates = stage.take_calls();
    let creates = creates.iter().filter(|call| call.action == "CreateTrafficMirrorSession");
    assert_eq!(creates.count(), 4);
}

#[tokio::test]
async fn two_stacks_with_one_owner_leave_each_others_sessions_alone_and_say_so() {
    let (mut stage, instances) = mirrored(&[("MIRROR_INSTALLATION", "blue")], 3).await;
    let sessions: Vec<_> = instances.iter().map(|instance| stage.session(instance)).collect();
    assert!(sessions.iter().all(|it| it.tags["Installation"] == "blue"));
    // The other one would have another packet length, and deletes what has another tag.
    for settings in [
        [("MIRROR_INSTALLATION", "green"), ("MIRROR_PACKET_LENGTH", "128")],
        [("MIRROR_INSTALLATION", "green"), ("MIRROR_TAG_KEY", "Watch")],
    ] {
        stage.deployment.add_worker(&settings).await.unwrap();
        stage.deployment.workers.remove(0);
        let invocation = stage.sweep().await;
        let now: Vec<_> = instances.iter().map(|instance| stage.session(instance)).collect();
        assert_eq!(now, sessions);
        let errors = said(&invocation.log, "ERROR");
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[0].contains("is of installation `blue`"), "{errors:?}");
        assert_eq!(said(&stage.sweep().await.log, "ERROR"), Vec::<String>::new(), "said once");
        let removed = stage.invoke(&json!({"remove": true})).await;
        assert_eq!(summary(&removed)["deleted"], 0);
    }
}

#[tokio::test]
async fn a_session_without_the_name_of_an_installation_is_ours() {
    let stage = Stage::new(&[("MIRROR_INSTALLATION", "blue")]).await;
    let instance = stage.launch(&machine(&[]));
    let request = CreateSession {
        interface: stage.interface(&instance),
        target: stage.target.clone(),
        filter: stage.filter.clone(),
        number: Some(1),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap();
    stage.let_run();
    stage.sweep().await;
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn removal_deletes_every_owned_session_whatever_the_settings_say_and_no_other() {
    let (mut stage, instances) = mirrored(&[], 25).await;
    let bystander = stage.launch(&machine(&[]));
    stage.let_run();
    let foreign = stage.foreign(&stage.interface(&bystander), 1, &stage.target);
    // Its settings are broken, it may only look, and it may delete one percent.
    stage
        .deployment
        .add_worker(&[
            ("MIRROR_TARGET_IDS", "tmt-0123456789abcdef0"),
            ("MIRROR_DELETION_LIMIT", "1"),
            ("MIRROR_VPC_IDS", "vpc-0123456789abcdef0"),
        ])
        .await
        .unwrap();
    stage.deployment.workers.remove(0);
    let look = stage.invoke(&json!({"remove": true, "detect": true})).await;
    assert_eq!(summary(&look)["withheld"], 25);
    assert_eq!(left(&stage, &instances), 25);
    let invocation = stage.invoke(&json!({"remove": true})).await;
    let Answer::Response(answer) = &invocation.answer else { panic!("{invocation:?}") };
    assert_eq!((&answer["summary"]["deleted"], &answer["left"]), (&json!(25), &json!(0)));
    assert_eq!(left(&stage, &instances), 0);
    assert_eq!(stage.session(&bystander), foreign);
    let steps = answer["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["reason"] == "removed" && step["outcome"] == "done"));
}

#[tokio::test]
async fn a_removal_says_what_is_left_when_something_goes_wrong() {
    use local_cloud::cloud::fault::{Fault, Kind};
    let (stage, instances) = mirrored(&[], 5).await;
    stage.fault(Fault { skip: 3, ..Fault::new("DeleteTrafficMirrorSession", Kind::Throttle) });
    let invocation = stage.invoke(&json!({"remove": true})).await;
    let Answer::Response(answer) = &invocation.answer else { panic!("{invocation:?}") };
    assert_eq!(answer["left"], Value::from(left(&stage, &instances)));
    assert_ne!(answer["left"], 0);
    stage.recover();
    let Answer::Response(answer) = stage.invoke(&json!({"remove": true})).await.answer else {
        panic!()
    };
    assert_eq!(answer["left"], 0);
    assert_eq!(left(&stage, &instances), 0);
}

#[tokio::test]
async fn there_is_no_limit_where_the_operator_says_so() {
    let (stage, instances) = mirrored(&[("MIRROR_DELETION_LIMIT", "100")], 30).await;
    untag_all(&stage, &instances);
    stage.sweep().await;
    assert_eq!(left(&stage, &instances), 0);
}
