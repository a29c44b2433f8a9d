//! Executes a plan: one EC2 call for each change. The only module that changes EC2.

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
    id::{InterfaceId, SessionId},
    number::Vni,
    plan::step::{Action, Change, NewPacketLength, NewSession, Plan, Step},
    policy::run::RunSettings,
};
use shared_ec2::client::{SdkConfig, own_retries};

use super::{
    client_token::{TokenInputs, client_token},
    deadline::Deadline,
    failure::{Failure, Kind},
    outcome::{Executed, Execution, Outcome, SessionQuota},
    rate_limiter::RateLimiter,
};

/// Concurrent changes. EC2 accepts bursts of 50 and then 5 a second, so more would only wait.
const MAX_CONCURRENT: usize = 8;

/// The time that a change takes at the default share of EC2's rate, once the burst is used up.
const CHANGE_INTERVAL: Duration = Duration::from_millis(250);

/// How many times a throttled change is started; each time the SDK tries it several times.
const MAX_STARTS: u32 = 3;

/// Sources on which this execution environment remembers its deletions; far more than it can delete in
/// the minute that a client token lasts.
const MAX_REMEMBERED: usize = 10_000;

const DESCRIPTION: &str = "Created by AutoMirror";

/// The tag with the invocation that created a session. People find the log by it, and automirror can
/// tell an answer that EC2 remembers apart from a new session.
const INVOCATION_TAG: &str = "Invocation";

/// Changes one account and region.
pub(crate) struct Executor {
    ec2: Client,
    now: fn() -> SystemTime,
    /// Further tags of new sessions.
    session_tags: BTreeMap<String, String>,
    creations: RateLimiter,
    modifications: RateLimiter,
    deletions: RateLimiter,
    /// How many sessions this execution environment has deleted on a source: a session that it creates
    /// there afterwards needs another client token.
    deleted: Mutex<BTreeMap<InterfaceId, u32>>,
}

/// What all steps of an invocation share.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Lambda's request id.
    pub(crate) id: &'a str,
    /// The owner of new sessions.
    pub(crate) owner: &'a str,
    /// Sessions that somebody else deleted, as the events tell.
    pub(crate) deleted: &'a BTreeSet<SessionId>,
    pub(crate) deadline: Deadline,
    /// The steps that go before all others of their kind.
    pub(crate) goes_first: &'a (dyn Fn(&Step) -> bool + Sync),
    /// Is told of each step as it ends.
    pub(crate) on_end: &'a (dyn Fn(&Executed) + Sync),
}

/// The kinds of change, in the order in which they are carried out: each may need the room that the
/// ones before it make.
const PHASES: [fn(&Action) -> bool; 3] = [
    |action| matches!(action, Action::Delete(_)),
    |action| matches!(action, Action::Modify(..)),
    |action| matches!(action, Action::Create(_)),
];

impl Executor {
    /// Changes the account and region of this configuration.
    pub(crate) fn new(config: &SdkConfig, now: fn() -> SystemTime, settings: RunSettings) -> Self {
        let config = aws_sdk_ec2::config::Builder::from(config)
            .retry_partition(own_retries("ec2-writes"))
            .build();
        let ec2 = Client::from_conf(config);
        let RunSettings { rate_share, session_tags, .. } = settings;
        let [creations, modifications, deletions] = [rate_share; 3].map(RateLimiter::new);
        let deleted = Mutex::default();
        Self { ec2, now, session_tags, creations, modifications, deletions, deleted }
    }

    /// Carries out the changes of a plan, as far as time and the account's quota allow.
    pub(crate) async fn execute(
        &self,
        run: Run<'_>,
        plan: Plan,
        quota: &SessionQuota,
    ) -> Execution {
        let mut steps = plan.steps;
        rotate(run.id, &mut steps);
        let mut executed = Vec::new();
        for is_of_kind in PHASES {
            for first in [true, false] {
                let is_due = |step: &Step| {
                    is_of_kind(&step.action)
                        && first == (run.goes_first)(step)
                        && (quota.may_have_room() || !matches!(step.action, Action::Create(_)))
                };
                executed.extend(self.execute_due(run, quota, &mut steps, &is_due).await);
            }
        }
        Execution { not_executed: steps, executed, ..Execution::default() }
    }

    /// Takes out the steps that are due and carries them out. Leaves time to those that follow.
    async fn execute_due(
        &self,
        run: Run<'_>,
        quota: &SessionQuota,
        steps: &mut Vec<Step>,
        is_due: &(dyn Fn(&Step) -> bool + Sync),
    ) -> Vec<Executed> {
        let followers = steps.iter().filter(|step| step.action.is_change() && !is_due(step));
        let followers = u32::try_from(followers.count()).unwrap_or(u32::MAX);
        let deadline = run.deadline.leaving(CHANGE_INTERVAL.saturating_mul(followers));
        let run = Run { deadline, ..run };
        // One at a time, so that a full account ends it.
        let due = steps.extract_if(.., |step| is_due(step));
        let work = due.map(|step| async {
            let outcome = self.execute_one(run, &step).await?;
            quota.note(&step.action, &outcome);
            let executed = Executed { step, outcome };
            (run.on_end)(&executed);
            Some(executed)
        });
        let ended = stream::iter(work).buffered(MAX_CONCURRENT);
        ended.filter_map(|executed| async { executed }).collect().await
    }

