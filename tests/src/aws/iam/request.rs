//! What each call asks IAM for, as the Service Authorization Reference has it.
//!
//! | call | action on resource | condition keys |
//! | --- | --- | --- |
//! | `Describe…` | itself on `*` | |
//! | `CreateTrafficMirrorSession` | itself on the interface, the target and the filter | the resource's tags, an interface's `ec2:Vpc` |
//! | | itself on `traffic-mirror-session/*` | the request's tags |
//! | | if there are tags: `ec2:CreateTags` on `traffic-mirror-session/*` | the request's tags, `ec2:CreateAction` |
//! | `ModifyTrafficMirrorSession` | itself on the session, and on a new target and filter | the resource's tags |
//! | `DeleteTrafficMirrorSession` | itself on the session | the resource's tags |
//! | `CreateTags`, `DeleteTags` | itself on each resource | the resource's and the request's tags |
//! | `PutEvaluations`, `GetComplianceDetailsByResource` | itself on `*` | |
//! | `GetComplianceDetailsByConfigRule` | itself on the rule | |
//!
//! All carry the region, and the function that calls. A target's ARN has its owner's account. What does
//! not exist needs no permission: the call then fails for that. AWS does not document which comes first.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsconfig.html>
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html>

use std::collections::BTreeMap;

use super::{Authorization, Tagged};
use crate::aws::config::Config;
use crate::aws::ec2::wire::parameters::Parameters;
use crate::aws::ec2::{
    Caller, Filter, Instance, Interface, Refusal, Resource, Rule, Session, Tags, Target, World,
};

/// A call that a function makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    /// The one that the call is signed for.
    pub(crate) region: &'a str,
    pub(crate) action: &'a str,
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

/// What a call to EC2 asks for; `None` if that is not known.
pub(crate) fn ec2(asked: &Asked<'_>, world: &World) -> Result<Option<Vec<Authorization>>, Refusal> {
    let parameters = Parameters::new(asked.parameters);
    let id = |name| parameters.text(name).unwrap_or_default();
    let all = match asked.action {
        "DescribeInstances"
        | "DescribeNetworkInterfaces"
        | "DescribeRegions"
        | "DescribeSecurityGroups"
        | "DescribeTags"
        | "DescribeTrafficMirrorFilters"
        | "DescribeTrafficMirrorSessions"
        | "DescribeTrafficMirrorTargets" => vec![asked.ec2("*")],
        "CreateTrafficMirrorSession" => {
            let tags = parameters.new_tags("traffic-mirror-session", &[])?;
            let new = asked.arn(&asked.caller.account, "traffic-mirror-session/*");
            let mut all = Vec::new();
            all.extend(asked.interface(world, id("NetworkInterfaceId")));
            all.extend(asked.existing::<Target>(world, id("TrafficMirrorTargetId")));
            all.extend(asked.existing::<Filter>(world, id("TrafficMirrorFilterId")));
            all.push(asked.ec2(&new).tagged(Tagged::Now, &tags));
            if !tags.is_empty() {
                let create = Asked { action: "CreateTags", ..*asked };
                let tagging = create.ec2(&new).tagged(Tagged::Now, &tags);
                all.push(tagging.with("ec2:CreateAction", asked.action));
            }
            all
        }
        "ModifyTrafficMirrorSession" => {
            let mut all = Vec::new();
            all.extend(asked.own_session(world, id("TrafficMirrorSessionId")));
            all.extend(asked.existing::<Target>(world, id("TrafficMirrorTargetId")));
            all.extend(asked.existing::<Filter>(world, id("TrafficMirrorFilterId")));
            all
        }
        "DeleteTrafficMirrorSession" => {
            asked.own_session(world, id("TrafficMirrorSessionId")).into_iter().collect()
        }
        "CreateTags" | "DeleteTags" => {
            let tags = parameters.tags()?.into_iter();
            let tags: Tags = tags.map(|(key, value)| (key, value.unwrap_or_default())).collect();
            let resources = parameters.list("ResourceId");
            let existing = resources.iter().filter_map(|id| asked.any(world, id));
            existing.map(|resource| resource.tagged(Tagged::Now, &tags)).collect()
        }
        _ => return Ok(None),
    };
    Ok(Some(all))
}

