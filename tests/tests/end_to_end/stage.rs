//! A cloud with a load balancer as target, a filter that accepts everything, and the real binary.

use std::sync::MutexGuard;

use local_cloud::{
    aws::ec2::{
        Caller, CreateRule, CreateSession, Direction, Endpoint, Instance, LaunchInterface,
        RunInstances, Session, Tags, World, ZONE_A,
    },
    aws::sqs::Delivery,
    cloud::call::{Call, Outcome},
    cloud::fault::{Fault, Kind},
    deployment::Deployment,
    lambda::{Answer, Invocation, LogLine},
};
use serde_json::{Value, json};

pub(crate) struct Stage {
    pub(crate) deployment: Deployment,
    pub(crate) target: String,
    pub(crate) filter: String,
}

/// A person in the account.
pub(crate) fn user() -> Caller {
    Caller::default()
}

/// A person in another account.
pub(crate) fn other_account() -> Caller {
    Caller::user("999999999999")
}

pub(crate) async fn stage() -> Stage {
    Stage::new(&[]).await
}

impl Stage {
    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        let deployment = Deployment::start(settings).await.unwrap();
        let mut world = deployment.cloud.world();
        let target = load_balancer(&mut world, &user());
        let filter = full_filter(&mut world);
        drop(world);
        // The reads of the warm-up do not count as calls of the first event.
        deployment.cloud.clear_calls();
        Self { deployment, target, filter }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.deployment.cloud.world()
    }

    /// Launches one instance.
    pub(crate) fn launch(&self, request: &RunInstances) -> String {
        self.launch_many(request).remove(0)
    }

    pub(crate) fn launch_many(&self, request: &RunInstances) -> Vec<String> {
        self.world().run_instances(&user(), request).unwrap()
    }

    /// What EC2 shows where it is out of date: the instance without its interfaces.
    pub(crate) fn freeze_without_interfaces(&self, instance: &str) {
        let mut world = self.world();
        let interfaces = std::mem::take(&mut world.instance_mut(instance).unwrap().interfaces);
        world.freeze();
        world.instance_mut(instance).unwrap().interfaces = interfaces;
    }

    pub(crate) fn tag(&self, instance: &str, pairs: &[(&str, &str)]) {
        self.world().create_tags(&user(), &[instance.to_owned()], &tags(pairs)).unwrap();
    }

    pub(crate) fn untag(&self, instance: &str, key: &str) {
        let tags = [(key.to_owned(), None)].into();
        self.world().delete_tags(&user(), &[instance.to_owned()], &tags).unwrap();
    }

    pub(crate) fn instance(&self, id: &str) -> Instance {
        self.world().instance(id).unwrap().clone()
    }

    pub(crate) fn interface(&self, instance: &str) -> String {
        self.instance(instance).interfaces[0].clone()
    }

    /// The sessions on all interfaces of an instance.
    pub(crate) fn sessions(&self, instance: &str) -> Vec<Session> {
        let interfaces = self.instance(instance).interfaces;
        interfaces.iter().flat_map(|interface| self.sessions_on(interface)).collect()
    }

    /// The sessions on an interface, lowest number first.
    pub(crate) fn sessions_on(&self, interface: &str) -> Vec<Session> {
        let world = self.world();
        let mut here: Vec<_> =
            world.sessions().filter(|session| session.interface == interface).cloned().collect();
        here.sort_by_key(|session| session.number);
        here
    }

    /// The one session of an instance.
    #[track_caller]
    pub(crate) fn session(&self, instance: &str) -> Session {
        let sessions = self.sessions(instance);
        assert_eq!(sessions.len(), 1, "sessions of {instance}: {sessions:?}");
        sessions[0].clone()
    }

    /// Creates a foreign session.
    pub(crate) fn foreign(&self, interface: &str, number: i64, target: &str) -> Session {
        let request = CreateSession {
            interface: interface.to_owned(),
            target: target.to_owned(),
            filter: self.filter.clone(),
            number: Some(number),
            ..CreateSession::default()
        };
        self.world().create_session(&user(), &request).unwrap()
    }

    /// Delivers until nothing happens any more.
    pub(crate) async fn settle(&mut self) -> Vec<Delivery> {
        self.deployment.settle().await
    }

    /// Forgets the events so far: they were lost.
    pub(crate) fn lose_events(&self) {
        self.world().take_events();
    }

    /// Lets instances change their state, and loses the events about it.
    pub(crate) fn let_run(&self) {
        self.world().tick();
        self.lose_events();
    }

    pub(crate) async fn sweep(&self) -> Invocation {
        self.deployment.sweep().await.unwrap()
    }

    pub(crate) async fn invoke(&self, payload: &Value) -> Invocation {
        self.deployment.invoke(payload).await.unwrap()
    }

    /// Invokes with an SQS batch of these events, and returns the ids of the messages that must be retried.
    pub(crate) async fn batch(&self, bodies: &[String]) -> (Vec<String>, Invocation) {
        let record = |(index, body): (usize, &String)| json!({"messageId": format!("m-{index}"), "body": body, "eventSource": "aws:sqs"});
        let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
        let invocation = self.invoke(&json!({"Records": records})).await;
        (returned(&invocation), invocation)
    }

    /// automirror's calls of EC2 since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        let calls = self.deployment.cloud.calls();
        self.deployment.cloud.clear_calls();
        let is_owned = |call: &Call| call.caller.principal.starts_with("assumed-role/automirror/");
        calls.into_iter().filter(is_owned).collect()
    }
}

