//! A cloud with a target and a filter, and a function in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use local_cloud::aws::ec2::{
    Caller, CreateRule, CreateSession, DEFAULT_VPC, Direction, Endpoint, GroupRule, Peer,
    RunInstances, SecurityGroup, Tags, ZONE_A,
};
use local_cloud::aws::sqs::Queue;
use local_cloud::cloud::call::Call;
use local_cloud::cloud::{Cloud, Options};
use local_cloud::lambda::{Answer, Function, FunctionOptions, Invocation};
use serde_json::Value;

/// The largest page of EC2.
pub(crate) const PAGE: usize = 1000;
/// The longest that Lambda lets a function work.
const TIMEOUT: Duration = Duration::from_mins(15);

/// What instances are tagged with where people look after them.
const USUAL_TAGS: [(&str, &str); 8] = [
    ("Application", "checkout"),
    ("Backup", "daily-35-days"),
    ("CostCenter", "1234-payments"),
    ("DataClassification", "confidential"),
    ("Environment", "production"),
    ("ManagedBy", "terraform"),
    ("Name", "checkout-frontend-production-eu"),
    ("Owner", "team-payments@example.com"),
];

pub(crate) struct Stage {
    pub(crate) cloud: Cloud,
    user: Caller,
    target: String,
    filter: String,
}

impl Stage {
    pub(crate) fn open() -> anyhow::Result<Self> {
        let cloud = Cloud::start(&Options::default())?;
        let user = Caller::default();
        let mut world = cloud.world();
        let target = world.create_balancer_target(&user, "sensor", &[ZONE_A])?;
        let filter = world.create_filter(&user, None, Tags::new())?;
        for direction in [Direction::Ingress, Direction::Egress] {
            let rule = CreateRule::accept_all(&filter, direction, 100);
            world.create_rule(&user, rule, Tags::new())?;
        }
        drop(world);
        Ok(Self { cloud, user, target, filter })
    }

    /// Starts a function that calls this cloud.
    pub(crate) async fn start(
        &self,
        binary: PathBuf,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Function> {
        let endpoint = self.cloud.endpoint();
        start(binary, &[&endpoint, &endpoint], settings).await
    }

    /// Launches `count` instances with `Mirror` set to this, which run at once.
    pub(crate) fn launch(&self, count: usize, mirror: Option<&str>) -> anyhow::Result<Vec<String>> {
        let mut world = self.cloud.world();
        let tags = mirror.map(|value| ("Mirror", value)).into_iter().chain(USUAL_TAGS);
        let tags: Tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let request = RunInstances {
            instance_type: "m5.large".to_owned(),
            count,
            tags,
            ..RunInstances::default()
        };
        let instances = world.run_instances(&self.user, &request)?;
        world.tick();
        Ok(instances)
    }

    /// The events of the last launch in batches for a function: that each instance runs.
    pub(crate) fn take_batches(&self) -> Vec<Value> {
        let mut queue = Queue::default();
        for event in self.cloud.world().take_events() {
            if event["detail"]["state"] == "running" {
                queue.push_event(&event);
            }
        }
        let mut batches = Vec::new();
        loop {
            let batch = queue.take_batch(local_cloud::deployment::BATCH);
            if batch.is_empty() {
                return batches;
            }
            batches.push(batch.event());
        }
    }

    /// Creates targets, each a load balancer in front of a sensor whose door is open.
    pub(crate) fn sensors(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let sensors = self.launch(count, None)?;
        let mut world = self.cloud.world();
        let everybody = GroupRule::udp(4789, Peer::Block("0.0.0.0/0".to_owned()));
        let door = SecurityGroup {
            id: "sg-door".to_owned(),
            vpc: DEFAULT_VPC.to_owned(),
            inbound: vec![everybody],
            outbound: Vec::new(),
            tags: Tags::new(),
        };
        world.put_security_group(door);
        let mut targets = Vec::new();
        for sensor in &sensors {
            let interfaces = world.instance(sensor).context("it was launched")?.interfaces.clone();
            for interface in interfaces {
                let interface = world.interface_mut(&interface).context("it has an interface")?;
                interface.groups = vec!["sg-door".to_owned()];
            }
            let balancer = world.create_network_load_balancer(&self.user, sensor, &[ZONE_A])?;
            world.load_balancer_mut(&balancer).listen(&[sensor]);
            let endpoint = Endpoint::NetworkLoadBalancer(balancer);
            targets.push(world.create_target(&self.user, endpoint, None, Tags::new())?);
        }
        Ok(targets)
    }

    /// Creates the sessions that automirror would create.
    pub(crate) fn mirror(&self, instances: &[String]) -> anyhow::Result<()> {
        self.mirror_to(instances, std::slice::from_ref(&self.target))
    }

    /// The same to each of these targets in turn.
    pub(crate) fn mirror_to(&self, instances: &[String], targets: &[String]) -> anyhow::Result<()> {
        let mut world = self.cloud.world();
        for (instance, target) in instances.iter().zip(targets.iter().cycle()) {
            let found = world.instance(instance).context("it was launched")?;
            let request = CreateSession {
                interface: found.interfaces.first().context("it has an interface")?.clone(),
                target: target.clone(),
                filter: self.filter.clone(),
                number: Some(1),
                tags: [("ManagedBy".to_owned(), "automirror".to_owned())].into(),
                ..CreateSession::default()
            };
            world.create_session(&self.user, &request)?;
        }
        world.take_events();
        Ok(())
    }

    /// The calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        let calls = self.cloud.calls();
        self.cloud.clear_calls();
        calls
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.cloud.address()
    }
}

/// Starts a function with these endpoints for EC2 and AWS Config.
pub(crate) async fn start(
    binary: PathBuf,
    endpoints: &[&str; 2],
    settings: &[(&str, &str)],
) -> anyhow::Result<Function> {
    let mut options = FunctionOptions::new(binary);
    options.timeout = TIMEOUT;
    options.env = settings.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    for (service, endpoint) in ["EC2", "CONFIG_SERVICE"].into_iter().zip(endpoints) {
        options.env.push((format!("AWS_ENDPOINT_URL_{service}"), (*endpoint).to_owned()));
    }
    Function::start(options).await
}

/// Invokes, and fails on an error and on messages that must be retried.
pub(crate) async fn invoke(function: &Function, payload: &Value) -> anyhow::Result<Invocation> {
    let invocation = function.invoke(payload.to_string().as_bytes()).await?;
    let is_done = match &invocation.answer {
        Answer::Response(answer) => {
            answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty)
        }
        Answer::NotJson(_) | Answer::Error(_) => false,
    };
    anyhow::ensure!(is_done, "it did not go well: {invocation:?}");
    Ok(invocation)
}
