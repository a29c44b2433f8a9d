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
    policy::{Policy, run::RunSettings},
};
use shared_ec2::{
    client::{SdkConfig, own_retries},
    deadline::Deadline,
};

use super::{
    client_token::{TokenInputs, client_token},
    failure::{Failure, Kind},
    outcome::{Executed, Execution, Outcome, Room},
    rate_limiter::RateLimiter,
};

/// Concurrent changes. EC2 accepts bursts of 50 and then 5 a second, so more would only wait.
const MAX_CONCURRENT: usize = 8;

/// How many times a throttled change is started; each time the SDK tries it several times.
const MAX_STARTS: u32 = 3;

/// Sources on which this execution environment remembers its deletions; far more than it can delete in
/// the minute that a client token lasts.
const MAX_REMEMBERED: usize = 10_000;

/// Another tool deletes what has the description `Created by AutoMirror`.
const DESCRIPTION: &str = "automirror: mirrors an instance that is to be watched";

/// For so long after the start of this process, access denied may be what EC2 says before it has heard of a
/// role that was just created.
const NEW_ROLE: Duration = Duration::from_mins(5);

/// The tag with the invocation that created a session. People find the log by it, and automirror can
/// tell an answer that EC2 remembers apart from a new session.
const INVOCATION_TAG: &str = "Invocation";

/// The tag with the name of the stack or module: two installations with one owner leave each other's
/// sessions alone.
const INSTALLATION_TAG: &str = "Installation";

/// Changes one account and region.
pub(crate) struct Executor {
    ec2: Client,
    now: fn() -> SystemTime,
    started: SystemTime,
    /// Further tags of new sessions.
    session_tags: BTreeMap<String, String>,
    creations: RateLimiter,
    modifications: RateLimiter,
    deletions: RateLimiter,
    /// What this execution environment knows of the client tokens of a source.
    tokens: Mutex<BTreeMap<InterfaceId, Tokens>>,
}

/// What is known of the client tokens of a source.
#[derive(Clone, Copy, Default)]
struct Tokens {
    /// Sessions that were deleted there: a session that is created afterwards needs another token.
    deleted: u32,
    /// How often EC2 knew the token of a creation. The first time another execution environment may have
    /// been faster, and the next read shows its session; after that EC2 remembers a session that is gone.
    known: u32,
}

