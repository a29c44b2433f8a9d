//! The decision: how each link stands between each source and its sensor. It reads nothing, and what was not read
//! is never fine.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    number::PacketLength,
    observed::{Observed, Source},
    plan::{
        advice::{Rule, advice},
        reason::{Level, Reason},
        step::{Action, Plan, Step},
    },
    policy::Policy,
};

use super::{
    link::{Link, Links},
    network::Network,
    target::{Gate, gate, one, shown},
    trouble::{Grade, Judgement, NOT_SHOWN, SESSION_IDLE, Trouble, worse},
    way::{self, Sender},
};

/// A source and the target that a session takes its packets to, or is to take them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) source: InterfaceId,
    pub(crate) instance: Option<InstanceId>,
    /// None where the plan finds no target for the source.
    pub(crate) target: Option<TargetId>,
    /// None where it is not there yet.
    pub(crate) session: Option<SessionId>,
    packet_length: Option<PacketLength>,
}

/// A pair, and how each of its links stands. A link that is not in it was not asked: it has no meaning for this
/// kind of target, or one before it is broken.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) pair: Pair,
    pub(crate) links: Links,
}

impl Checked {
    /// How it stands as a whole: none where every link is fine.
    pub(crate) fn grade(&self) -> Option<Grade> {
        self.links.values().filter_map(|it| it.as_ref().err()).map(|it| it.grade).max()
    }

    /// Whether one of its links is of this grade.
    pub(crate) fn has(&self, grade: Grade) -> bool {
        self.links.values().filter_map(|it| it.as_ref().err()).any(|it| it.grade == grade)
    }
}

/// What the plan is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) observed: &'a Observed,
    pub(crate) policy: &'a Policy,
    pub(crate) plan: &'a Plan,
    /// The longest packet that sources send.
    pub(crate) source_mtu: u16,
}

/// What the plan says of each source: the links that it judges.
type Planned<'a> = BTreeMap<&'a InterfaceId, Vec<&'a Step>>;

/// Judges every link of every pair.
pub(crate) fn links(subject: Subject<'_>, network: &Network) -> Vec<Checked> {
    let Subject { observed, .. } = subject;
    let pairs = pairs(subject);
    let planned = planned(subject.plan);
    let sources: BTreeMap<_, _> = observed.sources.iter().map(|it| (&it.id, it)).collect();
    let targets: BTreeSet<_> = pairs.iter().filter_map(|pair| pair.target.clone()).collect();
    let gates: BTreeMap<_, _> =
        targets.into_iter().map(|id| (id.clone(), gate(&id, observed, network))).collect();
    let check = |pair: Pair| {
        let steps = planned.get(&pair.source).map(Vec::as_slice).unwrap_or_default();
        let mut links = by_plan(subject.policy, steps, &pair);
        if let Some(session) = &pair.session {
            let running = running(&pair, session, sources.get(&pair.source).copied());
            merge(&mut links, Link::Session, running);
        }
        if let Some(gate) = pair.target.as_ref().and_then(|id| gates.get(id)) {
            beyond(subject, network, &pair, gate, &mut links);
        }
        Checked { pair, links }
    };
    pairs.into_iter().map(check).collect()
}

/// The sources that sessions of ours or the plan use, each with where its packets go.
pub(crate) fn pairs(subject: Subject<'_>) -> BTreeSet<Pair> {
    let Subject { observed, policy, plan, .. } = subject;
    let instances: BTreeMap<_, _> = observed
        .sources
        .iter()
        .filter_map(|source| Some((&source.id, source.instance()?.id.clone())))
        .collect();
    let owned = observed.sessions.iter().filter(|it| it.is_owned(policy, &observed.account));
    let mut pairs: BTreeSet<_> = owned
        .map(|session| Pair {
            source: session.interface.clone(),
            instance: instances.get(&session.interface).cloned(),
            target: Some(session.target.clone()),
            session: Some(session.id.clone()),
            packet_length: session.packet_length,
        })
        .collect();
    let pair = |step: &Step, target, packet_length| {
        let (source, instance) = (step.source.clone(), step.instance.clone());
        Pair { source, instance, target, session: None, packet_length }
    };
    pairs.extend(plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create(new) => Some(pair(step, Some(new.target.clone()), new.packet_length)),
        _ => None,
    }));
    // Who has, or gets, no session at all is known by what is in the way.
    let with_session: BTreeSet<_> = pairs.iter().map(|pair| pair.source.clone()).collect();
    let blocked = plan.steps.iter().filter(|step| {
        matches!(step.action, Action::Block) && !with_session.contains(&step.source)
    });
    pairs.extend(blocked.map(|step| pair(step, None, None)));
    pairs
}

