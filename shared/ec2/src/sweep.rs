//! What a sweep reads: every session, and the instances that matter.

use std::collections::BTreeSet;

use futures_util::try_join;
use shared::{
    id::{InstanceId, InterfaceId},
    observed::{DescribedInstance, NotFound},
    plan::desired::{has_key, selected},
    policy::{Scope, key_pattern::key_patterns},
};
use tokio::time::Instant;

use crate::{
    ask::Query,
    call::{self, BY_INTERFACE},
    described::{Described, add_requesters},
    error::ObserveError,
    interfaces,
    pages::Part,
    reader::{Origin, PartialRead, Reader},
    selector::Selector,
    target_usage::TargetUsage,
};

/// Reads every session, and the instances that are selected, have an owned session or are named:
/// the others could take a hundred times as much memory. The list of instances may end at `until`.
pub(crate) async fn read_sweep(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
    until: Option<Instant>,
) -> Result<PartialRead, ObserveError> {
    let Reader { ec2, policy, account, .. } = *reader;
    // Sessions before instances: a session that somebody creates in between for a new instance
    // would otherwise look as if it had none, and be deleted.
    let sessions = call::sessions(&ec2.client, &Query::All).await?;
    let mirrored = reader.mirrored(&sessions);
    let is_relevant = |it: &DescribedInstance| {
        selected(policy, &it.instance).is_ok()
            || it.sources.iter().any(|source| mirrored.contains(&source.id))
            // EC2 found it by the tag that it shows it without.
            || (policy.scope == Scope::Tagged && !has_key(policy, &it.instance))
    };
    let query = sweep_query(reader);
    let (instances, resources, requesters) = try_join!(
        call::instances_until(ec2, policy, &query, until, is_relevant),
        reader.read_resources(),
        interfaces::requesters(ec2, account),
    )?;
    let Part { found: mut described, cut_short } = instances;
    // What a list that was cut short lacks is not looked for one by one.
    if policy.scope == Scope::Tagged && cut_short.is_none() {
        let others = read_untagged(reader, &mirrored, &described).await?;
        described.append(others);
    }
    let named = read_missing(reader, selectors, &described).await?;
    described.append(named);
    described.deduplicate();
    add_requesters(&mut described.sources, &requesters);
    let usage = TargetUsage::of_all_sessions(&resources.targets);
    let (unattached, origin, not_found) = (Vec::new(), Origin::Ec2, NotFound::default());
    Ok(PartialRead {
        described,
        cut_short,
        unattached,
        sessions,
        resources,
        origin,
        usage,
        not_found,
    })
}

/// Which instances a sweep asks for at first.
fn sweep_query(reader: &Reader<'_>) -> Query {
    match reader.policy.scope {
        Scope::All => Query::All,
        Scope::Tagged => {
            let patterns = key_patterns(&reader.policy.tag_key);
            Query::by("tag-key", patterns.iter().map(String::as_str))
        }
    }
}

/// The instances with an owned session that no longer have the tag.
async fn read_untagged(
    reader: &Reader<'_>,
    mirrored: &BTreeSet<&InterfaceId>,
    described: &Described,
) -> Result<Described, ObserveError> {
    let known: BTreeSet<_> = described.interfaces().collect();
    let others = mirrored.difference(&known).map(|id| id.as_str());
    let query = Query::by(BY_INTERFACE, others);
    call::instances(reader.ec2, reader.policy, &query, |_| true).await
}

/// The instances that are named beside the sweep and were not read yet.
async fn read_missing(
    reader: &Reader<'_>,
    selectors: &BTreeSet<Selector>,
    described: &Described,
) -> Result<Described, ObserveError> {
    let known: BTreeSet<_> = described.instances.iter().map(|it| &it.id).collect();
    let missing = selectors.iter().filter_map(Selector::instance);
    let missing = missing.filter(|id| !known.contains(id)).map(InstanceId::as_str);
    let query = Query::by("instance-id", missing);
    call::instances(reader.ec2, reader.policy, &query, |_| true).await
}
