//! Which sessions each interface should have: a second reading of the rules, without the code under test.

use shared::policy::{Interfaces, Policy, Scope};

use super::site::Site;
use crate::aws::ec2::{Endpoint, Instance, Interface, State, World};

/// Which sessions an interface should have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// automirror does not look after it.
    Anything,
    /// No owned session.
    Nothing,
    /// It should be mirrored, but its tags cannot be read, or it is behind a target: no new session.
    NothingNew,
    /// The sessions that the interface should have.
    Sessions(Vec<DesiredSession>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DesiredSession {
    /// None for any that is allowed.
    pub(super) target: Option<String>,
    pub(super) filter: String,
}

pub(super) fn expected(
    world: &World,
    site: &Site,
    instance: &Instance,
    interface: &Interface,
) -> Expected {
    let policy = &site.policy;
    if !policy.vpcs.is_empty() && policy.vpcs.iter().all(|vpc| vpc.as_str() != interface.vpc) {
        return Expected::Anything;
    }
    if !is_selected(policy, instance) || !may_be_mirrored(policy, instance) {
        return Expected::Nothing;
    }
    let mut which = policy.interfaces;
    match tag(instance, "Mirror-Interfaces") {
        None => {}
        Some("all") => which = Interfaces::All,
        Some("primary") => which = Interfaces::Primary,
        Some(_) => return Expected::NothingNew,
    }
    let is_primary = interface.attachment.as_ref().is_some_and(|it| it.device_index == 0);
    if which == Interfaces::Primary && !is_primary {
        return Expected::Nothing;
    }
    let behind = |target: &String| {
        world.target(target).map(|target| &target.endpoint)
            == Some(&Endpoint::Interface(interface.id.clone()))
    };
    if site.allowed.iter().chain(&site.forbidden).any(behind) {
        return Expected::NothingNew;
    }
    if instance.instance_type == "t2.micro" {
        return Expected::Nothing;
    }
    desired_sessions(site, instance).map_or(Expected::NothingNew, Expected::Sessions)
}

fn is_selected(policy: &Policy, instance: &Instance) -> bool {
    let mut values = Vec::new();
    for (key, value) in &instance.tags {
        if key.eq_ignore_ascii_case("mirror") {
            values.push(value.to_ascii_lowercase());
        }
    }
    !values.contains(&"false".to_owned())
        && (policy.scope == Scope::All || values.contains(&"true".to_owned()))
}

fn may_be_mirrored(policy: &Policy, instance: &Instance) -> bool {
    match instance.state {
        State::Pending | State::Running => true,
        State::Stopping | State::Stopped => policy.keep_stopped,
        State::ShuttingDown | State::Terminated => false,
    }
}

/// One for each target that the tags name, or one; none if the named targets and filters do not fit.
fn desired_sessions(site: &Site, instance: &Instance) -> Option<Vec<DesiredSession>> {
    let targets = list(tag(instance, "Mirror-Target"));
    let mut filters = list(tag(instance, "Mirror-Filter"));
    if filters.is_empty() {
        filters = vec![site.filters[0].clone(); targets.len().max(1)];
    }
    let is_known = filters.iter().all(|filter| site.filters.contains(filter))
        && targets.iter().all(|target| site.allowed.contains(target));
    let is_twice = filters.len() > 1 && filters[0] == filters[1];
    if !is_known || is_twice || filters.len() != targets.len().max(1) {
        return None;
    }
    let targets = targets.into_iter().map(Some).chain([None]);
    Some(targets.zip(filters).map(|(target, filter)| DesiredSession { target, filter }).collect())
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance.tags.get(key).map(String::as_str)
}

fn list(value: Option<&str>) -> Vec<String> {
    value.map(|value| value.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

/// How many sources a target takes: its sensor, if it has one, is an `m5.large`.
pub(super) fn most_sources(world: &World, target: &str) -> usize {
    match world.target(target).map(|target| &target.endpoint) {
        Some(Endpoint::Interface(_)) => 10,
        _ => usize::MAX,
    }
}
