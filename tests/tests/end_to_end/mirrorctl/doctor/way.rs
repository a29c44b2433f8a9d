//! A way from a source to a sensor on which every link is fine, for each kind of target. Tests break one thing.

use local_cloud::{
    aws::ec2::{
        CreateSession, DEFAULT_VPC, Endpoint, GroupRule, LoadBalancer, OTHER_VPC, Peer, Route,
        RunInstances, SECOND_VPC, SecurityGroup, Tags, ZONE_A, ZONE_B,
    },
    deployment::worker,
};
use serde_json::Value;

use super::super::Answer;
use crate::stage::{Stage, machine, other_account, tagged, tags, user};

/// What stands at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The interface of the sensor, in another zone.
    Interface,
    /// The same in another VPC, with a peering connection.
    Peered,
    /// A load balancer in the source's zone that hands packets to the sensor in another one.
    Balancer,
    /// A Gateway Load Balancer endpoint in another zone.
    Endpoint,
    /// A load balancer of another account.
    Shared,
}

pub(super) struct Way {
    pub(super) stage: Stage,
    /// The instance that is mirrored.
    pub(super) source: String,
    /// The instance that gets the packets.
    pub(super) sensor: String,
    pub(super) target: String,
    /// The load balancer's ARN, or the endpoint's id.
    at: String,
    /// `MIRROR_TARGET_IDS`, once somebody has set it.
    target_ids: Option<String>,
}

/// Where copies come from, as rules write it.
pub(super) const SOURCES: &str = "10.0.0.0/8";

pub(super) fn group(id: &str) -> SecurityGroup {
    let rule = |block: &str| vec![GroupRule::udp(4789, Peer::Block(block.to_owned()))];
    SecurityGroup {
        id: id.to_owned(),
        vpc: DEFAULT_VPC.to_owned(),
        inbound: rule(SOURCES),
        outbound: rule(SOURCES),
        tags: Tags::new(),
    }
}

impl Way {
    pub(super) async fn new(kind: Kind) -> Self {
        let settings = match kind {
            Kind::Shared => vec![("MIRROR_TARGET_OWNERS", "999999999999")],
            // Any setting tells mirrorctl which function is automirror.
            _ => vec![("MIRROR_SCOPE", "tagged")],
        };
        let stage = Stage::new(&settings).await;
        stage.deploy(&settings);
        for id in ["sg-sensor", "sg-node"] {
            stage.world().put_security_group(group(id));
        }
        let mut way = Self {
            target: stage.target.clone(),
            stage,
            source: String::new(),
            sensor: String::new(),
            at: String::new(),
            target_ids: None,
        };
        way.sensor = way.launch_sensor(kind);
        match kind {
            Kind::Balancer => way.balance(),
            Kind::Interface | Kind::Peered => {
                way.stage.drop_load_balancer();
                way.target = way.target_of(Endpoint::Interface(way.sensor_interface()));
            }
            Kind::Endpoint => {
                way.stage.drop_load_balancer();
                way.put_endpoint();
            }
            Kind::Shared => way.share(),
        }
        if kind == Kind::Peered {
            way.peer("pcx-1");
        }
        way.source = way.stage.launch(&tagged());
        way.stage.let_run();
        way.stage.sweep().await;
        way
    }

    /// So many sources more, each with a session to the target. The answer is their instances.
    pub(super) fn mirror_many(&self, count: usize) -> Vec<String> {
        let instances = self.stage.launch_many(&RunInstances { count, ..tagged() });
        self.stage.let_run();
        let mut world = self.stage.world();
        for instance in &instances {
            let request = CreateSession {
                interface: world.instance(instance).unwrap().interfaces[0].clone(),
                target: self.target.clone(),
                filter: self.stage.filter.clone(),
                number: Some(1),
                tags: tags(&[("ManagedBy", "automirror")]),
                ..CreateSession::default()
            };
            world.create_session(&user(), &request).unwrap();
        }
        instances
    }

    pub(super) fn launch_sensor(&self, kind: Kind) -> String {
        let subnet = (kind == Kind::Peered).then(|| SECOND_VPC.to_owned());
        let zone = subnet.is_none().then(|| "us-east-1b".to_owned());
        let request = RunInstances { subnet, availability_zone: zone, ..machine(&[]) };
        let sensor = self.stage.launch(&request);
        self.stage.let_run();
        self.set_groups(&self.stage.interface(&sensor), &["sg-sensor"]);
        sensor
    }

    fn sensor_interface(&self) -> String {
        self.stage.interface(&self.sensor)
    }

