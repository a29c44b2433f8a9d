//! Whether the sources send copies, and lose some under load, as CloudWatch shows it: for an instance, never for one
//! of its sessions.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    observed::{Endpoint, Observed},
};

use super::{
    link::Link,
    links::{Checked, Pair},
    network::{Balancer, Fact, Listener, Network},
    trouble::{
        BALANCER_GETS_NOTHING, COPIES_DROPPED, COUNTED_TOGETHER, IDLE, Judgement, NO_COPIES,
        NOT_RANKED, Trouble,
    },
};

/// Bytes that an instance sends and receives in the time that is looked at though it has nothing to do: DHCP, NTP,
/// instance metadata, of which EC2 mirrors nothing. A choice, not a fact of AWS.
const IDLE_BYTES: f64 = 100_000.0;

/// What CloudWatch shows of the last hours, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// Copies that left an instance, of what came in and of what went out.
    pub(crate) copied: Fact<Vec<Ranking>>,
    /// Copies that were lost under load, likewise.
    pub(crate) dropped: Fact<Vec<Ranking>>,
    /// What the instances without copies have sent and received.
    pub(crate) traffic: Fact<BTreeMap<String, f64>>,
    /// What load balancers have processed of UDP, by the end of their ARN.
    pub(crate) balancers: Fact<BTreeMap<String, f64>>,
}

/// A metric of instances, as far as one query shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranking {
    pub(crate) shown: BTreeMap<String, f64>,
    pub(crate) others: Others,
}

/// What is known of the instances that a query does not show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Others {
    /// It shows all that have the metric.
    #[default]
    None,
    /// They have no more than this.
    AtMost(f64),
    Unknown,
}

/// An amount that is not known exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Amount {
    least: f64,
    most: f64,
}

impl Ranking {
    fn of(&self, instance: &str) -> Amount {
        if let Some(&amount) = self.shown.get(instance) {
            return Amount { least: amount, most: amount };
        }
        let most = match self.others {
            Others::None => 0.0,
            Others::AtMost(most) => most,
            Others::Unknown => f64::INFINITY,
        };
        Amount { least: 0.0, most }
    }
}

impl Amount {
    fn of(rankings: &[Ranking], instance: &str) -> Self {
        let zero = Self { least: 0.0, most: 0.0 };
        rankings
            .iter()
            .map(|ranking| ranking.of(instance))
            .fold(zero, |sum, it| Self { least: sum.least + it.least, most: sum.most + it.most })
    }

    fn is_some(self) -> bool {
        self.least > 0.0
    }

    fn is_nothing(self) -> bool {
        self.most <= 0.0
    }
}

/// The instance that a session mirrors, and its target.
fn mirrored(pair: &Pair) -> Option<(&InstanceId, &SessionId, &TargetId)> {
    Some((pair.instance.as_ref()?, pair.session.as_ref()?, pair.target.as_ref()?))
}

/// The instances that may send copies: what is broken before them explains why nothing comes.
pub(crate) fn senders(checked: &[Checked]) -> BTreeSet<String> {
    let may_send = checked.iter().filter(|it| !is_explained(it));
    may_send.filter_map(|it| Some(mirrored(&it.pair)?.0.to_string())).collect()
}

fn is_explained(checked: &Checked) -> bool {
    [Link::Session, Link::Filter]
        .iter()
        .any(|link| checked.links.get(link).is_none_or(Result::is_err))
}

/// The load balancers that stand at targets, by the end of their ARN.
pub(crate) fn balancers(observed: &Observed) -> BTreeMap<TargetId, String> {
    let balancer = |endpoint: &Endpoint| match endpoint {
        Endpoint::NetworkLoadBalancer(name) => Some(name.to_string()),
        _ => None,
    };
    let own = observed.targets.iter().filter(|target| target.account == observed.account);
    own.filter_map(|target| Some((target.id.clone(), balancer(&target.endpoint)?))).collect()
}

/// The load balancers that listen for other UDP than copies, by the end of their ARN: CloudWatch counts it together.
pub(crate) fn mixed(network: &Network) -> BTreeSet<String> {
    let is_other = |it: &Listener| it.takes_udp && !it.takes_copies();
    let is_mixed = |it: &Balancer| it.listeners.iter().flatten().any(is_other);
    let all = network.balancers.iter().flatten();
    all.filter(|(_, it)| is_mixed(it)).map(|(name, _)| name.clone()).collect()
}

/// The instances that CloudWatch shows no copy of.
pub(crate) fn silent(copied: &[Ranking], senders: &BTreeSet<String>) -> Vec<String> {
    senders.iter().filter(|id| Amount::of(copied, id).is_nothing()).cloned().collect()
}