    /// What became of the step; none where it changes nothing.
    async fn execute_one(&self, run: Run<'_>, step: &Step) -> Option<Outcome> {
        let deadline = run.deadline;
        Some(match &step.action {
            Action::Keep(_) | Action::Block | Action::Ignore => return None,
            Action::Create(new) => {
                let create = || self.create(run, step, new);
                rate_limited(&self.creations, deadline, create).await
            }
            Action::Modify(session, change) => {
                let modify = || self.modify(session, change);
                rate_limited(&self.modifications, deadline, modify).await
            }
            Action::Delete(session) => {
                let delete = || self.delete(&step.source, session);
                rate_limited(&self.deletions, deadline, delete).await
            }
        })
    }

    async fn create(
        &self,
        run: Run<'_>,
        step: &Step,
        new: &NewSession,
    ) -> Result<SessionId, Failure> {
        let Run { id, owner, deleted, .. } = run;
        let source = &step.source;
        let generation = self.generation(source);
        let inputs = TokenInputs { deleted, owner, source, now: (self.now)(), generation };
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let name = step.instance.as_ref().map(|instance| tag("Name", instance.as_str()));
        let tags = [tag("ManagedBy", owner), tag(INVOCATION_TAG, id)];
        let further = self.session_tags.iter().map(|(key, value)| tag(key, value));
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::TrafficMirrorSession)
            .set_tags(Some(tags.into_iter().chain(name).chain(further).collect()))
            .build();
        let answer = self
            .ec2
            .create_traffic_mirror_session()
            .network_interface_id(source.as_str())
            .traffic_mirror_target_id(new.target.as_str())
            .traffic_mirror_filter_id(new.filter.as_str())
            .session_number(new.number.into())
            .set_packet_length(new.packet_length.map(Into::into))
            .set_virtual_network_id(new.vni.map(Vni::to_i32))
            .description(DESCRIPTION)
            .tag_specifications(tags)
            .client_token(client_token(inputs, new))
            .send()
            .await?;
        let session = answer.traffic_mirror_session();
        created_by(id, session).ok_or_else(|| Failure {
            kind: Kind::Conflict,
            code: None,
            message: "EC2 answered with a session that another invocation created".to_owned(),
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
            .set_virtual_network_id(vni.map(Vni::to_i32));
        request = match packet_length {
            Some(NewPacketLength::Bytes(bytes)) => request.packet_length((*bytes).into()),
            Some(NewPacketLength::Default) => {
                request.remove_fields(TrafficMirrorSessionField::PacketLength)
            }
            None => request,
        };
        request.send().await?;
        Ok(session.clone())
    }

    async fn delete(
        &self,
        source: &InterfaceId,
        session: &SessionId,
    ) -> Result<SessionId, Failure> {
        let request = self.ec2.delete_traffic_mirror_session();
        let answer = request.traffic_mirror_session_id(session.as_str()).send().await;
        match answer.map_err(Failure::from) {
            // Not found: it went with its interface, or somebody else deleted it. Either way it is gone.
            Ok(_) | Err(Failure { kind: Kind::NotFound, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        if deleted.len() >= MAX_REMEMBERED {
            deleted.clear();
        }
        *deleted.entry(source.clone()).or_default() += 1;
        Ok(session.clone())
    }

    fn generation(&self, source: &InterfaceId) -> u32 {
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.get(source).copied().unwrap_or_default()
    }
}

/// Makes a call as soon as the rate allows, and again where EC2 throttled all the SDK's attempts.
async fn rate_limited<F>(limiter: &RateLimiter, deadline: Deadline, call: impl Fn() -> F) -> Outcome
where
    F: Future<Output = Result<SessionId, Failure>>,
{
    let mut starts = 0;
    loop {
        if deadline.is_near() || deadline.wait(limiter.acquire()).await.is_none() {
            return Outcome::OutOfTime;
        }
        starts += 1;
        match deadline.cut(call()).await {
            Some(Ok(session)) => return Outcome::Done(session),
            Some(Err(failure)) if failure.is_throttled() && starts < MAX_STARTS => limiter.drain(),
            Some(Err(failure)) => return Outcome::Failed(failure),
            None => return Outcome::OutOfTime,
        }
    }
}

/// Begins with another step in each invocation: otherwise permanent refusals would keep one sweep after
/// another, each running out of time, from all that stands behind them.
fn rotate(id: &str, steps: &mut [Step]) {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let length = u64::try_from(steps.len()).unwrap_or(u64::MAX).max(1);
    steps.rotate_left(usize::try_from(hasher.finish() % length).unwrap_or_default());
}

/// The id of a session that this invocation created. EC2 answers a client token that it knows with the
/// session it created then, which may be gone.
fn created_by(invocation: &str, session: Option<&TrafficMirrorSession>) -> Option<SessionId> {
    let session = session?;
    let mut marks = session.tags().iter().filter(|tag| tag.key() == Some(INVOCATION_TAG));
    if marks.any(|tag| tag.value() != Some(invocation)) {
        return None;
    }
    session.traffic_mirror_session_id()?.parse().ok()
}