/// What a call to Elastic Load Balancing asks for; `None` if that is not known.
pub(crate) fn elb(asked: &Asked<'_>) -> Option<Vec<Authorization>> {
    match asked.action {
        "DescribeListeners" | "DescribeLoadBalancers" | "DescribeTargetHealth" => {
            Some(vec![asked.on("elasticloadbalancing", "*")])
        }
        _ => None,
    }
}

/// What a call to AWS Config asks for; `None` if that is not known.
pub(crate) fn config(asked: &Asked<'_>, config: &Config) -> Option<Vec<Authorization>> {
    match asked.action {
        "GetComplianceDetailsByResource" | "PutEvaluations" => Some(vec![asked.on("config", "*")]),
        "GetComplianceDetailsByConfigRule" => {
            let name = asked.parameters.get("ConfigRuleName");
            let rule = name.and_then(|name| config.rule(name));
            Some(rule.map(|rule| asked.on("config", &rule.arn)).into_iter().collect())
        }
        _ => None,
    }
}

impl Asked<'_> {
    fn on(&self, service: &str, resource: &str) -> Authorization {
        let Caller { account, .. } = self.caller;
        let function = self.caller.principal.rsplit('/').next().unwrap_or_default();
        let function = format!("arn:aws:lambda:{}:{account}:function:{function}", self.region);
        Authorization::new(&format!("{service}:{}", self.action), resource)
            .with("aws:RequestedRegion", self.region)
            .with("lambda:SourceFunctionArn", &function)
    }

    fn ec2(&self, resource: &str) -> Authorization {
        self.on("ec2", resource).with("ec2:Region", self.region)
    }

    fn arn(&self, account: &str, resource: &str) -> String {
        format!("arn:aws:ec2:{}:{account}:{resource}", self.region)
    }

    /// This action on something that there is.
    fn existing<T: Resource>(&self, world: &World, id: &str) -> Option<Authorization> {
        let row = T::rows(world).get(id)?;
        let arn = self.arn(row.owner(), &format!("{}/{id}", kind(id)?));
        Some(self.ec2(&arn).tagged(Tagged::Already, row.tags()))
    }

    /// This action on a network interface, which carries its VPC.
    fn interface(&self, world: &World, id: &str) -> Option<Authorization> {
        let vpc = &Interface::rows(world).get(id)?.vpc;
        let asked = self.existing::<Interface>(world, id)?;
        Some(asked.with("ec2:Vpc", &self.arn(&self.caller.account, &format!("vpc/{vpc}"))))
    }

    /// Another account's session is shown to the owner of its target, but cannot be changed.
    fn own_session(&self, world: &World, id: &str) -> Option<Authorization> {
        world.session(id).filter(|session| session.owner == self.caller.account)?;
        self.existing::<Session>(world, id)
    }

    /// This action on a resource of whatever type.
    fn any(&self, world: &World, id: &str) -> Option<Authorization> {
        match kind(id)? {
            "instance" => self.existing::<Instance>(world, id),
            "network-interface" => self.existing::<Interface>(world, id),
            "traffic-mirror-filter" => self.existing::<Filter>(world, id),
            "traffic-mirror-filter-rule" => self.existing::<Rule>(world, id),
            "traffic-mirror-session" => self.existing::<Session>(world, id),
            _ => self.existing::<Target>(world, id),
        }
    }
}

/// The type of a resource in its ARN, by the prefix of its id.
fn kind(id: &str) -> Option<&'static str> {
    match id.split_once('-')?.0 {
        "i" => Some("instance"),
        "eni" => Some("network-interface"),
        "tmf" => Some("traffic-mirror-filter"),
        "tmfr" => Some("traffic-mirror-filter-rule"),
        "tms" => Some("traffic-mirror-session"),
        "tmt" => Some("traffic-mirror-target"),
        _ => None,
    }
}
