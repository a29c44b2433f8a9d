//! Network Load Balancers, as far as Elastic Load Balancing shows them: their listeners, their target groups, and
//! how healthy what is registered there is. Nothing is forwarded, and health is what a test says.

use std::collections::BTreeMap;

use super::World;

/// A Network Load Balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    pub arn: String,
    pub owner: String,
    pub name: String,
    pub vpc: String,
    /// A zone and a subnet for each node.
    pub zones: Vec<(String, String)>,
    pub security_groups: Vec<String>,
    /// `active`, `provisioning`, `failed`, …
    pub state: String,
    pub crosses_zones: bool,
    pub listeners: Vec<Listener>,
    /// By ARN.
    pub target_groups: BTreeMap<String, TargetGroup>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub protocol: String,
    pub port: u16,
    /// The ARN of the target group that it forwards to.
    pub target_group: String,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    pub port: u16,
    /// None: as the load balancer does.
    pub crosses_zones: Option<bool>,
    /// The ids of instances, or addresses, each with its health.
    pub targets: Vec<(String, String)>,
}

impl LoadBalancer {
    /// Makes it a way to these sensors, all healthy: a UDP listener on port 4789, and a target group.
    pub fn listen(&mut self, sensors: &[&str]) {
        let end = self.arn.rsplit_once('/').map_or("", |(_, id)| id);
        let start = self.arn.split_once(":loadbalancer/").map_or("", |(start, _)| start);
        let arn = format!("{start}:targetgroup/{}/{end}", self.name);
        let group = TargetGroup {
            arn: arn.clone(),
            name: self.name.clone(),
            port: 4789,
            crosses_zones: None,
            targets: sensors.iter().map(|id| ((*id).to_owned(), "healthy".to_owned())).collect(),
        };
        self.target_groups.insert(arn.clone(), group);
        let protocol = "UDP".to_owned();
        self.listeners = vec![Listener { protocol, port: 4789, target_group: arn }];
    }

    /// The only target group.
    ///
    /// # Panics
    /// Where there is none.
    pub fn target_group(&mut self) -> &mut TargetGroup {
        self.target_groups.values_mut().next().expect("it listens")
    }
}

impl World {
    /// The Network Load Balancers of everybody, by ARN.
    pub fn load_balancers(&self) -> &BTreeMap<String, LoadBalancer> {
        &self.load_balancers
    }

    /// # Panics
    /// Where there is none with this ARN.
    pub fn load_balancer_mut(&mut self, arn: &str) -> &mut LoadBalancer {
        self.load_balancers.get_mut(arn).expect("a test knows its load balancers")
    }
}
