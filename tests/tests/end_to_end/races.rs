//! EC2 shows outdated state, and others make changes at the same moment: no instance stays unmirrored for it.

use local_cloud::{
    aws::ec2::{Caller, CreateInterface, Endpoint, Managed, RunInstances, Tags},
    aws::sqs::Queue,
    cloud::fault::{Fault, Kind},
    lambda::LogLine,
};
use serde_json::json;

use crate::stage::{
    Stage, load_balancer, machine, other_account, running, said, schedule, stage, state, steps,
    summary, summary_line, tagged, target_full, user, whole_log,
};

const CREATE: &str = "CreateTrafficMirrorSession";

/// Lets the first worker do `payload` until it waits at a call, then does the rest with the second.
async fn interleaved(stage: &Stage, payload: &str, meanwhile: impl FnOnce()) {
    let [first, second] = &stage.deployment.workers[..] else { panic!("two workers") };
    let rest = async {
        stage.deployment.cloud.faults().held(1).await;
        meanwhile();
        let events = stage.world().take_events();
        for event in &events {
            second.invoke(event.to_string().as_bytes()).await.unwrap();
        }
        stage.deployment.cloud.faults().release();
    };
    let (outcome, ()) = tokio::join!(first.invoke(payload.as_bytes()), rest);
    outcome.unwrap();
}

#[tokio::test]
async fn a_session_that_an_older_read_deletes_is_recreated() {
    let mut stage = stage().await;
    stage.deployment.add_worker(&[]).await.unwrap();
    let instance = stage.launch(&machine(&[]));
    stage.let_run();
    stage.fault(Fault::once("DescribeTrafficMirrorSessions", Kind::Hold));
    let tag = || {
        stage.tag(&instance, &[("Mirror", "True")]);
    };
    interleaved(&stage, &json!({"instances": [instance]}).to_string(), tag).await;
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_session_that_the_read_after_a_deletion_deletes_is_recreated() {
    let mut stage = stage().await;
    stage.deployment.add_worker(&[]).await.unwrap();
    stage.world().token_outlives_session = false;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.untag(&instance, "Mirror");
    let untagged = stage.world().take_events().remove(0).to_string();
    let second_read = Fault::once("DescribeTrafficMirrorSessions", Kind::Hold);
    stage.fault(Fault { skip: 1, ..second_read });
    let tag = || {
        stage.tag(&instance, &[("Mirror", "True")]);
    };
    interleaved(&stage, &untagged, tag).await;
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_free_interface_that_is_attached_while_a_sweep_cleans_up_on_it_is_mirrored() {
    let mut stage = stage().await;
    stage.deployment.add_worker(&[]).await.unwrap();
    stage.world().token_outlives_session = false;
    let [before, after] = [stage.launch(&tagged()), stage.launch(&tagged())];
    stage.let_run();
    let interface = stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    let attachment = stage.world().attach_interface(&user(), &interface, &before, 1).unwrap();
    stage.settle().await;
    stage.world().detach_interface(&user(), &attachment).unwrap();
    stage.lose_events();
    stage.fault(Fault::once("DeleteTrafficMirrorSession", Kind::Hold));
    let attach = || {
        stage.world().attach_interface(&user(), &interface, &after, 1).unwrap();
    };
    interleaved(&stage, &json!({"sweep": true}).to_string(), attach).await;
    assert_eq!(stage.sessions_on(&interface).len(), 1);
}

#[tokio::test]
async fn a_session_that_was_just_deleted_counts_as_gone_though_ec2_still_shows_it() {
    let mut stage = stage().await;
    stage.world().token_outlives_session = false;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let deleted = stage.session(&instance).id;
    stage.untag(&instance, "Mirror");
    let untagged = stage.world().take_events().remove(0);
    // The read after the deletion shows the tag again, and still the session.
    stage.world().freeze();
    let lagging = Fault::once("DescribeTrafficMirrorSessions", Kind::StaleRead);
    stage.fault(Fault { skip: 1, ..lagging });
    let held = Fault::once("DescribeInstances", Kind::Hold);
    stage.fault(Fault { skip: 1, ..held });
    let faults = stage.deployment.cloud.faults();
    let meanwhile = async {
        faults.held(1).await;
        stage.tag(&instance, &[("Mirror", "True")]);
        stage.lose_events();
        faults.release();
    };
    tokio::join!(stage.invoke(&untagged), meanwhile);
    assert_ne!(stage.session(&instance).id, deleted);
}

#[tokio::test]
async fn a_session_that_an_event_says_is_deleted_counts_as_gone_though_ec2_still_shows_it() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let deleted = stage.session(&instance).id;
    stage.world().freeze();
    stage.world().delete_session(&user(), &deleted).unwrap();
    stage.fault(Fault::new("DescribeTrafficMirrorSessions", Kind::StaleRead));
    stage.settle().await;
    assert_ne!(stage.session(&instance).id, deleted);
}

#[tokio::test]
async fn a_running_instance_that_is_shown_as_stopped_is_waited_for() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.world().stop_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
    stage.world().freeze();
    stage.world().start_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.world().tick();
    let running = stage.world().take_events().pop().unwrap();
    assert_eq!(running["detail"]["state"], "running");
    stage.fault(Fault::once("DescribeInstances", Kind::StaleRead));
    let (again, _) = stage.batch(&[running.to_string()]).await;
    assert_eq!(again, [""; 0], "it was looked at again in the same invocation");
    stage.session(&instance);
}

