//! The calls that read EC2: each list is read to its end, and one request asks for many ids.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_ec2::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types as ec2,
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::{
    id::{AccountId, InterfaceId},
    observed::{DescribedInstance, Filter, Session, Source, Target},
    policy::Policy,
};

use crate::{
    convert::{self, Interner, convert_or_skip},
    described::Described,
    error::ObserveError,
    targets,
};

/// The largest page of the mirroring calls and of `DescribeInstances` (EC2 API, `MaxResults`).
const PAGE_SIZE: i32 = 1000;
/// The most values one request may carry in its filters (EC2 API, "Filtering").
const MAX_FILTER_VALUES: usize = 200;
/// Concurrent requests of one kind: enough to hide the latency, far below the burst of 100.
const MAX_CONCURRENT: usize = 4;

/// The filter by which instances are found by their interfaces.
pub(crate) const BY_INTERFACE: &str = "network-interface.network-interface-id";

/// The instances that the query asks for and that are relevant.
pub(crate) async fn instances(
    client: &Client,
    policy: &Policy,
    query: &Query,
    is_relevant: impl Fn(&DescribedInstance) -> bool,
) -> Result<Described, ObserveError> {
    let convert = |item: &ec2::Instance, interner: &mut Interner| {
        let reads = |key: &str| policy.reads_tag(key);
        let convert = |item: &_| convert::instance(item, reads, interner);
        convert_or_skip("instance", item.instance_id(), item, convert).filter(&is_relevant)
    };
    let parts = query
        .read(|filter| {
            let request = client
                .describe_instances()
                // Without it EC2 may hide instances that a service manages for the account.
                .include_managed_resources(true)
                .set_filters(filter);
            let pages = request.into_paginator().page_size(PAGE_SIZE).items().send();
            let mut interner = Interner::default();
            collect("describe instances", pages, move |reservation| {
                let items = reservation.instances().iter();
                items.filter_map(|item| convert(item, &mut interner)).collect::<Vec<_>>()
            })
        })
        .await?;
    let mut described = Described::default();
    for part in parts {
        described.append(part);
    }
    Ok(described)
}

pub(crate) async fn sessions(client: &Client, query: &Query) -> Result<Vec<Session>, ObserveError> {
    let parts: Vec<Vec<_>> = query
        .read(|filter| {
            let request = client.describe_traffic_mirror_sessions().set_filters(filter);
            let pages = request.into_paginator().page_size(PAGE_SIZE).items().send();
            collect("describe traffic mirror sessions", pages, |item| {
                convert_or_skip("session", item.traffic_mirror_session_id(), item, convert::session)
            })
        })
        .await?;
    Ok(parts.into_iter().flatten().collect())
}

pub(crate) async fn targets(client: &Client) -> Result<Vec<Target>, ObserveError> {
    let request = client.describe_traffic_mirror_targets();
    let pages = request.into_paginator().page_size(PAGE_SIZE).items().send();
    collect("describe traffic mirror targets", pages, |item| {
        convert_or_skip("target", item.traffic_mirror_target_id(), item, targets::target)
    })
    .await
}

pub(crate) async fn filters(client: &Client) -> Result<Vec<Filter>, ObserveError> {
    let request = client.describe_traffic_mirror_filters();
    let pages = request.into_paginator().page_size(PAGE_SIZE).items().send();
    collect("describe traffic mirror filters", pages, |item| {
        convert_or_skip("filter", item.traffic_mirror_filter_id(), item, convert::filter)
    })
    .await
}

/// The interfaces that the query asks for, as far as they belong to no instance that was read.
pub(crate) async fn unattached(
    client: &Client,
    policy: &Policy,
    query: &Query,
) -> Result<Vec<Source>, ObserveError> {
    let convert = |item: &_| convert::unattached(item, |key| policy.reads_tag(key));
    let read = |filter: Option<_>| network_interfaces(client, filter.unwrap_or_default(), convert);
    let parts: Vec<Vec<_>> = query.read(read).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// The interfaces on instances of the account that a service manages, with that service.
pub(crate) async fn requesters(
    client: &Client,
    account: &AccountId,
) -> Result<BTreeMap<InterfaceId, Arc<str>>, ObserveError> {
    let filters = vec![
        filter("requester-managed", ["true"]),
        filter("attachment.instance-owner-id", [account.as_str()]),
    ];
    let interfaces = network_interfaces(client, filters, convert::requester).await?;
    Ok(interfaces.into_iter().collect())
}

async fn network_interfaces<U>(
    client: &Client,
    filters: Vec<ec2::Filter>,
    convert: impl Fn(&ec2::NetworkInterface) -> Option<U>,
) -> Result<Vec<U>, ObserveError> {
    let request = client
        .describe_network_interfaces()
        .include_managed_resources(true)
        .set_filters(Some(filters));
    let pages = request.into_paginator().page_size(PAGE_SIZE).items().send();
    collect("describe network interfaces", pages, |item| {
        convert_or_skip("network interface", item.network_interface_id(), item, &convert)
    })
    .await
}

/// Which items of a list to read.
pub(crate) enum Query {
    All,
    /// Those that match one of the values of the filter with this name. An id that EC2 does not know
    /// is absent from the answer, where the parameter for ids would fail the whole call.
    Filtered(&'static str, Vec<String>),
}

impl Query {
    pub(crate) fn by<'a>(name: &'static str, values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Filtered(name, values.into_iter().map(str::to_owned).collect())
    }

    /// Reads all of it in as few requests as possible; without values, in none. One part for each
    /// request.
    async fn read<C, F>(
        &self,
        read: impl Fn(Option<Vec<ec2::Filter>>) -> F,
    ) -> Result<Vec<C>, ObserveError>
    where
        F: Future<Output = Result<C, ObserveError>>,
    {
        match self {
            Self::All => Ok(vec![read(None).await?]),
            Self::Filtered(name, values) => {
                let requests = values.chunks(MAX_FILTER_VALUES).map(|values| {
                    read(Some(vec![filter(name, values.iter().map(String::as_str))]))
                });
                stream::iter(requests).buffered(MAX_CONCURRENT).try_collect().await
            }
        }
    }
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> ec2::Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    ec2::Filter::builder().name(name).set_values(Some(values)).build()
}

/// Reads a list to its end, and converts page by page, so that only our small types stay in memory.
async fn collect<T, E, U, I, C>(
    operation: &'static str,
    mut items: PaginationStream<Result<T, SdkError<E>>>,
    mut read: impl FnMut(&T) -> I,
) -> Result<C, ObserveError>
where
    I: IntoIterator<Item = U>,
    C: Default + Extend<U>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut found = C::default();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| ObserveError::new(operation, error))?;
        found.extend(read(&item));
    }
    Ok(found)
}