/// What all steps of an invocation share.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Lambda's request id.
    pub(crate) id: &'a str,
    /// Whose the new sessions are.
    pub(crate) policy: &'a Policy,
    /// Sessions that somebody else deleted, as the events tell, and where they were if that is known.
    pub(crate) deleted: &'a BTreeMap<SessionId, Option<InterfaceId>>,
    pub(crate) deadline: Deadline,
    /// Sources that were changed a short time ago: what has never had a session goes before them.
    pub(crate) go_last: &'a BTreeSet<InterfaceId>,
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
        let tokens = Mutex::default();
        let started = now();
        Self { ec2, now, started, session_tags, creations, modifications, deletions, tokens }
    }

    /// Carries out the changes of a plan, as far as time and room allow.
    pub(crate) async fn execute(&self, run: Run<'_>, plan: Plan, room: &Room) -> Execution {
        let mut steps = plan.steps;
        rotate(run.id, &mut steps);
        // There may be a hundred thousand: a sort of the steps themselves copies half of them.
        steps.sort_by_cached_key(|step| run.go_last.contains(&step.source));
        let mut executed = Vec::new();
        for is_of_kind in PHASES {
            let is_due = |step: &Step| is_of_kind(&step.action) && room.may_have_room(&step.action);
            executed.extend(self.execute_due(run, room, &mut steps, &is_due).await);
        }
        executed.sort_by(|a, b| {
            (&a.step.instance, &a.step.source).cmp(&(&b.step.instance, &b.step.source))
        });
        Execution { not_executed: steps, executed, ..Execution::default() }
    }

    /// Takes out the steps that are due and carries them out. Leaves time to those that follow.
    async fn execute_due(
        &self,
        run: Run<'_>,
        room: &Room,
        steps: &mut Vec<Step>,
        is_due: &(dyn Fn(&Step) -> bool + Sync),
    ) -> Vec<Executed> {
        let followers = steps.iter().filter(|step| step.action.is_change() && !is_due(step));
        let followers = u32::try_from(followers.count()).unwrap_or(u32::MAX);
        let interval = self.creations.interval();
        let deadline = run.deadline.leaving(interval.saturating_mul(followers));
        let run = Run { deadline, ..run };
        // One at a time, so that a full account or target is found out once.
        let due = steps.extract_if(.., |step| is_due(step));
        let work = due.map(|step| async {
            let outcome = self.execute_one(run, &step).await?;
            room.note(&step.action, &outcome);
            let executed = Executed { step, outcome };
            (run.on_end)(&executed);
            Some(executed)
        });
        // In the order in which they end: nobody waits for a call that is not answered.
        let ended = stream::iter(work).buffer_unordered(MAX_CONCURRENT);
        ended.filter_map(|executed| async { executed }).collect().await
    }

    /// What became of the step; none where it changes nothing.
    async fn execute_one(&self, run: Run<'_>, step: &Step) -> Option<Outcome> {
        let deadline = run.deadline;
        let outcome = match &step.action {
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
        };
        Some(self.forgive_new_role(outcome))
    }

    /// Access denied in the first minutes of this process is tried again until they are over.
    fn forgive_new_role(&self, outcome: Outcome) -> Outcome {
        let age = (self.now)().duration_since(self.started).unwrap_or_default();
        match outcome {
            Outcome::Failed(failure) if failure.is_denied() && age < NEW_ROLE => {
                Outcome::Failed(Failure { kind: Kind::Transient, ..failure })
            }
            outcome => outcome,
        }
    }

    async fn create(
        &self,
        run: Run<'_>,
        step: &Step,
        new: &NewSession,
    ) -> Result<SessionId, Failure> {
        let Run { id, policy, .. } = run;
        let (source, owner) = (&step.source, &*policy.owner);
        let is_here = |at: &Option<InterfaceId>| at.as_ref().is_none_or(|at| at == source);
        let deleted = run.deleted.iter().filter(|(_, at)| is_here(at)).map(|(session, _)| session);
        let deleted = &deleted.cloned().collect();
        let generation = self.generation(source);
        let inputs = TokenInputs { deleted, owner, source, now: (self.now)(), generation };
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let name = step.instance.as_ref().map(|instance| tag("Name", instance.as_str()));
        let tags = [tag("ManagedBy", owner), tag(INVOCATION_TAG, id)];
        let installation = policy.installation.as_deref().map(|it| tag(INSTALLATION_TAG, it));
        let further = self.session_tags.iter().map(|(key, value)| tag(key, value));
        let further = installation.into_iter().chain(further);
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
            .await
            .map_err(Failure::from);
        let created = answer.and_then(|answer| {
            created_by(id, answer.traffic_mirror_session()).ok_or_else(Failure::token_is_known)
        });
        if created.as_ref().is_err_and(Failure::is_about_token) {
            self.note_token(source, |tokens| tokens.known += 1);
        }
        created
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
        self.note_token(source, |tokens| tokens.deleted += 1);
        Ok(session.clone())
    }

    fn note_token(&self, source: &InterfaceId, note: impl Fn(&mut Tokens)) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_REMEMBERED {
            tokens.clear();
        }
        note(tokens.entry(source.clone()).or_default());
    }

    /// A number that is another one where another client token is needed.
    fn generation(&self, source: &InterfaceId) -> u32 {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let Tokens { deleted, known } = tokens.get(source).copied().unwrap_or_default();
        deleted.saturating_add(known.saturating_sub(1))
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