/// The ids in the answer to an SQS batch.
pub(crate) fn returned(invocation: &Invocation) -> Vec<String> {
    let Answer::Response(answer) = &invocation.answer else { panic!("{invocation:?}") };
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|item| item["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

/// The answer of a direct call.
pub(crate) fn summary(invocation: &Invocation) -> Value {
    match &invocation.answer {
        // That to a batch is a list.
        Answer::Response(answer) => answer.get("summary").unwrap_or(answer).clone(),
        other => panic!("{other:?}"),
    }
}

/// The line that sums up an invocation.
pub(crate) fn summary_line(invocation: &Invocation) -> Value {
    let lines = invocation.log.iter().filter_map(|line| match line {
        LogLine::Json(line) if line["fields"]["summary"] == true => Some(line["fields"].clone()),
        _ => None,
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), 1, "{:#?}", invocation.log);
    lines[0].clone()
}

/// EC2 finds no room on a target.
pub(crate) fn target_full() -> Kind {
    Kind::Refuse {
        code: "TrafficMirrorSourcesPerTargetLimitExceeded".to_owned(),
        message: "Sources per interface-target limit reached (11)".to_owned(),
        status: 400,
    }
}

/// The event that an instance runs.
pub(crate) fn running(instance: &str) -> String {
    state(instance, "running")
}

/// The event that an instance is in another state.
pub(crate) fn state(instance: &str, state: &str) -> String {
    json!({
        "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
        "detail": {"instance-id": instance, "state": state},
    })
    .to_string()
}

/// The event that starts a sweep.
pub(crate) fn schedule() -> Value {
    json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}})
}

/// The messages in a log at one level.
pub(crate) fn said(log: &[LogLine], level: &str) -> Vec<String> {
    let at_level = log.iter().filter_map(|line| match line {
        LogLine::Json(line) if line["level"] == level => line["fields"]["message"].as_str(),
        _ => None,
    });
    at_level.map(str::to_owned).collect()
}

/// The log lines about changes and obstacles: action and reason.
pub(crate) fn steps(log: &[LogLine]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let steps = log.iter().filter_map(|line| match line {
        LogLine::Json(line) => {
            let fields = &line["fields"];
            Some((text(&fields["action"])?, text(&fields["reason"])?))
        }
        LogLine::Text(_) => None,
    });
    steps.collect()
}

pub(crate) fn whole_log(deliveries: &[Delivery]) -> Vec<LogLine> {
    let batches = deliveries.iter().flat_map(|delivery| &delivery.batches);
    batches.flat_map(|batch| batch.log().to_vec()).collect()
}

pub(crate) fn count(calls: &[Call], action: &str) -> usize {
    calls.iter().filter(|call| call.action == action && call.outcome == Outcome::Done).count()
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An `m5.large` with these tags.
pub(crate) fn machine(pairs: &[(&str, &str)]) -> RunInstances {
    RunInstances {
        instance_type: "m5.large".to_owned(),
        tags: tags(pairs),
        ..RunInstances::default()
    }
}

/// An `m5.large` with `Mirror=True`.
pub(crate) fn tagged() -> RunInstances {
    machine(&[("Mirror", "True")])
}

/// The same with two interfaces.
pub(crate) fn two_interfaces() -> RunInstances {
    let interface = |device_index| LaunchInterface { device_index, ..LaunchInterface::default() };
    RunInstances { interfaces: vec![interface(0), interface(1)], ..tagged() }
}

pub(crate) fn load_balancer(world: &mut World, owner: &Caller) -> String {
    world.create_balancer_target(owner, "sensor", &[ZONE_A]).unwrap()
}

/// A filter that accepts all IPv4 packets.
pub(crate) fn full_filter(world: &mut World) -> String {
    let filter = world.create_filter(&user(), None, Tags::new()).unwrap();
    for direction in [Direction::Ingress, Direction::Egress] {
        let rule = CreateRule::accept_all(&filter, direction, 100);
        world.create_rule(&user(), rule, Tags::new()).unwrap();
    }
    filter
}

impl Stage {
    /// A target behind the interface of a new `m5.large` in a zone; the instance is not tagged.
    pub(crate) fn sensor(&self, zone: &str) -> String {
        let request = RunInstances { availability_zone: Some(zone.to_owned()), ..machine(&[]) };
        let instance = self.launch(&request);
        let interface = self.interface(&instance);
        let endpoint = Endpoint::Interface(interface);
        self.world().create_target(&user(), endpoint, None, Tags::new()).unwrap()
    }

    /// Deletes the target of the load balancer.
    pub(crate) fn drop_load_balancer(&self) {
        self.world().delete_target(&user(), &self.target).unwrap();
    }
}

impl Stage {
    pub(crate) fn fault(&self, fault: Fault) {
        self.deployment.cloud.faults().add(fault);
    }

    pub(crate) fn recover(&self) {
        self.deployment.cloud.faults().clear();
    }
}
