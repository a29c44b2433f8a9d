//! What is read for instances, interfaces and sessions that events name.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::try_join;
use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    observed::{Instance, NotFound, Session, Source, Target},
    plan::desired::selected,
    policy::Policy,
};

use crate::{
    ask::Query,
    call::{self, BY_INTERFACE},
    described::{Described, add_requesters},
    error::ObserveError,
    interfaces,
    reader::{PartialRead, Reader},
    selector::Selector,
};

/// With more interfaces than this, all sessions are read: an account has at most 10,000, ten pages, and
/// asking for 200 interfaces at a time takes as many requests here.
const MAX_INTERFACES_ASKED_FOR: usize = 2_000;

/// What the selectors name, by kind.
#[derive(Default)]
struct Named<'a> {
    instances: BTreeSet<&'a InstanceId>,
    /// Of the instances, those that have just started and are named in no other way.
    only_started: BTreeSet<&'a InstanceId>,
    interfaces: BTreeSet<InterfaceId>,
    sessions: Vec<&'a SessionId>,
    targets: Vec<&'a TargetId>,
    unattached: bool,
}

impl<'a> Named<'a> {
    fn new(selectors: &'a BTreeSet<Selector>) -> Self {
        let mut named = Self::default();
        for selector in selectors {
            match selector {
                Selector::Instance(id) | Selector::Tagged(id) => {
                    named.instances.insert(id);
                }
                Selector::Started(id) => {
                    named.instances.insert(id);
                    let is_named = |it: Selector| selectors.contains(&it);
                    let also_named = is_named(Selector::Instance(id.clone()))
                        || is_named(Selector::Tagged(id.clone()));
                    if !also_named {
                        named.only_started.insert(id);
                    }
                }
                Selector::Interface(id) => {
                    named.interfaces.insert(id.clone());
                }
                Selector::Session(id) => named.sessions.push(id),
                Selector::Target(id) => named.targets.push(id),
                Selector::Unattached => named.unattached = true,
                Selector::Sweep => {}
            }
        }
        named
    }
}

/// Reads what the selectors name and everything that the decision about it depends on.
pub(crate) async fn read_named(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
) -> Result<PartialRead, ObserveError> {
    let Reader { ec2, policy, account, .. } = *reader;
    let mut named = Named::new(selectors);
    let mut not_found = NotFound::default();
    let sessions = read_sessions(reader, &named, &mut not_found).await?;
    named.interfaces.extend(sessions.into_iter().map(|session| session.interface));
    let (mut described, unattached) = read_instances(reader, &named).await?;
    ask_about_instances(reader, &named, &mut described, &mut not_found).await?;

    let interfaces = interfaces_to_search(reader, &named, &described, &unattached);
    let most_interfaces = most_interfaces(policy, &described);
    // A service never manages an instance's own primary interface; it may manage one added later.
    let ask_requesters = most_interfaces.is_some_and(|count| count > 1);
    // EC2 may already list a new session by its interface and not yet by its id.
    let is_planned =
        most_interfaces.is_some() || !named.sessions.is_empty() || !named.targets.is_empty();
    let (sessions, (mut resources, origin), requesters, usage) = try_join!(
        read_sessions_on(reader, &interfaces),
        read_if(is_planned, reader.resources()),
        read_if(ask_requesters, interfaces::requesters(ec2, account)),
        read_if(most_interfaces.is_some(), reader.read_usage_early(&described)),
    )?;
    add_requesters(&mut described.sources, &requesters);
    ask_about_targets(reader, &named, &mut resources.targets, &mut not_found).await?;
    Ok(PartialRead {
        described,
        cut_short: None,
        unattached,
        sessions,
        resources,
        origin,
        usage,
        not_found,
    })
}

/// How many interfaces the selected instance with the most of them has; none where no instance is
/// selected.
fn most_interfaces(policy: &Policy, described: &Described) -> Option<usize> {
    let is_selected = |instance: &Arc<Instance>| selected(policy, instance).is_ok();
    if !described.instances.iter().any(is_selected) {
        return None;
    }
    let of_one_instance = described
        .sources
        .chunk_by(|one, next| one.instance().map(|it| &it.id) == next.instance().map(|it| &it.id));
    let selected = of_one_instance
        .filter(|sources| sources.first().and_then(Source::instance).is_some_and(is_selected));
    Some(selected.map(<[_]>::len).max().unwrap_or_default())
}

