//! Carries out a plan: one EC2 call for each change. The only module that changes EC2.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sdk_ec2::{
    Client,
    types::{ResourceType, Tag, TagSpecification, TrafficMirrorSession, TrafficMirrorSessionField},
};
use futures_util::{StreamExt, stream};
use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    observed::{Observed, Session},
    plan::plan,
    policy::Policy,
    step::{Action, Change, NewSession, PacketLength, Step},
    subject::Subject,
};

use crate::{
    deadline::Deadline,
    failure::{Failure, Kind},
    outcome::{AccountRoom, Carried, Outcome},
    pace::Pace,
    token::{Occasion, client_token},
};

/// Changes under way at once. EC2 takes bursts of 50 and then 5 a second, so more would only wait.
const CONCURRENT: usize = 8;

/// What a change takes at the usual share of EC2's rate, once the burst is used up.
const A_CHANGE: Duration = Duration::from_millis(250);

/// How often a change is begun that EC2 throttles; each time the SDK tries it several times itself.
const TURNS: u32 = 3;

/// Interfaces this process remembers to have deleted sessions on; far more than a minute's worth.
const REMEMBERED: usize = 10_000;

const DESCRIPTION: &str = "Created by AutoMirror";

/// The tag that says which invocation made a session: by it the log is found, and an answer that
/// EC2 remembers from an earlier call is told from a new session.
const INVOCATION_TAG: &str = "Invocation";

pub(crate) struct Executor {
    ec2: Client,
    now: fn() -> SystemTime,
    creations: Pace,
    changes: Pace,
    deletions: Pace,
    /// How many sessions this process deleted on an interface: a session made there afterwards
    /// needs another client token.
    deleted: Mutex<BTreeMap<InterfaceId, u32>>,
}

/// What all steps of an invocation share.
#[derive(Clone, Copy)]
pub(crate) struct Invocation<'a> {
    pub(crate) policy: &'a Policy,
    /// Lambda's request id.
    pub(crate) id: &'a str,
    pub(crate) subjects: &'a BTreeSet<Subject>,
    /// Sessions that somebody else deleted, as the events tell.
    pub(crate) deleted: &'a BTreeSet<SessionId>,
    pub(crate) deadline: Deadline,
}

impl Executor {
    /// `share` is the part of EC2's rate that is ours, in percent.
    pub(crate) fn new(ec2: Client, now: fn() -> SystemTime, share: i32) -> Self {
        let [creations, changes, deletions] = [share; 3].map(Pace::new);
        Self { ec2, now, creations, changes, deletions, deleted: Mutex::default() }
    }

