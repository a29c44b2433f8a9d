//! What Elastic Load Balancing shows of the load balancers behind targets.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use futures_util::{StreamExt, stream};
use shared_elb::{Elb, LoadBalancer, TargetGroup};

use super::super::network::{Balancer, Fact, Pool, Sensor};

/// Load balancers, or target groups, that are asked about at a time.
const CONCURRENT: usize = 4;

/// The load balancers that exist among these, by the end of their ARN.
pub(super) async fn balancers(
    config: &SdkConfig,
    names: &BTreeSet<String>,
) -> Fact<BTreeMap<String, Balancer>> {
    let elb = &Elb::new(config);
    let found = elb.load_balancers(names).await?;
    let read =
        found.into_iter().map(|(name, item)| async move { (name, balancer(elb, item).await) });
    Ok(stream::iter(read).buffered(CONCURRENT).collect().await)
}

async fn balancer(elb: &Elb, item: LoadBalancer) -> Balancer {
    let LoadBalancer { arn, state, groups, zones } = item;
    let (crosses_zones, listeners, pools) =
        tokio::join!(elb.crosses_zones(&arn), elb.listeners(&arn), pools(elb, &arn));
    let (crosses_zones, listeners) =
        (crosses_zones.map_err(Into::into), listeners.map_err(Into::into));
    Balancer { state, groups, zones, crosses_zones, listeners, pools }
}

async fn pools(elb: &Elb, arn: &str) -> Fact<BTreeMap<String, Pool>> {
    let groups = elb.target_groups(arn).await?;
    let read = groups.into_iter().map(|group| async move {
        let (crosses_zones, sensors) =
            tokio::join!(elb.pool_crosses_zones(&group.arn), sensors(elb, &group));
        (group.arn, Pool { crosses_zones: crosses_zones.map_err(Into::into), sensors })
    });
    Ok(stream::iter(read).buffered(CONCURRENT).collect().await)
}

async fn sensors(elb: &Elb, group: &TargetGroup) -> Fact<Vec<Sensor>> {
    let found = elb.sensors(&group.arn).await?.into_iter();
    let sensors = found.filter_map(|it| {
        Some(Sensor { id: it.id, port: it.port.or(group.port)?, health: it.health })
    });
    Ok(sensors.collect())
}
