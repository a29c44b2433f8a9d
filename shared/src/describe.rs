//! The calls that read EC2: each list is read to its end, and asked for by many ids at a time.

use std::collections::BTreeMap;

use aws_sdk_ec2::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types as ec2,
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    convert::{self, Common, readable},
    id::{AccountId, InterfaceId},
    observe::ObserveError,
    observed::{Filter, Instance, LooseInterface, Session, Target},
    policy::Policy,
    wish::reads_tag,
};

/// The largest page the mirroring calls and `DescribeInstances` give (EC2 API, `MaxResults`).
const PAGE: i32 = 1000;
/// The most values one request may carry in its filters (EC2 API, "Filtering").
const FILTER_VALUES: usize = 200;
/// Requests of one kind under way at once: enough to hide the distance, far below the burst of 100.
const CONCURRENT: usize = 4;

/// The wanted instances that matter.
pub(crate) async fn instances(
    client: &Client,
    policy: &Policy,
    wanted: &Wanted,
    matters: impl Fn(&Instance) -> bool,
) -> Result<Vec<Instance>, ObserveError> {
    let instance = |item: &ec2::Instance, common: &mut Common| {
        let convert = |item: &_| convert::instance(item, |key| reads_tag(policy, key));
        let mut instance =
            readable("instance", item.instance_id(), item, convert).filter(&matters)?;
        common.share(&mut instance);
        Some(instance)
    };
    wanted
        .read(|filter| {
            let request = client
                .describe_instances()
                // Without it EC2 may hide instances that a service manages for the account.
                .include_managed_resources(true)
                .set_filters(filter);
            let pages = request.into_paginator().page_size(PAGE).items().send();
            let mut common = Common::default();
            collect("describe instances", pages, move |reservation| {
                let instances = reservation.instances().iter();
                instances.filter_map(|item| instance(item, &mut common)).collect::<Vec<_>>()
            })
        })
        .await
}

pub(crate) async fn sessions(
    client: &Client,
    wanted: &Wanted,
) -> Result<Vec<Session>, ObserveError> {
    wanted
        .read(|filter| {
            let request = client.describe_traffic_mirror_sessions().set_filters(filter);
            let pages = request.into_paginator().page_size(PAGE).items().send();
            collect("describe traffic mirror sessions", pages, |item| {
                readable("session", item.traffic_mirror_session_id(), item, convert::session)
            })
        })
        .await
}

pub(crate) async fn targets(client: &Client) -> Result<Vec<Target>, ObserveError> {
    let request = client.describe_traffic_mirror_targets();
    let pages = request.into_paginator().page_size(PAGE).items().send();
    collect("describe traffic mirror targets", pages, |item| {
        readable("target", item.traffic_mirror_target_id(), item, convert::target)
    })
    .await
}

pub(crate) async fn filters(client: &Client) -> Result<Vec<Filter>, ObserveError> {
    let request = client.describe_traffic_mirror_filters();
    let pages = request.into_paginator().page_size(PAGE).items().send();
    collect("describe traffic mirror filters", pages, |item| {
        readable("filter", item.traffic_mirror_filter_id(), item, convert::filter)
    })
    .await
}

pub(crate) async fn loose_interfaces(
    client: &Client,
    wanted: &Wanted,
) -> Result<Vec<LooseInterface>, ObserveError> {
    wanted
        .read(|filter| {
            let filters = filter.unwrap_or_default();
            network_interfaces(client, filters, convert::loose)
        })
        .await
}

/// The interfaces on instances of the account that a service manages, with that service.
pub(crate) async fn requesters(
    client: &Client,
    account: &AccountId,
) -> Result<BTreeMap<InterfaceId, String>, ObserveError> {
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
    read: fn(&ec2::NetworkInterface) -> Option<U>,
) -> Result<Vec<U>, ObserveError> {
    let request = client
        .describe_network_interfaces()
        .include_managed_resources(true)
        .set_filters(Some(filters));
    let pages = request.into_paginator().page_size(PAGE).items().send();
    collect("describe network interfaces", pages, |item| {
        readable("network interface", item.network_interface_id(), item, read)
    })
    .await
}

/// Which items of a list are wanted.
pub(crate) enum Wanted {
    All,
    /// Those with one of the values in the filter of this name. An id that EC2 does not know is
    /// simply absent from the answer, where the parameter for ids would fail the whole call.
    Filtered(&'static str, Vec<String>),
}

impl Wanted {
    pub(crate) fn by<'a>(name: &'static str, values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Filtered(name, values.into_iter().map(str::to_owned).collect())
    }

    /// Reads all, in as few requests as fit; none at all where nothing is wanted.
    async fn read<T, F>(
        &self,
        read: impl Fn(Option<Vec<ec2::Filter>>) -> F,
    ) -> Result<Vec<T>, ObserveError>
    where
        F: Future<Output = Result<Vec<T>, ObserveError>>,
    {
        match self {
            Self::All => read(None).await,
            Self::Filtered(name, values) => {
                let requests = values.chunks(FILTER_VALUES).map(|values| {
                    read(Some(vec![filter(name, values.iter().map(String::as_str))]))
                });
                let chunks: Vec<Vec<T>> =
                    stream::iter(requests).buffered(CONCURRENT).try_collect().await?;
                Ok(chunks.into_iter().flatten().collect())
            }
        }
    }
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> ec2::Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    ec2::Filter::builder().name(name).set_values(Some(values)).build()
}

/// Reads a list to its end, converting page by page so that only our small types are kept.
async fn collect<T, E, U, I>(
    operation: &'static str,
    mut items: PaginationStream<Result<T, SdkError<E>>>,
    mut read: impl FnMut(&T) -> I,
) -> Result<Vec<U>, ObserveError>
where
    I: IntoIterator<Item = U>,
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| ObserveError::new(operation, error))?;
        found.extend(read(&item));
    }
    Ok(found)
}
