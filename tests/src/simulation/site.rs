//! The site of a run: the operator's settings, targets and filters.

use std::collections::BTreeMap;

use fastrand::Rng;
use shared::policy::{Policy, run::RunSettings};

use crate::aws::ec2::{
    Caller, CreateRule, DEFAULT_ACCOUNT, Direction, Endpoint, LaunchInterface, RunInstances,
    Session, Tags, World, ZONE_A, ZONE_B,
};
use crate::cloud::Cloud;
use crate::deployment::role;

pub(super) const OTHER_ACCOUNT: &str = "999999999999";

pub(super) type Settings = BTreeMap<&'static str, String>;

/// Which of two installations with one owner in one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    First,
    /// Its name is `other`. People deploy it once, and never again.
    Second,
}

impl Which {
    /// The name of its function and of that one's role.
    pub(super) fn function(self) -> &'static str {
        match self {
            Self::First => "automirror",
            Self::Second => "automirror-other",
        }
    }

    /// The name of its Config rule.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::First => "mirroring",
            Self::Second => "mirroring-other",
        }
    }
}

/// What the operator has set up.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) which: Which,
    /// What the functions are deployed with.
    pub(super) settings: Settings,
    pub(super) policy: Policy,
    pub(super) run_settings: RunSettings,
    /// The first is the default.
    pub(super) filters: Vec<String>,
    /// The settings without the mistake that is in `settings`, if there is one.
    right: Option<Settings>,
    pub(super) mistake: Option<Mistake>,
}

/// A mistake in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// Nothing that a setting names exists: nothing may be changed.
    Everything,
    /// Some of it does.
    Something,
}

impl Site {
    pub(super) fn make(rng: &mut Rng, cloud: &Cloud) -> Self {
        let mut world = cloud.world();
        world.max_page = rng.bool().then(|| rng.usize(1..5));
        world.token_outlives_session = rng.bool();
        // AWS does not document what EC2 answers to a session number that is taken.
        match rng.u8(0..3) {
            0 => world.duplicate_number = Some("SomeCodeNobodyKnows".to_owned()),
            1 => world.duplicate_number = None,
            _ => {}
        }
        // Nor what AWS Config does with a verdict that has an earlier ordering timestamp.
        cloud.config().keeps_later_verdicts = rng.bool();
        let filters = filters(&mut world);
        let own = own_targets(rng, &mut world);
        let shared = load_balancer(&mut world, &Caller::user(OTHER_ACCOUNT));
        world.share_target(&shared, DEFAULT_ACCOUNT);
        let settings = settings(rng, &own, &filters);
        world.take_events();
        drop(world);
        let (policy, run_settings) = parse(&settings);
        let (right, mistake, which) = (None, None, Which::First);
        let site = Self { which, settings, policy, run_settings, filters, right, mistake };
        site.permit(cloud);
        site
    }

    /// Another installation beside this one, if there is one: with the same owner and tags, and settings that
    /// want something else of the same interfaces.
    pub(super) fn make_second(&self, rng: &mut Rng, cloud: &Cloud) -> Option<Self> {
        self.policy.installation.as_ref().filter(|_| rng.bool())?;
        let mut settings = self.settings.clone();
        settings.insert("MIRROR_INSTALLATION", "other".to_owned());
        // People delete targets that this one's settings do not name.
        settings.remove("MIRROR_TARGET_IDS");
        for (name, value) in [
            ("MIRROR_PRECEDENCE", "before"),
            ("MIRROR_INTERFACES", "primary"),
            ("MIRROR_PACKET_LENGTH", "200"),
            ("MIRROR_VNI", "8"),
        ] {
            if rng.u8(0..3) == 0 {
                settings.insert(name, value.to_owned());
            }
        }
        let (policy, run_settings) = parse(&settings);
        let (filters, which) = (self.filters.clone(), Which::Second);
        let (right, mistake) = (None, None);
        let site = Self { which, settings, policy, run_settings, filters, right, mistake };
        site.permit(cloud);
        Some(site)
    }

    /// Whether the session is this installation's own.
    pub(super) fn owns(&self, session: &Session) -> bool {
        has_owner(session) && !self.is_twin(session)
    }

    /// Whether the session has the owner of this installation and is another one's.
    pub(super) fn is_twin(&self, session: &Session) -> bool {
        let own = self.policy.installation.as_ref();
        has_owner(session)
            && own.is_some_and(|own| installation_of(session).is_some_and(|it| it != own))
    }

    /// Sets one more setting, or another value of one, rightly or by mistake.
    pub(super) fn set(
        &mut self,
        cloud: &Cloud,
        name: &'static str,
        value: String,
        mistake: Option<Mistake>,
    ) {
        self.correct(cloud);
        if mistake.is_some() {
            self.right = Some(self.settings.clone());
        }
        self.mistake = mistake;
        self.settings.insert(name, value);
        (self.policy, self.run_settings) = parse(&self.settings);
        if mistake.is_none() {
            self.permit(cloud);
        }
    }

    /// Takes the mistake out of the settings, and says whether there was one.
    pub(super) fn correct(&mut self, cloud: &Cloud) -> bool {
        self.mistake = None;
        let Some(right) = self.right.take() else { return false };
        self.settings = right;
        (self.policy, self.run_settings) = parse(&self.settings);
        self.permit(cloud);
        true
    }

