//! The steps of a plan, one by one and grouped.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::plan::{
    reason::Level,
    step::{Action, Step},
};

use crate::{view::source::UNKNOWN, world::Decided};

/// A step, as machines read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StepRow {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) action: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) level: &'static str,
    pub(crate) instance: Option<String>,
    pub(crate) interface: String,
    pub(crate) vpc: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) filter: Option<String>,
    /// The whole step as a sentence.
    pub(crate) text: String,
}

/// The columns of the steps as a table.
pub(crate) const COLUMNS: [&str; 13] = [
    "account",
    "region",
    "action",
    "reason",
    "level",
    "instance",
    "interface",
    "vpc",
    "zone",
    "session",
    "target",
    "filter",
    "text",
];

impl StepRow {
    pub(crate) fn cells(&self) -> Vec<String> {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        vec![
            self.account.clone(),
            self.region.clone(),
            self.action.to_owned(),
            self.reason.to_owned(),
            self.level.to_owned(),
            text(&self.instance),
            self.interface.clone(),
            text(&self.vpc),
            text(&self.zone),
            text(&self.session),
            text(&self.target),
            text(&self.filter),
            self.text.clone(),
        ]
    }
}

/// The name of a level.
pub(crate) const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Mirrored => "mirrored",
        Level::Change => "change",
        Level::NotSelected => "not-selected",
        Level::Unsupported => "unsupported",
        Level::ActionNeeded => "action-needed",
    }
}

/// Steps with the same action, reason and VPC.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) action: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) level: &'static str,
    pub(crate) vpc: String,
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: Vec<Member>,
    /// The sentence of the first.
    pub(crate) example: String,
}

/// A source, and the instance it is on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Member {
    pub(crate) interface: String,
    pub(crate) instance: Option<String>,
}

/// So many of a group are named.
const NAMED: usize = 3;

impl Decided {
    /// Every step, in the order of the plan.
    pub(crate) fn step_rows(&self) -> Vec<StepRow> {
        let sources = self.sources();
        let row = |step: &Step| {
            let source = sources.get(&step.source);
            let session = match &step.action {
                Action::Modify(id, _) | Action::Delete(id) | Action::Keep(id) => Some(id),
                Action::Create(_) | Action::Block | Action::Ignore => None,
            };
            StepRow {
                account: self.world.account.to_string(),
                region: self.world.region.clone(),
                action: step.action.name(),
                reason: step.reason.code(),
                level: level_name(step.reason.level()),
                instance: step.instance.as_ref().map(ToString::to_string),
                interface: step.source.to_string(),
                vpc: source.and_then(|it| it.vpc()).map(ToString::to_string),
                zone: source.and_then(|it| it.zone()).map(str::to_owned),
                session: session.map(ToString::to_string),
                target: step.action.target().map(ToString::to_string),
                filter: step.action.filter().map(ToString::to_string),
                text: step.to_string(),
            }
        };
        self.plan.steps.iter().map(row).collect()
    }

    /// The steps in groups: changes first, then what is blocked, then the rest; large groups first.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let sources = self.sources();
        let mut groups: BTreeMap<(u8, &str, &str, &str), Group> = BTreeMap::new();
        for step in &self.plan.steps {
            let vpc = sources.get(&step.source).and_then(|it| it.vpc());
            let vpc = vpc.map_or(UNKNOWN, |vpc| vpc.as_str());
            let (action, reason) = (step.action.name(), step.reason.code());
            let group = groups.entry((rank(step), action, reason, vpc)).or_insert_with(|| Group {
                action,
                reason,
                level: level_name(step.reason.level()),
                vpc: vpc.to_owned(),
                count: 0,
                first: Vec::new(),
                example: step.reason.to_string(),
            });
            group.count = group.count.saturating_add(1);
            if group.first.len() < NAMED {
                let instance = step.instance.as_ref().map(ToString::to_string);
                group.first.push(Member { interface: step.source.to_string(), instance });
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((rank, ..), group)| (*rank, std::cmp::Reverse(group.count)));
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// What matters more comes first.
fn rank(step: &Step) -> u8 {
    match &step.action {
        Action::Create(_) | Action::Modify(..) | Action::Delete(_) => 0,
        Action::Block if step.reason.level() == Level::ActionNeeded => 1,
        Action::Block => 2,
        Action::Keep(_) | Action::Ignore => 3,
    }
}