    /// Plans, carries out, and plans again for interfaces whose target turned out to be full, until
    /// each has found room or no target is left.
    pub(crate) async fn execute(
        &self,
        invocation: Invocation<'_>,
        mut observed: Observed,
    ) -> Carried {
        let policy = invocation.policy;
        let room = AccountRoom::default();
        let mut carried = Carried::default();
        let mut steps = plan(policy, &observed).steps;
        let mut tried_twice = BTreeSet::new();
        loop {
            let (mut crowded_out, mut full, mut left) =
                (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            for (step, outcome) in self.carry_out(invocation, &room, &mut steps).await {
                if let Outcome::Failed(Failure { kind: Kind::TargetFull, .. }) = outcome
                    && let Some(target) = step.action.target()
                {
                    full.insert(target.clone());
                    crowded_out.insert(step.interface);
                    continue;
                }
                if let Outcome::Done(session) = &outcome {
                    left.extend(led_to(&observed, session));
                    apply(policy, &mut observed, &step, session);
                }
                carried.tried.push((step, outcome));
            }
            for target in full {
                // A session may have left it at the same moment as the one that was refused came.
                if !left.contains(&target) || !tried_twice.insert(target.clone()) {
                    refuse(&mut observed, &target);
                }
            }
            // The other steps of what found no room come again with the new plan.
            steps.retain(|step| !crowded_out.contains(&step.interface));
            // There may be a hundred thousand: the first ones are not copied.
            if carried.noted.is_empty() {
                carried.noted = steps;
            } else {
                carried.noted.append(&mut steps);
            }
            if crowded_out.is_empty() {
                carried.account_full = carried.noted.iter().any(|step| step.action.is_change());
                return carried;
            }
            steps = plan(policy, &observed).steps;
            steps.retain(|step| crowded_out.contains(&step.interface));
        }
    }

    /// Takes out what is to be carried out, and does it: deletions first, then changes, then creations,
    /// since each may need the room the ones before give. Each leaves time to those that follow.
    async fn carry_out(
        &self,
        invocation: Invocation<'_>,
        room: &AccountRoom,
        steps: &mut Vec<Step>,
    ) -> Vec<(Step, Outcome)> {
        let phases: [&(dyn Fn(&Action) -> bool + Sync); 3] = [
            &|action| matches!(action, Action::Delete(_)),
            &|action| matches!(action, Action::Modify(..)),
            &|action| matches!(action, Action::Create(_)) && room.may_be_there(),
        ];
        begin_elsewhere(invocation, steps);
        let mut outcomes = Vec::new();
        for (is_due, is_named) in
            phases.into_iter().flat_map(|phase| [(phase, true), (phase, false)])
        {
            let is_due =
                |step: &Step| is_due(&step.action) && is_named == names(invocation.subjects, step);
            let follow = steps.iter().filter(|step| step.action.is_change() && !is_due(step));
            let follow = u32::try_from(follow.count()).unwrap_or(u32::MAX);
            let deadline = invocation.deadline.leaving(A_CHANGE.saturating_mul(follow));
            let invocation = Invocation { deadline, ..invocation };
            // One at a time, so that a full account ends it.
            let due = steps.extract_if(.., |step| is_due(step));
            let work = due.map(|step| async {
                let outcome = self.carry_out_one(invocation, &step).await?;
                room.note(&step.action, &outcome);
                Some((step, outcome))
            });
            let mut done = stream::iter(work).buffered(CONCURRENT);
            while let Some(done) = done.next().await {
                outcomes.extend(done);
            }
        }
        outcomes
    }

    /// What became of the step; none where there is nothing to carry out.
    async fn carry_out_one(&self, invocation: Invocation<'_>, step: &Step) -> Option<Outcome> {
        let deadline = invocation.deadline;
        Some(match &step.action {
            Action::Keep(_) | Action::Block | Action::Ignore => return None,
            Action::Create(new) => {
                let create = || self.create(invocation, step, new);
                paced(&self.creations, deadline, create).await
            }
            Action::Modify(session, change) => {
                paced(&self.changes, deadline, || self.modify(session, change)).await
            }
            Action::Delete(session) => {
                let delete = || self.delete(&step.interface, session);
                paced(&self.deletions, deadline, delete).await
            }
        })
    }

    async fn create(
        &self,
        invocation: Invocation<'_>,
        step: &Step,
        new: &NewSession,
    ) -> Result<SessionId, Failure> {
        let Invocation { policy, id, deleted, .. } = invocation;
        let interface = &step.interface;
        let generation = self.generation(interface);
        let owner = &policy.owner;
        let now = (self.now)();
        let occasion = Occasion { deleted, owner, interface, now, generation };
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let name = step.instance.as_ref().map(|instance| tag("Name", instance.as_str()));
        let tags = [tag("ManagedBy", &policy.owner), tag(INVOCATION_TAG, id)];
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::TrafficMirrorSession)
            .set_tags(Some(tags.into_iter().chain(name).collect()))
            .build();
        let answer = self
            .ec2
            .create_traffic_mirror_session()
            .network_interface_id(interface.as_str())
            .traffic_mirror_target_id(new.target.as_str())
            .traffic_mirror_filter_id(new.filter.as_str())
            .session_number(new.number)
            .set_packet_length(new.packet_length)
            .set_virtual_network_id(new.vni)
            .description(DESCRIPTION)
            .tag_specifications(tags)
            .client_token(client_token(occasion, new))
            .send()
            .await?;
        let session = answer.traffic_mirror_session();
        made_by(id, session).ok_or_else(|| Failure {
            kind: Kind::Disputed,
            code: None,
            message: "EC2 answered with a session that another invocation made".to_owned(),
        })
    }

    async fn modify(&self, session: &SessionId, change: &Change) -> Result<SessionId, Failure> {
        let Change { target, filter, packet_length, vni } = change;
        let mut request = self
            .ec2
            .modify_traffic_mirror_session()
            .traffic_mirror_session_id(session.as_str())
            .set_traffic_mirror_target_id(target.as_ref().map(ToString::to_string))
            .set_traffic_mirror_filter_id(filter.as_ref().map(ToString::to_string))
            .set_virtual_network_id(*vni);
        request = match packet_length {
            Some(PacketLength::Bytes(bytes)) => request.packet_length(*bytes),
            Some(PacketLength::Default) => {
                request.remove_fields(TrafficMirrorSessionField::PacketLength)
            }
            None => request,
        };
        request.send().await?;
        Ok(session.clone())
    }

