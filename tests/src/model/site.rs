//! The site of the scenarios: one instance, a target that is allowed and one that is not.

use shared::policy::{Policy, run::RunSettings};

use super::scenario::Scenario;
use crate::aws::ec2::{
    Caller, CreateRule, CreateSession, Direction, RunInstances, Session, Tags, World, ZONE_A,
};
use crate::cloud::Cloud;

#[derive(Debug)]
pub(super) struct Site {
    pub(super) instance: String,
    pub(super) interface: String,
    pub(super) allowed: String,
    pub(super) forbidden: String,
    pub(super) filter: String,
    pub(super) policy: Policy,
    pub(super) run_settings: RunSettings,
}

impl Site {
    pub(super) fn make(cloud: &Cloud, scenario: &Scenario) -> Self {
        let mut world = cloud.world();
        world.token_outlives_session = scenario.token_outlives_session;
        world.token_is_for_tags = scenario.token_is_for_tags;
        if scenario.same_number_twice {
            world.duplicate_number = None;
        }
        let [allowed, forbidden] = ["sensor", "elsewhere"].map(|name| target(&mut world, name));
        let filter = filter(&mut world);
        let policy = Policy::parse(|name| match name {
            "MIRROR_TARGET_IDS" => Some(allowed.clone()),
            "MIRROR_FILTER_ID" => Some(filter.clone()),
            _ => None,
        });
        let policy = policy.expect("valid settings");
        let run_settings = RunSettings::parse(|_| None).expect("valid settings");
        let tags = if scenario.tagged { tag("Mirror", "True") } else { Tags::new() };
        let request = RunInstances { tags, ..RunInstances::default() };
        let user = Caller::default();
        let instance = world.run_instances(&user, &request).expect("an instance").remove(0);
        world.tick();
        let interface = world.instance(&instance).expect("it was launched").interfaces[0].clone();
        let site = Self { instance, interface, allowed, forbidden, filter, policy, run_settings };
        if scenario.mirrored {
            let request = CreateSession { tags: tag("ManagedBy", "automirror"), ..site.session() };
            world.create_session(&user, &request).expect("a session");
        }
        site
    }

    /// The desired session.
    pub(super) fn session(&self) -> CreateSession {
        CreateSession {
            interface: self.interface.clone(),
            target: self.allowed.clone(),
            filter: self.filter.clone(),
            number: Some(1),
            ..CreateSession::default()
        }
    }

    pub(super) fn is_tagged(&self, world: &World) -> bool {
        world.instance(&self.instance).is_some_and(|it| it.tags.contains_key("Mirror"))
    }
}

pub(super) fn tag(key: &str, value: &str) -> Tags {
    Tags::from([(key.to_owned(), value.to_owned())])
}

pub(super) fn is_owned(session: &Session) -> bool {
    session.tags.get("ManagedBy").is_some_and(|owner| owner == "automirror")
}

fn target(world: &mut World, name: &str) -> String {
    world.create_balancer_target(&Caller::default(), name, &[ZONE_A]).expect("a target")
}

fn filter(world: &mut World) -> String {
    let user = Caller::default();
    let filter = world.create_filter(&user, None, Tags::new()).expect("a filter");
    let rule = CreateRule::accept_all(&filter, Direction::Ingress, 1);
    world.create_rule(&user, rule, Tags::new()).expect("a rule");
    filter
}
