//! The calls that read Elastic Load Balancing.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_sdk_elasticloadbalancingv2::{Client, error::ProvideErrorMetadata};

use crate::{
    convert::{Listener, LoadBalancer, Sensor, listener, load_balancer, sensor},
    error::ElbError,
    pages::{PAGE_SIZE, collect},
};

/// The attribute of load balancers and target groups.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";

/// One account and region, to read: whoever holds an `Elb` cannot change anything there.
#[derive(Clone, Debug)]
pub struct Elb {
    client: Client,
}

/// A target group of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// The port that its sensors are registered with, if they say nothing else.
    pub port: Option<u16>,
}

impl Elb {
    /// The account and region of this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// The load balancers that exist among these, by the end of their ARN: `net/NAME/ID`. One that the list does not
    /// show is asked for by its name. Without any, nobody is asked.
    ///
    /// # Errors
    /// The first call that failed after the client's retries.
    pub async fn load_balancers(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, LoadBalancer>, ElbError> {
        const ACTION: &str = "elasticloadbalancing:DescribeLoadBalancers";
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ask = async |marker| {
            let request = self.client.describe_load_balancers().page_size(PAGE_SIZE);
            let answer = request.set_marker(marker).send().await?;
            Ok((answer.load_balancers, answer.next_marker))
        };
        let listed = collect(ACTION, ask).await?;
        let listed = listed.iter().filter_map(load_balancer);
        let mut found: BTreeMap<_, _> = listed.filter(|(name, _)| names.contains(name)).collect();
        for name in names {
            let short = name.split('/').nth(1).unwrap_or_default();
            if found.contains_key(name) {
                continue;
            }
            match self.client.describe_load_balancers().names(short).send().await {
                Ok(answer) => {
                    let items = answer.load_balancers().iter().filter_map(load_balancer);
                    // A new one of the same name is another one.
                    found.extend(items.filter(|(its, _)| its == name));
                }
                Err(error) if error.code() == Some("LoadBalancerNotFound") => {}
                Err(error) => return Err(ElbError::new(ACTION, error)),
            }
        }
        Ok(found)
    }

    /// The listeners of the load balancer with this ARN.
    ///
    /// # Errors
    /// The first call that failed after the client's retries.
    pub async fn listeners(&self, arn: &str) -> Result<Vec<Listener>, ElbError> {
        let ask = async |marker| {
            let request = self.client.describe_listeners().load_balancer_arn(arn);
            let answer = request.page_size(PAGE_SIZE).set_marker(marker).send().await?;
            Ok((answer.listeners, answer.next_marker))
        };
        let items = collect("elasticloadbalancing:DescribeListeners", ask).await?;
        Ok(items.iter().filter_map(listener).collect())
    }

    /// The target groups of the load balancer with this ARN.
    ///
    /// # Errors
    /// The first call that failed after the client's retries.
    pub async fn target_groups(&self, arn: &str) -> Result<Vec<TargetGroup>, ElbError> {
        let ask = async |marker| {
            let request = self.client.describe_target_groups().load_balancer_arn(arn);
            let answer = request.page_size(PAGE_SIZE).set_marker(marker).send().await?;
            Ok((answer.target_groups, answer.next_marker))
        };
        let items = collect("elasticloadbalancing:DescribeTargetGroups", ask).await?;
        let groups = items.iter().filter_map(|item| {
            let port = item.port().and_then(|port| port.try_into().ok());
            Some(TargetGroup { arn: item.target_group_arn()?.to_owned(), port })
        });
        Ok(groups.collect())
    }

    /// The sensors in the target group with this ARN. The list has no pages.
    ///
    /// # Errors
    /// The call failed after the client's retries.
    pub async fn sensors(&self, arn: &str) -> Result<Vec<Sensor>, ElbError> {
        let answer = self.client.describe_target_health().target_group_arn(arn).send().await;
        let answer = answer
            .map_err(|error| ElbError::new("elasticloadbalancing:DescribeTargetHealth", error))?;
        Ok(answer.target_health_descriptions().iter().map(sensor).collect())
    }

    /// Whether the load balancer with this ARN hands packets to other zones.
    ///
    /// # Errors
    /// The call failed after the client's retries.
    pub async fn crosses_zones(&self, arn: &str) -> Result<bool, ElbError> {
        let request = self.client.describe_load_balancer_attributes().load_balancer_arn(arn);
        let answer = request.send().await.map_err(|error| {
            ElbError::new("elasticloadbalancing:DescribeLoadBalancerAttributes", error)
        })?;
        let of_zones = answer.attributes().iter().find(|it| it.key() == Some(CROSS_ZONE));
        // Off is the default ("Cross-zone load balancing").
        Ok(of_zones.and_then(|it| it.value()) == Some("true"))
    }

    /// What the target group with this ARN says itself about that; none where it follows its load balancer.
    ///
    /// # Errors
    /// The call failed after the client's retries.
    pub async fn pool_crosses_zones(&self, arn: &str) -> Result<Option<bool>, ElbError> {
        let request = self.client.describe_target_group_attributes().target_group_arn(arn);
        let answer = request.send().await.map_err(|error| {
            ElbError::new("elasticloadbalancing:DescribeTargetGroupAttributes", error)
        })?;
        let of_zones = answer.attributes().iter().find(|it| it.key() == Some(CROSS_ZONE));
        // Otherwise it is `use_load_balancer_configuration`.
        Ok(of_zones.and_then(|it| it.value()).and_then(|value| value.parse().ok()))
    }
}
