//! Reading EC2: from what an event names to everything the decision about it depends on.
//!
//! A few calls serve any number of selectors, and each call is made only where its answer is needed:
//!
//! ```text
//! call                              | when
//! ----------------------------------+--------------------------------------------------------
//! instances                         | always
//! sessions on their interfaces      | always, but for an instance that starts and is not selected
//! targets and filters               | a sweep, an instance is selected, or a session was named, and they are
//!                                   | not in the cache, or the plan made with them needs fresh ones
//! interfaces managed by a service   | a sweep, or a selected instance has more than its primary interface
//! sessions on the allowed targets   | a target must be chosen, and there is a choice or a limit
//! instances behind the targets      | the same, and a target is a network interface
//! interfaces on no instance         | an owned session is on one, or they are named
//! ```

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::InterfaceId,
    observed::{Observed, Shown, Source},
    plan::{
        plan,
        reason::Reason,
        step::{Action, Plan},
    },
};

use crate::{
    call::{self, Query},
    error::ObserveError,
    named::read_named,
    reader::{PartialRead, Reader},
    selector::Selector,
    sweep::read_sweep,
    target_usage::TargetUsage,
    unique::unique,
};

/// Reads everything that the decision about `selectors` depends on.
///
/// # Errors
/// The first call that failed after the client's retries.
pub async fn observe(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
) -> Result<Observed, ObserveError> {
    let mut read = if selectors.contains(&Selector::Sweep) {
        read_sweep(reader, selectors).await?
    } else {
        read_named(reader, selectors).await?
    };
    let (is_cached, usage) = (read.is_cached, std::mem::take(&mut read.usage));
    let mut observed = whole(reader, read);
    let unattached = read_unattached(reader, &observed).await?;
    observed.sources.extend(unattached);
    if is_cached && needs_fresh_resources(&plan(reader.policy, &observed)) {
        let resources = reader.read_resources().await?;
        (observed.targets, observed.filters) = (resources.targets, resources.filters);
    }
    add_usage(reader, &mut observed, usage).await?;
    Ok(observed)
}

/// What was read, in one piece.
fn whole(reader: &Reader<'_>, read: PartialRead) -> Observed {
    let mut observed = Observed {
        account: reader.account.clone(),
        instances: read.described.instances,
        sources: read.described.sources,
        sessions: unique(read.sessions, |session| &session.id),
        targets: read.resources.targets,
        filters: read.resources.filters,
    };
    observed.sources.extend(read.unattached);
    observed
}

/// The interfaces of owned sessions that are on no instance that was read.
async fn read_unattached(
    reader: &Reader<'_>,
    observed: &Observed,
) -> Result<Vec<Source>, ObserveError> {
    let known: BTreeSet<_> = observed.sources.iter().map(|source| &source.id).collect();
    let mut missing = reader.mirrored(&observed.sessions);
    missing.retain(|id| !known.contains(id));
    let query = Query::by("network-interface-id", missing.iter().map(|id| id.as_str()));
    let found = call::unattached(&reader.ec2.client, reader.policy, &query).await?;
    let mut found: BTreeMap<_, _> =
        found.into_iter().map(|source| (source.id, source.interface)).collect();
    let source = |id: &InterfaceId| Source {
        id: id.clone(),
        interface: found.remove(id).unwrap_or(Shown::NotInList),
    };
    Ok(missing.into_iter().map(source).collect())
}

/// Adds how full the targets are and where they are, if the plan has to choose one.
async fn add_usage(
    reader: &Reader<'_>,
    observed: &mut Observed,
    mut usage: TargetUsage,
) -> Result<(), ObserveError> {
    if chooses_target(&plan(reader.policy, observed)) {
        reader.read_usage(&observed.targets, observed.sources.iter(), &mut usage).await?;
    }
    usage.add_to(observed);
    observed.sessions = unique(std::mem::take(&mut observed.sessions), |session| &session.id);
    Ok(())
}

/// Whether the plan has a step that cached targets and filters do not justify. A creation may use them:
/// EC2 refuses it if its target or filter is gone.
fn needs_fresh_resources(plan: &Plan) -> bool {
    let is_safe =
        |action: &Action| matches!(action, Action::Create(_) | Action::Keep(_) | Action::Ignore);
    plan.steps.iter().any(|step| !is_safe(&step.action))
}

/// Whether the plan chooses a target, or would if more were known: a target may only look full because
/// nobody has read how large its instance is.
fn chooses_target(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        let looks_full =
            matches!(step.reason, Reason::TargetFull { .. } | Reason::TargetsFull { .. });
        looks_full || step.action.target().is_some()
    })
}
