//! Network interfaces: those of sessions on no instance, those that a service manages, those behind
//! targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aws_sdk_ec2::{
    Client,
    error::SdkError,
    operation::describe_network_interfaces::{
        DescribeNetworkInterfacesError, DescribeNetworkInterfacesOutput,
    },
    types as ec2,
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use shared::{
    id::{AccountId, InterfaceId, VpcId},
    observed::{Location, Source},
    policy::Policy,
};

use crate::{
    addressed::{self, Addressed},
    ask::{Ask, Query, filter},
    by_id::{ById, by_id},
    client::Ec2,
    convert::{self, convert_or_skip, parsed},
    error::ObserveError,
    pages::collect,
    targets,
};

/// The smallest page (EC2 API, `MaxResults`).
const SMALLEST_PAGE: i32 = 5;

/// The interfaces that the query asks for, as far as they belong to no instance that was read.
pub(crate) async fn unattached(
    ec2: &Ec2,
    policy: &Policy,
    query: &Query,
) -> Result<Vec<Source>, ObserveError> {
    let convert = |item: &_| convert::unattached(item, |key| policy.reads_tag(key));
    let read = |ask| network_interfaces(ec2, ask, convert);
    let parts: Vec<Vec<_>> = query.read_in_turn(read).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// What EC2 says about these interfaces.
pub(crate) async fn interfaces_by_id(
    ec2: &Ec2,
    policy: &Policy,
    ids: &[InterfaceId],
) -> Result<ById<Source, InterfaceId>, ObserveError> {
    let convert = |item: &_| convert::unattached(item, |key| policy.reads_tag(key));
    by_id(ids, |ids| network_interfaces(ec2, Ask::Ids(ids), convert)).await
}

/// The addresses of these interfaces, as far as the account can see them.
///
/// # Errors
/// EC2 could not be asked.
pub async fn addresses(
    ec2: &Ec2,
    ids: impl IntoIterator<Item = &InterfaceId>,
) -> Result<Vec<Addressed>, ObserveError> {
    let query = Query::by("network-interface-id", ids.into_iter().map(InterfaceId::as_str));
    let parts: Vec<Vec<_>> =
        query.read_in_turn(|ask| network_interfaces(ec2, ask, addressed::convert)).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// The security groups of these interfaces.
pub(crate) async fn security_groups(
    ec2: &Ec2,
    ids: &BTreeSet<&InterfaceId>,
) -> Result<Vec<(InterfaceId, Vec<String>)>, ObserveError> {
    let convert = |item: &ec2::NetworkInterface| {
        let groups = item.groups().iter().filter_map(|group| group.group_id());
        let groups = groups.map(str::to_owned).collect();
        Some((parsed(item.network_interface_id())?, groups))
    };
    let query = Query::by("network-interface-id", ids.iter().map(|id| id.as_str()));
    let parts: Vec<Vec<_>> =
        query.read_in_turn(|ask| network_interfaces(ec2, ask, convert)).await?;
    Ok(parts.into_iter().flatten().collect())
}

/// The interfaces on instances of the account that a service manages, with that service.
pub(crate) async fn requesters(
    ec2: &Ec2,
    account: &AccountId,
) -> Result<BTreeMap<InterfaceId, Arc<str>>, ObserveError> {
    let ask = Ask::Matching(vec![
        filter("requester-managed", ["true"]),
        filter("attachment.instance-owner-id", [account.as_str()]),
    ]);
    let interfaces = network_interfaces(ec2, ask, convert::requester).await?;
    Ok(interfaces.into_iter().collect())
}

/// The interfaces of AWS's own with one of these descriptions, and where each is.
pub(crate) async fn balancer_interfaces(
    ec2: &Ec2,
    descriptions: impl IntoIterator<Item = &str>,
) -> Result<Vec<(Arc<str>, Location)>, ObserveError> {
    let query = Query::by("description", descriptions);
    let parts: Vec<Vec<_>> = query
        .read_in_turn(async |ask: Ask| {
            let ask = &ask;
            ec2.ask_for_managed(async |managed| {
                let pages = interface_pages(ec2, ask, managed);
                // What is no balancer's interface is left out on purpose, so without a word.
                collect(pages, targets::balancer_interface).await
            })
            .await
        })
        .await?;
    Ok(parts.into_iter().flatten().collect())
}

/// Whether there is any interface in these VPCs.
pub(crate) async fn is_any_interface_in(
    ec2: &Ec2,
    vpcs: &BTreeSet<VpcId>,
) -> Result<bool, ObserveError> {
    let query = Query::by("vpc-id", vpcs.iter().map(VpcId::as_str));
    let read = async |ask: Ask| {
        let ask = &ask;
        ec2.ask_for_managed(async |managed| is_any(&ec2.client, ask, managed).await).await
    };
    Ok(query.read(read).await?.into_iter().any(|found| found))
}

/// One is enough, so neither page needs to be large nor the list to be read to its end.
async fn is_any(client: &Client, ask: &Ask, managed: bool) -> Result<bool, ObserveError> {
    let request = client.describe_network_interfaces();
    let request = request.set_include_managed_resources(managed.then_some(true));
    let request = request.set_filters(ask.filters()).max_results(SMALLEST_PAGE);
    let mut pages = request.into_paginator().stop_on_duplicate_token(true).send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| ObserveError::new("describe network interfaces", error))?;
        if !page.network_interfaces().is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn network_interfaces<U>(
    ec2: &Ec2,
    ask: Ask,
    convert: impl Fn(&ec2::NetworkInterface) -> Option<U>,
) -> Result<Vec<U>, ObserveError> {
    let (ask, convert) = (&ask, &convert);
    ec2.ask_for_managed(async |managed| {
        collect(interface_pages(ec2, ask, managed), |item| {
            convert_or_skip("network interface", item.network_interface_id(), item, convert)
        })
        .await
    })
    .await
}

fn interface_pages(
    ec2: &Ec2,
    ask: &Ask,
    managed: bool,
) -> PaginationStream<
    Result<DescribeNetworkInterfacesOutput, SdkError<DescribeNetworkInterfacesError>>,
> {
    let request = ec2
        .client
        .describe_network_interfaces()
        .set_include_managed_resources(managed.then_some(true))
        .set_filters(ask.filters())
        .set_network_interface_ids(ask.ids())
        .set_max_results(ask.wide_page_size(ec2));
    request.into_paginator().stop_on_duplicate_token(false).send()
}
