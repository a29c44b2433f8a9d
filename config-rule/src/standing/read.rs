//! Reads what stands behind targets: a few calls for all of them, and one or two for each load balancer. What cannot
//! be read is a fact that says so; the rest is read all the same.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, future::join_all, join, stream};
use shared::{
    id::{InterfaceId, TargetId},
    observed::{Endpoint, Target},
};
use shared_ec2::{ObserveError, client::Ec2, doors, is_denied};
use shared_elb::{Elb, ElbError, Listener, LoadBalancer, VXLAN};

use super::{Balancer, Facts, Read, Standing, standing};

/// Load balancers that are asked about at a time: far below the request rates of Elastic Load Balancing.
const MAX_CONCURRENT: usize = 4;

/// Reads what stands behind targets.
#[derive(Clone, Copy)]
pub(crate) struct Inspector<'a> {
    pub(crate) ec2: &'a Ec2,
    pub(crate) elb: &'a Elb,
}

impl Inspector<'_> {
    /// What stands behind each of these targets of this account.
    pub(crate) async fn standings(&self, targets: &[&Target]) -> BTreeMap<TargetId, Standing> {
        let facts = self.facts(targets).await;
        targets.iter().map(|target| (target.id.clone(), standing(target, &facts))).collect()
    }

    async fn facts(&self, targets: &[&Target]) -> Facts {
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for target in targets {
            match &target.endpoint {
                Endpoint::Interface(id) => _ = ids.insert(id),
                Endpoint::NetworkLoadBalancer(name) => _ = names.insert(name.to_string()),
                Endpoint::GatewayLoadBalancerEndpoint(_) | Endpoint::Other(_) => {}
            }
        }
        let (balancers, interfaces) = join!(self.balancers(&names), self.interfaces(&ids));
        let of_balancers = balancers.iter().flat_map(BTreeMap::values).flat_map(|it| &it.groups);
        let of_interfaces = interfaces.iter().flat_map(BTreeMap::values).flatten();
        let groups: BTreeSet<_> = of_balancers.chain(of_interfaces).cloned().collect();
        let doors = doors::letting_udp_in(self.ec2, &groups, VXLAN).await;
        Facts { balancers, interfaces, doors: doors.map_err(of_ec2) }
    }

    async fn interfaces(
        &self,
        ids: &BTreeSet<&InterfaceId>,
    ) -> Read<BTreeMap<InterfaceId, Vec<String>>> {
        doors::groups_of(self.ec2, ids).await.map_err(of_ec2)
    }

    async fn balancers(&self, names: &BTreeSet<String>) -> Read<BTreeMap<String, Balancer>> {
        let found = self.elb.load_balancers(names).await.map_err(of_elb)?;
        let read =
            found.into_iter().map(|(name, item)| async move { (name, self.balancer(item).await) });
        Ok(stream::iter(read).buffered(MAX_CONCURRENT).collect().await)
    }

    async fn balancer(&self, item: LoadBalancer) -> Balancer {
        let listeners = self.elb.listeners(&item.arn).await.map_err(of_elb);
        let listener = listeners.iter().flatten().find(|it| it.takes_copies());
        let arns = listener.map(|it: &Listener| it.pools.as_slice()).unwrap_or_default();
        let pools = arns.iter().map(async |arn| self.elb.sensors(arn).await.map_err(of_elb));
        let pools = join_all(pools).await;
        Balancer { state: item.state, groups: item.groups, listeners, pools }
    }
}

fn of_ec2(error: ObserveError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// What failed, with the permission that is missing if that is why.
fn of_elb(error: ElbError) -> String {
    let action = error.action;
    let is_denied = error.code.as_deref().is_some_and(is_denied);
    let error = format!("{:#}", anyhow::Error::from(error));
    if is_denied {
        format!("the role of this function lacks the permission {action} ({error})")
    } else {
        error
    }
}
