//! What stands behind a target: whether something receives the copies there, as far as AWS shows it.

pub(crate) mod read;

use std::collections::BTreeMap;

use shared::{
    id::InterfaceId,
    observed::{Endpoint, Target, TargetState},
};
use shared_elb::{Health, Listener, Sensor, VXLAN, is_active};

/// What was read, or why it was not.
type Read<T> = Result<T, String>;

/// What is known of a target; of two findings the greater one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// What AWS shows is in order.
    Healthy,
    /// AWS does not say.
    Unknown(String),
    /// It could not be read, and why.
    Unread(String),
    /// Nothing receives, and why.
    Unhealthy(String),
}

/// What was read about all targets.
struct Facts {
    /// Load balancers by the end of their ARN. One that does not exist is not in it.
    balancers: Read<BTreeMap<String, Balancer>>,
    /// The security groups of interfaces.
    interfaces: Read<BTreeMap<InterfaceId, Vec<String>>>,
    /// Whether each security group lets copies in. One that EC2 does not show is not in it.
    doors: Read<BTreeMap<String, bool>>,
}

/// A load balancer.
struct Balancer {
    state: String,
    groups: Vec<String>,
    listeners: Read<Vec<Listener>>,
    /// The sensors in each target group behind the listener for copies.
    pools: Vec<Read<Vec<Sensor>>>,
}

/// Whether anything can be found out about what is behind a target, where that belongs to this account.
pub(crate) fn can_be_seen(target: &Target) -> bool {
    match target.endpoint {
        Endpoint::Interface(_) | Endpoint::NetworkLoadBalancer(_) => true,
        Endpoint::GatewayLoadBalancerEndpoint(_) | Endpoint::Other(_) => false,
    }
}

fn standing(target: &Target, facts: &Facts) -> Standing {
    match &target.endpoint {
        Endpoint::Interface(id) => behind_interface(target.state, id, facts),
        Endpoint::NetworkLoadBalancer(name) => behind_balancer(name, facts),
        Endpoint::GatewayLoadBalancerEndpoint(_) | Endpoint::Other(_) => {
            Standing::Unknown("nobody looks behind a target of this kind".to_owned())
        }
    }
}

fn behind_interface(state: TargetState, id: &InterfaceId, facts: &Facts) -> Standing {
    let receives = match state {
        TargetState::Ready | TargetState::Full => Standing::Healthy,
        TargetState::Stopped => Standing::Unhealthy(format!("the instance of {id} does not run")),
        TargetState::Gone => Standing::Unhealthy(format!("{id} is gone or on no instance")),
        TargetState::Unknown | TargetState::Unread => Standing::Unknown(format!(
            "nothing that EC2 shows says whether the instance of {id} runs"
        )),
    };
    let door = match &facts.interfaces {
        Err(why) => Standing::Unread(why.clone()),
        Ok(all) => match all.get(id) {
            // Each has one, other than a load balancer.
            Some(groups) if groups.is_empty() => {
                Standing::Unknown(format!("EC2 shows no security group of {id}"))
            }
            Some(groups) => door(id.as_str(), groups, &facts.doors),
            None => Standing::Unknown(format!("EC2 does not show {id}")),
        },
    };
    receives.max(door)
}

fn behind_balancer(name: &str, facts: &Facts) -> Standing {
    let balancer = match &facts.balancers {
        Err(why) => return Standing::Unread(why.clone()),
        Ok(all) => all.get(name),
    };
    let Some(balancer) = balancer else {
        return Standing::Unhealthy(format!("there is no load balancer {name}"));
    };
    let state = format!("load balancer {name} is {}", balancer.state);
    let active = match is_active(&balancer.state) {
        Some(false) => return Standing::Unhealthy(state),
        Some(true) => Standing::Healthy,
        None => Standing::Unknown(state),
    };
    let received = match &balancer.listeners {
        Err(why) => Standing::Unread(why.clone()),
        Ok(all) if !all.iter().any(Listener::takes_copies) => {
            Standing::Unhealthy(format!("load balancer {name} has no UDP listener on port {VXLAN}"))
        }
        Ok(_) => health(name, &balancer.pools),
    };
    active.max(received).max(door(name, &balancer.groups, &facts.doors))
}

/// One healthy sensor is enough, whatever is known of the others.
fn health(name: &str, pools: &[Read<Vec<Sensor>>]) -> Standing {
    let sensors: Vec<_> = pools.iter().flatten().flatten().collect();
    let is_any = |health| sensors.iter().any(|sensor| sensor.health == health);
    if is_any(Health::Healthy) {
        return Standing::Healthy;
    }
    if let Some(why) = pools.iter().find_map(|pool| pool.as_ref().err()) {
        return Standing::Unread(why.clone());
    }
    if is_any(Health::Unknown) {
        return Standing::Unknown(format!(
            "load balancer {name} does not say whether its sensors are healthy"
        ));
    }
    Standing::Unhealthy(format!(
        "of {} sensors behind load balancer {name} none is healthy",
        sensors.len()
    ))
}

/// Whether one of the security groups lets copies in, from anywhere at all. A load balancer may have none, and then
/// takes everything (Network Load Balancers guide, "Security groups").
fn door(owner: &str, groups: &[String], doors: &Read<BTreeMap<String, bool>>) -> Standing {
    if groups.is_empty() {
        return Standing::Healthy;
    }
    let doors = match doors {
        Err(why) => return Standing::Unread(why.clone()),
        Ok(doors) => doors,
    };
    let lets_in = |group: &&String| doors.get(*group).copied();
    if groups.iter().any(|group| lets_in(&group) == Some(true)) {
        return Standing::Healthy;
    }
    match groups.iter().find(|group| lets_in(group).is_none()) {
        Some(group) => Standing::Unknown(format!("EC2 does not show {group}, in front of {owner}")),
        None => Standing::Unhealthy(format!(
            "no inbound rule of {} on {owner} takes UDP {VXLAN}",
            groups.join(",")
        )),
    }
}

#[cfg(test)]
mod tests;
