//! What a function reads before its first event, and what its cache keeps from one event to the next.

use std::time::Duration;

use local_cloud::{
    cloud::fault::{Fault, Kind},
    deployment::worker,
};
use serde_json::json;
use tokio::time::timeout;

use crate::stage::{Stage, count, full_filter, load_balancer, stage, summary, tagged, user};

const CREATE: &str = "CreateTrafficMirrorSession";
const TARGETS: &str = "DescribeTrafficMirrorTargets";
const FILTERS: &str = "DescribeTrafficMirrorFilters";

impl Stage {
    /// Starts a new execution environment, which reads targets and filters as they are now.
    async fn restart(&mut self) {
        self.deployment.workers = vec![worker(&self.deployment.cloud, &[]).await.unwrap()];
    }

    /// Launches a tagged instance, has automirror reconcile it, and returns the calls of that.
    async fn mirror_one(&self) -> (String, Vec<String>) {
        let instance = self.launch(&tagged());
        self.let_run();
        self.take_calls();
        summary(&self.invoke(&json!({"instances": [instance]})).await);
        let calls = self.take_calls().into_iter().map(|call| call.action).collect();
        (instance, calls)
    }
}

#[tokio::test]
async fn targets_and_filters_are_read_before_the_first_event() {
    let mut stage = stage().await;
    stage.restart().await;
    let calls = stage.take_calls();
    assert_eq!((calls.len(), count(&calls, TARGETS), count(&calls, FILTERS)), (2, 1, 1));
    let (instance, calls) = stage.mirror_one().await;
    assert_eq!(calls, ["DescribeInstances", "DescribeTrafficMirrorSessions", CREATE]);
    stage.session(&instance);
}

#[tokio::test]
async fn the_first_event_needs_no_second_connection() {
    let mut stage = stage().await;
    let before = stage.deployment.cloud.connections();
    stage.restart().await;
    assert_eq!(stage.deployment.cloud.connections() - before, 1);
    stage.mirror_one().await;
    assert_eq!(stage.deployment.cloud.connections() - before, 1);
}

#[tokio::test]
async fn a_function_whose_warm_up_fails_works_all_the_same() {
    let mut stage = stage().await;
    stage.fault(Fault::new(
        TARGETS,
        Kind::Refuse {
            code: "UnauthorizedOperation".to_owned(),
            message: "You are not authorized to perform this operation.".to_owned(),
            status: 403,
        },
    ));
    stage.restart().await;
    stage.recover();
    let (instance, calls) = stage.mirror_one().await;
    assert!(calls.iter().any(|call| call == TARGETS), "{calls:?}");
    stage.session(&instance);
}

#[tokio::test]
async fn a_new_target_and_filter_are_found_though_the_others_are_cached() {
    let mut stage = stage().await;
    stage.restart().await;
    let (target, filter) = {
        let mut world = stage.world();
        (load_balancer(&mut world, &user()), full_filter(&mut world))
    };
    let instance = stage.launch(&tagged());
    stage.tag(&instance, &[("Mirror-Target", &target), ("Mirror-Filter", &filter)]);
    stage.settle().await;
    let session = stage.session(&instance);
    assert_eq!((session.target, session.filter), (target, filter));
}

#[tokio::test]
async fn a_cached_target_that_is_gone_is_not_tried_twice() {
    let mut stage = stage().await;
    stage.restart().await;
    let other = {
        let mut world = stage.world();
        world.delete_target(&user(), &stage.target).unwrap();
        load_balancer(&mut world, &user())
    };
    let instance = stage.launch(&tagged());
    stage.settle().await;
    assert_eq!(stage.session(&instance).target, other);
    let calls = stage.take_calls();
    let refused = calls.iter().filter(|call| call.action == CREATE).count() - count(&calls, CREATE);
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn two_rounds_of_reading_come_before_a_create_even_where_targets_must_be_counted() {
    let mut stage = stage().await;
    stage.drop_load_balancer();
    let sensors = [stage.sensor("us-east-1a"), stage.sensor("us-east-1b")];
    stage.restart().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.fault(Fault::new("*", Kind::Hold));
    let call = json!({"instances": [instance]});
    let work = stage.invoke(&call);
    let faults = stage.deployment.cloud.faults();
    let rounds = async {
        // Instances; sessions on the interface and on the targets, instances behind the targets; create.
        for calls in [1, 3, 1] {
            faults.held(calls).await;
            faults.release();
        }
    };
    let both = async { tokio::join!(work, rounds) };
    // The timeout ends the test if a fourth round waits for a release.
    let (invocation, ()) = timeout(Duration::from_secs(50), both).await.expect("three rounds");
    assert_eq!(summary(&invocation)["created"], 1);
    assert!(sensors.contains(&stage.session(&instance).target));
}
