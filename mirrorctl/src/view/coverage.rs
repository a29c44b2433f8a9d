//! Coverage by VPC and zone, and what is in its way.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    observed::Target,
    plan::{advice::advice, reason::Level},
};

use crate::{
    view::{
        source::{Coverage, Judged, Standing},
        step::level_name,
    },
    world::Decided,
};

/// The coverage of a VPC in one zone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Area {
    pub(crate) vpc: String,
    pub(crate) zone: String,
    #[serde(flatten)]
    pub(crate) coverage: Coverage,
}

/// What keeps sources from being mirrored.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Obstacle {
    pub(crate) reason: &'static str,
    pub(crate) level: &'static str,
    pub(crate) sources: usize,
    /// The sentence of the first.
    pub(crate) example: String,
    pub(crate) why: &'static str,
    pub(crate) mend: &'static str,
    /// The first sources.
    pub(crate) first: Vec<String>,
}

/// So many sources of an obstacle are named.
const NAMED: usize = 3;

/// Coverage by VPC and zone. Sources that should not be mirrored are in none.
pub(crate) fn areas(judged: &[Judged<'_>]) -> Vec<Area> {
    let mut areas: BTreeMap<(&str, &str), Coverage> = BTreeMap::new();
    for source in judged.iter().filter(|it| it.standing != Standing::NotSelected) {
        areas.entry((source.vpc, source.zone)).or_default().add(source.standing);
    }
    let area = |((vpc, zone), coverage): ((&str, &str), Coverage)| Area {
        vpc: vpc.to_owned(),
        zone: zone.to_owned(),
        coverage,
    };
    areas.into_iter().map(area).collect()
}

/// What keeps sources from being mirrored: first what somebody must act on, and the most frequent.
pub(crate) fn obstacles(judged: &[Judged<'_>]) -> Vec<Obstacle> {
    let mut found: BTreeMap<&str, (Level, Obstacle)> = BTreeMap::new();
    let is_blocked =
        |it: &&Judged<'_>| matches!(it.standing, Standing::Unsupported | Standing::ActionNeeded);
    for source in judged.iter().filter(is_blocked) {
        let reason = &source.step.reason;
        let (_, obstacle) = found.entry(reason.code()).or_insert_with(|| {
            let (why, mend) = advice(reason.code()).map_or(("", ""), |it| (it.why, it.mend));
            let obstacle = Obstacle {
                reason: reason.code(),
                level: level_name(reason.level()),
                sources: 0,
                example: reason.to_string(),
                why,
                mend,
                first: Vec::new(),
            };
            (reason.level(), obstacle)
        });
        obstacle.sources = obstacle.sources.saturating_add(1);
        if obstacle.first.len() < NAMED {
            let name = source.instance.map_or_else(|| source.id.to_string(), ToString::to_string);
            obstacle.first.push(name);
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(level, it)| (std::cmp::Reverse(*level), std::cmp::Reverse(it.sources)));
    found.into_iter().map(|(_, obstacle)| obstacle).collect()
}

impl Decided {
    /// What no caller in this account can see, in words.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let observed = &self.world.observed;
        let is_of_others = |target: &&Target| {
            let owner = &target.account;
            *owner != observed.account
                && self.parsed.policy.trusts(&target.id, Some(owner), &observed.account)
        };
        let others = observed.targets.iter().filter(is_of_others).count();
        let mut unseen =
            vec!["instances of other accounts in VPCs that are shared with this one".to_owned()];
        if others > 0 {
            unseen.push(format!(
                "what receives the packets of {others} targets of other accounts, and all sessions on them"
            ));
        }
        unseen
    }
}
