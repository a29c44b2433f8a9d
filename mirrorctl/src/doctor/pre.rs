//! What mirroring needs before it is deployed: what AWS Config records, what CloudTrail logs, and whether sources,
//! targets, filter and quotas allow what the settings ask for. It reads nothing, and what was not read is never fine.
//!
//! In reading order: `check` is what is found out about one thing; `recorder`, `trail`, `fleet` and `targets` judge one
//! thing each by plain facts, and `read` reads these from AWS.

pub(crate) mod check;
mod fleet;
pub(crate) mod read;
mod recorder;
mod targets;
mod trail;

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    network::{Fact, Network},
    trouble::Trouble,
};
use crate::world::Decided;
use check::{Check, Topic};
use recorder::{Recorder, Status};
use trail::Trail;

/// What was read of a place.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) region: String,
    /// AWS Config's recorder; none where there is none.
    pub(crate) recorder: Fact<Option<Recorder>>,
    pub(crate) status: Fact<Option<Status>>,
    /// The trails that CloudTrail shows in the region.
    pub(crate) trails: Fact<Vec<Trail>>,
    pub(crate) mirroring: Fact<Mirroring>,
}

/// What EC2 shows, with its plan, and what stands at the targets.
#[derive(Debug)]
pub(crate) struct Mirroring {
    pub(crate) decided: Decided,
    pub(crate) network: Network,
}

/// What EC2 alone can tell.
const OF_EC2: [Topic; 6] =
    [Topic::Sources, Topic::InstanceTypes, Topic::Quota, Topic::Target, Topic::Room, Topic::Filter];

/// Everything that is looked at, in its order.
pub(crate) fn checks(facts: &Facts) -> Vec<Check> {
    let Facts { region, recorder, status, trails, mirroring } = facts;
    let mut checks = recorder::checks(region, recorder, status);
    checks.push(Check { topic: Topic::Trail, result: trail::judge(region, trails) });
    match mirroring {
        Ok(Mirroring { decided, network }) => {
            checks.extend(fleet::checks(decided));
            checks.extend(targets::checks(decided, network));
            checks.push(Check { topic: Topic::Filter, result: targets::filter(decided) });
        }
        Err(problem) => {
            let unread = |topic| Check { topic, result: Err(Trouble::unread(problem)) };
            checks.extend(OF_EC2.map(unread));
        }
    }
    checks
}

/// The troubles, the worst first, each with all the checks that have it.
pub(crate) fn troubles(checks: &[Check]) -> Vec<(&Trouble, Vec<Topic>)> {
    let mut found: BTreeMap<&Trouble, Vec<Topic>> = BTreeMap::new();
    for Check { topic, result } in checks {
        if let Err(trouble) = result {
            found.entry(trouble).or_default().push(*topic);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(trouble, topics)| {
        (Reverse(trouble.grade), topics.iter().min().copied(), trouble.at.as_str())
    });
    found
}
