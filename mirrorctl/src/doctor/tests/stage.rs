//! One source, `i-1` with `eni-1`, and a session to one target of each kind, with a way in which every link is
//! fine. Tests break one thing.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    observed::{
        Addresses, Attachment, Capacity, DescribedInstance, Direction, Endpoint as Behind, Filter,
        FilterRule, Instance, InstanceState, Interface as SourceInterface, KnownTypes, Location,
        NotFound, Observed, Owner, Packets, Session, Shown, Source, Tag, Target, TargetState,
    },
    plan::{plan, step::Plan},
    policy::Policy,
};

use super::super::{
    block::Block,
    links::{Checked, Subject, links},
    network::{
        Acl, AclRule, Balancer, Destination, Endpoint, Fact, GroupRule, Health, Interface,
        Listener, Network, Pool, Route, Routes, SecurityGroup, Sensor, Via,
    },
};
use crate::problem::Problem;

/// The kinds of target.
pub(super) const INTERFACE: &str = "interface";
pub(super) const BALANCER: &str = "balancer";
pub(super) const ENDPOINT: &str = "endpoint";
pub(super) const KINDS: [&str; 3] = [INTERFACE, BALANCER, ENDPOINT];

const US: &str = "111111111111";

#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) kind: &'static str,
    pub(super) observed: Observed,
    pub(super) policy: Policy,
    pub(super) network: Network,
    pub(super) source_mtu: u16,
}

pub(super) fn block(text: &str) -> Block {
    text.parse().unwrap()
}

/// A fact that a permission is missing for.
pub(super) fn problem<T>(action: &str) -> Fact<T> {
    Err(Problem::of_call(action, Some("UnauthorizedOperation"), &std::fmt::Error))
}

impl Stage {
    pub(super) fn new(kind: &'static str) -> Self {
        let policy = Policy::parse(|_| None).unwrap();
        Self { kind, observed: observed(kind), policy, network: network(), source_mtu: 1500 }
    }

    pub(super) fn plan(&self) -> Plan {
        plan(&self.policy, &self.observed)
    }

    pub(super) fn subject<'a>(&'a self, plan: &'a Plan) -> Subject<'a> {
        let Self { observed, policy, source_mtu, .. } = self;
        Subject { observed, policy, plan, source_mtu: *source_mtu }
    }

    pub(super) fn check(&self) -> Vec<Checked> {
        links(self.subject(&self.plan()), &self.network)
    }

    pub(super) fn stop_source(&mut self) {
        self.policy.keep_stopped = true;
        self.change_source(|instance| instance.state = InstanceState::Stopped);
    }

    /// Nobody asks for the source to be mirrored any more.
    pub(super) fn untag(&mut self) {
        self.change_source(|instance| instance.tags.clear());
    }

    pub(super) fn change_source(&mut self, change: impl FnOnce(&mut Instance)) {
        let mut changed = Instance::clone(&self.observed.instances[0]);
        change(&mut changed);
        let changed = Arc::new(changed);
        if let Shown::Yes(interface) = &mut self.observed.sources[0].interface {
            interface.owner = Owner::Instance(changed.clone());
        }
        self.observed.instances[0] = changed;
    }

    /// EC2 no longer finds the target.
    pub(super) fn withdraw(&mut self) {
        let target = self.observed.targets.remove(0);
        self.observed.not_found.targets.insert(target.id);
    }

    /// The target is another account's, and allowed.
    pub(super) fn give_away(&mut self) {
        let target = &mut self.observed.targets[0];
        target.account = "222222222222".parse().unwrap();
        self.policy.targets = [target.id.clone()].into();
    }

    pub(super) fn hide(&mut self, interface: &str) {
        self.network.interfaces.as_mut().unwrap().remove(interface);
    }

    pub(super) fn interface(&mut self, id: &str) -> &mut Interface {
        self.network.interfaces.as_mut().unwrap().get_mut(id).unwrap()
    }

    pub(super) fn group(&mut self, id: &str) -> &mut SecurityGroup {
        self.network.groups.as_mut().unwrap().get_mut(id).unwrap()
    }

    /// The one inbound rule of a security group.
    pub(super) fn rule(&mut self, id: &str) -> &mut GroupRule {
        &mut self.group(id).inbound[0]
    }

    pub(super) fn acl(&mut self, subnet: &str) -> &mut Acl {
        self.network.acls.as_mut().unwrap().get_mut(subnet).unwrap()
    }

