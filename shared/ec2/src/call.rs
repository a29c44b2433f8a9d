//! The calls that read EC2: each list is read to its end, and one request asks for many ids.

use std::collections::BTreeSet;

use aws_sdk_ec2::{Client, types as ec2};
use shared::{
    id::{FilterId, InstanceId, SessionId, TargetId},
    observed::{DescribedInstance, Filter, Session, Tag, Target},
    policy::Policy,
};
use tokio::time::Instant;

use crate::{
    ask::{Ask, Query, filter},
    by_id::{ById, by_id},
    client::Ec2,
    convert::{self, Interner, convert_or_skip},
    described::Described,
    error::{IncompleteList, ObserveError},
    pages::{Part, collect, collect_until},
    targets,
};

/// The filter by which instances are found by their interfaces.
pub(crate) const BY_INTERFACE: &str = "network-interface.network-interface-id";

/// The instances that the query asks for and that are relevant.
pub(crate) async fn instances(
    ec2: &Ec2,
    policy: &Policy,
    query: &Query,
    is_relevant: impl Fn(&DescribedInstance) -> bool,
) -> Result<Described, ObserveError> {
    Ok(instances_until(ec2, policy, query, None, is_relevant).await?.found)
}

/// The same, as far as there is time for: until this moment, or until a page after the first one fails.
pub(crate) async fn instances_until(
    ec2: &Ec2,
    policy: &Policy,
    query: &Query,
    until: Option<Instant>,
    is_relevant: impl Fn(&DescribedInstance) -> bool,
) -> Result<Part<Described>, ObserveError> {
    let parts =
        query.read_in_turn(|ask| ask_instances(ec2, policy, ask, until, &is_relevant)).await?;
    let mut all = Part::<Described>::default();
    for Part { found, cut_short } in parts {
        all.found.append(found);
        all.cut_short = all.cut_short.or(cut_short);
    }
    Ok(all)
}

/// What EC2 says about these instances.
pub(crate) async fn instances_by_id(
    ec2: &Ec2,
    policy: &Policy,
    ids: &[InstanceId],
) -> Result<(Described, BTreeSet<InstanceId>), ObserveError> {
    let read = async |ids| {
        let part = ask_instances(ec2, policy, Ask::Ids(ids), None, &|_| true).await?;
        Ok(vec![part.found])
    };
    let ById { found, not_found } = by_id(ids, read).await?;
    let mut described = Described::default();
    for part in found {
        described.append(part);
    }
    Ok((described, not_found))
}

async fn ask_instances(
    ec2: &Ec2,
    policy: &Policy,
    ask: Ask,
    until: Option<Instant>,
    is_relevant: &impl Fn(&DescribedInstance) -> bool,
) -> Result<Part<Described>, ObserveError> {
    let ask = &ask;
    ec2.ask_for_managed(async |managed| {
        let request = ec2
            .client
            .describe_instances()
            .set_include_managed_resources(managed.then_some(true))
            .set_filters(ask.filters())
            .set_instance_ids(ask.ids())
            .set_max_results(ask.wide_page_size(ec2));
        let pages = request.into_paginator().stop_on_duplicate_token(false).send();
        let mut interner = Interner::default();
        let mut convert = |item: &ec2::Instance| {
            let reads = |key: &str| policy.reads_tag(key);
            let convert = |item: &_| convert::instance(item, reads, &mut interner);
            convert_or_skip("instance", item.instance_id(), item, convert).filter(is_relevant)
        };
        let read = |reservation: &ec2::Reservation| {
            reservation.instances().iter().filter_map(&mut convert).collect::<Vec<_>>()
        };
        match until {
            Some(until) => collect_until(pages, read, until).await,
            None => Ok(Part { found: collect(pages, read).await?, cut_short: None }),
        }
    })
    .await
}

