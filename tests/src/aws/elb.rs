//! Elastic Load Balancing's lists, in its Query protocol. What they show is the world's.

use std::collections::BTreeMap;

use quick_xml::se::to_string_with_root;
use serde_json::{Value, json};

use crate::aws::ec2::{Caller, LoadBalancer, Refusal, TargetGroup, World};

/// The version of its Query protocol, which tells its requests from EC2's.
pub(crate) const VERSION: &str = "2015-12-01";

/// The most items of a page.
const PAGE: usize = 400;

/// The parameters of a request.
type Parameters = BTreeMap<String, String>;

/// Does what a request asks for; the answer is the XML of the response.
pub(crate) fn answer(
    world: &World,
    caller: &Caller,
    action: &str,
    parameters: &Parameters,
) -> Result<String, Refusal> {
    let result = match action {
        "DescribeLoadBalancers" => load_balancers(world, caller, parameters)?,
        "DescribeLoadBalancerAttributes" => {
            let balancer = balancer(world, caller, parameters)?;
            attributes(&balancer.crosses_zones.to_string())
        }
        "DescribeListeners" => listeners(world, balancer(world, caller, parameters)?, parameters)?,
        "DescribeTargetGroups" => {
            target_groups(world, balancer(world, caller, parameters)?, parameters)?
        }
        "DescribeTargetGroupAttributes" => {
            let crosses = target_group(world, caller, parameters)?.crosses_zones;
            let crosses = crosses.map(|crosses| crosses.to_string());
            attributes(crosses.as_deref().unwrap_or("use_load_balancer_configuration"))
        }
        "DescribeTargetHealth" => health(target_group(world, caller, parameters)?),
        _ => {
            let message = format!("Could not find operation {action} for version {VERSION}");
            return Err(Refusal::new("InvalidAction", message));
        }
    };
    Ok(respond(action, &result))
}

fn load_balancers(
    world: &World,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let own: Vec<_> =
        world.load_balancers().values().filter(|it| it.owner == caller.account).collect();
    let (names, arns) = (members(parameters, "Names"), members(parameters, "LoadBalancerArns"));
    let missing = names
        .iter()
        .find(|name| !own.iter().any(|it| it.name == **name))
        .or_else(|| arns.iter().find(|arn| !own.iter().any(|it| it.arn == **arn)));
    if let Some(missing) = missing {
        return Err(missing_balancer(missing));
    }
    let is_asked = |it: &&&LoadBalancer| {
        (names.is_empty() && arns.is_empty())
            || names.contains(&it.name.as_str())
            || arns.contains(&it.arn.as_str())
    };
    let rows = own.iter().filter(is_asked).map(|balancer| {
        let zones = balancer.zones.iter();
        json!({
            "LoadBalancerArn": balancer.arn,
            "LoadBalancerName": balancer.name,
            "Scheme": "internal",
            "Type": "network",
            "VpcId": balancer.vpc,
            "State": {"Code": balancer.state},
            "AvailabilityZones": list(zones.map(|(zone, subnet)| {
                json!({"ZoneName": zone, "SubnetId": subnet})
            })),
            "SecurityGroups": list(balancer.security_groups.iter().map(|id| json!(id))),
        })
    });
    page(world, "LoadBalancers", rows.collect(), parameters)
}

fn listeners(
    world: &World,
    balancer: &LoadBalancer,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let rows = balancer.listeners.iter().enumerate().map(|(index, listener)| {
        let arn = balancer.arn.replace(":loadbalancer/", ":listener/");
        json!({
            "ListenerArn": format!("{arn}/{index:016x}"),
            "LoadBalancerArn": balancer.arn,
            "Protocol": listener.protocol,
            "Port": listener.port,
            "DefaultActions": list([
                json!({"Type": "forward", "TargetGroupArn": listener.target_group}),
            ].into_iter()),
        })
    });
    page(world, "Listeners", rows.collect(), parameters)
}

fn target_groups(
    world: &World,
    balancer: &LoadBalancer,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let rows = balancer.target_groups.values().map(|group| {
        json!({
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "Protocol": "UDP",
            "Port": group.port,
            "VpcId": balancer.vpc,
            "LoadBalancerArns": list([json!(balancer.arn)].into_iter()),
        })
    });
    page(world, "TargetGroups", rows.collect(), parameters)
}

fn health(group: &TargetGroup) -> Value {
    let rows = group.targets.iter().map(|(id, health)| {
        json!({
            "Target": {"Id": id, "Port": group.port},
            "TargetHealth": {"State": health},
        })
    });
    json!({"TargetHealthDescriptions": list(rows)})
}

fn attributes(crosses_zones: &str) -> Value {
    let of_zones = json!({"Key": "load_balancing.cross_zone.enabled", "Value": crosses_zones});
    let other = json!({"Key": "deletion_protection.enabled", "Value": "false"});
    json!({"Attributes": list([other, of_zones].into_iter())})
}

fn balancer<'a>(
    world: &'a World,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<&'a LoadBalancer, Refusal> {
    let arn = parameters.get("LoadBalancerArn").map(String::as_str).unwrap_or_default();
    let found = world.load_balancers().get(arn).filter(|it| it.owner == caller.account);
    found.ok_or_else(|| missing_balancer(arn))
}

fn missing_balancer(name: &str) -> Refusal {
    Refusal::new("LoadBalancerNotFound", format!("Load balancers '[{name}]' not found"))
}