    pub(super) fn routes(&mut self) -> &mut Routes {
        self.network.routes.as_mut().unwrap()
    }

    pub(super) fn table(&mut self, id: &str) -> &mut Vec<Route> {
        self.routes().tables.get_mut(id).unwrap()
    }

    pub(super) fn balancers(&mut self) -> &mut BTreeMap<String, Balancer> {
        self.network.balancers.as_mut().unwrap()
    }

    pub(super) fn balancer(&mut self) -> &mut Balancer {
        self.balancers().get_mut("net/s/1").unwrap()
    }

    pub(super) fn listeners(&mut self) -> &mut Vec<Listener> {
        self.balancer().listeners.as_mut().unwrap()
    }

    pub(super) fn pool(&mut self) -> &mut Pool {
        self.balancer().pools.as_mut().unwrap().get_mut("pool-1").unwrap()
    }

    pub(super) fn sensors(&mut self) -> &mut Vec<Sensor> {
        self.pool().sensors.as_mut().unwrap()
    }

    pub(super) fn endpoints(&mut self) -> &mut BTreeMap<String, Endpoint> {
        self.network.endpoints.as_mut().unwrap()
    }

    pub(super) fn endpoint(&mut self) -> &mut Endpoint {
        self.endpoints().get_mut("vpce-1").unwrap()
    }

    /// The sensor's interface is in `vpc-2`, `subnet-9`, whose route table is `rtb-2`.
    pub(super) fn move_target_to_another_vpc(&mut self) {
        let sensor = self.interface("eni-2");
        "vpc-2".clone_into(&mut sensor.vpc);
        "subnet-9".clone_into(&mut sensor.subnet);
        sensor.addresses = vec!["172.16.2.2".parse().unwrap()];
    }

    pub(super) fn route_to_the_other_vpc(via: Via) -> Route {
        Route { to: Destination::Block(block("172.16.0.0/16")), via, is_active: true }
    }

    pub(super) fn route_back(via: Via) -> Route {
        Route { to: Destination::Block(block("10.0.0.0/16")), via, is_active: true }
    }
}

fn observed(kind: &str) -> Observed {
    let endpoint = match kind {
        INTERFACE => Behind::Interface("eni-2".parse().unwrap()),
        BALANCER => Behind::NetworkLoadBalancer("net/s/1".into()),
        _ => Behind::GatewayLoadBalancerEndpoint("vpce-1".into()),
    };
    let interfaces = match &endpoint {
        Behind::Interface(id) => vec![id.clone()],
        _ => Vec::new(),
    };
    let target = Target {
        id: "tmt-1".parse().unwrap(),
        account: US.parse().unwrap(),
        endpoint,
        location: Location { vpc: "vpc-1".parse().ok(), zones: vec!["z-a".into()] },
        capacity: Capacity::Unlimited,
        state: TargetState::Ready,
        draining: false,
        interfaces,
    };
    let session = Session {
        id: "tms-1".parse().unwrap(),
        account: US.parse().unwrap(),
        interface: "eni-1".parse().unwrap(),
        target: target.id.clone(),
        filter: "tmf-1".parse().unwrap(),
        number: 1.try_into().unwrap(),
        packet_length: None,
        vni: None,
        managed_by: Some("automirror".into()),
        installation: None,
    };
    let mut observed = Observed {
        account: US.parse().unwrap(),
        instances: Vec::new(),
        sources: Vec::new(),
        sessions: vec![session],
        is_whole: true,
        targets: vec![target],
        filters: vec![filter()],
        not_found: NotFound::default(),
        types: KnownTypes::default(),
    };
    observed.add(source());
    observed
}

fn source() -> DescribedInstance {
    let instance = Arc::new(Instance {
        id: "i-1".parse().unwrap(),
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        tags: vec![Tag { key: "Mirror".into(), value: "True".into() }],
        tags_confirmed: true,
    });
    let interface = SourceInterface {
        kind: "interface".into(),
        vpc: "vpc-1".parse().ok(),
        zone: Some("z-a".into()),
        ipv6_only: false,
        has_ipv6: false,
        requester: None,
        tags: Vec::new(),
        attachment: Some(Attachment { primary: true, ..Attachment::default() }),
        owner: Owner::Instance(instance.clone()),
    };
    let source = Source { id: "eni-1".parse().unwrap(), interface: Shown::Yes(interface) };
    DescribedInstance { instance, sources: vec![source] }
}

