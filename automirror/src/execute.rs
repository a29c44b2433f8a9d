//! Carries out a plan: one EC2 call for each change. The only module that changes EC2.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use aws_sdk_ec2::{
    Client,
    types::{ResourceType, Tag, TagSpecification, TrafficMirrorSessionField},
};
use futures_util::{StreamExt, stream};
use shared::{
    id::{InterfaceId, SessionId, TargetId},
    observed::{Observed, Session},
    plan::plan,
    policy::Policy,
    step::{Action, Change, NewSession, PacketLength, Step},
};

use crate::{
    deadline::{Deadline, now},
    failure::{Failure, Kind},
    token::{Occasion, client_token},
};

/// Changes under way at once. EC2 takes bursts of 50 and then 5 a second, so more would only wait.
const CONCURRENT: usize = 8;

/// Sessions this process remembers to have made or deleted; far more than one minute's worth.
const REMEMBERED: usize = 10_000;

const DESCRIPTION: &str = "Created by AutoMirror";

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to carry out.
    Noted,
    /// Carried out.
    Done(SessionId),
    /// EC2 refused or did not answer.
    Failed(Failure),
    /// Not started, or cut short: the time was up.
    OutOfTime,
}

pub(crate) struct Executor {
    ec2: Client,
    /// Sessions this process made or deleted itself.
    known: Mutex<BTreeSet<SessionId>>,
}

impl Executor {
    pub(crate) fn new(ec2: Client) -> Self {
        Self { ec2, known: Mutex::default() }
    }

    /// Plans, carries out, and plans again for interfaces whose target turned out to be full, until
    /// each has found room or no target is left.
    pub(crate) async fn execute(
        &self,
        policy: &Policy,
        mut observed: Observed,
        deadline: Deadline,
    ) -> Vec<(Step, Outcome)> {
        let mut finished = Vec::new();
        let mut steps = plan(policy, &observed).steps;
        loop {
            let mut crowded_out = BTreeSet::new();
            for (step, outcome) in self.carry_out(policy, steps, deadline).await {
                if let Outcome::Failed(Failure { kind: Kind::TargetFull, .. }) = outcome
                    && let Some(target) = step.action.target()
                {
                    refuse(&mut observed, target);
                    crowded_out.insert(step.interface);
                    continue;
                }
                if let Outcome::Done(session) = &outcome {
                    apply(policy, &mut observed, &step, session);
                }
                finished.push((step, outcome));
            }
            if crowded_out.is_empty() {
                return finished;
            }
            // Their other steps come again with the new plan.
            finished.retain(|(step, outcome)| {
                *outcome != Outcome::Noted || !crowded_out.contains(&step.interface)
            });
            steps = plan(policy, &observed).steps;
            steps.retain(|step| crowded_out.contains(&step.interface));
        }
    }

    /// Deletions first, then changes, then creations: each may need the room the ones before give.
    async fn carry_out(
        &self,
        policy: &Policy,
        steps: Vec<Step>,
        deadline: Deadline,
    ) -> Vec<(Step, Outcome)> {
        let mut phases: [Vec<Step>; 4] = Default::default();
        let [noted, deletions, changes, creations] = &mut phases;
        for step in steps {
            match step.action {
                Action::Keep(_) | Action::Block | Action::Ignore => noted.push(step),
                Action::Delete(_) => deletions.push(step),
                Action::Modify(..) => changes.push(step),
                Action::Create(_) => creations.push(step),
            }
        }
        let mut outcomes = Vec::new();
        for phase in phases {
            let work = phase.into_iter().map(|step| async {
                let outcome = self.carry_out_one(policy, &step, deadline).await;
                (step, outcome)
            });
            let done: Vec<_> = stream::iter(work).buffered(CONCURRENT).collect().await;
            outcomes.extend(done);
        }
        outcomes
    }

    async fn carry_out_one(&self, policy: &Policy, step: &Step, deadline: Deadline) -> Outcome {
        let answer = match &step.action {
            Action::Keep(_) | Action::Block | Action::Ignore => return Outcome::Noted,
            _ if deadline.is_near() => return Outcome::OutOfTime,
            Action::Create(new) => deadline.cut(self.create(policy, step, new)).await,
            Action::Modify(session, change) => deadline.cut(self.modify(session, change)).await,
            Action::Delete(session) => deadline.cut(self.delete(session)).await,
        };
        match answer {
            Some(Ok(session)) => Outcome::Done(session),
            Some(Err(failure)) => Outcome::Failed(failure),
            None => Outcome::OutOfTime,
        }
    }

    async fn create(
        &self,
        policy: &Policy,
        step: &Step,
        new: &NewSession,
    ) -> Result<SessionId, Failure> {
        let id = self.create_once(policy, step, new, 0).await?;
        if self.remember(&id) {
            return Ok(id);
        }
        // EC2 answered with a session this process already knew, and it was not there when we
        // looked: that is the remembered answer to an earlier call, and the session is gone.
        let id = self.create_once(policy, step, new, 1).await?;
        self.remember(&id);
        Ok(id)
    }

    async fn create_once(
        &self,
        policy: &Policy,
        step: &Step,
        new: &NewSession,
        generation: u32,
    ) -> Result<SessionId, Failure> {
        let interface = &step.interface;
        let occasion = Occasion { owner: &policy.owner, interface, now: now(), generation };
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let name = step.instance.as_ref().map(|instance| tag("Name", instance.as_str()));
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::TrafficMirrorSession)
            .set_tags(Some(name.into_iter().chain([tag("ManagedBy", &policy.owner)]).collect()))
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
        let id = session.and_then(|session| session.traffic_mirror_session_id()?.parse().ok());
        id.ok_or_else(|| Failure {
            kind: Kind::Passing,
            code: None,
            message: "EC2 answered without the id of the new session".to_owned(),
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

    async fn delete(&self, session: &SessionId) -> Result<SessionId, Failure> {
        let request = self.ec2.delete_traffic_mirror_session();
        let answer = request.traffic_mirror_session_id(session.as_str()).send().await;
        match answer.map_err(Failure::from) {
            Ok(_) => {}
            // Gone already, with its interface or by another worker: the outcome we wanted.
            Err(Failure { kind: Kind::NotFound, .. }) => {}
            Err(failure) => return Err(failure),
        }
        self.remember(session);
        Ok(session.clone())
    }

    /// Whether the session is new to this process.
    fn remember(&self, session: &SessionId) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(session.clone())
    }
}

/// The target has refused a source: the next plan leaves it out.
fn refuse(observed: &mut Observed, full: &TargetId) {
    for target in &mut observed.targets {
        target.refused |= target.id == *full;
    }
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
