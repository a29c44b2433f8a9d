//! Reading EC2: from what an event names to everything the decision about it depends on.
//!
//! A few calls serve any number of subjects, and each call is made only where its answer is needed:
//!
//! ```text
//! call                              | when
//! ----------------------------------+--------------------------------------------------------
//! instances                         | always
//! sessions on their interfaces      | always, but for an instance that starts and is not wanted
//! targets and filters               | an instance is wanted, or a session was named, and they are
//!                                   | not remembered, or what was planned on them is in doubt
//! interfaces managed by a service   | a wanted instance has more than its primary interface
//! sessions on the allowed targets   | a target must be chosen, and there is a choice or a limit
//! instances behind the targets      | the same, and a target is a network interface
//! interfaces on no instance         | a session of ours is on one
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use aws_sdk_ec2::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};
use futures_util::try_join;
use tokio::time::timeout;
use tracing::debug;

use crate::{
    describe::{self, Wanted},
    id::{AccountId, InstanceId, InterfaceId},
    loads::Loads,
    observed::{Instance, LooseInterface, LoosePlace, Observed, Session},
    plan::plan,
    policy::{Policy, Scope},
    spelling::spellings,
    step::{Action, Step},
    subject::Subject,
    surroundings::{Memory, Surroundings},
    wish::selected,
};

/// EC2 could not be read. Nothing may be concluded from what was read before.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation}")]
pub struct ObserveError {
    operation: &'static str,
    /// EC2's error code, where it answered with one.
    pub code: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl ObserveError {
    pub(crate) fn new<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let code = error.code().map(str::to_owned);
        Self { operation, code, source: Box::new(error) }
    }
}

/// Above this many interfaces all sessions are read: an account has at most 10,000, ten pages, and
/// that is what asking by 200 interfaces at a time comes to here.
const MANY_INTERFACES: usize = 2_000;

pub(crate) const BY_INTERFACE: &str = "network-interface.network-interface-id";

/// Reads EC2 for one account.
#[derive(Clone, Copy, Debug)]
pub struct Observer<'a> {
    /// EC2.
    pub client: &'a Client,
    /// What the operator wants.
    pub policy: &'a Policy,
    /// The account.
    pub account: &'a AccountId,
    /// What the process remembers, and the time by which it is old; none reads everything anew.
    pub memory: Option<(&'a Memory, SystemTime)>,
}

/// Lambda starts a function anew whose initialisation takes more than 10 seconds.
const WARM_UP: Duration = Duration::from_secs(3);

/// Reads targets and filters before any event comes. That also makes the connection to EC2 and
/// everything else that the first event would otherwise wait for.
///
/// One after the other, so on one connection: the first event mostly needs no second one.
pub async fn warm_up(client: &Client, memory: &Memory, now: SystemTime) {
    let read = async {
        let targets = describe::targets(client).await?;
        let filters = describe::filters(client).await?;
        Ok(Surroundings { targets, filters })
    };
    if let Some(surroundings) = before_any_event(read).await {
        memory.keep(surroundings, now);
    }
}

/// Makes connections to EC2 before any event comes, for events that are read without a memory: that
/// takes several calls side by side.
pub async fn connect(client: &Client) {
    before_any_event(read_surroundings(client)).await;
}

/// A failure is only said: if it lasts, the first event fails with it.
async fn before_any_event<T>(read: impl Future<Output = Result<T, ObserveError>>) -> Option<T> {
    match timeout(WARM_UP, read).await {
        Ok(Ok(read)) => return Some(read),
        Ok(Err(error)) => debug!("not warmed up: {}", DisplayErrorContext(error)),
        Err(_) => debug!("not warmed up: EC2 took more than {WARM_UP:?}"),
    }
    None
}

async fn read_surroundings(client: &Client) -> Result<Surroundings, ObserveError> {
    let (targets, filters) = try_join!(describe::targets(client), describe::filters(client))?;
    Ok(Surroundings { targets, filters })
}

/// What was read, before it is complete.
struct Reading {
    observed: Observed,
    /// Targets and filters are remembered ones.
    is_remembered: bool,
    loads: Loads,
}