#[tokio::test]
async fn an_instance_that_starts_while_a_sweep_cleans_up_after_it_is_mirrored() {
    let mut stage = stage().await;
    stage.deployment.add_worker(&[]).await.unwrap();
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let ids = [instance.clone()];
    stage.world().stop_instances(&user(), &ids).unwrap();
    stage.let_run();
    stage.fault(Fault::once("DeleteTrafficMirrorSession", Kind::Hold));
    let start = || {
        let mut world = stage.world();
        world.start_instances(&user(), &ids).unwrap();
        world.tick();
    };
    interleaved(&stage, r#"{"sweep":true}"#, start).await;
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn an_instance_shown_without_its_interfaces_is_waited_for() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.lose_events();
    stage.freeze_without_interfaces(&instance);
    stage.world().tick();
    stage.fault(Fault::once("DescribeInstances", Kind::StaleRead));
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_running_instance_that_is_shown_as_pending_and_refused_is_tried_again() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.lose_events();
    stage.world().freeze();
    stage.world().tick();
    stage.fault(Fault::once("DescribeInstances", Kind::StaleRead));
    let refused = Kind::Refuse {
        code: "NetworkInterfaceNotSupported".to_owned(),
        message: "it must be attached to a supported instance".to_owned(),
        status: 400,
    };
    stage.fault(Fault::once(CREATE, refused));
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn an_old_event_about_an_unknown_instance_is_not_retried() {
    let stage = stage().await;
    let mut event: serde_json::Value =
        serde_json::from_str(&state("i-0123456789abcdef0", "running")).unwrap();
    event["time"] = json!("2020-01-01T00:00:00Z");
    let (again, _) = stage.batch(&[event.to_string()]).await;
    assert_eq!(again, Vec::<String>::new());
}

#[tokio::test]
async fn what_only_the_next_read_can_explain_is_tried_three_times_and_left_to_the_sweep() {
    for code in ["TrafficMirrorSessionNumberInUse", "InvalidTrafficMirrorTargetId.NotFound"] {
        let mut stage = stage().await;
        let kind =
            Kind::Refuse { code: code.to_owned(), message: "because".to_owned(), status: 400 };
        stage.fault(Fault::new(CREATE, kind));
        let instance = stage.launch(&tagged());
        stage.world().tick();
        stage.settle().await;
        assert!(stage.deployment.queue.dead_letters().is_empty(), "{code}");
        let creates = stage.take_calls().into_iter().filter(|call| call.action == CREATE);
        assert_eq!(creates.count(), 3, "{code}");
        stage.recover();
        stage.sweep().await;
        stage.session(&instance);
    }
}

#[tokio::test]
async fn lasting_throttling_ends_in_the_dead_letter_queue() {
    let mut stage = stage().await;
    // Each delivery waits for EC2 as long as it may.
    stage.deployment.queue = Queue::default().with_max_receive_count(2);
    stage.fault(Fault::new(CREATE, Kind::Throttle));
    stage.launch(&tagged());
    stage.deployment.settle().await;
    assert!(!stage.deployment.queue.dead_letters().is_empty());
}

#[tokio::test]
async fn a_sweep_that_makes_progress_is_no_dead_letter() {
    let mut stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 12, ..tagged() });
    stage.let_run();
    stage.deployment.queue.push_event(&schedule());
    for _ in 0..4 {
        stage.fault(Fault { skip: 2, ..Fault::new(CREATE, Kind::Throttle) });
        stage.deployment.deliver().await;
        stage.recover();
        stage.lose_events();
    }
    assert!(stage.deployment.queue.is_empty());
    assert!(stage.deployment.queue.dead_letters().is_empty());
    let mirrored = instances.iter().filter(|id| !stage.sessions(id).is_empty()).count();
    assert_eq!(mirrored, 6, "two at each of three deliveries");
}