/// It accepts all of IPv4.
fn filter() -> Filter {
    let rule = |direction| FilterRule {
        direction,
        number: 1,
        accepts: true,
        packets: Some(Packets {
            protocols: 0..=u8::MAX,
            source_ports: 0..=u16::MAX,
            destination_ports: 0..=u16::MAX,
            addresses: Addresses::V4(0..=u32::MAX, 0..=u32::MAX),
        }),
    };
    Filter {
        id: "tmf-1".parse().unwrap(),
        managed_by: None,
        rules: vec![rule(Direction::Ingress), rule(Direction::Egress)],
        amazon_dns: false,
    }
}

/// `eni-1` is the source, `eni-2` in zone `z-b` the sensor `i-2`, `eni-3` the load balancer's node, `eni-4` the
/// endpoint's interface; each in a subnet of its own.
fn network() -> Network {
    let of = |id: &str, number: u8, zone: &str, group: &str, description: &str| Interface {
        id: id.to_owned(),
        vpc: "vpc-1".to_owned(),
        subnet: format!("subnet-{number}"),
        zone: zone.to_owned(),
        addresses: vec![[10, 0, number, number].into()],
        groups: vec![group.to_owned()],
        primary_of: Some(format!("i-{number}")),
        description: description.to_owned(),
    };
    let interfaces = [
        of("eni-1", 1, "z-a", "sg-source", ""),
        of("eni-2", 2, "z-b", "sg-sensor", ""),
        of("eni-3", 3, "z-a", "sg-node", "ELB net/s/1"),
        of("eni-4", 4, "z-a", "sg-none", "VPC Endpoint Interface vpce-1"),
    ];
    let endpoint = Endpoint { state: "available".to_owned(), service: "vpce-svc-1".to_owned() };
    Network {
        interfaces: Ok(interfaces.map(|it| (it.id.clone(), it)).into()),
        groups: Ok(["sg-source", "sg-sensor", "sg-node"].map(open_group).into()),
        acls: Ok(["subnet-1", "subnet-2", "subnet-3", "subnet-4", "subnet-9"].map(open_acl).into()),
        routes: Ok(routes()),
        balancers: Ok([("net/s/1".to_owned(), load_balancer())].into()),
        endpoints: Ok([("vpce-1".to_owned(), endpoint)].into()),
    }
}

fn open_group(id: &str) -> (String, SecurityGroup) {
    let rule = GroupRule {
        takes_udp: true,
        ports: 4789..=4789,
        blocks: vec![block("0.0.0.0/0")],
        groups: Vec::new(),
        prefix_lists: Vec::new(),
    };
    (id.to_owned(), SecurityGroup { inbound: vec![rule.clone()], outbound: vec![rule] })
}

fn open_acl(subnet: &str) -> (String, Acl) {
    let rule = AclRule {
        number: 100,
        allows: true,
        takes_udp: true,
        ports: 0..=u16::MAX,
        block: block("0.0.0.0/0"),
    };
    let id = format!("acl-{subnet}");
    (subnet.to_owned(), Acl { id, inbound: vec![rule.clone()], outbound: vec![rule] })
}

fn routes() -> Routes {
    let local =
        |to| vec![Route { to: Destination::Block(block(to)), via: Via::Local, is_active: true }];
    let text = str::to_owned;
    Routes {
        tables: [(text("rtb-1"), local("10.0.0.0/16")), (text("rtb-2"), local("172.16.0.0/16"))]
            .into(),
        of_subnet: [(text("subnet-9"), text("rtb-2"))].into(),
        main_of_vpc: [(text("vpc-1"), text("rtb-1"))].into(),
    }
}

fn load_balancer() -> Balancer {
    let sensor = Sensor { id: "i-2".to_owned(), port: 4789, health: Health::Healthy };
    let pool = Pool { crosses_zones: Ok(None), sensors: Ok(vec![sensor]) };
    let pools = vec!["pool-1".to_owned()];
    Balancer {
        state: "active".to_owned(),
        groups: vec!["sg-node".to_owned()],
        zones: ["z-a".to_owned()].into(),
        crosses_zones: Ok(true),
        listeners: Ok(vec![Listener { takes_udp: true, port: 4789, pools }]),
        pools: Ok([("pool-1".to_owned(), pool)].into()),
    }
}
