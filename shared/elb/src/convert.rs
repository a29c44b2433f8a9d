//! From the SDK's types to ours.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    self as elb, ProtocolEnum, TargetHealthDescription, TargetHealthStateEnum,
};

use crate::VXLAN;

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its state, in the words of Elastic Load Balancing.
    pub state: String,
    /// Its security groups.
    pub groups: Vec<String>,
    /// The zones that it has a node in.
    pub zones: BTreeSet<String>,
}

/// A listener of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// It is about UDP, alone or with TCP.
    pub takes_udp: bool,
    /// Its port.
    pub port: u16,
    /// The ARNs of the target groups that it hands packets to.
    pub pools: Vec<String>,
}

/// A sensor that is registered with a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// The id of an instance, or an address.
    pub id: String,
    /// The port that it is registered with, where the load balancer says so.
    pub port: Option<u16>,
    /// Whether it is healthy.
    pub health: Health,
}

/// Whether a sensor is healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its checks succeed.
    Healthy,
    /// They fail, or it gets nothing for another reason.
    Unhealthy,
    /// The load balancer does not say.
    Unknown,
}

/// Whether a load balancer in this state works; none of a word that this version does not know. An impaired one
/// does, and lacks room to grow (ELB API, `LoadBalancerState`).
#[must_use]
pub fn is_active(state: &str) -> Option<bool> {
    match state {
        "active" | "active_impaired" => Some(true),
        "provisioning" | "failed" => Some(false),
        _ => None,
    }
}

impl Listener {
    /// Whether copies of mirrored packets come to it.
    #[must_use]
    pub fn takes_copies(&self) -> bool {
        self.takes_udp && self.port == VXLAN
    }
}

/// `net/NAME/ID`.
pub(crate) fn end_of_arn(arn: &str) -> Option<&str> {
    arn.split_once(":loadbalancer/").map(|(_, end)| end)
}

/// A load balancer by the end of its ARN.
pub(crate) fn load_balancer(item: &elb::LoadBalancer) -> Option<(String, LoadBalancer)> {
    let arn = item.load_balancer_arn()?;
    let state = item.state().and_then(|state| state.code());
    let zones = item.availability_zones().iter().filter_map(|zone| zone.zone_name());
    let balancer = LoadBalancer {
        arn: arn.to_owned(),
        state: state.map_or("in a state that is not named", |state| state.as_str()).to_owned(),
        groups: item.security_groups().to_vec(),
        zones: zones.map(str::to_owned).collect(),
    };
    Some((end_of_arn(arn)?.to_owned(), balancer))
}

pub(crate) fn listener(item: &elb::Listener) -> Option<Listener> {
    let takes_udp = matches!(item.protocol(), Some(ProtocolEnum::Udp | ProtocolEnum::TcpUdp));
    let actions = item.default_actions();
    let single = actions.iter().filter_map(|action| action.target_group_arn());
    let weighted = actions
        .iter()
        .filter_map(|action| action.forward_config())
        .flat_map(elb::ForwardActionConfig::target_groups)
        // What has no weight gets nothing.
        .filter(|group| group.weight() != Some(0))
        .filter_map(|group| group.target_group_arn());
    let pools: BTreeSet<_> = single.chain(weighted).map(str::to_owned).collect();
    let port = item.port()?.try_into().ok()?;
    Some(Listener { takes_udp, port, pools: pools.into_iter().collect() })
}

pub(crate) fn sensor(item: &TargetHealthDescription) -> Sensor {
    let target = item.target();
    let health = match item.target_health().and_then(|health| health.state()) {
        Some(TargetHealthStateEnum::Healthy) => Health::Healthy,
        Some(
            TargetHealthStateEnum::Unhealthy
            | TargetHealthStateEnum::UnhealthyDraining
            | TargetHealthStateEnum::Draining
            | TargetHealthStateEnum::Unused,
        ) => Health::Unhealthy,
        // The first checks have not ended, there are none, or it is a word that this version does not know.
        _ => Health::Unknown,
    };
    Sensor {
        id: target.and_then(|target| target.id()).unwrap_or_default().to_owned(),
        port: target.and_then(|target| target.port()?.try_into().ok()),
        health,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealth;

    use super::*;

    #[test]
    fn what_the_load_balancer_does_not_say_is_not_known() {
        use TargetHealthStateEnum as State;
        for (state, expected) in [
            (Some(State::Healthy), Health::Healthy),
            (Some(State::Unhealthy), Health::Unhealthy),
            (Some(State::UnhealthyDraining), Health::Unhealthy),
            (Some(State::Draining), Health::Unhealthy),
            (Some(State::Unused), Health::Unhealthy),
            (Some(State::Initial), Health::Unknown),
            (Some(State::Unavailable), Health::Unknown),
            (Some("a new word".into()), Health::Unknown),
            (None, Health::Unknown),
        ] {
            let health = TargetHealth::builder().set_state(state.clone()).build();
            let item = TargetHealthDescription::builder().target_health(health).build();
            assert_eq!(sensor(&item).health, expected, "{state:?}");
        }
    }
}
