//! What is true of targets in the world: a second reading of the rules, without the code under test.

use std::collections::BTreeSet;

use super::site::Site;
use crate::aws::ec2::{DEFAULT_ACCOUNT, Endpoint, Resource, State, Target, World};

/// Whether something takes what is sent to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Up,
    /// Its instance is there and does not run; or its balancer was deleted, of which EC2 says nothing.
    Stopped,
    /// Its interface is no more or on nothing, or its instance is terminated.
    Gone,
}

/// Every target, whoever owns it.
pub(super) fn all(world: &World) -> Vec<String> {
    Target::rows(world).keys().cloned().collect()
}

/// The targets that the settings allow.
pub(super) fn allowed(world: &World, site: &Site) -> Vec<String> {
    all(world).into_iter().filter(|target| is_allowed(world, site, target)).collect()
}

pub(super) fn is_allowed(world: &World, site: &Site, id: &str) -> bool {
    let policy = &site.policy;
    let Some(target) = world.target(id) else { return false };
    if !policy.targets.is_empty() {
        return policy.targets.iter().any(|named| named.as_str() == id);
    }
    let mut others = policy.target_owners.others.iter();
    (policy.target_owners.own && target.owner == DEFAULT_ACCOUNT)
        || others.any(|owner| owner.as_str() == target.owner)
}

/// Nobody can see what is behind another account's target, which counts as alive, nor behind a load balancer
/// that is there.
pub(super) fn health(world: &World, id: &str) -> Health {
    let Some(target) = world.target(id) else { return Health::Gone };
    if target.owner != DEFAULT_ACCOUNT {
        return Health::Up;
    }
    let interface = match &target.endpoint {
        Endpoint::Interface(interface) => interface,
        Endpoint::NetworkLoadBalancer(id) | Endpoint::GatewayLoadBalancerEndpoint(id) => {
            return if world.is_endpoint_gone(id) { Health::Stopped } else { Health::Up };
        }
    };
    let attachment = world.interface(interface).and_then(|it| it.attachment.as_ref());
    let host = attachment.and_then(|it| it.instance.as_ref()).and_then(|id| world.instance(id));
    match host.map(|host| host.state) {
        None | Some(State::Terminated) => Health::Gone,
        Some(State::Pending | State::Running) => Health::Up,
        Some(State::Stopping | State::Stopped | State::ShuttingDown) => Health::Stopped,
    }
}

/// Whether its sessions should leave it: whoever may only tag targets must not be able to move packets, so the
/// tag counts where the settings name the targets.
pub(super) fn is_draining(world: &World, site: &Site, id: &str) -> bool {
    let is_named = site.policy.targets.iter().any(|named| named.as_str() == id);
    is_named && world.target(id).is_some_and(has_drain_tag)
}

pub(super) fn has_drain_tag(target: &Target) -> bool {
    let mut tags = target.tags.iter();
    tags.any(|(key, value)| {
        key.eq_ignore_ascii_case("mirror-drain") && value.eq_ignore_ascii_case("true")
    })
}

/// Whether one more source fits, or this one is there already. No interface mirrors to itself.
pub(super) fn has_room(world: &World, id: &str, source: &str) -> bool {
    if behind(world, source).iter().any(|target| target.id == id) {
        return false;
    }
    let on_it = world.sessions().filter(|session| session.target == id);
    let sources: BTreeSet<_> = on_it.map(|session| session.interface.as_str()).collect();
    sources.contains(source) || sources.len() < most_sources(world, id)
}

/// How many sources a target takes: its sensor, if it has one, is an `m5.large`.
pub(super) fn most_sources(world: &World, id: &str) -> usize {
    match world.target(id).map(|target| &target.endpoint) {
        Some(Endpoint::Interface(_)) => 10,
        _ => usize::MAX,
    }
}

/// The targets of this account, or shared with it, that receive the packets of an interface.
pub(super) fn behind<'a>(world: &'a World, interface: &str) -> Vec<&'a Target> {
    let is_visible =
        |it: &&Target| it.owner == DEFAULT_ACCOUNT || it.shared_with.contains(DEFAULT_ACCOUNT);
    let is_it = |it: &&Target| matches!(&it.endpoint, Endpoint::Interface(id) if id == interface);
    Target::rows(world).values().filter(is_visible).filter(is_it).collect()
}
