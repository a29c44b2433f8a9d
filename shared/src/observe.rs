//! Reading EC2: from what an event names to everything the decision about it depends on.
//!
//! A few calls serve any number of subjects, and each call is made only where its answer is needed:
//!
//! ```text
//! call                              | when
//! ----------------------------------+--------------------------------------------------------
//! instances                         | always
//! sessions on their interfaces      | always
//! targets                           | an instance is wanted, or a session was named
//! filters                           | an instance is wanted
//! interfaces managed by a service   | a wanted instance has more than its primary interface
//! sessions on the allowed targets   | a target must be chosen, and there is a choice or a limit
//! instances behind the targets      | the same, and a target is a network interface
//! interfaces on no instance         | a session of ours is on one
//! ```

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{Client, error::ProvideErrorMetadata, error::SdkError};
use futures_util::try_join;

use crate::{
    describe::{self, Wanted},
    eligibility::source_limit,
    id::{AccountId, InterfaceId},
    observed::{Instance, LooseInterface, LoosePlace, Observed, TargetKind},
    plan::plan,
    policy::Policy,
    reason::Reason,
    step::Step,
    subject::Subject,
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

const BY_INTERFACE: &str = "network-interface.network-interface-id";

/// Reads everything that the decision about `subjects` depends on.
///
/// # Errors
/// The first call that failed after the client's retries.
pub async fn observe(
    client: &Client,
    policy: &Policy,
    account: &AccountId,
    subjects: &BTreeSet<Subject>,
) -> Result<Observed, ObserveError> {
    let all = subjects.contains(&Subject::Everything);
    let mut observed = if all {
        everything(client, account).await?
    } else {
        named(client, policy, account, subjects).await?
    };
    let loose = loose(client, policy, &observed).await?;
    observed.loose.extend(loose);
    add_loads(client, policy, &mut observed, all).await?;
    Ok(observed)
}

async fn everything(client: &Client, account: &AccountId) -> Result<Observed, ObserveError> {
    // Sessions before instances: a session made in between for a new instance would otherwise look
    // as if it had none, and be deleted.
    let sessions = describe::sessions(client, &Wanted::All).await?;
    let (mut instances, targets, filters, requesters) = try_join!(
        describe::instances(client, &Wanted::All),
        describe::targets(client),
        describe::filters(client),
        describe::requesters(client, account),
    )?;
    name_requesters(&mut instances, &requesters);
    Ok(Observed {
        account: account.clone(),
        instances: unique(instances, |instance| instance.id.clone()),
        loose: Vec::new(),
        sessions: unique(sessions, |session| session.id.clone()),
        targets,
        filters,
    })
}

async fn named(
    client: &Client,
    policy: &Policy,
    account: &AccountId,
    subjects: &BTreeSet<Subject>,
) -> Result<Observed, ObserveError> {
    let (mut instance_ids, mut session_ids) = (Vec::new(), Vec::new());
    let mut interface_ids = BTreeSet::new();
    let mut detached = Wanted::by("status", []);
    for subject in subjects {
        match subject {
            Subject::Instance(id) => instance_ids.push(id.as_str()),
            Subject::Interface(id) => {
                interface_ids.insert(id.clone());
            }
            Subject::Session(id) => session_ids.push(id.as_str()),
            Subject::Detached => detached = Wanted::by("status", ["available"]),
            Subject::Everything => {}
        }
    }
    let named = Wanted::by("traffic-mirror-session-id", session_ids);
    let sessions = describe::sessions(client, &named).await?;
    interface_ids.extend(sessions.iter().map(|session| session.interface.clone()));

    let by_id = Wanted::by("instance-id", instance_ids);
    let by_interface = Wanted::by(BY_INTERFACE, interface_ids.iter().map(InterfaceId::as_str));
    let (instances, more, loose) = try_join!(
        describe::instances(client, &by_id),
        describe::instances(client, &by_interface),
        describe::loose_interfaces(client, &detached),
    )?;
    let mut instances = unique(instances.into_iter().chain(more), |instance| instance.id.clone());

    interface_ids.extend(loose.iter().map(|loose| loose.id.clone()));
    interface_ids.extend(interfaces(&instances).map(|(id, _)| id.clone()));
    let on_these = if interface_ids.len() > MANY_INTERFACES {
        Wanted::All
    } else {
        Wanted::by("network-interface-id", interface_ids.iter().map(InterfaceId::as_str))
    };

    let wanted = instances.iter().filter(|instance| selected(policy, instance).is_ok());
    let most_interfaces = wanted.map(|instance| instance.interfaces.len()).max();
    // An instance's own primary interface is never managed by a service; one added later may be.
    let ask_requesters = most_interfaces.is_some_and(|count| count > 1);
    let (found, targets, filters, requesters) = try_join!(
        describe::sessions(client, &on_these),
        when(most_interfaces.is_some() || !sessions.is_empty(), describe::targets(client)),
        when(most_interfaces.is_some(), describe::filters(client)),
        when(ask_requesters, describe::requesters(client, account)),
    )?;
    name_requesters(&mut instances, &requesters);
    let sessions = found.into_iter().filter(|session| interface_ids.contains(&session.interface));
    Ok(Observed {
        account: account.clone(),
        instances,
        loose,
        sessions: unique(sessions, |session| session.id.clone()),
        targets,
        filters,
    })
}

/// The interfaces of our sessions that are on no instance looked at.
async fn loose(
    client: &Client,
    policy: &Policy,
    observed: &Observed,
) -> Result<Vec<LooseInterface>, ObserveError> {
    let on_instances = interfaces(&observed.instances).map(|(id, _)| id);
    let known: BTreeSet<_> =
        on_instances.chain(observed.loose.iter().map(|loose| &loose.id)).collect();
    let ours = observed.sessions.iter().filter(|session| policy.owns(&observed.account, session));
    let missing: BTreeSet<_> =
        ours.map(|session| &session.interface).filter(|id| !known.contains(id)).collect();
    let wanted = Wanted::by("network-interface-id", missing.iter().map(|id| id.as_str()));
    let found = describe::loose_interfaces(client, &wanted).await?;
    let mut places: BTreeMap<_, _> =
        found.into_iter().map(|loose| (loose.id, loose.place)).collect();
    let loose = missing.into_iter().map(|id| {
        let place = places.remove(id).unwrap_or(LoosePlace::Gone);
        LooseInterface { id: id.clone(), place }
    });
    Ok(loose.collect())
}

/// Adds how full the targets are and where they stand, if a target has to be chosen.
async fn add_loads(
    client: &Client,
    policy: &Policy,
    observed: &mut Observed,
    all_sessions_read: bool,
) -> Result<(), ObserveError> {
    let draft = plan(policy, observed);
    // A target may only look full for want of what is read here: how large its instance is.
    let looks_full =
        |reason: &Reason| matches!(reason, Reason::TargetFull { .. } | Reason::TargetsFull { .. });
    let chooses = |step: &Step| step.action.target().is_some() || looks_full(&step.reason);
    if !draft.steps.iter().any(chooses) {
        return Ok(());
    }
    let allowed: Vec<_> = observed
        .targets
        .iter()
        .filter(|target| policy.allows(&target.id, Some(&target.account), &observed.account))
        .collect();
    if allowed.len() == 1 && allowed.iter().all(|target| source_limit(&target.kind).is_none()) {
        return Ok(());
    }
    let unread = allowed.iter().filter(|_| !all_sessions_read).map(|target| target.id.as_str());
    let on_targets = Wanted::by("traffic-mirror-target-id", unread);
    let known: BTreeSet<_> = interfaces(&observed.instances).map(|(id, _)| id).collect();
    let behind = allowed.iter().filter_map(|target| match &target.kind {
        TargetKind::Interface { id, .. } if !known.contains(id) => Some(id.as_str()),
        _ => None,
    });
    let behind = Wanted::by(BY_INTERFACE, behind);
    let (sessions, instances) =
        try_join!(describe::sessions(client, &on_targets), describe::instances(client, &behind))?;
    locate_targets(observed, &instances);
    let all = std::mem::take(&mut observed.sessions).into_iter().chain(sessions);
    observed.sessions = unique(all, |session| session.id.clone());
    Ok(())
}

fn locate_targets(observed: &mut Observed, more: &[Instance]) {
    let by_interface: BTreeMap<_, _> =
        interfaces(&observed.instances).chain(interfaces(more)).collect();
    for target in &mut observed.targets {
        if let TargetKind::Interface { id, instance_type, zone } = &mut target.kind
            && let Some(instance) = by_interface.get(id)
        {
            *instance_type = Some(instance.instance_type.clone());
            zone.clone_from(&instance.zone);
        }
    }
}

fn interfaces(instances: &[Instance]) -> impl Iterator<Item = (&InterfaceId, &Instance)> {
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

/// Each item once: pages and calls may overlap.
fn unique<T, K: Ord>(items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let by_key: BTreeMap<K, T> = items.into_iter().map(|item| (key(&item), item)).collect();
    by_key.into_values().collect()
}