/// The tags of these instances that the decision reads, as a second witness. One that cannot be read is an
/// error: it would look absent.
pub(crate) async fn tags(
    client: &Client,
    policy: &Policy,
    ids: impl IntoIterator<Item = &InstanceId>,
) -> Result<Vec<(InstanceId, Tag)>, ObserveError> {
    let query = Query::by("resource-id", ids.into_iter().map(InstanceId::as_str));
    let read = |ask| ask_tags(client, ask, |key| policy.reads_tag(key));
    let parts: Vec<Vec<_>> = query.read(read).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// The tags of these instances with one of these keys.
///
/// # Errors
/// EC2 could not be asked, or one cannot be read.
pub async fn tags_by_key(
    ec2: &Ec2,
    ids: impl IntoIterator<Item = &InstanceId>,
    keys: &[String],
) -> Result<Vec<(InstanceId, Tag)>, ObserveError> {
    let query = Query::by("resource-id", ids.into_iter().map(InstanceId::as_str));
    let is_read = |key: &str| keys.iter().any(|it| it == key);
    let by_key = filter("key", keys.iter().map(String::as_str));
    // A key in a filter may match others, as it may have a `*` in it.
    let read = |ask: Ask| ask_tags(&ec2.client, ask, is_read);
    let parts: Vec<Vec<_>> = query.read_matching(&by_key, read).await?;
    Ok(parts.into_iter().flatten().collect())
}

async fn ask_tags(
    client: &Client,
    ask: Ask,
    is_read: impl Fn(&str) -> bool,
) -> Result<Vec<(InstanceId, Tag)>, ObserveError> {
    let request = client.describe_tags().set_filters(ask.filters());
    let request = request.set_max_results(ask.page_size());
    let pages = request.into_paginator().stop_on_duplicate_token(false).send();
    let is_read = |item: &ec2::TagDescription| item.key().is_none_or(&is_read);
    let found: Vec<Option<(InstanceId, Tag)>> =
        collect(pages, |item| is_read(item).then(|| convert::instance_tag(item))).await?;
    let unreadable = || ObserveError::incomplete("describe tags", IncompleteList::Unreadable);
    found.into_iter().map(|tag| tag.ok_or_else(unreadable)).collect()
}

/// The names of the regions that are enabled for the account.
///
/// # Errors
/// EC2 could not be asked.
pub async fn regions(ec2: &Ec2) -> Result<Vec<String>, ObserveError> {
    let answer = ec2.client.describe_regions().send().await;
    let answer = answer.map_err(|error| ObserveError::new("describe regions", error))?;
    let names = answer.regions().iter().filter_map(|region| region.region_name());
    Ok(names.map(str::to_owned).collect())
}

/// Every session that the account can see: its own, and those of others on its targets.
///
/// # Errors
/// The call that failed after the client's retries.
pub async fn all_sessions(ec2: &Ec2) -> Result<Vec<Session>, ObserveError> {
    sessions(&ec2.client, &Query::All).await
}

/// The sessions with this description.
///
/// # Errors
/// EC2 could not be asked.
pub async fn sessions_described_as(
    ec2: &Ec2,
    description: &str,
) -> Result<Vec<Session>, ObserveError> {
    sessions(&ec2.client, &Query::by("description", [description])).await
}

pub(crate) async fn sessions(client: &Client, query: &Query) -> Result<Vec<Session>, ObserveError> {
    let parts: Vec<Vec<_>> = query.read(|ask| ask_sessions(client, ask)).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// What EC2 says about these sessions.
pub(crate) async fn sessions_by_id(
    client: &Client,
    ids: &[SessionId],
) -> Result<ById<Session, SessionId>, ObserveError> {
    by_id(ids, |ids| ask_sessions(client, Ask::Ids(ids))).await
}

async fn ask_sessions(client: &Client, ask: Ask) -> Result<Vec<Session>, ObserveError> {
    let request = client
        .describe_traffic_mirror_sessions()
        .set_filters(ask.filters())
        .set_traffic_mirror_session_ids(ask.ids())
        .set_max_results(ask.page_size());
    collect(request.into_paginator().stop_on_duplicate_token(false).send(), |item| {
        convert_or_skip("session", item.traffic_mirror_session_id(), item, convert::session)
    })
    .await
}

pub(crate) async fn targets(client: &Client) -> Result<Vec<Target>, ObserveError> {
    ask_targets(client, Ask::All).await
}

/// What EC2 says about these targets.
pub(crate) async fn targets_by_id(
    client: &Client,
    ids: &[TargetId],
) -> Result<ById<Target, TargetId>, ObserveError> {
    by_id(ids, |ids| ask_targets(client, Ask::Ids(ids))).await
}

async fn ask_targets(client: &Client, ask: Ask) -> Result<Vec<Target>, ObserveError> {
    let request = client
        .describe_traffic_mirror_targets()
        .set_traffic_mirror_target_ids(ask.ids())
        .set_max_results(ask.page_size());
    collect(request.into_paginator().stop_on_duplicate_token(false).send(), |item| {
        convert_or_skip("target", item.traffic_mirror_target_id(), item, targets::target)
    })
    .await
}

pub(crate) async fn filters(client: &Client) -> Result<Vec<Filter>, ObserveError> {
    ask_filters(client, Ask::All).await
}

/// What EC2 says about these filters.
pub(crate) async fn filters_by_id(
    client: &Client,
    ids: &[FilterId],
) -> Result<ById<Filter, FilterId>, ObserveError> {
    by_id(ids, |ids| ask_filters(client, Ask::Ids(ids))).await
}

async fn ask_filters(client: &Client, ask: Ask) -> Result<Vec<Filter>, ObserveError> {
    let request = client
        .describe_traffic_mirror_filters()
        .set_traffic_mirror_filter_ids(ask.ids())
        .set_max_results(ask.page_size());
    collect(request.into_paginator().stop_on_duplicate_token(false).send(), |item| {
        convert_or_skip("filter", item.traffic_mirror_filter_id(), item, crate::filter::filter)
    })
    .await
}