impl Observer<'_> {
    /// Reads everything that the decision about `subjects` depends on.
    ///
    /// # Errors
    /// The first call that failed after the client's retries.
    pub async fn observe(&self, subjects: &BTreeSet<Subject>) -> Result<Observed, ObserveError> {
        let Reading { mut observed, is_remembered, loads } = if subjects.contains(&Subject::Sweep) {
            self.everything(subjects).await?
        } else {
            self.named(subjects).await?
        };
        let loose = self.loose(&observed).await?;
        observed.loose.extend(loose);
        if is_remembered && doubts(&plan(self.policy, &observed).steps) {
            let Surroundings { targets, filters } = self.read_surroundings().await?;
            (observed.targets, observed.filters) = (targets, filters);
        }
        self.add_loads(&mut observed, loads).await?;
        Ok(observed)
    }

    /// Every session, and the instances that are wanted, have a session of ours or are named: what the
    /// others hold in memory could be a hundred times as much.
    async fn everything(&self, subjects: &BTreeSet<Subject>) -> Result<Reading, ObserveError> {
        let Self { client, policy, account, .. } = *self;
        // Sessions before instances: a session made in between for a new instance would otherwise
        // look as if it had none, and be deleted.
        let sessions = describe::sessions(client, &Wanted::All).await?;
        let mirrored = self.mirrored(&sessions);
        let matters = |instance: &Instance| {
            selected(policy, instance).is_ok()
                || instance.interfaces.iter().any(|found| mirrored.contains(&found.id))
        };
        let wanted = match policy.scope {
            Scope::All => Wanted::All,
            Scope::Tagged => {
                let spellings = spellings(&policy.tag_key);
                Wanted::by("tag-key", spellings.iter().map(String::as_str))
            }
        };
        let (mut instances, surroundings, requesters) = try_join!(
            describe::instances(client, policy, &wanted, matters),
            self.read_surroundings(),
            describe::requesters(client, account),
        )?;
        if policy.scope == Scope::Tagged {
            let known: BTreeSet<_> = interfaces(&instances).map(|(id, _)| id).collect();
            let others = mirrored.difference(&known).map(|id| id.as_str());
            let others = Wanted::by(BY_INTERFACE, others);
            drop(known);
            instances.extend(describe::instances(client, policy, &others, |_| true).await?);
        }
        let known: BTreeSet<_> = instances.iter().map(|instance| &instance.id).collect();
        let named = subjects.iter().filter_map(|subject| match subject {
            Subject::Instance(id) | Subject::Started(id) if !known.contains(id) => Some(id),
            _ => None,
        });
        let named = Wanted::by("instance-id", named.map(InstanceId::as_str));
        drop(known);
        instances.extend(describe::instances(client, policy, &named, |_| true).await?);
        name_requesters(&mut instances, &requesters);
        let observed = Observed {
            account: account.clone(),
            instances: unique(instances, |instance| &instance.id),
            loose: Vec::new(),
            sessions: unique(sessions, |session| &session.id),
            targets: surroundings.targets,
            filters: surroundings.filters,
        };
        let loads = Loads::of_all_sessions(&observed.targets);
        Ok(Reading { observed, is_remembered: false, loads })
    }

    /// The interfaces with a session of ours.
    fn mirrored<'s>(&self, sessions: &'s [Session]) -> BTreeSet<&'s InterfaceId> {
        let ours = sessions.iter().filter(|session| self.policy.owns(self.account, session));
        ours.map(|session| &session.interface).collect()
    }

    async fn named(&self, subjects: &BTreeSet<Subject>) -> Result<Reading, ObserveError> {
        let Self { client, policy, account, .. } = *self;
        let (mut instance_ids, mut started) = (BTreeSet::new(), BTreeSet::new());
        let (mut interface_ids, mut session_ids) = (BTreeSet::new(), Vec::new());
        let mut detached = Wanted::by("status", []);
        for subject in subjects {
            match subject {
                Subject::Instance(id) => {
                    instance_ids.insert(id.as_str());
                }
                Subject::Started(id) => {
                    instance_ids.insert(id.as_str());
                    started.insert(id);
                }
                Subject::Interface(id) => {
                    interface_ids.insert(id.clone());
                }
                Subject::Session(id) => session_ids.push(id.as_str()),
                Subject::Detached => detached = Wanted::by("status", ["available"]),
                Subject::Sweep => {}
            }
        }
        let is_session_named = !session_ids.is_empty();
        let named = Wanted::by("traffic-mirror-session-id", session_ids);
        let sessions = describe::sessions(client, &named).await?;
        interface_ids.extend(sessions.iter().map(|session| session.interface.clone()));

        let by_id = Wanted::by("instance-id", instance_ids);
        let by_interface = Wanted::by(BY_INTERFACE, interface_ids.iter().map(InterfaceId::as_str));
        let (mut instances, more, loose) = try_join!(
            describe::instances(client, policy, &by_id, |_| true),
            describe::instances(client, policy, &by_interface, |_| true),
            describe::loose_interfaces(client, &detached),
        )?;
        instances.extend(more);
        let mut instances = unique(instances, |instance| &instance.id);

        interface_ids.extend(loose.iter().map(|loose| loose.id.clone()));
        let is_quiet = |instance: &Instance| {
            started.contains(&instance.id)
                && !subjects.contains(&Subject::Instance(instance.id.clone()))
                && selected(policy, instance).is_err()
        };
        let looked_at = interfaces(&instances).filter(|(_, instance)| !is_quiet(instance));
        interface_ids.extend(looked_at.map(|(id, _)| id.clone()));
        let on_these = if interface_ids.len() > MANY_INTERFACES {
            Wanted::All
        } else {
            Wanted::by("network-interface-id", interface_ids.iter().map(InterfaceId::as_str))
        };

        let wanted = instances.iter().filter(|instance| selected(policy, instance).is_ok());
        let most_interfaces = wanted.map(|instance| instance.interfaces.len()).max();
        // An instance's own primary interface is never managed by a service; one added later may be.
        let ask_requesters = most_interfaces.is_some_and(|count| count > 1);
        // By its id EC2 may not show a session yet that it shows by its interface.
        let is_needed = most_interfaces.is_some() || is_session_named;
        let (found, (surroundings, is_remembered), requesters, loads) = try_join!(
            describe::sessions(client, &on_these),
            when(is_needed, self.surroundings()),
            when(ask_requesters, describe::requesters(client, account)),
            when(most_interfaces.is_some(), self.read_loads_ahead(&instances)),
        )?;
        name_requesters(&mut instances, &requesters);
        let sessions =
            found.into_iter().filter(|session| interface_ids.contains(&session.interface));
        let observed = Observed {
            account: account.clone(),
            instances,
            loose,
            sessions: unique(sessions.collect(), |session| &session.id),
            targets: surroundings.targets,
            filters: surroundings.filters,
        };
        Ok(Reading { observed, is_remembered, loads })
    }

    /// Targets and filters, and whether they are remembered ones.
    async fn surroundings(&self) -> Result<(Surroundings, bool), ObserveError> {
        match self.memory.and_then(|(memory, now)| memory.recall(now)) {
            Some(surroundings) => Ok((surroundings, true)),
            None => Ok((self.read_surroundings().await?, false)),
        }
    }

    async fn read_surroundings(&self) -> Result<Surroundings, ObserveError> {
        let surroundings = read_surroundings(self.client).await?;
        if let Some((memory, now)) = self.memory {
            memory.keep(surroundings.clone(), now);
        }
        Ok(surroundings)
    }

    /// The interfaces of our sessions that are on no instance looked at.
    async fn loose(&self, observed: &Observed) -> Result<Vec<LooseInterface>, ObserveError> {
        let on_instances = interfaces(&observed.instances).map(|(id, _)| id);
        let known: BTreeSet<_> =
            on_instances.chain(observed.loose.iter().map(|loose| &loose.id)).collect();
        let mut missing = self.mirrored(&observed.sessions);
        missing.retain(|id| !known.contains(id));
        let wanted = Wanted::by("network-interface-id", missing.iter().map(|id| id.as_str()));
        let found = describe::loose_interfaces(self.client, &wanted).await?;
        let mut places: BTreeMap<_, _> =
            found.into_iter().map(|loose| (loose.id, loose.place)).collect();
        let loose = missing.into_iter().map(|id| {
            let place = places.remove(id).unwrap_or(LoosePlace::Gone);
            LooseInterface { id: id.clone(), place }
        });
        Ok(loose.collect())
    }
}