    async fn delete(
        &self,
        interface: &InterfaceId,
        session: &SessionId,
    ) -> Result<SessionId, Failure> {
        let request = self.ec2.delete_traffic_mirror_session();
        let answer = request.traffic_mirror_session_id(session.as_str()).send().await;
        match answer.map_err(Failure::from) {
            // Not found: gone with its interface or by another worker, the outcome we wanted.
            Ok(_) | Err(Failure { kind: Kind::NotFound, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        if deleted.len() >= REMEMBERED {
            deleted.clear();
        }
        *deleted.entry(interface.clone()).or_default() += 1;
        Ok(session.clone())
    }

    fn generation(&self, interface: &InterfaceId) -> u32 {
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.get(interface).copied().unwrap_or_default()
    }
}

/// Makes a call when its turn comes, and again where EC2 was too busy for all its tries.
async fn paced<F>(pace: &Pace, deadline: Deadline, call: impl Fn() -> F) -> Outcome
where
    F: Future<Output = Result<SessionId, Failure>>,
{
    let mut turns = 0;
    loop {
        if deadline.is_near() || deadline.wait(pace.turn()).await.is_none() {
            return Outcome::OutOfTime;
        }
        turns += 1;
        match deadline.cut(call()).await {
            Some(Ok(session)) => return Outcome::Done(session),
            Some(Err(failure)) if failure.is_throttled() && turns < TURNS => pace.found_empty(),
            Some(Err(failure)) => return Outcome::Failed(failure),
            None => return Outcome::OutOfTime,
        }
    }
}

/// Begins with another step in each invocation: what EC2 refuses for good would otherwise keep a sweep
/// that runs out of time from all that stands behind it, and so would the next sweep.
fn begin_elsewhere(invocation: Invocation<'_>, steps: &mut [Step]) {
    let mut hasher = DefaultHasher::new();
    invocation.id.hash(&mut hasher);
    let length = u64::try_from(steps.len()).unwrap_or(u64::MAX).max(1);
    steps.rotate_left(usize::try_from(hasher.finish() % length).unwrap_or_default());
}

/// Whether an event names what the step is about, which then comes before what only a sweep has found.
fn names(subjects: &BTreeSet<Subject>, step: &Step) -> bool {
    let is_named = |instance: &InstanceId| {
        subjects.contains(&Subject::Instance(instance.clone()))
            || subjects.contains(&Subject::Started(instance.clone()))
    };
    step.instance.as_ref().is_some_and(is_named)
        || subjects.contains(&Subject::Interface(step.interface.clone()))
}

/// The id of a session that this invocation made. EC2 answers a client token it knows with the
/// session of back then, which may be gone.
fn made_by(invocation: &str, session: Option<&TrafficMirrorSession>) -> Option<SessionId> {
    let session = session?;
    let mut marks = session.tags().iter().filter(|tag| tag.key() == Some(INVOCATION_TAG));
    if marks.any(|tag| tag.value() != Some(invocation)) {
        return None;
    }
    session.traffic_mirror_session_id()?.parse().ok()
}

/// The target has refused a source: the next plan leaves it out.
fn refuse(observed: &mut Observed, full: &TargetId) {
    for target in &mut observed.targets {
        target.refused |= target.id == *full;
    }
}

/// The target a session leads to before it is changed.
fn led_to(observed: &Observed, id: &SessionId) -> Option<TargetId> {
    let session = observed.sessions.iter().find(|session| session.id == *id);
    session.map(|session| session.target.clone())
}

/// Enters a change that was made into what was observed.
fn apply(policy: &Policy, observed: &mut Observed, step: &Step, id: &SessionId) {
    match &step.action {
        Action::Create(new) => {
            let session = created(policy, observed, &step.interface, new, id);
            observed.sessions.push(session);
        }
        Action::Delete(_) => observed.sessions.retain(|session| session.id != *id),
        Action::Modify(_, change) => {
            let changed = observed.sessions.iter_mut().filter(|session| session.id == *id);
            for session in changed {
                let change = change.clone();
                session.target = change.target.unwrap_or_else(|| session.target.clone());
                session.filter = change.filter.unwrap_or_else(|| session.filter.clone());
                session.vni = change.vni.or(session.vni);
                session.packet_length = match change.packet_length {
                    Some(PacketLength::Bytes(bytes)) => Some(bytes),
                    Some(PacketLength::Default) => None,
                    None => session.packet_length,
                };
            }
        }
        Action::Keep(_) | Action::Block | Action::Ignore => {}
    }
}

fn created(
    policy: &Policy,
    observed: &Observed,
    interface: &InterfaceId,
    new: &NewSession,
    id: &SessionId,
) -> Session {
    Session {
        id: id.clone(),
        account: observed.account.clone(),
        interface: interface.clone(),
        target: new.target.clone(),
        filter: new.filter.clone(),
        number: new.number,
        packet_length: new.packet_length,
        vni: new.vni,
        managed_by: Some(policy.owner.clone()),
    }
}
