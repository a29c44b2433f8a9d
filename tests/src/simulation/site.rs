//! The site of a run: the operator's settings, targets and filters.

use std::collections::BTreeMap;

use fastrand::Rng;
use shared::policy::{Policy, run::RunSettings};

use crate::aws::ec2::{
    Caller, CreateRule, DEFAULT_ACCOUNT, Direction, Endpoint, RunInstances, Tags, World, ZONE_A,
    ZONE_B,
};
use crate::cloud::Cloud;
use crate::deployment::role;

const OTHER_ACCOUNT: &str = "999999999999";

/// What does not change in a run.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) settings: BTreeMap<&'static str, String>,
    pub(super) policy: Policy,
    pub(super) run_settings: RunSettings,
    /// Sessions may lead there.
    pub(super) allowed: Vec<String>,
    /// The other targets.
    pub(super) forbidden: Vec<String>,
    /// The first is the default.
    pub(super) filters: Vec<String>,
}

impl Site {
    pub(super) fn make(rng: &mut Rng, cloud: &Cloud) -> Self {
        let mut world = cloud.world();
        world.max_page = rng.bool().then(|| rng.usize(1..5));
        world.token_outlives_session = rng.bool();
        // AWS does not document what EC2 answers to a session number that is taken.
        match rng.u8(..3) {
            0 => world.duplicate_number = Some("SomeCodeNobodyKnows".to_owned()),
            1 => world.duplicate_number = None,
            _ => {}
        }
        let filters = filters(&mut world);
        let (user, other_user) = (Caller::default(), Caller::user(OTHER_ACCOUNT));
        let mut own = vec![load_balancer(&mut world, &user)];
        // Three sensors take 30 sources, which a run does not fill; one may be full.
        let sensors = rng.usize(0..3);
        own.extend([ZONE_A, ZONE_B].iter().take(sensors).map(|zone| sensor(&mut world, zone)));
        if sensors > 0 && rng.bool() {
            world.delete_target(&user, &own.remove(0)).expect("nothing uses it");
        }
        let shared = load_balancer(&mut world, &other_user);
        world.share_target(&shared, DEFAULT_ACCOUNT);
        let (settings, forbidden) = settings(rng, &mut own, shared);
        let setting = |name: &str| settings.get(name).cloned();
        let policy = Policy::parse(setting).expect("valid settings");
        let run_settings = RunSettings::parse(setting).expect("valid settings");
        world.take_events();
        drop(world);
        // IAM denies a change of a session that becomes foreign meanwhile.
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for function in ["automirror", "config-rule"] {
            role::of(function, cloud, &pairs).expect("a role").leave_unrecorded();
        }
        Self { settings, policy, run_settings, allowed: own, forbidden, filters }
    }
}

/// Random settings. The targets that they forbid leave `allowed`.
fn settings(
    rng: &mut Rng,
    allowed: &mut Vec<String>,
    shared: String,
) -> (BTreeMap<&'static str, String>, Vec<String>) {
    let mut settings = BTreeMap::new();
    for (name, value) in [
        ("MIRROR_SCOPE", "all"),
        ("MIRROR_VPC_IDS", "vpc-0000000000000000a"),
        ("MIRROR_INTERFACES", "primary"),
        ("MIRROR_PRECEDENCE", "before"),
        ("MIRROR_KEEP_STOPPED", "true"),
        ("MIRROR_PACKET_LENGTH", "100"),
        ("MIRROR_VNI", "7"),
    ] {
        if rng.u8(..5) == 0 {
            settings.insert(name, value.to_owned());
        }
    }
    let mut forbidden = Vec::new();
    match rng.u8(..4) {
        0 => {
            settings.insert("MIRROR_TARGET_OWNERS", OTHER_ACCOUNT.to_owned());
            allowed.push(shared);
        }
        1 => {
            forbidden.extend(allowed.split_off(1));
            forbidden.push(shared);
            settings.insert("MIRROR_TARGET_IDS", allowed.join(","));
        }
        _ => forbidden.push(shared),
    }
    (settings, forbidden)
}

/// A filter that is the default by its tag, and another one.
fn filters(world: &mut World) -> Vec<String> {
    let tagged = Tags::from([("ManagedBy".to_owned(), "automirror".to_owned())]);
    [tagged, Tags::new()].into_iter().map(|tags| filter(world, tags)).collect()
}

fn filter(world: &mut World, tags: Tags) -> String {
    let user = Caller::default();
    let filter = world.create_filter(&user, None, tags).expect("a filter");
    let rule = CreateRule::accept_all(&filter, Direction::Ingress, 1);
    world.create_rule(&user, rule, Tags::new()).expect("a rule");
    filter
}

fn load_balancer(world: &mut World, owner: &Caller) -> String {
    let arn = format!(
        "arn:aws:elasticloadbalancing:us-east-1:{}:loadbalancer/net/sensor/1",
        owner.account
    );
    let endpoint = Endpoint::NetworkLoadBalancer(arn);
    world.create_target(owner, endpoint, None, Tags::new()).expect("a target")
}

/// A target behind an instance that takes 10 sources.
fn sensor(world: &mut World, subnet: &str) -> String {
    let user = Caller::default();
    let request = RunInstances {
        instance_type: "m5.large".to_owned(),
        subnet: Some(subnet.to_owned()),
        tags: Tags::from([("Mirror".to_owned(), "False".to_owned())]),
        ..RunInstances::default()
    };
    let instance = world.run_instances(&user, &request).expect("an instance").remove(0);
    world.tick();
    let interface = world.instance(&instance).expect("it was launched").interfaces[0].clone();
    let endpoint = Endpoint::Interface(interface);
    world.create_target(&user, endpoint, None, Tags::new()).expect("a target")
}