fn target_group<'a>(
    world: &'a World,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<&'a TargetGroup, Refusal> {
    let arn = parameters.get("TargetGroupArn").map(String::as_str).unwrap_or_default();
    let own = world.load_balancers().values().filter(|it| it.owner == caller.account);
    let found = own.flat_map(|it| it.target_groups.values()).find(|group| group.arn == arn);
    let message = || format!("Target groups '{arn}' not found");
    found.ok_or_else(|| Refusal::new("TargetGroupNotFound", message()))
}

/// `Name.member.1`, `Name.member.2`, …
fn members<'a>(parameters: &'a Parameters, name: &str) -> Vec<&'a str> {
    let prefix = format!("{name}.member.");
    let given = parameters.iter().filter(|(name, _)| name.starts_with(&prefix));
    given.map(|(_, value)| value.as_str()).collect()
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    json!({"member": items.collect::<Vec<_>>()})
}

/// Some rows; the marker is the number of those before them.
fn page(
    world: &World,
    name: &str,
    rows: Vec<Value>,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let number = |name: &str| parameters.get(name).map(|text| text.parse::<usize>()).transpose();
    let invalid = |_| Refusal::new("ValidationError", "a page is not valid");
    let size = number("PageSize").map_err(invalid)?.unwrap_or(PAGE);
    let start = number("Marker").map_err(invalid)?.unwrap_or_default();
    if !(1..=PAGE).contains(&size) {
        let message = format!("1 validation error detected: Value '{size}' at 'pageSize'");
        return Err(Refusal::new("ValidationError", message));
    }
    let end = start + world.max_page.map_or(size, |max| max.min(size));
    let is_more = end < rows.len();
    let shown = rows.into_iter().take(end).skip(start);
    let mut page = json!({name: list(shown)});
    if is_more {
        page["NextMarker"] = json!(end.to_string());
    }
    Ok(page)
}

/// The body of an error response: like STS's.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    super::sts::refuse(refusal)
}

fn respond(action: &str, result: &Value) -> String {
    let result = to_string_with_root(&format!("{action}Result"), result)
        .expect("objects of text and numbers are XML");
    format!(
        "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/{VERSION}/\">{result}\
         <ResponseMetadata><RequestId>00000000-0000-4000-9000-000000000000</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::ZONE_A;

    fn ask(world: &World, action: &str, parameters: &[(&str, &str)]) -> Result<String, Refusal> {
        let given = parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        answer(world, &Caller::default(), action, &given.collect())
    }

    #[test]
    fn lists_come_by_page_and_what_is_not_ones_own_is_not_found() {
        let mut world = World::default();
        let alice = Caller::default();
        for name in ["a", "b", "c"] {
            world.create_network_load_balancer(&alice, name, &[ZONE_A]).unwrap();
        }
        let other = Caller::user("999999999999");
        let theirs = world.create_network_load_balancer(&other, "theirs", &[ZONE_A]).unwrap();
        let first = ask(&world, "DescribeLoadBalancers", &[("PageSize", "2")]).unwrap();
        assert!(first.contains("<NextMarker>2</NextMarker>"), "{first}");
        let next = [("PageSize", "2"), ("Marker", "2")];
        let second = ask(&world, "DescribeLoadBalancers", &next).unwrap();
        let count = |page: &str| page.matches("<LoadBalancerArn>").count();
        assert_eq!((count(&first), count(&second), second.contains("NextMarker")), (2, 1, false));
        for (action, parameters, code) in [
            ("DescribeLoadBalancers", [("Names.member.1", "theirs")], "LoadBalancerNotFound"),
            ("DescribeListeners", [("LoadBalancerArn", theirs.as_str())], "LoadBalancerNotFound"),
            ("DescribeTargetHealth", [("TargetGroupArn", "x")], "TargetGroupNotFound"),
            ("DescribeLoadBalancers", [("PageSize", "401")], "ValidationError"),
            ("DescribeRules", [("PageSize", "1")], "InvalidAction"),
        ] {
            assert_eq!(ask(&world, action, &parameters).unwrap_err().code, code, "{action}");
        }
    }

    #[test]
    fn a_load_balancer_that_listens_shows_what_is_behind_it() {
        let mut world = World::default();
        let arn = world.create_network_load_balancer(&Caller::default(), "s", &[ZONE_A]).unwrap();
        let empty = ask(&world, "DescribeListeners", &[("LoadBalancerArn", &arn)]).unwrap();
        assert!(!empty.contains("ListenerArn"), "{empty}");
        world.load_balancer_mut(&arn).listen(&["i-1"]);
        let listeners = ask(&world, "DescribeListeners", &[("LoadBalancerArn", &arn)]).unwrap();
        assert!(listeners.contains("<Port>4789</Port>"), "{listeners}");
        let group = world.load_balancer_mut(&arn).target_group().arn.clone();
        let health = ask(&world, "DescribeTargetHealth", &[("TargetGroupArn", &group)]).unwrap();
        assert!(health.contains("<Id>i-1</Id>"), "{health}");
        assert!(health.contains("<State>healthy</State>"), "{health}");
        let attributes =
            ask(&world, "DescribeTargetGroupAttributes", &[("TargetGroupArn", &group)]).unwrap();
        assert!(attributes.contains("use_load_balancer_configuration"), "{attributes}");
    }
}
