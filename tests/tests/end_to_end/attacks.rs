//! What somebody tried who wanted this build to lie, to delete or to stand still: lists that leave out the
//! sensor, ids that EC2 does not like, dead targets by the dozen.

use local_cloud::{
    aws::{
        config::{Compliance, ResourceKey},
        ec2::{CreateInterface, CreateSession, Endpoint, RunInstances, Tags},
    },
    cloud::fault::{Fault, Kind},
    deployment::worker,
};
use serde_json::json;

use crate::stage::{Stage, count, load_balancer, machine, running, stage, tagged, tags, user};

use Compliance::{Compliant, NonCompliant};

const CREATE: &str = "CreateTrafficMirrorSession";
const DELETE: &str = "DeleteTrafficMirrorSession";

async fn ruled() -> Stage {
    let mut stage = stage().await;
    stage.deployment.add_rule(&[], &[]).await.unwrap();
    stage.deployment.cloud.clear_calls();
    stage
}

impl Stage {
    /// What AWS Config holds of an instance.
    fn held(&self, instance: &str) -> (Compliance, String) {
        let rule = self.deployment.rule.as_ref().unwrap();
        let key = ResourceKey::instance(instance);
        let verdict = rule.verdict(&self.deployment.cloud, &key).unwrap();
        (verdict.compliance, verdict.annotation.unwrap_or_default())
    }

    #[track_caller]
    fn is_red(&self, instance: &str, what: &str) {
        let (said, why) = self.held(instance);
        assert_eq!(said, NonCompliant, "{what}: {why}");
    }

    fn stop_sensor(&self, target: &str, terminate: bool) {
        let endpoint = self.world().target(target).unwrap().endpoint.clone();
        let Endpoint::Interface(interface) = endpoint else { panic!("it is an interface") };
        let mut world = self.world();
        let sensor = world.interface(&interface).unwrap().instance().unwrap().to_owned();
        if terminate {
            world.terminate_instances(&user(), &[sensor]).unwrap();
        } else {
            world.stop_instances(&user(), &[sensor]).unwrap();
        }
        drop(world);
        self.let_run();
    }

    /// A target whose interface is deleted at once.
    fn dead_target(&self) -> String {
        let mut world = self.world();
        let interface = world.create_interface(&user(), &CreateInterface::default()).unwrap();
        let endpoint = Endpoint::Interface(interface.clone());
        let target = world.create_target(&user(), endpoint, None, Tags::new()).unwrap();
        world.delete_interface(&user(), &interface).unwrap();
        target
    }
}

/// One instance, mirrored to an interface target whose instance is stopped, and AWS Config knows.
async fn on_stopped_sensor() -> (Stage, String) {
    let mut stage = ruled().await;
    stage.drop_load_balancer();
    let target = stage.sensor("us-east-1a");
    let instance = stage.launch(&tagged());
    stage.let_run();
    let request = CreateSession {
        interface: stage.interface(&instance),
        target: target.clone(),
        filter: stage.filter.clone(),
        number: Some(1),
        tags: tags(&[("ManagedBy", "automirror")]),
        ..CreateSession::default()
    };
    stage.world().create_session(&user(), &request).unwrap();
    stage.stop_sensor(&target, false);
    stage.deployment.schedule_rule().await.unwrap();
    stage.is_red(&instance, "before");
    (stage, instance)
}

#[tokio::test]
async fn no_list_that_leaves_something_out_turns_a_stopped_sensor_green() {
    let all = Kind::OmitRows { per_mille: 1000 };
    let second = |kind: &Kind| Fault {
        skip: 1,
        hits: Some(1),
        ..Fault::new("DescribeInstances", kind.clone())
    };
    let unreadable = Kind::Unreadable { per_mille: 1000 };
    let cases: [(&str, Vec<Fault>); 4] = [
        ("tags", vec![Fault::new("DescribeInstances", Kind::OmitTags)]),
        ("the target", vec![Fault::new("DescribeTrafficMirrorTargets", all.clone())]),
        ("the sensor", vec![second(&all)]),
        (
            "the sensor, and its interface cannot be read",
            vec![second(&all), Fault::new("DescribeNetworkInterfaces", unreadable)],
        ),
    ];
    for (what, faults) in cases {
        let (mut stage, instance) = on_stopped_sensor().await;
        for fault in faults {
            stage.fault(fault);
        }
        stage.deployment.schedule_rule().await.unwrap();
        stage.is_red(&instance, what);
        stage.tag(&instance, &[("Other", "x")]);
        stage.deployment.evaluate().await;
        stage.is_red(&instance, what);
    }
}

#[tokio::test]
async fn a_target_that_was_found_dead_gets_no_session_after_its_list_is_read_again() {
    for is_other_full in [false, true] {
        let stage = stage().await;
        stage.drop_load_balancer();
        let dead = stage.sensor("us-east-1a");
        if is_other_full {
            let full = stage.sensor("us-east-1a");
            let others = stage.launch_many(&RunInstances { count: 10, ..machine(&[]) });
            stage.let_run();
            for other in &others {
                stage.foreign(&stage.interface(other), 1, &full);
            }
        }
        stage.stop_sensor(&dead, true);
        let instance = stage.launch(&tagged());
        stage.let_run();
        let warm = worker(&stage.deployment.cloud, &[]).await.unwrap();
        warm.invoke(running(&instance).as_bytes()).await.unwrap();
        assert_eq!(stage.sessions(&instance), [], "another is full: {is_other_full}");
    }
}

