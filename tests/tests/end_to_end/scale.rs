//! What many instances cost, in calls.

use std::time::Duration;

use local_cloud::{
    aws::ec2::RunInstances,
    deployment::worker,
    lambda::binary::binary,
    lambda::{Answer, Function, FunctionOptions},
};
use serde_json::json;

use crate::stage::{Stage, count, machine, returned, said, schedule, stage, summary, tagged};

#[tokio::test]
async fn five_hundred_launched_at_once_take_a_create_each_and_twenty_reads() {
    let mut stage = stage().await;
    let instances = stage.launch_many(&RunInstances { count: 500, ..tagged() });
    let delivery = stage.deployment.deliver().await;
    let sizes: Vec<_> = delivery.batches.iter().map(|batch| batch.messages.len()).collect();
    assert_eq!(sizes, [100; 5]);
    for batch in &delivery.batches {
        assert_eq!(returned(batch.outcome.as_ref().unwrap()), Vec::<String>::new());
    }
    let calls = stage.take_calls();
    assert_eq!(count(&calls, "CreateTrafficMirrorSession"), 500);
    assert!(calls.len() <= 520, "{} calls", calls.len());
    for instance in &instances {
        stage.session(instance);
    }
}

#[tokio::test]
async fn ten_untagged_instances_that_start_take_one_call() {
    let mut stage = stage().await;
    stage.launch_many(&RunInstances { count: 10, ..machine(&[]) });
    let delivery = stage.deployment.deliver().await;
    assert_eq!(delivery.batches.len(), 1);
    let calls = stage.take_calls();
    assert_eq!((calls.len(), count(&calls, "DescribeInstances")), (1, 1), "{calls:?}");
}

#[tokio::test]
async fn an_untagged_instance_that_starts_does_not_hide_its_session_from_other_events() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.untag(&instance, "Mirror");
    // A second event that it runs comes in one batch with the event about the tag.
    let detail = json!({"instance-id": instance, "state": "running"});
    let detail_type = "EC2 Instance State-change Notification";
    let event = json!({"source": "aws.ec2", "detail-type": detail_type, "detail": detail});
    stage.deployment.queue.push_event(&event);
    stage.settle().await;
    assert_eq!(stage.sessions(&instance), []);
}

#[tokio::test]
async fn thirty_instances_spread_evenly_over_seven_sensors_in_pages_of_five() {
    let stage = stage().await;
    stage.drop_load_balancer();
    let sensors: Vec<_> = (0..7).map(|_| stage.sensor("us-east-1a")).collect();
    let instances = stage.launch_many(&RunInstances { count: 30, ..tagged() });
    stage.let_run();
    stage.world().max_page = Some(5);
    stage.sweep().await;
    let sessions: Vec<_> = instances.iter().map(|instance| stage.session(instance)).collect();
    let mut spread: Vec<_> = sensors
        .iter()
        .map(|sensor| sessions.iter().filter(|session| session.target == *sensor).count())
        .collect();
    spread.sort_unstable();
    assert_eq!(spread, [4, 4, 4, 4, 4, 5, 5]);

    stage.take_calls();
    stage.sweep().await;
    let calls = stage.take_calls();
    assert!(calls.iter().all(|call| call.action.starts_with("Describe")), "{calls:?}");
}

#[tokio::test]
async fn a_sweep_reads_no_page_of_instances_that_are_not_tagged() {
    let stage = stage().await;
    stage.launch_many(&RunInstances { count: 2_000, ..machine(&[]) });
    let selected: Vec<_> = ["Mirror", "mirror", "MIRROR"]
        .map(|key| stage.launch(&machine(&[(key, "true")])))
        .into_iter()
        .collect();
    // Its tag is removed, and the event is lost.
    let leftover = stage.launch(&tagged());
    stage.let_run();
    assert_eq!(summary(&stage.sweep().await)["created"], 4);
    stage.untag(&leftover, "Mirror");
    stage.lose_events();
    stage.take_calls();
    let answer = summary(&stage.sweep().await);
    assert_eq!((&answer["created"], &answer["deleted"]), (&json!(0), &json!(1)));
    let calls = stage.take_calls();
    // The tagged ones, the one that has a session, and that one again after the deletion.
    assert_eq!(count(&calls, "DescribeInstances"), 3, "{calls:?}");
    for instance in &selected {
        stage.session(instance);
    }
}