/// The named sessions. For a verdict, what the list does not show is asked about.
async fn read_sessions(
    reader: &Reader<'_>,
    named: &Named<'_>,
    not_found: &mut NotFound,
) -> Result<Vec<Session>, ObserveError> {
    let client = &reader.ec2.client;
    let ids = named.sessions.iter().map(|id| id.as_str());
    let mut sessions = call::sessions(client, &Query::by("traffic-mirror-session-id", ids)).await?;
    let shown: BTreeSet<_> = sessions.iter().map(|session| &session.id).collect();
    let missing = named.sessions.iter().copied().filter(|id| reader.judges && !shown.contains(id));
    let missing: Vec<SessionId> = missing.cloned().collect();
    let answer = call::sessions_by_id(client, &missing).await?;
    sessions.extend(answer.found);
    not_found.sessions.extend(answer.not_found);
    Ok(sessions)
}

/// For a verdict, asks about the named instances that the list does not show.
async fn ask_about_instances(
    reader: &Reader<'_>,
    named: &Named<'_>,
    described: &mut Described,
    not_found: &mut NotFound,
) -> Result<(), ObserveError> {
    if !reader.judges {
        return Ok(());
    }
    let shown: BTreeSet<_> = described.instances.iter().map(|instance| &instance.id).collect();
    let missing = named.instances.iter().copied().filter(|id| !shown.contains(id));
    let missing: Vec<InstanceId> = missing.cloned().collect();
    let (found, gone) = call::instances_by_id(reader.ec2, reader.policy, &missing).await?;
    described.append(found);
    not_found.instances.extend(gone);
    Ok(())
}

/// For a verdict, asks about the named targets that the list does not show.
async fn ask_about_targets(
    reader: &Reader<'_>,
    named: &Named<'_>,
    targets: &mut Vec<Target>,
    not_found: &mut NotFound,
) -> Result<(), ObserveError> {
    let shown: BTreeSet<_> = targets.iter().map(|target| &target.id).collect();
    let missing = named.targets.iter().copied().filter(|id| reader.judges && !shown.contains(id));
    let missing: Vec<TargetId> = missing.cloned().collect();
    let answer = call::targets_by_id(&reader.ec2.client, &missing).await?;
    targets.extend(answer.found);
    not_found.targets.extend(answer.not_found);
    Ok(())
}

/// The named instances and those of the named interfaces, and the unattached interfaces if named.
async fn read_instances(
    reader: &Reader<'_>,
    named: &Named<'_>,
) -> Result<(Described, Vec<Source>), ObserveError> {
    let (ec2, policy) = (reader.ec2, reader.policy);
    let by_id = Query::by("instance-id", named.instances.iter().map(|id| id.as_str()));
    let by_interface = Query::by(BY_INTERFACE, named.interfaces.iter().map(InterfaceId::as_str));
    let available = named.unattached.then_some("available");
    let unattached = Query::by("status", available);
    let (mut described, more, unattached) = try_join!(
        call::instances(ec2, policy, &by_id, |_| true),
        call::instances(ec2, policy, &by_interface, |_| true),
        interfaces::unattached(ec2, policy, &unattached),
    )?;
    described.append(more);
    described.deduplicate();
    Ok((described, unattached))
}

/// The interfaces whose sessions are read: all but those of instances that have just started and are
/// not selected.
fn interfaces_to_search(
    reader: &Reader<'_>,
    named: &Named<'_>,
    described: &Described,
    unattached: &[Source],
) -> BTreeSet<InterfaceId> {
    let started_untagged =
        |it: &Instance| named.only_started.contains(&it.id) && selected(reader.policy, it).is_err();
    let is_searched =
        |it: &&Source| !it.instance().is_some_and(|instance| started_untagged(instance));
    let on_instances = described.sources.iter().filter(is_searched).map(|source| &source.id);
    let unattached = unattached.iter().map(|source| &source.id);
    named.interfaces.iter().chain(unattached).chain(on_instances).cloned().collect()
}

pub(crate) async fn read_sessions_on(
    reader: &Reader<'_>,
    interfaces: &BTreeSet<InterfaceId>,
) -> Result<Vec<Session>, ObserveError> {
    let query = if interfaces.len() > MAX_INTERFACES_ASKED_FOR {
        Query::All
    } else {
        Query::by("network-interface-id", interfaces.iter().map(InterfaceId::as_str))
    };
    let mut sessions = call::sessions(&reader.ec2.client, &query).await?;
    sessions.retain(|session| interfaces.contains(&session.interface));
    Ok(sessions)
}

async fn read_if<T: Default>(
    needed: bool,
    read: impl Future<Output = Result<T, ObserveError>>,
) -> Result<T, ObserveError> {
    if needed { read.await } else { Ok(T::default()) }
}
