//! How long it takes from what happens to the session that follows, with the deployed queue's settings, in
//! simulated time.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use shared::policy::{Policy, run::RunSettings};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::process::Process;
use super::{clock, still};
use crate::aws::ec2::{Caller, RunInstances, Tags, ZONE_A};
use crate::cloud::Cloud;
use crate::cloud::fault::{Fault, Kind};
use crate::lambda::Answer;

/// The deployed queue delivers a message again after this time.
const VISIBILITY: Duration = Duration::from_mins(6);
/// Lambda gathers a batch for so long.
const WINDOW: Duration = Duration::from_secs(1);
/// `EventBridge` takes half a second as a rule, in milliseconds here; `CloudTrail` is not counted, which takes minutes.
const EVENT_TAKES: u64 = 1_000;
/// What takes longer than this has not healed.
const TOO_LONG: Duration = Duration::from_hours(1);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// A tagged instance is launched.
    Launch,
    /// A running instance is tagged.
    Tag,
    /// Somebody else deletes the session.
    Deletion,
    /// EC2 throttles creations for up to 20 seconds; from the end of that.
    Throttling,
    /// EC2 does not show the instance for up to 10 seconds.
    NotShown,
    /// The event shares a batch with a sweep that has 200 sessions to delete.
    Sweep,
}

/// Each incident, with its name.
pub const INCIDENTS: [(Incident, &str); 6] = [
    (Incident::Launch, "a tagged instance is launched"),
    (Incident::Tag, "a running instance is tagged"),
    (Incident::Deletion, "somebody else deletes the session"),
    (Incident::Throttling, "EC2 stops throttling creations"),
    (Incident::NotShown, "an instance that EC2 does not show for up to 10 s"),
    (Incident::Sweep, "launched, in one batch with a sweep of 200 deletions"),
];

/// How long it takes until the session is there.
///
/// # Panics
/// If the cloud cannot be set up.
pub fn heal(incident: Incident, seed: u64) -> Duration {
    let cloud = Arc::new(Cloud::in_process(seed));
    LocalSet::new().block_on(&still(seed), play(incident, &cloud, seed))
}

async fn play(incident: Incident, cloud: &Arc<Cloud>, seed: u64) -> Duration {
    clock::start();
    let mut rng = Rng::with_seed(seed);
    let setting = |name: &str| (name == "MIRROR_DELETION_LIMIT").then(|| "100".to_owned());
    let policy = Policy::parse(setting).expect("valid settings");
    let settings = RunSettings::parse(setting).expect("valid settings");
    let process = Process::new(cloud, &policy, settings, 0);
    let queue = Queue { process, invocations: RefCell::new(0) };
    let (instance, events) = prepare(incident, cloud, &queue).await;
    let mut begin = Instant::now();
    if incident == Incident::Throttling {
        let end = Duration::from_millis(rng.u64(0..20_000));
        begin += end;
        cloud.faults().add(Fault::new("CreateTrafficMirrorSession", Kind::Throttle));
        recover_after(cloud, end);
    }
    if incident == Incident::NotShown {
        cloud.faults().add(Fault::new("DescribeInstances", Kind::StaleRead));
        recover_after(cloud, Duration::from_millis(rng.u64(0..10_000)));
    }
    let takes = Duration::from_millis(rng.u64(0..EVENT_TAKES));
    spawn_local(async move {
        sleep(takes).await;
        queue.deliver(events).await;
    });
    while !is_mirrored(cloud, &instance) && begin.elapsed() < TOO_LONG {
        sleep(Duration::from_millis(50)).await;
    }
    begin.elapsed()
}

fn recover_after(cloud: &Arc<Cloud>, time: Duration) {
    let cloud = Arc::clone(cloud);
    spawn_local(async move {
        sleep(time).await;
        cloud.faults().clear();
    });
}

/// Sets up what comes before the incident, and gives the instance and the events about it.
async fn prepare(incident: Incident, cloud: &Arc<Cloud>, queue: &Queue) -> (String, Vec<Value>) {
    let user = Caller::default();
    {
        let mut world = cloud.world();
        world.create_balancer_target(&user, "sensor", &[ZONE_A]).expect("a target");
        world.create_filter(&user, None, Tags::new()).expect("a filter");
    }
    let tag: Tags = [("Mirror".to_owned(), "True".to_owned())].into();
    if incident == Incident::Sweep {
        let old = launch(cloud, 200, tag.clone());
        queue.sweep().await;
        let keys = [("Mirror".to_owned(), None)].into();
        cloud.world().delete_tags(&user, &old, &keys).expect("tags");
    }
    cloud.world().take_events();
    cloud.world().freeze();
    let first_tags = if incident == Incident::Tag { Tags::new() } else { tag.clone() };
    let instance = launch(cloud, 1, first_tags).remove(0);
    match incident {
        Incident::Tag => {
            cloud.world().take_events();
            cloud.world().create_tags(&user, std::slice::from_ref(&instance), &tag).expect("tags");
        }
        Incident::Deletion => {
            queue.sweep().await;
            let mut world = cloud.world();
            let session = world.sessions().next().expect("a session").id.clone();
            world.take_events();
            world.delete_session(&user, &session).expect("the session");
        }
        _ => {}
    }
    let mut events = cloud.world().take_events();
    if incident == Incident::Sweep {
        let schedule =
            json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        events.insert(0, schedule);
    }
    (instance, events)
}

fn launch(cloud: &Cloud, count: usize, tags: Tags) -> Vec<String> {
    let request = RunInstances { count, tags, ..RunInstances::default() };
    let mut world = cloud.world();
    let ids = world.run_instances(&Caller::default(), &request).expect("instances");
    world.tick();
    ids
}

fn is_mirrored(cloud: &Cloud, instance: &str) -> bool {
    let world = cloud.world();
    let interface = &world.instance(instance).expect("the instance").interfaces[0];
    world.sessions().any(|session| session.interface == *interface)
}

/// The deployed queue with one execution environment.
struct Queue {
    process: Process,
    invocations: RefCell<u64>,
}

impl Queue {
    async fn invoke(&self, event: Value) -> Answer {
        let invocation = *self.invocations.borrow();
        *self.invocations.borrow_mut() += 1;
        self.process.invoke(event, invocation).await
    }

    async fn sweep(&self) {
        self.invoke(json!({"sweep": true})).await;
    }

    /// Delivers the events in one batch, and what comes again after the visibility time-out.
    async fn deliver(&self, events: Vec<Value>) {
        let mut open: Vec<(usize, String)> =
            events.iter().map(Value::to_string).enumerate().collect();
        for receive in 1.. {
            sleep(WINDOW).await;
            let record = |(id, body): &(usize, String)| {
                let attributes = json!({"ApproximateReceiveCount": receive.to_string()});
                json!({"messageId": id.to_string(), "body": body, "attributes": attributes})
            };
            let records: Vec<_> = open.iter().map(record).collect();
            let begin = Instant::now();
            let answer = self.invoke(json!({ "Records": records })).await;
            let Answer::Response(answer) = answer else { return };
            let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
            let is_open = |id: &usize| {
                failures.iter().any(|it| it["itemIdentifier"].as_str() == Some(&id.to_string()))
            };
            open.retain(|(id, _)| is_open(id));
            if open.is_empty() {
                return;
            }
            sleep(VISIBILITY.saturating_sub(begin.elapsed())).await;
        }
    }
}
