//! What EC2 shows of the way.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types as ec2,
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    super::network::{Acl, Endpoint, Fact, Interface, Routes, SecurityGroup},
    convert,
};
use crate::problem::Problem;

/// The most values one request may carry in its filters (EC2 API, "Filtering").
const MAX_VALUES: usize = 200;
/// Requests of one kind at a time, far below the burst of 100.
const CONCURRENT: usize = 4;
/// The largest page of security groups and network ACLs, and that of route tables (EC2 API, `MaxResults`).
const PAGE: i32 = 1000;
const PAGE_OF_TABLES: i32 = 100;

/// The interfaces that match one of the values of this filter.
pub(super) async fn interfaces(
    client: &Client,
    name: &str,
    values: BTreeSet<String>,
) -> Fact<Vec<Interface>> {
    in_chunks(name, values, async |filter| {
        match interface_pages(client, &filter, true).await {
            // The parameter is new in 2026, and not known everywhere.
            Err(error) if error.code() == Some("UnknownParameter") => {
                interface_pages(client, &filter, false).await
            }
            answer => answer,
        }
        .map_err(|error| Problem::refused("ec2:DescribeNetworkInterfaces", &error))
    })
    .await
}

async fn interface_pages(
    client: &Client,
    filter: &ec2::Filter,
    managed: bool,
) -> Result<
    Vec<Interface>,
    SdkError<aws_sdk_ec2::operation::describe_network_interfaces::DescribeNetworkInterfacesError>,
> {
    let request = client.describe_network_interfaces().filters(filter.clone()).max_results(PAGE);
    let request = request.set_include_managed_resources(managed.then_some(true));
    let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?;
    Ok(items.iter().filter_map(convert::interface).collect())
}

/// These security groups.
pub(super) async fn groups(
    client: &Client,
    ids: BTreeSet<String>,
) -> Fact<BTreeMap<String, SecurityGroup>> {
    let found = in_chunks("group-id", ids, async |filter| {
        let request = client.describe_security_groups().filters(filter).max_results(PAGE);
        let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items =
            items.map_err(|error| Problem::refused("ec2:DescribeSecurityGroups", &error))?;
        Ok(items.iter().filter_map(convert::group).collect())
    });
    Ok(found.await?.into_iter().collect())
}

/// The network ACL of each of these subnets.
pub(super) async fn acls(
    client: &Client,
    subnets: BTreeSet<String>,
) -> Fact<BTreeMap<String, Acl>> {
    let found = in_chunks("association.subnet-id", subnets, async |filter| {
        let request = client.describe_network_acls().filters(filter).max_results(PAGE);
        let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| Problem::refused("ec2:DescribeNetworkAcls", &error))?;
        Ok(items.iter().flat_map(convert::acl).collect())
    });
    Ok(found.await?.into_iter().collect())
}

/// The route tables of these VPCs.
pub(super) async fn routes(client: &Client, vpcs: BTreeSet<String>) -> Fact<Routes> {
    let found = in_chunks("vpc-id", vpcs, async |filter| {
        let request = client.describe_route_tables().filters(filter).max_results(PAGE_OF_TABLES);
        let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        items.map_err(|error| Problem::refused("ec2:DescribeRouteTables", &error))
    });
    let mut routes = Routes::default();
    found.await?.iter().for_each(|table| convert::table(table, &mut routes));
    Ok(routes)
}

/// The endpoints that exist among these. What a list does not show is asked for by its id.
pub(super) async fn endpoints(
    client: &Client,
    ids: &BTreeSet<String>,
) -> Fact<BTreeMap<String, Endpoint>> {
    const ACTION: &str = "ec2:DescribeVpcEndpoints";
    let found = in_chunks("vpc-endpoint-id", ids.clone(), async |filter| {
        let request = client.describe_vpc_endpoints().filters(filter).max_results(PAGE);
        let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| Problem::refused(ACTION, &error))?;
        Ok(items.iter().filter_map(convert::endpoint).collect())
    });
    let mut found: BTreeMap<_, _> = found.await?.into_iter().collect();
    for id in ids {
        if found.contains_key(id) {
            continue;
        }
        match client.describe_vpc_endpoints().vpc_endpoint_ids(id).send().await {
            Ok(answer) => found.extend(answer.vpc_endpoints().iter().filter_map(convert::endpoint)),
            Err(error) if error.code().is_some_and(|code| code.ends_with("NotFound")) => {}
            Err(error) => return Err(Problem::refused(ACTION, &error)),
        }
    }
    Ok(found)
}

/// Asks for these values of a filter, as many at a time as EC2 takes. Without any, nobody is asked.
async fn in_chunks<T>(
    name: &str,
    values: BTreeSet<String>,
    ask: impl AsyncFn(ec2::Filter) -> Fact<Vec<T>>,
) -> Fact<Vec<T>> {
    let values: Vec<_> = values.into_iter().collect();
    let ask = &ask;
    let requests = values.chunks(MAX_VALUES).map(|values| async move {
        let filter = ec2::Filter::builder().name(name).set_values(Some(values.to_vec())).build();
        ask(filter).await
    });
    let parts: Vec<Vec<T>> = stream::iter(requests).buffered(CONCURRENT).try_collect().await?;
    Ok(parts.into_iter().flatten().collect())
}