#[tokio::test]
async fn a_large_sensor_is_filled_past_ten_by_a_sweep() {
    let mut stage = stage().await;
    let big =
        stage.launch(&RunInstances { instance_type: "m5.24xlarge".to_owned(), ..machine(&[]) });
    let endpoint = Endpoint::Interface(stage.interface(&big));
    stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap();
    stage.drop_load_balancer();
    stage.launch_many(&RunInstances { count: 10, ..tagged() });
    stage.settle().await;
    let more = stage.launch(&tagged());
    stage.let_run();
    stage.sweep().await;
    stage.session(&more);
}

#[tokio::test]
async fn of_two_moves_in_one_batch_one_may_need_the_room_the_other_leaves() {
    let mut stage = stage().await;
    let sensor = stage.sensor("us-east-1a");
    let balancer = stage.target.clone();
    let request =
        RunInstances { count: 12, ..machine(&[("Mirror", "True"), ("Mirror-Target", &balancer)]) };
    let mut instances = stage.launch_many(&request);
    stage.settle().await;
    instances.sort();
    for instance in &instances[2..] {
        stage.tag(instance, &[("Mirror-Target", &sensor)]);
    }
    stage.settle().await;
    // The smallest id comes first and finds the sensor full until the last one has left.
    stage.tag(&instances[11], &[("Mirror-Target", &balancer)]);
    stage.tag(&instances[0], &[("Mirror-Target", &sensor)]);
    let log = whole_log(&stage.settle().await);
    assert_eq!(stage.session(&instances[11]).target, balancer);
    assert_eq!(stage.session(&instances[0]).target, sensor, "{:?}", steps(&log));
}

#[tokio::test]
async fn a_session_to_a_target_that_is_no_longer_shared_is_left_alone() {
    let mut stage = Stage::new(&[("MIRROR_TARGET_OWNERS", "999999999999")]).await;
    stage.drop_load_balancer();
    let target = load_balancer(&mut stage.world(), &other_account());
    stage.world().share_target(&target, "111122223333");
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.world().unshare_target(&target);
    let answer = summary(&stage.sweep().await);
    assert_eq!((&answer["modified"], &answer["deleted"]), (&0.into(), &0.into()));
    stage.session(&instance);
}

#[tokio::test]
async fn three_thousand_unattached_interfaces_cost_pages_not_thousands_of_calls() {
    let stage = stage().await;
    for _ in 0..3000 {
        stage.world().create_interface(&user(), &CreateInterface::default()).unwrap();
    }
    let instance = stage.launch(&machine(&[]));
    stage.let_run();
    stage.batch(&[state(&instance, "terminated")]).await;
    let calls = stage.take_calls();
    assert!(calls.len() < 25, "{}", calls.len());
}

#[tokio::test]
async fn more_instances_than_fit_into_one_request_are_read_in_several() {
    let stage = Stage::new(&[("MIRROR_MODE", "detect")]).await;
    let instances = stage.launch_many(&RunInstances { count: 450, ..tagged() });
    stage.let_run();
    let running: Vec<_> = instances.iter().map(|instance| running(instance)).collect();
    let (again, invocation) = stage.batch(&running).await;
    assert_eq!(again, [""; 0]);
    assert_eq!(summary_line(&invocation)["withheld"], 450);
}

#[tokio::test]
async fn instances_a_service_manages_are_mirrored_too_where_ec2_hides_them() {
    let stage = stage().await;
    stage.world().managed = Managed::Hidden;
    let operator = Some("eks.amazonaws.com".to_owned());
    let instance = stage.launch(&RunInstances { operator, ..tagged() });
    stage.let_run();
    stage.sweep().await;
    stage.session(&instance);
}

