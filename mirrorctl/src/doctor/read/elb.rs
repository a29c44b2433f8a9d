//! What Elastic Load Balancing shows of the load balancers behind targets.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::{
    Client,
    error::ProvideErrorMetadata,
    types::{self as elb, ProtocolEnum, TargetHealthDescription, TargetHealthStateEnum},
};
use futures_util::{StreamExt, stream};

use super::super::network::{Balancer, Fact, Health, Listener, Pool, Sensor};
use crate::problem::Problem;

/// The attribute of load balancers and target groups.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
/// Load balancers, or target groups, that are asked about at a time.
const CONCURRENT: usize = 4;
/// The largest page (ELB API, `PageSize`).
const PAGE: i32 = 400;

/// The load balancers that exist among these, by the end of their ARN. One that the list does not show is asked for
/// by its name.
pub(super) async fn balancers(
    config: &SdkConfig,
    names: &BTreeSet<String>,
) -> Fact<BTreeMap<String, Balancer>> {
    const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancers";
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let client = Client::new(config);
    let request = client.describe_load_balancers().page_size(PAGE);
    let listed = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let listed = listed.map_err(|error| Problem::refused(ACTION, &error))?;
    let mut found: BTreeMap<String, elb::LoadBalancer> = listed
        .into_iter()
        .filter_map(|item| Some((end_of_arn(item.load_balancer_arn()?)?.to_owned(), item)))
        .filter(|(name, _)| names.contains(name))
        .collect();
    for name in names {
        let short = name.split('/').nth(1).unwrap_or_default();
        if found.contains_key(name) {
            continue;
        }
        match client.describe_load_balancers().names(short).send().await {
            Ok(answer) => {
                let its = |it: &&elb::LoadBalancer| {
                    it.load_balancer_arn().and_then(end_of_arn) == Some(name.as_str())
                };
                // A new one of the same name is another one.
                let item = answer.load_balancers().iter().find(its).cloned();
                found.extend(item.map(|item| (name.clone(), item)));
            }
            Err(error) if error.code() == Some("LoadBalancerNotFound") => {}
            Err(error) => return Err(Problem::refused(ACTION, &error)),
        }
    }
    let client = &client;
    let read = found.into_iter().map(|(name, item)| async move {
        let balancer = balancer(client, &item).await;
        (name, balancer)
    });
    Ok(stream::iter(read).buffered(CONCURRENT).collect().await)
}

/// `net/NAME/ID`.
fn end_of_arn(arn: &str) -> Option<&str> {
    arn.split_once(":loadbalancer/").map(|(_, end)| end)
}

async fn balancer(client: &Client, item: &elb::LoadBalancer) -> Balancer {
    let arn = item.load_balancer_arn().unwrap_or_default();
    let (crosses_zones, listeners, pools) =
        tokio::join!(crosses_zones(client, arn), listeners(client, arn), pools(client, arn));
    let state = item.state().and_then(|state| state.code());
    let zones = item.availability_zones().iter().filter_map(|zone| zone.zone_name());
    Balancer {
        state: state.map_or("in a state that is not named", |state| state.as_str()).to_owned(),
        groups: item.security_groups().to_vec(),
        zones: zones.map(str::to_owned).collect(),
        crosses_zones,
        listeners,
        pools,
    }
}

async fn crosses_zones(client: &Client, arn: &str) -> Fact<bool> {
    let answer = client.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
    let answer = answer.map_err(|error| {
        Problem::refused("elasticloadbalancing:DescribeLoadBalancerAttributes", &error)
    })?;
    let of_zones = answer.attributes().iter().find(|it| it.key() == Some(CROSS_ZONE));
    // Off is the default ("Cross-zone load balancing").
    Ok(of_zones.and_then(|it| it.value()) == Some("true"))
}

async fn listeners(client: &Client, arn: &str) -> Fact<Vec<Listener>> {
    let request = client.describe_listeners().load_balancer_arn(arn).page_size(PAGE);
    let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let items = items
        .map_err(|error| Problem::refused("elasticloadbalancing:DescribeListeners", &error))?;
    Ok(items.iter().filter_map(listener).collect())
}

fn listener(item: &elb::Listener) -> Option<Listener> {
    let takes_udp = matches!(item.protocol(), Some(ProtocolEnum::Udp | ProtocolEnum::TcpUdp));
    let actions = item.default_actions();
    let single = actions.iter().filter_map(|action| action.target_group_arn());
    let weighted = actions
        .iter()
        .filter_map(|action| action.forward_config())
        .flat_map(elb::ForwardActionConfig::target_groups)
        // What has no weight gets nothing.
        .filter(|group| group.weight() != Some(0))
        .filter_map(|group| group.target_group_arn());
    let pools: BTreeSet<_> = single.chain(weighted).map(str::to_owned).collect();
    let port = item.port()?.try_into().ok()?;
    Some(Listener { takes_udp, port, pools: pools.into_iter().collect() })
}

async fn pools(client: &Client, arn: &str) -> Fact<BTreeMap<String, Pool>> {
    let request = client.describe_target_groups().load_balancer_arn(arn).page_size(PAGE);
    let items = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let items = items
        .map_err(|error| Problem::refused("elasticloadbalancing:DescribeTargetGroups", &error))?;
    let read = items.iter().filter_map(|item| Some((item.target_group_arn()?, item))).map(
        |(arn, item)| async move {
            let (crosses_zones, sensors) =
                tokio::join!(pool_crosses_zones(client, arn), sensors(client, arn, item));
            (arn.to_owned(), Pool { crosses_zones, sensors })
        },
    );
    Ok(stream::iter(read).buffered(CONCURRENT).collect().await)
}

async fn pool_crosses_zones(client: &Client, arn: &str) -> Fact<Option<bool>> {
    let answer = client.describe_target_group_attributes().target_group_arn(arn).send().await;
    let answer = answer.map_err(|error| {
        Problem::refused("elasticloadbalancing:DescribeTargetGroupAttributes", &error)
    })?;
    let of_zones = answer.attributes().iter().find(|it| it.key() == Some(CROSS_ZONE));
    // Otherwise it is `use_load_balancer_configuration`.
    Ok(of_zones.and_then(|it| it.value()).and_then(|value| value.parse().ok()))
}

async fn sensors(client: &Client, arn: &str, group: &elb::TargetGroup) -> Fact<Vec<Sensor>> {
    let answer = client.describe_target_health().target_group_arn(arn).send().await;
    let answer = answer
        .map_err(|error| Problem::refused("elasticloadbalancing:DescribeTargetHealth", &error))?;
    let read = |item| sensor(item, group.port());
    Ok(answer.target_health_descriptions().iter().filter_map(read).collect())
}

fn sensor(item: &TargetHealthDescription, usual_port: Option<i32>) -> Option<Sensor> {
    let target = item.target()?;
    let health = match item.target_health().and_then(|health| health.state()) {
        Some(TargetHealthStateEnum::Healthy) => Health::Healthy,
        // The first checks have not ended, or there are none.
        Some(TargetHealthStateEnum::Initial | TargetHealthStateEnum::Unavailable) | None => {
            Health::Unknown
        }
        Some(_) => Health::Unhealthy,
    };
    let port = target.port().or(usual_port)?.try_into().ok()?;
    Some(Sensor { id: target.id()?.to_owned(), port, health })
}
