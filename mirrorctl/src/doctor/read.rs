//! Reads a network, with the caller's permissions: each list by page and by distinct id, never one call for each
//! source. What cannot be read is a fact that says so; the rest is read all the same.

pub(crate) mod cloudwatch;
mod convert;
mod ec2;
mod elb;

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use shared::{
    id::TargetId,
    observed::{Endpoint, Observed},
};
use shared_ec2::description;

use super::{
    links::{Subject, pairs},
    network::{Balancer, Fact, Interface, Network, Routes},
};

/// What there is to ask about.
#[derive(Debug, Default)]
struct Asked {
    sources: BTreeSet<String>,
    /// The interfaces behind targets.
    interfaces: BTreeSet<String>,
    /// Load balancers: `net/NAME/ID`.
    balancers: BTreeSet<String>,
    endpoints: BTreeSet<String>,
    /// What AWS writes on the interfaces that it creates for these.
    descriptions: BTreeSet<String>,
}

impl Asked {
    fn of(subject: Subject<'_>) -> Self {
        let pairs = pairs(subject);
        let used = pairs.iter().filter_map(|pair| pair.target.as_ref()).collect();
        let sources = pairs.iter().map(|pair| pair.source.to_string()).collect();
        Self { sources, ..Self::behind(subject.observed, &used) }
    }

    /// What is behind other accounts' targets cannot be seen, so nobody asks.
    fn behind(observed: &Observed, targets: &BTreeSet<&TargetId>) -> Self {
        let mut asked = Self::default();
        let own = observed.targets.iter().filter(|target| target.account == observed.account);
        for target in own.filter(|target| targets.contains(&target.id)) {
            asked.descriptions.extend(description(&target.endpoint));
            match &target.endpoint {
                Endpoint::Interface(id) => asked.interfaces.insert(id.to_string()),
                Endpoint::NetworkLoadBalancer(name) => asked.balancers.insert(name.to_string()),
                Endpoint::GatewayLoadBalancerEndpoint(id) => asked.endpoints.insert(id.to_string()),
                Endpoint::Other(_) => false,
            };
        }
        asked
    }
}

/// Reads all that lies between the sources of the plan and their sensors.
/// `of_others` asks for the sources of all sessions, whose copies may look like those of ours.
pub(crate) async fn read(config: &SdkConfig, subject: Subject<'_>, of_others: bool) -> Network {
    let mut asked = Asked::of(subject);
    if of_others {
        let sessions = subject.observed.sessions.iter();
        asked.sources.extend(sessions.map(|session| session.interface.to_string()));
    }
    let network = read_ends(config, &asked).await;
    let Network { interfaces, balancers, .. } = &network;
    let client = aws_sdk_ec2::Client::new(config);
    let subnets = distinct(interfaces, |it| vec![it.subnet.clone()]);
    let vpcs = distinct(interfaces, |it| vec![it.vpc.clone()]);
    let (groups, acls, routes) = tokio::join!(
        ec2::groups(&client, doors(&asked, interfaces, balancers)),
        ec2::acls(&client, subnets),
        ec2::routes(&client, vpcs),
    );
    Network { groups, acls, routes, ..network }
}

/// Reads what stands at these targets, and nothing that lies between them and their sources.
pub(crate) async fn read_behind(
    config: &SdkConfig,
    observed: &Observed,
    targets: &BTreeSet<&TargetId>,
) -> Network {
    read_ends(config, &Asked::behind(observed, targets)).await
}

/// The ends of the ways: sources, and what stands at the targets.
async fn read_ends(config: &SdkConfig, asked: &Asked) -> Network {
    let client = aws_sdk_ec2::Client::new(config);
    let by_id: BTreeSet<String> = asked.sources.union(&asked.interfaces).cloned().collect();
    let (by_id, described, balancers, endpoints) = tokio::join!(
        ec2::interfaces(&client, "network-interface-id", by_id),
        ec2::interfaces(&client, "description", asked.descriptions.clone()),
        elb::balancers(config, &asked.balancers),
        ec2::endpoints(&client, &asked.endpoints),
    );
    let sensors = sensors(&client, &balancers).await;
    let interfaces = by_id.and_then(|by_id| {
        let found = by_id.into_iter().chain(described?).chain(sensors?);
        Ok(found.map(|interface| (interface.id.clone(), interface)).collect())
    });
    let (groups, acls) = (Ok(BTreeMap::new()), Ok(BTreeMap::new()));
    Network { interfaces, groups, acls, routes: Ok(Routes::default()), balancers, endpoints }
}

/// The interfaces of the sensors that are registered with load balancers.
async fn sensors(
    client: &aws_sdk_ec2::Client,
    balancers: &Fact<BTreeMap<String, Balancer>>,
) -> Fact<Vec<Interface>> {
    let pools = balancers.iter().flat_map(BTreeMap::values).flat_map(|it| it.pools.iter());
    let sensors = pools.flat_map(BTreeMap::values).flat_map(|pool| pool.sensors.iter().flatten());
    let ids: BTreeSet<String> = sensors.map(|sensor| sensor.id.clone()).collect();
    let (instances, addresses): (BTreeSet<_>, BTreeSet<_>) =
        ids.into_iter().partition(|id| id.starts_with("i-"));
    let (by_instance, by_address) = tokio::join!(
        ec2::interfaces(client, "attachment.instance-id", instances),
        ec2::interfaces(client, "addresses.private-ip-address", addresses),
    );
    Ok(by_instance?.into_iter().chain(by_address?).collect())
}

/// The security groups that copies must pass. Those of the sources are not among them: what a source sends as a
/// copy is not subject to them ("Routing and security group rules evaluation").
fn doors(
    asked: &Asked,
    interfaces: &Fact<BTreeMap<String, Interface>>,
    balancers: &Fact<BTreeMap<String, Balancer>>,
) -> BTreeSet<String> {
    let is_door =
        |it: &&Interface| !asked.sources.contains(&it.id) || asked.interfaces.contains(&it.id);
    let of_interfaces = interfaces.iter().flat_map(BTreeMap::values).filter(is_door);
    let of_balancers = balancers.iter().flat_map(BTreeMap::values);
    let groups = of_interfaces.flat_map(|it| &it.groups);
    groups.chain(of_balancers.flat_map(|it| &it.groups)).cloned().collect()
}

fn distinct(
    interfaces: &Fact<BTreeMap<String, Interface>>,
    of: impl Fn(&Interface) -> Vec<String>,
) -> BTreeSet<String> {
    interfaces.iter().flat_map(BTreeMap::values).flat_map(of).collect()
}
