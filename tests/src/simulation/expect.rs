//! Which sessions each interface should have: a second reading of the rules, without the code under test.

use shared::policy::{Interfaces, Policy, Scope};

use super::site::Site;
use super::targets::{behind, is_allowed};
use crate::aws::ec2::{DEFAULT_ACCOUNT, Instance, Interface, Resource, State, World};

/// Which sessions an interface should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// automirror does not look after it.
    Anything,
    /// The same, but perhaps because the setting of VPCs is mistyped: somebody must look at that.
    Doubtful,
    /// No owned session.
    Nothing,
    /// It is on its way out, and its packets may still flow: what is there stays, and nothing new.
    Leaving,
    /// It should be mirrored, but its tags cannot be read: what is there stays, and nothing new.
    Unclear,
    /// It cannot get a session. One that it has stays and is judged like any other; none if the tags
    /// cannot be read.
    NothingNew(Obstacle, Option<Vec<DesiredSession>>),
    /// The sessions that the interface should have.
    Sessions(Vec<DesiredSession>),
}

/// Why an interface gets no new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Sessions stay on stopped instances, and are not created there.
    NotRunning,
    /// It receives the packets of an allowed target.
    IsTarget,
    /// Somebody has created a target on it that is not allowed.
    MadeATarget,
    /// It is on a sensor, and nobody asks for it.
    Sensor,
    InstanceType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredSession {
    /// None for any that is allowed.
    pub(super) target: Option<String>,
    /// What a new session gets.
    pub(super) filter: String,
    /// A session that is there may have another one.
    pub(super) is_default: bool,
}

impl Expected {
    pub(super) fn desired(&self) -> &[DesiredSession] {
        match self {
            Self::Sessions(desired) | Self::NothingNew(_, Some(desired)) => desired,
            _ => &[],
        }
    }
}

pub(super) fn expected(
    world: &World,
    site: &Site,
    instance: &Instance,
    interface: &Interface,
) -> Expected {
    let policy = &site.policy;
    if !policy.vpcs.is_empty() && policy.vpcs.iter().all(|vpc| vpc.as_str() != interface.vpc) {
        let is_doubtful = is_deserted(world, policy) && is_selected(policy, instance);
        return if is_doubtful { Expected::Doubtful } else { Expected::Anything };
    }
    if !is_selected(policy, instance) {
        return Expected::Nothing;
    }
    match instance.state {
        State::Pending | State::Running => {}
        State::Stopping | State::Stopped if policy.keep_stopped => {}
        State::Stopping | State::ShuttingDown => return Expected::Leaving,
        State::Stopped | State::Terminated => return Expected::Nothing,
    }
    let mut which = policy.interfaces;
    match (tag(instance, "Mirror-Interfaces"), which) {
        (None | Some("all"), _) => {}
        (Some("primary"), _) => which = Interfaces::Primary,
        (Some(_), _) => return Expected::Unclear,
    }
    let is_primary = interface.attachment.as_ref().is_some_and(|it| it.device_index == 0);
    if which == Interfaces::Primary && !is_primary {
        return Expected::Nothing;
    }
    let desired = desired_sessions(world, site, instance);
    match obstacle(world, site, instance, interface) {
        Some(obstacle) => Expected::NothingNew(obstacle, desired),
        None => desired.map_or(Expected::Unclear, Expected::Sessions),
    }
}

fn obstacle(
    world: &World,
    site: &Site,
    instance: &Instance,
    interface: &Interface,
) -> Option<Obstacle> {
    if !matches!(instance.state, State::Pending | State::Running) {
        return Some(Obstacle::NotRunning);
    }
    let targets = behind(world, &interface.id);
    if targets.iter().any(|target| is_allowed(world, site, &target.id)) {
        return Some(Obstacle::IsTarget);
    }
    if !targets.is_empty() {
        return Some(Obstacle::MadeATarget);
    }
    if is_sensor(world, site, instance) && !is_tagged(instance) {
        return Some(Obstacle::Sensor);
    }
    (instance.instance_type == "t2.micro").then_some(Obstacle::InstanceType)
}

/// Whether an allowed target that is in use, or that the settings name, is on the instance.
fn is_sensor(world: &World, site: &Site, instance: &Instance) -> bool {
    let mut targets = instance.interfaces.iter().flat_map(|id| behind(world, id));
    targets.any(|target| {
        let is_used = world.sessions().any(|session| session.target == target.id);
        is_allowed(world, site, &target.id) && (is_used || !site.policy.targets.is_empty())
    })
}

/// Whether somebody asks for the instance by its own tag.
pub(super) fn is_tagged(instance: &Instance) -> bool {
    values(instance).contains(&"true".to_owned())
}

/// Whether nothing of this account is in the VPCs of the settings, so that it cannot tell whether they exist.
pub(super) fn is_deserted(world: &World, policy: &Policy) -> bool {
    let is_there = |it: &Interface| {
        it.owner == DEFAULT_ACCOUNT && policy.vpcs.iter().any(|vpc| vpc.as_str() == it.vpc)
    };
    !policy.vpcs.is_empty() && !Interface::rows(world).values().any(is_there)
}

pub(super) fn is_selected(policy: &Policy, instance: &Instance) -> bool {
    !values(instance).contains(&"false".to_owned())
        && (policy.scope == Scope::All || is_tagged(instance))
}

/// The values of the selecting tag in every spelling of its key.
fn values(instance: &Instance) -> Vec<String> {
    let tags = instance.tags.iter().filter(|(key, _)| key.eq_ignore_ascii_case("mirror"));
    tags.map(|(_, value)| value.to_ascii_lowercase()).collect()
}

/// One for each target that the tags name, or one; none if the named targets and filters do not fit.
fn desired_sessions(
    world: &World,
    site: &Site,
    instance: &Instance,
) -> Option<Vec<DesiredSession>> {
    let targets = list(tag(instance, "Mirror-Target"));
    let mut filters = list(tag(instance, "Mirror-Filter"));
    let is_default = filters.is_empty() && site.policy.filter.is_none();
    if filters.is_empty() {
        filters = vec![site.filters[0].clone(); targets.len().max(1)];
    }
    let is_known = filters.iter().all(|filter| site.filters.contains(filter))
        && targets.iter().all(|target| is_allowed(world, site, target));
    let is_twice = filters.len() > 1 && filters[0] == filters[1];
    if !is_known || is_twice || filters.len() != targets.len().max(1) {
        return None;
    }
    let targets = targets.into_iter().map(Some).chain([None]);
    let desired = |(target, filter)| DesiredSession { target, filter, is_default };
    Some(targets.zip(filters).map(desired).collect())
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance.tags.get(key).map(String::as_str)
}

fn list(value: Option<&str>) -> Vec<String> {
    value.map(|value| value.split(',').map(str::to_owned).collect()).unwrap_or_default()
}
