//! What EC2 and Elastic Load Balancing tell CloudWatch of instances and load balancers. Each packet of `copies` is one
//! of many that are alike.

use std::collections::{BTreeMap, BTreeSet};

use super::session::Key;
use super::{Caller, Direction, Instance, State, World};

/// What the traffic is like, where it is not as usual.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Instances that have nothing to do.
    pub idle: BTreeSet<String>,
    /// Instances that send no copies, and nothing that AWS shows says why.
    pub mute: BTreeSet<String>,
    /// Instances that lose a share of their copies under load.
    pub lossy: BTreeMap<String, f64>,
    /// Whether the copies are lost on the way.
    pub is_lost: bool,
    /// The metrics that a query looks at, where it is not 10,000.
    pub looked_at: Option<usize>,
    /// Metrics that CloudWatch leaves out of what it answers about single ones.
    pub left_out: BTreeSet<&'static str>,
}

/// Packets that are like one of those that are shown.
const ALIKE: u32 = 10_000;
/// The bytes of an instance in some hours, in each direction, and what it has even if it does nothing.
const BUSY: f64 = 4_000_000.0;
const IDLE: f64 = 9_000.0;

impl Traffic {
    pub(super) fn sends_no_copies(&self, instance: &str) -> bool {
        self.idle.contains(instance) || self.mute.contains(instance)
    }
}

impl World {
    /// The series of a metric of EC2, by instance.
    pub(crate) fn instance_metric(&self, caller: &Caller, name: &str) -> BTreeMap<String, f64> {
        let ids = self.instances.keys();
        ids.filter_map(|id| Some((id.clone(), self.metric_of(caller, name, id)?))).collect()
    }

    /// What one instance has of a metric.
    pub(crate) fn metric_of(&self, caller: &Caller, name: &str, id: &str) -> Option<f64> {
        let instance = self.instances.get(id).filter(|it| {
            it.owner == caller.account && matches!(it.state, State::Running | State::Stopping)
        })?;
        let lost = self.traffic.lossy.get(id).copied().unwrap_or_default();
        match name {
            "NetworkIn" | "NetworkOut" => {
                Some(if self.traffic.idle.contains(id) { IDLE } else { BUSY })
            }
            "NetworkMirrorIn" => Some(self.copied(instance, Direction::Ingress)? * (1.0 - lost)),
            "NetworkMirrorOut" => Some(self.copied(instance, Direction::Egress)? * (1.0 - lost)),
            "NetworkSkipMirrorIn" => Some(self.copied(instance, Direction::Ingress)? * lost),
            "NetworkSkipMirrorOut" => Some(self.copied(instance, Direction::Egress)? * lost),
            _ => None,
        }
    }

    /// None of an instance that nobody mirrors, and of one that has never sent a copy: there is no series.
    fn copied(&self, instance: &Instance, direction: Direction) -> Option<f64> {
        let sources = instance.interfaces.iter().filter_map(|id| self.interfaces.get(id));
        let has_session = |id: &str| self.sessions.count(&Key::Interface(id.to_owned())) > 0;
        let sources: Vec<_> = sources.filter(|it| has_session(&it.id)).collect();
        let frames = sources.iter().flat_map(|it| self.taken(it)).flat_map(|(_, frames)| frames);
        let lengths: Vec<_> = frames
            .filter(|(way, _)| *way == direction)
            .filter_map(|(_, frame)| u32::try_from(frame.len()).ok())
            .collect();
        let has_sent = !lengths.is_empty() || self.traffic.idle.contains(&instance.id);
        (!sources.is_empty() && has_sent).then(|| {
            lengths.iter().map(|length| f64::from(*length)).sum::<f64>() * f64::from(ALIKE)
        })
    }

    /// What a load balancer of the caller has processed of UDP, by the end of its ARN; none of one that has had none.
    pub(crate) fn processed_bytes(&self, caller: &Caller, name: &str) -> Option<f64> {
        let own = self.load_balancers.values().filter(|it| it.owner == caller.account);
        let arn = &own.clone().find(|it| it.arn.ends_with(&format!(":loadbalancer/{name}")))?.arn;
        let leads_there = |target: &str| {
            self.targets.get(target).is_some_and(
                |it| matches!(&it.endpoint, super::Endpoint::NetworkLoadBalancer(to) if to == arn),
            )
        };
        let copies = self.copies().into_iter().filter(|it| leads_there(&it.target));
        let lengths = copies.filter_map(|it| u32::try_from(it.frame.len()).ok()).map(f64::from);
        let bytes = lengths.sum::<f64>() * f64::from(ALIKE);
        (bytes > 0.0 && !self.traffic.is_lost).then_some(bytes)
    }
}
