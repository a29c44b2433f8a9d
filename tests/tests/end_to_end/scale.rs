//! What many instances cost, in calls.

use local_cloud::world::RunInstances;

use crate::stage::{count, machine, returned, stage, tagged};

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
async fn ten_untagged_instances_in_a_batch_take_two_calls() {
    let mut stage = stage().await;
    stage.launch_many(&RunInstances { count: 10, ..machine(&[]) });
    let delivery = stage.deployment.deliver().await;
    assert_eq!(delivery.batches.len(), 1);
    let calls = stage.take_calls();
    assert!(calls.len() <= 2, "{calls:?}");
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
