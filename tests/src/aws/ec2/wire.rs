//! EC2's Query protocol: parameters in, XML out. All rules are the world's; this only translates.

mod filter;
pub(crate) mod flaw;
mod instance;
mod interface;
mod network;
pub(crate) mod parameters;
mod region;
mod session;
mod tag;
mod target;
#[cfg(test)]
mod tests;
mod usual;
mod xml;

use std::collections::BTreeMap;

use crate::aws::ec2::{Caller, Managed, Refusal, World};

use flaw::Flaw;
use parameters::Parameters;

const VERSION: &str = "2016-11-15";

/// Does what a request asks for; the answer is the XML of the response. A list has the flaw.
pub(crate) fn answer(
    world: &mut World,
    caller: &Caller,
    request: &BTreeMap<String, String>,
    flaw: &Flaw,
) -> Result<String, Refusal> {
    let parameters = Parameters::new(request);
    let action = parameters.text("Action").unwrap_or_default();
    let version = parameters.text("Version").unwrap_or_default();
    if version != VERSION {
        let message =
            format!("The requested version ({version}) of service AmazonEC2 does not exist");
        return Err(Refusal::new("NoSuchVersion", message));
    }
    if world.managed == Managed::NoParameter && parameters.text("IncludeManagedResources").is_some()
    {
        let message = "The parameter IncludeManagedResources is not recognized";
        return Err(Refusal::new("UnknownParameter", message));
    }
    let dry_run = parameters.flag("DryRun")?;
    let frozen = if *flaw == Flaw::Stale { world.frozen() } else { None };
    let seen = frozen.unwrap_or(world);
    let answer = match read(seen, caller, action, &parameters, flaw) {
        Some(answer) => answer,
        // A dry run is the real thing on a copy that is thrown away: the checks cannot differ.
        None if dry_run => write(&mut world.copy(), caller, action, &parameters),
        None => write(world, caller, action, &parameters),
    };
    match answer {
        Ok(_) if dry_run => Err(Refusal::new(
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )),
        other => other,
    }
}

/// The body of an error response.
pub(crate) fn refuse(refusal: &Refusal) -> String {
    xml::refuse(refusal)
}

fn read(
    world: &World,
    caller: &Caller,
    action: &str,
    parameters: &Parameters<'_>,
    flaw: &Flaw,
) -> Option<Result<String, Refusal>> {
    let describe = match action {
        "DescribeInstances" => instance::describe,
        "DescribeNetworkAcls" => network::describe_acls,
        "DescribeNetworkInterfaces" => interface::describe,
        "DescribeRegions" => region::describe,
        "DescribeRouteTables" => network::describe_route_tables,
        "DescribeSecurityGroups" => network::describe_groups,
        "DescribeTags" => tag::describe,
        "DescribeTrafficMirrorFilterRules" => filter::describe_rules,
        "DescribeTrafficMirrorFilters" => filter::describe,
        "DescribeTrafficMirrorSessions" => session::describe,
        "DescribeTrafficMirrorTargets" => target::describe,
        "DescribeVpcEndpoints" => network::describe_endpoints,
        _ => return None,
    };
    Some(describe(world, caller, parameters, flaw))
}

fn write(
    world: &mut World,
    caller: &Caller,
    action: &str,
    parameters: &Parameters<'_>,
) -> Result<String, Refusal> {
    let perform = match action {
        "AttachNetworkInterface" => interface::attach,
        "CreateNetworkInterface" => interface::create,
        "CreateTags" => tag::create,
        "CreateTrafficMirrorFilter" => filter::create,
        "CreateTrafficMirrorFilterRule" => filter::create_rule,
        "CreateTrafficMirrorSession" => session::create,
        "CreateTrafficMirrorTarget" => target::create,
        "DeleteNetworkInterface" => interface::delete,
        "DeleteTags" => tag::delete,
        "DeleteTrafficMirrorFilter" => filter::delete,
        "DeleteTrafficMirrorFilterRule" => filter::delete_rule,
        "DeleteTrafficMirrorSession" => session::delete,
        "DeleteTrafficMirrorTarget" => target::delete,
        "DetachNetworkInterface" => interface::detach,
        "ModifyInstanceAttribute" => instance::modify,
        "ModifyTrafficMirrorFilterNetworkServices" => filter::modify_network_services,
        "ModifyTrafficMirrorSession" => session::modify,
        "RunInstances" => instance::run,
        "StartInstances" => instance::start,
        "StopInstances" => instance::stop,
        "TerminateInstances" => instance::terminate,
        "" => return Err(Refusal::new("MissingAction", "The request must contain an Action")),
        _ => {
            let message = format!("The action {action} is not valid for this web service.");
            return Err(Refusal::new("InvalidAction", message));
        }
    };
    perform(world, caller, parameters)
}
