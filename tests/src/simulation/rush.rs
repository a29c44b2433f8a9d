use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::policy::{Policy, run::RunSettings};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{Instant, interval};

use super::process::Process;
use super::{clock, still};
use crate::aws::ec2::{Caller, RunInstances, Tags, ZONE_A};
use crate::cloud::Cloud;
use crate::cloud::call::{Call, Outcome};
use crate::cloud::fault::{Fault, Kind};
use crate::lambda::Answer;

const CREATE: &str = "CreateTrafficMirrorSession";

/// What came of it.
#[derive(Debug)]
pub struct Rush {
    pub sessions: usize,
    /// Requests that EC2 throttled.
    pub throttled: usize,
    /// Creations by another caller, one a second, and how many of them EC2 throttled.
    pub others: usize,
    pub others_throttled: usize,
    /// From the launch to the last session.
    pub time: Duration,
}

/// Has so many tagged instances mirrored by one execution environment for each share, evenly divided, while
/// another caller creates a session every second.
///
/// # Panics
/// If an execution environment answers what it should not.
pub fn rush(instances: usize, shares: &[i32]) -> Rush {
    let cloud = Arc::new(Cloud::in_process(0));
    let played = play(&cloud, instances, shares);
    let (time, others, others_throttled) = LocalSet::new().block_on(&still(0), played);
    let is_throttled = |call: &&Call| call.outcome == Outcome::Fault(Kind::Throttle);
    Rush {
        sessions: cloud.world().sessions().count(),
        throttled: cloud.calls().iter().filter(is_throttled).count(),
        others,
        others_throttled,
        time,
    }
}

/// Of so many instances whose sessions EC2 refuses to create, how many were tried after each of the sweeps.
///
/// # Panics
/// If the cloud cannot be set up.
pub fn refused(instances: usize, sweeps: u64) -> Vec<usize> {
    let cloud = Arc::new(Cloud::in_process(0));
    let played = async {
        clock::start();
        prepare(&cloud, instances);
        let code = "UnauthorizedOperation".to_owned();
        let message = "You are not authorized to perform this operation.".to_owned();
        cloud.faults().add(Fault::new(CREATE, Kind::Refuse { code, message, status: 403 }));
        let policy = Policy::parse(|_| None).expect("valid settings");
        let settings = RunSettings::parse(|_| None).expect("valid settings");
        let mut tried = Vec::new();
        for sweep in 0..sweeps {
            // Each has the whole burst.
            let process = Process::new(&cloud, &policy, settings.clone(), sweep);
            process.invoke(json!({"sweep": true}), 0).await;
            let calls = cloud.calls();
            let creations = calls.iter().filter(|call| call.action == CREATE);
            let interfaces: BTreeSet<_> =
                creations.map(|call| call.parameters["NetworkInterfaceId"].clone()).collect();
            tried.push(interfaces.len());
        }
        tried
    };
    LocalSet::new().block_on(&still(0), played)
}

/// Has `untagged` instances mirrored and takes their tags off, and launches `tagged` others. All events are
/// lost. Returns the deletions and creations of the next sweep.
///
/// # Panics
/// If an execution environment answers what it should not.
pub fn backlog(untagged: usize, tagged: usize) -> (usize, usize) {
    let cloud = Arc::new(Cloud::in_process(0));
    let played = async {
        clock::start();
        let policy = Policy::parse(|_| None).expect("valid settings");
        let unlimited = |name: &str| (name == "MIRROR_DELETION_LIMIT").then(|| "100".to_owned());
        let settings = RunSettings::parse(unlimited).expect("valid settings");
        let process = |number| Rc::new(Process::new(&cloud, &policy, settings.clone(), number));
        let ids = prepare(&cloud, untagged);
        mirror(process(0), ids.clone()).await;
        let user = Caller::default();
        let tag = [("Mirror".to_owned(), None)].into();
        cloud.world().delete_tags(&user, &ids, &tag).expect("tags");
        launch(&cloud, tagged);
        let before = cloud.calls().len();
        process(1).invoke(json!({"sweep": true}), 0).await;
        let calls = cloud.calls();
        let done = |action| {
            let calls = calls.iter().skip(before).filter(|call| call.outcome == Outcome::Done);
            calls.filter(|call| call.action == action).count()
        };
        (done("DeleteTrafficMirrorSession"), done(CREATE))
    };
    LocalSet::new().block_on(&still(0), played)
}

async fn play(cloud: &Arc<Cloud>, instances: usize, shares: &[i32]) -> (Duration, usize, usize) {
    clock::start();
    let ids = prepare(cloud, instances);
    cloud.limit_rate();
    let (mut others, mut others_throttled) = (0, 0);
    let begin = Instant::now();
    let works = shares.iter().zip(ids.chunks(instances.div_ceil(shares.len()))).enumerate();
    let works: Vec<_> = works
        .map(|(number, (share, ids))| {
            let setting = |name: &str| (name == "MIRROR_RATE_SHARE").then(|| share.to_string());
            let policy = Policy::parse(setting).expect("valid settings");
            let settings = RunSettings::parse(setting).expect("valid settings");
            let number = u64::try_from(number).expect("few processes");
            let process = Rc::new(Process::new(cloud, &policy, settings, number));
            spawn_local(mirror(process, ids.to_vec()))
        })
        .collect();
    let mut seconds = interval(Duration::from_secs(1));
    while !works.iter().all(JoinHandle::is_finished) {
        seconds.tick().await;
        others += 1;
        others_throttled += usize::from(!cloud.takes(CREATE));
    }
    (begin.elapsed(), others, others_throttled)
}

/// Hands the function the events of these instances until none comes again, as the queue would.
async fn mirror(process: Rc<Process>, mut ids: Vec<String>) {
    for invocation in 0.. {
        let records: Vec<_> = ids.iter().map(|id| running(id)).collect();
        let answer = process.invoke(json!({ "Records": records }), invocation).await;
        let Answer::Response(answer) = answer else { panic!("{answer:?}") };
        let failures = answer["batchItemFailures"].as_array().expect("a list");
        let id = |failure: &Value| failure["itemIdentifier"].as_str().map(str::to_owned);
        ids = failures.iter().filter_map(id).collect();
        if ids.is_empty() {
            return;
        }
    }
}

/// A message, with the instance's id as its own.
fn running(instance: &str) -> Value {
    let event = json!({
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "detail": {"instance-id": instance, "state": "running"},
    });
    json!({"messageId": instance, "body": event.to_string()})
}

fn prepare(cloud: &Cloud, instances: usize) -> Vec<String> {
    let (mut world, user) = (cloud.world(), Caller::default());
    world.create_balancer_target(&user, "sensor", &[ZONE_A]).expect("a target");
    world.create_filter(&user, None, Tags::new()).expect("a filter");
    drop(world);
    launch(cloud, instances)
}

fn launch(cloud: &Cloud, instances: usize) -> Vec<String> {
    let (mut world, user) = (cloud.world(), Caller::default());
    let request = RunInstances {
        count: instances,
        tags: Tags::from([("Mirror".to_owned(), "True".to_owned())]),
        ..RunInstances::default()
    };
    let ids = world.run_instances(&user, &request).expect("instances");
    world.tick();
    ids
}