#[tokio::test]
async fn dead_targets_cost_an_event_a_few_calls_however_many_they_are() {
    let mut costs = Vec::new();
    for targets in [10, 150] {
        let stage = stage().await;
        for _ in 0..targets {
            stage.dead_target();
        }
        let instance = stage.launch(&tagged());
        stage.let_run();
        let warm = worker(&stage.deployment.cloud, &[]).await.unwrap();
        stage.deployment.cloud.clear_calls();
        warm.invoke(running(&instance).as_bytes()).await.unwrap();
        assert_eq!(stage.session(&instance).target, stage.target);
        costs.push(stage.deployment.cloud.calls().len());
    }
    assert!(costs.iter().all(|cost| *cost <= 20), "{costs:?}");
}

#[tokio::test]
async fn tags_that_name_what_does_not_exist_cost_a_sweep_few_calls() {
    let stage = stage().await;
    for n in 0..150 {
        let list = ["a", "b", "c"].map(|it| format!("tmt-0000000000000{it}{n:03}")).join(",");
        stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", &list)]));
    }
    stage.let_run();
    stage.sweep().await;
    let calls = stage.take_calls();
    assert!(calls.len() <= 60, "{}", calls.len());
}

#[tokio::test]
async fn an_id_that_ec2_does_not_like_stops_nobody_else() {
    for code in [
        "InvalidTrafficMirrorTargetId.NotFound",
        "InvalidTrafficMirrorTargetNoFound",
        "InvalidTrafficMirrorTargetId.Malformed",
        "InvalidParameterValue",
    ] {
        let stage = stage().await;
        let honest = stage.launch(&tagged());
        stage.launch(&machine(&[("Mirror", "True"), ("Mirror-Target", "tmt-1")]));
        stage.let_run();
        let refuse = Kind::Refuse { code: code.to_owned(), message: "no".to_owned(), status: 400 };
        // The list is answered, the question about the id is refused.
        stage.fault(Fault { skip: 1, ..Fault::new("DescribeTrafficMirrorTargets", refuse) });
        stage.sweep().await;
        assert_eq!(stage.sessions(&honest).len(), 1, "{code}");
    }
}

#[tokio::test]
async fn an_instance_that_one_answer_shows_without_its_interface_keeps_its_verdict() {
    let mut stage = ruled().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    stage.deployment.schedule_rule().await.unwrap();
    stage.is_red(&instance, "unmirrored");
    stage.freeze_without_interfaces(&instance);
    stage.fault(Fault::new("DescribeInstances", Kind::StaleRead));
    stage.deployment.schedule_rule().await.unwrap();
    stage.is_red(&instance, "without its interface");
}

#[tokio::test]
async fn a_tag_on_a_target_moves_sessions_in_sweeps_only_and_fifty_at_a_time() {
    let stage = stage().await;
    let old = stage.target.clone();
    let instances = stage.launch_many(&RunInstances { count: 120, ..tagged() });
    stage.let_run();
    stage.sweep().await;
    let other = load_balancer(&mut stage.world(), &user());
    let drain = tags(&[("Mirror-Drain", "True")]);
    stage.world().create_tags(&user(), std::slice::from_ref(&old), &drain).unwrap();
    let both = format!("{old},{other}");
    let function = worker(&stage.deployment.cloud, &[("MIRROR_TARGET_IDS", &both)]).await.unwrap();
    let moved =
        || instances.iter().filter(|instance| stage.session(instance).target == other).count();
    for part in instances.chunks(50) {
        let call = json!({"instances": part}).to_string();
        function.invoke(call.as_bytes()).await.unwrap();
    }
    assert_eq!(moved(), 0);
    for expected in [50, 100, 120] {
        function.invoke(br#"{"sweep":true}"#).await.unwrap();
        assert_eq!(moved(), expected);
    }
}

#[tokio::test]
async fn a_foreign_session_in_front_to_a_dead_target_is_red() {
    let mut stage = ruled().await;
    let instance = stage.launch(&tagged());
    stage.let_run();
    let dead = stage.dead_target();
    stage.foreign(&stage.interface(&instance), 1, &dead);
    stage.sweep().await;
    stage.deployment.schedule_rule().await.unwrap();
    stage.is_red(&instance, "in front");
    let good = stage.launch(&tagged());
    stage.let_run();
    stage.foreign(&stage.interface(&good), 1, &stage.target);
    stage.deployment.schedule_rule().await.unwrap();
    assert_eq!(stage.held(&good).0, Compliant);
}

#[tokio::test]
async fn two_witnesses_that_contradict_each_other_delete_nothing() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.tag(&instance, &[("Mirror", "False")]);
    stage.world().freeze();
    stage.tag(&instance, &[("Mirror", "True")]);
    stage.lose_events();
    stage.deployment.cloud.clear_calls();
    stage.fault(Fault::new("DescribeTags", Kind::StaleRead));
    let drifted =
        worker(&stage.deployment.cloud, &[("MIRROR_PACKET_LENGTH", "200")]).await.unwrap();
    drifted.invoke(br#"{"sweep":true}"#).await.unwrap();
    let calls = stage.deployment.cloud.calls();
    assert_eq!([count(&calls, DELETE), count(&calls, CREATE)], [0, 0]);
    stage.session(&instance);
    stage.recover();
    drifted.invoke(br#"{"sweep":true}"#).await.unwrap();
    assert_eq!(stage.session(&instance).packet_length, Some(200));
}

#[tokio::test]
async fn tags_that_cannot_be_read_are_not_absent() {
    let mut stage = stage().await;
    let instance = stage.launch(&tagged());
    stage.settle().await;
    stage.fault(Fault::new("DescribeInstances", Kind::OmitTags));
    stage.fault(Fault::new("DescribeTags", Kind::Unreadable { per_mille: 1000 }));
    stage.sweep().await;
    stage.session(&instance);
}