    pub(super) fn set_groups(&self, interface: &str, groups: &[&str]) {
        let groups = groups.iter().map(|id| (*id).to_owned()).collect();
        self.stage.world().interface_mut(interface).unwrap().groups = groups;
    }

    pub(super) fn target_of(&self, endpoint: Endpoint) -> String {
        self.stage.world().create_target(&user(), endpoint, None, Tags::new()).unwrap()
    }

    /// Puts the sensor behind the load balancer of the target.
    fn balance(&mut self) {
        let endpoint = self.stage.world().target(&self.target).unwrap().endpoint.clone();
        let Endpoint::NetworkLoadBalancer(arn) = endpoint else { panic!("{endpoint:?}") };
        self.at = arn;
        let sensor = self.sensor.clone();
        self.balancer(|balancer| {
            balancer.listen(&[&sensor]);
            balancer.security_groups = vec!["sg-node".to_owned()];
            balancer.crosses_zones = true;
        });
    }

    /// Another load balancer, with a target.
    pub(super) fn put_balancer(&mut self) {
        self.target =
            self.stage.world().create_balancer_target(&user(), "another", &[ZONE_A]).unwrap();
        self.balance();
    }

    /// Another endpoint, with a target.
    pub(super) fn put_endpoint(&mut self) {
        self.at =
            self.stage.world().create_gateway_load_balancer_endpoint(&user(), ZONE_B).unwrap();
        self.target = self.target_of(Endpoint::GatewayLoadBalancerEndpoint(self.at.clone()));
    }

    pub(super) fn put_interface(&mut self) {
        self.sensor = self.launch_sensor(Kind::Interface);
        self.target = self.target_of(Endpoint::Interface(self.sensor_interface()));
    }

    fn share(&mut self) {
        self.stage.drop_load_balancer();
        let mut world = self.stage.world();
        let target = world.create_balancer_target(&other_account(), "theirs", &[ZONE_A]).unwrap();
        world.share_target(&target, "111122223333");
        drop(world);
        self.target = target;
    }

    /// Joins the two VPCs by routes through this.
    fn peer(&self, via: &str) {
        let mut world = self.stage.world();
        for (vpc, destination) in [(DEFAULT_VPC, "172.16.0.0/12"), (OTHER_VPC, SOURCES)] {
            let (destination, via) = (destination.to_owned(), via.to_owned());
            world.main_route_table(vpc).routes.push(Route { destination, via, active: true });
        }
    }

    pub(super) fn balancer(&self, change: impl FnOnce(&mut LoadBalancer)) {
        change(self.stage.world().load_balancer_mut(&self.at));
    }

    pub(super) fn remove_what_is_at_the_target(&self) {
        self.stage.world().delete_balancer_or_endpoint(&self.at);
    }

    pub(super) fn set_endpoint(&self, state: &str) {
        state.clone_into(&mut self.stage.world().vpc_endpoint(&self.at).state);
    }

    /// Names the target in the settings.
    pub(super) fn name_target(&mut self) {
        self.target_ids = Some(self.target.clone());
    }

    pub(super) async fn sweep(&self) {
        let Some(targets) = &self.target_ids else {
            self.stage.sweep().await;
            return;
        };
        let settings = [("MIRROR_TARGET_IDS", targets.as_str())];
        let function = worker(&self.stage.deployment.cloud, &settings).await.unwrap();
        function.invoke(br#"{"sweep":true}"#).await.unwrap();
    }

    pub(super) fn doctor(&self, arguments: &[&str]) -> Answer {
        let targets = self.target_ids.as_ref().map(|targets| format!("target-ids={targets}"));
        let set = targets.iter().flat_map(|it| ["--set", it]);
        let all: Vec<_> =
            ["doctor"].into_iter().chain(arguments.iter().copied()).chain(set).collect();
        self.stage.mirrorctl(&all)
    }
}

/// Each finding of the only place: its code, its state, and its links.
pub(super) fn findings(answer: &Answer) -> Vec<(String, String, Vec<String>)> {
    findings_with(answer, "links")
}

/// Each finding of the only place: its code, its state, and what has it.
pub(super) fn findings_with(answer: &Answer, what: &str) -> Vec<(String, String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = answer.json()["places"][0]["findings"].as_array().unwrap().clone();
    let finding = |it: &Value| {
        let having = it[what].as_array().unwrap().iter().map(text).collect();
        (text(&it["code"]), text(&it["state"]), having)
    };
    findings.iter().map(finding).collect()
}
