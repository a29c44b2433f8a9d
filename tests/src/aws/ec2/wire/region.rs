//! `DescribeRegions`: those that are enabled, which need no page.

use serde::Serialize;

use super::flaw::Flaw;
use super::parameters::Parameters;
use super::xml::{Set, respond};
use crate::aws::ec2::{Caller, Refusal, World};

const ENABLED: [&str; 2] = ["eu-central-1", "us-east-1"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Regions {
    region_info: Set<Region>,
}

#[derive(Serialize)]
struct Region {
    #[serde(rename = "regionName")]
    name: &'static str,
    #[serde(rename = "regionEndpoint")]
    endpoint: String,
    #[serde(rename = "optInStatus")]
    opt_in: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "the other lists may be refused")]
pub(super) fn describe(
    _: &World,
    _: &Caller,
    _: &Parameters<'_>,
    _: &Flaw,
) -> Result<String, Refusal> {
    let region = |name| Region {
        name,
        endpoint: format!("ec2.{name}.amazonaws.com"),
        opt_in: "opt-in-not-required",
    };
    let region_info = ENABLED.into_iter().map(region).collect();
    Ok(respond("DescribeRegions", Regions { region_info }))
}