    /// Whether the settings name the target, or would without the mistake.
    pub(super) fn names(&self, target: &str) -> bool {
        let all = self.right.iter().chain([&self.settings]);
        let mut named = all.filter_map(|settings| settings.get("MIRROR_TARGET_IDS"));
        named.any(|named| named.split(',').any(|it| it == target))
    }

    /// IAM denies a change of a session that becomes foreign meanwhile. With a default filter of the
    /// operator's it would deny the others too, which tags may name here.
    fn permit(&self, cloud: &Cloud) {
        let settings = self.settings.iter().filter(|(name, _)| **name != "MIRROR_FILTER_ID");
        let pairs: Vec<_> = settings.map(|(name, value)| (*name, value.as_str())).collect();
        let automirror = (self.which.function(), "automirror");
        for (name, function) in [automirror, ("config-rule", "config-rule")] {
            let role = role::named(name, function, cloud, &pairs).expect("a role");
            role.leave_unrecorded();
        }
    }
}

fn has_owner(session: &Session) -> bool {
    session.owner == DEFAULT_ACCOUNT
        && session.tags.get("ManagedBy").is_some_and(|owner| owner == "automirror")
}

/// The installation that a session says it is of.
pub(super) fn installation_of(session: &Session) -> Option<&String> {
    session.tags.get("Installation")
}

fn parse(settings: &Settings) -> (Policy, RunSettings) {
    let setting = |name: &str| settings.get(name).cloned();
    let policy = Policy::parse(setting).expect("valid settings");
    (policy, RunSettings::parse(setting).expect("valid settings"))
}

/// A load balancer or none, and up to three sensors, which run out of room.
fn own_targets(rng: &mut Rng, world: &mut World) -> Vec<String> {
    let sensors = rng.usize(0..3);
    let mut own: Vec<_> =
        [ZONE_A, ZONE_B].iter().take(sensors).map(|zone| sensor(rng, world, zone)).collect();
    if own.is_empty() || rng.u8(0..3) > 0 {
        own.push(load_balancer(world, &Caller::default()));
    }
    rng.shuffle(&mut own);
    own
}

/// Random settings.
fn settings(rng: &mut Rng, own: &[String], filters: &[String]) -> Settings {
    let mut settings = Settings::new();
    for (name, value) in [
        ("MIRROR_SCOPE", "all"),
        ("MIRROR_VPC_IDS", "vpc-0000000000000000a"),
        ("MIRROR_INTERFACES", "primary"),
        ("MIRROR_PRECEDENCE", "before"),
        ("MIRROR_KEEP_STOPPED", "true"),
        ("MIRROR_PACKET_LENGTH", "100"),
        ("MIRROR_VNI", "7"),
        ("MIRROR_FILTER_ID", filters[0].as_str()),
        ("MIRROR_INSTALLATION", "this"),
        ("MIRROR_INSTALLATION", "this"),
    ] {
        if rng.u8(0..5) == 0 {
            settings.insert(name, value.to_owned());
        }
    }
    match rng.u8(0..5) {
        0 => {
            settings.insert("MIRROR_TARGET_OWNERS", format!("self,{OTHER_ACCOUNT}"));
        }
        1 | 2 => {
            let named = own.iter().take(rng.usize(1..=own.len())).cloned();
            settings.insert("MIRROR_TARGET_IDS", named.collect::<Vec<_>>().join(","));
        }
        _ => {}
    }
    settings
}

/// A filter that is the default by its tag, and another one.
fn filters(world: &mut World) -> Vec<String> {
    let tagged = Tags::from([("ManagedBy".to_owned(), "automirror".to_owned())]);
    [tagged, Tags::new()].into_iter().map(|tags| filter(world, tags)).collect()
}

fn filter(world: &mut World, tags: Tags) -> String {
    let user = Caller::default();
    let filter = world.create_filter(&user, None, tags).expect("a filter");
    for direction in [Direction::Ingress, Direction::Egress] {
        let rule = CreateRule::accept_all(&filter, direction, 10);
        world.create_rule(&user, rule, Tags::new()).expect("a rule");
    }
    filter
}

fn load_balancer(world: &mut World, owner: &Caller) -> String {
    world.create_balancer_target(owner, "sensor", &[ZONE_A, ZONE_B]).expect("a target")
}

/// A target behind an instance that takes 10 sources: behind its only interface, or a second one that can be
/// detached.
pub(super) fn sensor(rng: &mut Rng, world: &mut World, subnet: &str) -> String {
    let user = Caller::default();
    let tags = match rng.u8(0..3) {
        0 => Tags::new(),
        _ => Tags::from([("Mirror".to_owned(), "False".to_owned())]),
    };
    let interface = |device_index| LaunchInterface { device_index, ..LaunchInterface::default() };
    let request = RunInstances {
        instance_type: "m5.large".to_owned(),
        subnet: Some(subnet.to_owned()),
        tags,
        interfaces: (0..=rng.u32(0..=1)).map(interface).collect(),
        ..RunInstances::default()
    };
    let instance = world.run_instances(&user, &request).expect("an instance").remove(0);
    let interfaces = &world.instance(&instance).expect("it was launched").interfaces;
    let interface = interfaces.last().expect("it has one").clone();
    let endpoint = Endpoint::Interface(interface);
    world.create_target(&user, endpoint, None, Tags::new()).expect("a target")
}