#[tokio::test]
async fn a_sweep_of_twenty_thousand_selected_instances_fits_into_64_megabytes() {
    const KEYS: [&str; 8] =
        ["Name", "Owner", "Team", "Cost", "Backup", "Stage", "Service", "Repository"];
    let mut stage = stage().await;
    stage.deployment.workers[0].set_timeout(Duration::from_mins(5));
    stage.world().session_limit = 0;
    // Tags of other owners are longer than all that automirror reads of an instance.
    for instance in stage.launch_many(&RunInstances { count: 20_000, ..tagged() }) {
        let words = KEYS.map(|key| format!("the {key} of {instance} ").repeat(6));
        let words = words.iter().map(String::as_str);
        stage.tag(&instance, &KEYS.into_iter().zip(words).collect::<Vec<_>>());
    }
    stage.let_run();
    let answer = summary(&stage.sweep().await);
    let found = (&answer["created"], &answer["reasons"]);
    assert_eq!(found, (&json!(0), &json!({"not-mirrored": 20_000})));
    let peak = stage.deployment.workers[0].peak_memory().unwrap();
    assert!(peak < 64 << 20, "{peak} bytes");
}

#[tokio::test]
async fn a_sweep_in_scope_all_plans_for_what_is_selected_or_has_an_owned_session() {
    let stage = Stage::new(&[("MIRROR_SCOPE", "all")]).await;
    let selected = stage.launch(&machine(&[]));
    let leftover = stage.launch(&machine(&[]));
    stage.launch_many(&RunInstances { count: 20, ..machine(&[("Mirror", "False")]) });
    stage.let_run();
    assert_eq!(summary(&stage.sweep().await)["created"], 2);
    stage.tag(&leftover, &[("Mirror", "False")]);
    stage.lose_events();
    let answer = summary(&stage.sweep().await);
    assert_eq!(answer["reasons"], json!({"as-wanted": 1, "opted-out": 1}));
    assert_eq!(answer["deleted"], 1);
    stage.session(&selected);
    assert_eq!(stage.sessions(&leftover), []);
}

#[tokio::test]
async fn an_instance_that_is_not_selected_counts_as_read_if_an_event_beside_a_sweep_names_it() {
    for scope in ["tagged", "all"] {
        let mut stage = Stage::new(&[("MIRROR_SCOPE", scope)]).await;
        stage.launch(&machine(&[("Mirror", "False")]));
        stage.deployment.queue.push_event(&schedule());
        let delivery = stage.deployment.deliver().await;
        let invocation = delivery.batches[0].outcome.as_ref().unwrap();
        assert!(delivery.batches[0].messages.len() > 1, "in one batch");
        assert_eq!(returned(invocation), Vec::<String>::new(), "{scope}");
        assert_eq!(said(&invocation.log, "WARN"), Vec::<String>::new(), "{scope}");
    }
}

/// A worker that has time for one change in an invocation.
async fn slow_worker(stage: &Stage) -> Function {
    let mut options = FunctionOptions::new(binary("automirror"));
    options.timeout = Duration::from_secs(4);
    options.env = vec![
        ("AWS_ENDPOINT_URL_EC2".to_owned(), stage.deployment.cloud.endpoint()),
        // Of EC2's rate that leaves one change at once and one in ten seconds.
        ("MIRROR_RATE_SHARE".to_owned(), "2".to_owned()),
    ];
    Function::start(options).await.unwrap()
}

#[tokio::test]
async fn what_an_event_names_comes_before_what_only_a_sweep_finds() {
    let mut stage = stage().await;
    stage.deployment.workers = vec![slow_worker(&stage).await];
    let missed = stage.launch_many(&RunInstances { count: 5, ..tagged() });
    stage.let_run();
    stage.lose_events();
    stage.deployment.queue.push_event(&schedule());
    let named = stage.launch(&tagged());
    let delivery = stage.deployment.deliver().await;
    assert_eq!(delivery.batches.len(), 1);
    let calls = stage.take_calls();
    let mut creations = calls.iter().filter(|call| call.action == "CreateTrafficMirrorSession");
    let first = &creations.next().unwrap().parameters["NetworkInterfaceId"];
    assert_eq!(*first, stage.interface(&named));
    assert!(creations.count() < missed.len(), "nothing was put to the test");
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_says_how_much_is_left_and_the_next_one_goes_on() {
    let mut stage = stage().await;
    stage.deployment.workers = vec![slow_worker(&stage).await];
    stage.launch_many(&RunInstances { count: 5, ..tagged() });
    stage.let_run();
    let invocation = stage.sweep().await;
    let Answer::Error(error) = &invocation.answer else { panic!("{invocation:?}") };
    assert!(error.error_message.starts_with("4 steps must be retried"), "{error:?}");
    let said = said(&invocation.log, "WARN");
    assert_eq!(said, ["the time was up with 4 changes left: automirror retries them"]);
    stage.deployment.workers = vec![worker(&stage.deployment.cloud, &[]).await.unwrap()];
    assert_eq!(summary(&stage.sweep().await)["created"], 4);
}