fn planned(plan: &Plan) -> Planned<'_> {
    let mut planned = Planned::new();
    for step in &plan.steps {
        planned.entry(&step.source).or_default().push(step);
    }
    planned
}

/// What the plan says of the session and its filter.
fn by_plan(policy: &Policy, steps: &[&Step], pair: &Pair) -> Links {
    let mut links = Links::new();
    // A session that is not there is not fine, and where none is to be, there is no filter to look at.
    if pair.session.is_some() {
        links.insert(Link::Session, Ok(()));
    }
    if pair.target.is_some() {
        links.insert(Link::Filter, Ok(()));
    }
    let concerns = |step: &&&Step| match &step.action {
        Action::Create(new) => pair.session.is_none() && pair.target.as_ref() == Some(&new.target),
        Action::Modify(id, _) | Action::Delete(id) | Action::Keep(id) => {
            pair.session.as_ref() == Some(id)
        }
        Action::Block | Action::Ignore => true,
    };
    for step in steps.iter().filter(concerns) {
        if let Some((link, trouble)) = of_step(policy, step, pair) {
            merge(&mut links, link, Err(trouble));
        }
    }
    links
}

/// What a step lacks, and which link it is about.
fn of_step(policy: &Policy, step: &Step, pair: &Pair) -> Option<(Link, Trouble)> {
    let code = step.reason.code();
    let grade = match &step.action {
        Action::Keep(_) | Action::Ignore => return None,
        // Until it goes it mirrors, unless another one takes its packets.
        Action::Delete(_) if !matches!(step.reason, Reason::Duplicate) => return None,
        Action::Block if policy.accepted_reasons.contains(code) => Grade::Limited,
        Action::Block if step.reason.level() == Level::Unsupported => Grade::Limited,
        Action::Block | Action::Create(_) | Action::Modify(..) | Action::Delete(_) => Grade::Broken,
    };
    let link = match advice(code).map(|advice| advice.rule) {
        Some(Rule::Filter) => Link::Filter,
        Some(Rule::Target) => Link::Target,
        _ => Link::Session,
    };
    // Groups of sources with one cause have one place; a session has its own.
    let at = pair.target.as_ref().map(ToString::to_string);
    let at = at.or_else(|| pair.instance.as_ref().map(ToString::to_string));
    let at = at.unwrap_or_else(|| pair.source.to_string());
    Some((link, Trouble { grade, code, at, detail: step.reason.to_string() }))
}

/// Whether the source of a session sends anything.
fn running(pair: &Pair, session: &SessionId, source: Option<&Source>) -> Judgement {
    let Some(source) = source.filter(|source| source.interface.as_ref().yes().is_some()) else {
        let detail = format!("EC2 does not show {}, the source of {session}", pair.source);
        return Err(Trouble::new(&NOT_SHOWN, pair.source.as_str(), detail));
    };
    match source.instance() {
        Some(instance) if !instance.state.is_pending_or_running() => {
            let detail = format!("an instance with a session is {}", instance.state.as_str());
            Err(Trouble::new(&SESSION_IDLE, instance.id.as_str(), detail))
        }
        _ => Ok(()),
    }
}

/// The target, and what lies beyond it.
fn beyond(
    subject: Subject<'_>,
    network: &Network,
    pair: &Pair,
    gate: &Result<Gate<'_>, Trouble>,
    links: &mut Links,
) {
    let gate = match gate {
        Ok(gate) => gate,
        Err(trouble) => {
            // The plan may say no more than that there is no target.
            let planned = links.remove(&Link::Target).unwrap_or(Ok(()));
            links.insert(Link::Target, worse(Err(trouble.clone()), planned));
            return;
        }
    };
    merge(links, Link::Target, Ok(()));
    let interface = shown(network).and_then(|all| one(all, pair.source.as_str()));
    let sender = interface.and_then(|interface| {
        let address = interface.addresses.first().copied().ok_or_else(|| {
            let detail = format!("EC2 shows no address of {}", interface.id);
            Trouble::new(&NOT_SHOWN, &interface.id, detail)
        })?;
        let (packet_length, mtu) = (pair.packet_length, subject.source_mtu);
        Ok(Sender { interface, address, packet_length, mtu })
    });
    match sender {
        Ok(sender) => links.extend(way::judge(network, sender, gate)),
        // Without the source, nothing of the way to the target can be told.
        Err(trouble) => {
            let unknown = [Link::SecurityGroup, Link::Acl, Link::Route, Link::Mtu];
            links.extend(unknown.map(|link| (link, Err(trouble.clone()))));
        }
    }
}

fn merge(links: &mut Links, link: Link, judgement: Judgement) {
    let before = links.remove(&link).unwrap_or(Ok(()));
    links.insert(link, worse(before, judgement));
}