#[tokio::test]
async fn a_failed_clean_up_after_a_terminated_instance_is_retried() {
    let mut stage = stage().await;
    let kept = local_cloud::aws::ec2::LaunchInterface {
        delete_on_termination: Some(false),
        ..Default::default()
    };
    let instance = stage.launch(&RunInstances { interfaces: vec![kept], ..tagged() });
    stage.settle().await;
    let interface = stage.interface(&instance);
    stage.world().terminate_instances(&user(), std::slice::from_ref(&instance)).unwrap();
    stage.let_run();
    stage.fault(Fault::new("DeleteTrafficMirrorSession", Kind::Throttle));
    let (again, _) = stage.batch(&[state(&instance, "terminated")]).await;
    assert_eq!(again, ["m-0"]);
    stage.recover();
    stage.batch(&[state(&instance, "terminated")]).await;
    assert_eq!(stage.sessions_on(&interface), []);
}

#[tokio::test]
async fn an_obstacle_that_was_overcome_is_logged_again_when_it_is_back() {
    let stage = stage().await;
    let wrong = || [("Mirror-Target", "tmt-9")];
    let instance = stage.launch(&machine(&[("Mirror", "True"), wrong()[0]]));
    stage.let_run();
    let call = json!({"instances": [instance]});
    for expected in [1, 0] {
        assert_eq!(said(&stage.invoke(&call).await.log, "WARN").len(), expected);
    }
    stage.tag(&instance, &[("Mirror-Target", &stage.target)]);
    stage.invoke(&call).await;
    stage.tag(&instance, &wrong());
    assert_eq!(said(&stage.invoke(&call).await.log, "WARN").len(), 1);
}

#[tokio::test]
async fn a_deletion_under_automirrors_session_name_but_another_role_is_not_ignored() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    let session = stage.session(&instance);
    let impostor = Caller {
        access_key: "ASIAEXAMPLE".to_owned(),
        ..Caller::role("111122223333", "Developer", "automirror")
    };
    stage.world().delete_session(&impostor, &session.id).unwrap();
    stage.settle().await;
    stage.session(&instance);
}

#[tokio::test]
async fn no_event_can_forge_a_log_line_or_fill_the_log() {
    let stage = Stage::new(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]).await;
    let event = |detail| json!({"detail-type": "AWS API Call via CloudTrail", "source": "x", "detail": detail});
    let forged = event(json!({"eventName": "a\nERROR forged \u{1b}[31m", "errorCode": "x"}));
    let huge = event(json!("x".repeat(100_000)));
    let (_, invocation) = stage.batch(&[forged.to_string(), huge.to_string()]).await;
    for line in &invocation.log {
        let LogLine::Text(line) = line else { panic!("{line:?}") };
        assert!(!line.starts_with("ERROR") && line.len() < 1000, "{line}");
    }
}

#[tokio::test]
async fn planning_again_after_a_full_target_counts_what_was_done_and_logs_each_obstacle_once() {
    let mut stage = stage().await;
    let (second, empty) = {
        let mut world = stage.world();
        let empty = world.create_filter(&user(), None, Tags::new()).unwrap();
        (load_balancer(&mut world, &user()), empty)
    };
    let targets = format!("{},{second}", stage.target);
    let filters = format!("{empty},{}", stage.filter);
    let tags = [("Mirror", "True"), ("Mirror-Target", &targets), ("Mirror-Filter", &filters)];
    let instance = stage.launch(&machine(&tags));
    stage.fault(Fault { skip: 1, ..Fault::once(CREATE, target_full()) });
    let delivery = stage.deployment.deliver().await;
    // The two creations run side by side: either may find no room.
    assert!([&stage.target, &second].contains(&&stage.session(&instance).target));
    let creates = stage.take_calls().into_iter().filter(|call| call.action == CREATE);
    assert_eq!(creates.count(), 2, "the session that was created is not created again");
    let warned = said(delivery.batches[0].log(), "WARN");
    assert_eq!(warned.len(), 2, "{warned:#?}");
    assert!(warned.iter().any(|line| line.contains("accepts no packets")), "{warned:#?}");
    assert!(warned.iter().any(|line| line.contains("has no room")), "{warned:#?}");
}