/// Whether something was planned that remembered targets and filters are no ground for: only what is
/// created from them shows by itself if they have changed.
fn doubts(steps: &[Step]) -> bool {
    let is_plain =
        |action: &Action| matches!(action, Action::Create(_) | Action::Keep(_) | Action::Ignore);
    steps.iter().any(|step| !is_plain(&step.action))
}

pub(crate) fn interfaces(
    instances: &[Instance],
) -> impl Iterator<Item = (&InterfaceId, &Instance)> {
    instances
        .iter()
        .flat_map(|instance| instance.interfaces.iter().map(move |found| (&found.id, instance)))
}

fn name_requesters(instances: &mut [Instance], requesters: &BTreeMap<InterfaceId, String>) {
    for interface in instances.iter_mut().flat_map(|instance| &mut instance.interfaces) {
        interface.requester = requesters.get(&interface.id).cloned();
    }
}

async fn when<T: Default>(
    needed: bool,
    read: impl Future<Output = Result<T, ObserveError>>,
) -> Result<T, ObserveError> {
    if needed { read.await } else { Ok(T::default()) }
}

/// Each item once, as it was read last: pages and calls may overlap.
pub(crate) fn unique<T, K: Ord + ?Sized>(mut items: Vec<T>, key: impl Fn(&T) -> &K) -> Vec<T> {
    items.sort_by(|a, b| key(a).cmp(key(b)));
    items.dedup_by(|later, earlier| {
        let is_same = key(later) == key(earlier);
        if is_same {
            std::mem::swap(later, earlier);
        }
        is_same
    });
    items
}
