//! The trails, and which calls each logs.
//!
//! `DescribeTrails` shows those that are for a region: of its home, of all regions, and of the organization. Those of
//! another region or account are known by their ARN only (`GetTrailStatus`), and a member of an organization is not told
//! what its trail selects (cloud-custodian, pull request 6394).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::aws::ec2::{Caller, Refusal};

/// A trail.
#[derive(Clone, Debug)]
pub struct Trail {
    pub name: String,
    pub owner: String,
    pub home_region: String,
    pub is_multi_region: bool,
    pub is_organization: bool,
    pub is_logging: bool,
    /// `EventSelectors` or `AdvancedEventSelectors` with their value; none logs all management events.
    pub selectors: Option<(&'static str, Value)>,
}

impl Trail {
    /// As the console creates one: of all regions, and it logs.
    pub fn of_all_regions(owner: &str) -> Self {
        Self {
            name: "management".to_owned(),
            owner: owner.to_owned(),
            home_region: "us-east-1".to_owned(),
            is_multi_region: true,
            is_organization: false,
            is_logging: true,
            selectors: None,
        }
    }

    pub fn arn(&self) -> String {
        let Self { name, owner, home_region, .. } = self;
        format!("arn:aws:cloudtrail:{home_region}:{owner}:trail/{name}")
    }

    fn is_for(&self, caller: &Caller, region: &str) -> bool {
        (self.owner == caller.account || self.is_organization)
            && (self.home_region == region || self.is_multi_region)
    }

    fn is_called(&self, name: &str, caller: &Caller, region: &str) -> bool {
        let is_home = self.owner == caller.account && self.home_region == region;
        name == self.arn() || (is_home && name == self.name)
    }
}

pub(super) fn describe(trails: &[Trail], caller: &Caller, region: &str) -> Value {
    let shown = |trail: &Trail| {
        json!({
            "Name": trail.name,
            "TrailARN": trail.arn(),
            "HomeRegion": trail.home_region,
            "IsMultiRegionTrail": trail.is_multi_region,
            "IsOrganizationTrail": trail.is_organization,
            "HasCustomEventSelectors": trail.selectors.is_some(),
            "IncludeGlobalServiceEvents": true,
            "S3BucketName": "logs",
        })
    };
    let here = trails.iter().filter(|trail| trail.is_for(caller, region));
    json!({"trailList": here.map(shown).collect::<Vec<_>>()})
}

pub(super) fn status(
    trails: &[Trail],
    caller: &Caller,
    region: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Value, Refusal> {
    let trail = find(trails, caller, region, parameters.get("Name"))?;
    Ok(json!({"IsLogging": trail.is_logging}))
}

pub(super) fn selectors(
    trails: &[Trail],
    caller: &Caller,
    region: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Value, Refusal> {
    let name = parameters.get("TrailName");
    let trail = find(trails, caller, region, name)?;
    if trail.owner != caller.account {
        return Err(unknown(name));
    }
    let default = json!([{"ReadWriteType": "All", "IncludeManagementEvents": true}]);
    let (kind, selectors) = trail.selectors.clone().unwrap_or(("EventSelectors", default));
    Ok(json!({"TrailARN": trail.arn(), kind: selectors}))
}

fn find<'a>(
    trails: &'a [Trail],
    caller: &Caller,
    region: &str,
    name: Option<&String>,
) -> Result<&'a Trail, Refusal> {
    let is_its = |trail: &&Trail| {
        trail.is_for(caller, region)
            && name.is_some_and(|name| trail.is_called(name, caller, region))
    };
    trails.iter().find(is_its).ok_or_else(|| unknown(name))
}

fn unknown(name: Option<&String>) -> Refusal {
    let name = name.map(String::as_str).unwrap_or_default();
    Refusal::new("TrailNotFoundException", format!("Unknown trail: {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "111122223333";

    #[test]
    fn a_trail_is_shown_where_it_is_for_and_known_by_its_name_at_home_only() {
        let all = Trail::of_all_regions(US);
        let home = Trail { is_multi_region: false, name: "home".to_owned(), ..all.clone() };
        let trails = [all.clone(), home];
        let alice = Caller::default();
        let count = |caller: &Caller, region| {
            describe(&trails, caller, region)["trailList"].as_array().unwrap().len()
        };
        assert_eq!((count(&alice, "us-east-1"), count(&alice, "eu-west-1")), (2, 1));
        assert_eq!(count(&Caller::user("999999999999"), "us-east-1"), 0);
        let ask = |region, name: &str| {
            let parameters = [("Name".to_owned(), name.to_owned())].into();
            status(&trails, &alice, region, &parameters).map_err(|refusal| refusal.code)
        };
        for (region, name) in [("us-east-1", "management"), ("eu-west-1", all.arn().as_str())] {
            assert_eq!(ask(region, name).unwrap()["IsLogging"], true, "{region}");
        }
        assert_eq!(ask("eu-west-1", "management").unwrap_err(), "TrailNotFoundException");
    }

    #[test]
    fn a_member_of_an_organization_sees_its_trail_and_not_what_that_selects() {
        let trail = Trail { is_organization: true, ..Trail::of_all_regions("999999999999") };
        let (name, trails) = (trail.arn(), [trail]);
        let member = Caller::default();
        let ask = |key: &str| BTreeMap::from([(key.to_owned(), name.clone())]);
        let logs = status(&trails, &member, "us-east-1", &ask("Name")).unwrap();
        assert_eq!(logs["IsLogging"], true);
        let refused = selectors(&trails, &member, "us-east-1", &ask("TrailName")).unwrap_err();
        assert_eq!(refused.code, "TrailNotFoundException");
    }
}