impl Flow {
    /// Judges the links that CloudWatch knows something of. `mixed` are load balancers that get other UDP, too.
    pub(crate) fn judge(
        &self,
        checked: &mut [Checked],
        observed: &Observed,
        mixed: &BTreeSet<String>,
    ) {
        let counted = counted(observed);
        let balancers = balancers(observed);
        let mut fed = BTreeSet::new();
        for one in checked.iter_mut().filter(|it| !is_explained(it)) {
            let Checked { pair, links } = one;
            let Some((instance, _, target)) = mirrored(pair) else { continue };
            let of_instance = counted.get(instance).copied().unwrap_or_default();
            let copies = self.copies(instance, target, of_instance);
            // Where several sessions mirror the instance, its copies may go to other targets.
            if copies.is_ok() {
                fed.insert(target.clone());
            }
            links.insert(Link::Copies, copies);
            if let Some(load) = self.load(instance, target) {
                links.insert(Link::Load, load);
            }
        }
        for Checked { pair, links } in checked {
            let Some((_, _, target)) = mirrored(pair) else { continue };
            let balancer = balancers.get(target).filter(|_| fed.contains(target));
            let bytes = |name: &String| self.bytes(name, mixed.contains(name));
            links.extend(balancer.map(|name| (Link::Bytes, bytes(name))));
        }
    }

    fn copies(&self, instance: &InstanceId, target: &TargetId, counted: Counted) -> Judgement {
        let Counted { sessions, unmirrored } = counted;
        let together = |detail| Err(Trouble::new(&COUNTED_TOGETHER, instance.as_str(), detail));
        let copied = self.copied.as_ref().map_err(Trouble::unread)?;
        let copied = Amount::of(copied, instance.as_str());
        if copied.is_some() && sessions > 1 {
            return together(format!("{sessions} sessions mirror the instance"));
        }
        if copied.is_some() {
            return Ok(());
        }
        if !copied.is_nothing() {
            let detail = "more instances send no copies than CloudWatch shows";
            return Err(Trouble::new(&NOT_RANKED, target.as_str(), detail));
        }
        let traffic = self.traffic.as_ref().map_err(Trouble::unread)?;
        let traffic = traffic.get(instance.as_str()).copied().unwrap_or_default();
        if traffic < IDLE_BYTES {
            let detail = "these sources have sent and received next to nothing";
            return Err(Trouble::new(&IDLE, target.as_str(), detail));
        }
        if unmirrored > 0 {
            return together(format!(
                "it sends no copies, and what it sends and receives may be that of its \
                 {unmirrored} other interfaces"
            ));
        }
        let detail = "these sources have sent no copy of what they send and receive";
        Err(Trouble::new(&NO_COPIES, target.as_str(), detail))
    }

    /// None where nothing was copied, and so nothing was lost.
    fn load(&self, instance: &InstanceId, target: &TargetId) -> Option<Judgement> {
        let copied = Amount::of(self.copied.as_ref().ok()?, instance.as_str());
        let dropped = match &self.dropped {
            Ok(dropped) => Amount::of(dropped, instance.as_str()),
            Err(problem) => return Some(Err(Trouble::unread(problem))),
        };
        if dropped.is_nothing() {
            return (!copied.is_nothing()).then_some(Ok(()));
        }
        if !dropped.is_some() {
            let detail = "more instances lose copies than CloudWatch shows";
            return Some(Err(Trouble::new(&NOT_RANKED, target.as_str(), detail)));
        }
        let share = dropped.least / (dropped.least + copied.least);
        let detail = format!("{} of the copies of these sources are lost under load", of(share));
        Some(Err(Trouble::new(&COPIES_DROPPED, target.as_str(), detail)))
    }

    /// Whether packets come to the load balancer that copies are sent to.
    fn bytes(&self, balancer: &str, is_mixed: bool) -> Judgement {
        let processed = self.balancers.as_ref().map_err(Trouble::unread)?;
        if processed.get(balancer).is_some_and(|bytes| *bytes > 0.0) {
            if !is_mixed {
                return Ok(());
            }
            let detail = format!("load balancer {balancer} has other listeners for UDP");
            return Err(Trouble::new(&COUNTED_TOGETHER, balancer, detail));
        }
        let detail = format!("load balancer {balancer} has processed no byte of UDP");
        Err(Trouble::new(&BALANCER_GETS_NOTHING, balancer, detail))
    }
}

/// A share in words, so that sources with much the same loss are one finding.
fn of(share: f64) -> &'static str {
    match share {
        _ if share <= 0.01 => "up to 1 %",
        _ if share <= 0.1 => "1 to 10 %",
        _ if share <= 0.5 => "10 to 50 %",
        _ => "more than half",
    }
}

/// What CloudWatch counts as one for an instance.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    /// Sessions, whosever they are.
    sessions: usize,
    /// Interfaces without a session.
    unmirrored: usize,
}

fn counted(observed: &Observed) -> BTreeMap<InstanceId, Counted> {
    let mut sessions: BTreeMap<&InterfaceId, usize> = BTreeMap::new();
    for session in &observed.sessions {
        let count = sessions.entry(&session.interface).or_default();
        *count = count.saturating_add(1);
    }
    let mut counted = BTreeMap::new();
    for source in &observed.sources {
        let Some(instance) = source.instance() else { continue };
        let Counted { sessions: all, unmirrored } = counted.entry(instance.id.clone()).or_default();
        match sessions.get(&source.id) {
            Some(count) => *all = all.saturating_add(*count),
            None => *unmirrored = unmirrored.saturating_add(1),
        }
    }
    counted
}
