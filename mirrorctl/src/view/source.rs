//! How each source stands: mirrored, about to be, or why not.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::{
    id::InterfaceId,
    observed::Source,
    plan::{
        reason::Level,
        step::{Action, Step},
    },
};

use crate::world::Decided;
pub(crate) use crate::world::{Judged, Standing};

/// What is said where EC2 does not show a VPC or zone.
pub(crate) const UNKNOWN: &str = "unknown";

impl Decided {
    /// Each source with a step, in the order of the plan.
    pub(crate) fn judged(&self) -> Vec<Judged<'_>> {
        let sources = self.sources();
        let of_one_source = |a: &Step, b: &Step| a.source == b.source && a.instance == b.instance;
        let judged = self.plan.steps.chunk_by(of_one_source).filter_map(|steps| {
            let (standing, step) = self.standing(steps)?;
            let source = sources.get(&step.source).copied();
            Some(Judged {
                id: &step.source,
                instance: step.instance.as_ref(),
                vpc: source.and_then(Source::vpc).map_or(UNKNOWN, |vpc| vpc.as_str()),
                zone: source.and_then(Source::zone).unwrap_or(UNKNOWN),
                standing,
                step,
            })
        });
        judged.collect()
    }

    /// The sources by id.
    pub(crate) fn sources(&self) -> BTreeMap<&InterfaceId, &Source> {
        self.world.observed.sources.iter().map(|source| (&source.id, source)).collect()
    }

    /// How a source with these steps stands, and by which of them.
    fn standing<'a>(&self, steps: &'a [Step]) -> Option<(Standing, &'a Step)> {
        let has_session = steps.iter().any(|it| {
            matches!(it.action, Action::Keep(_) | Action::Create(_) | Action::Modify(..))
        });
        let each = steps.iter().map(|step| (self.standing_of(step, has_session), step));
        each.max_by_key(|(standing, _)| *standing)
    }

    fn standing_of(&self, step: &Step, has_session: bool) -> Standing {
        let is_accepted = self.parsed.policy.accepted_reasons.contains(step.reason.code());
        match &step.action {
            // A session that is right, and a flaw that the operator accepts.
            Action::Block if is_accepted && has_session => Standing::Mirrored,
            Action::Block if is_accepted || step.reason.level() == Level::Unsupported => {
                Standing::Unsupported
            }
            Action::Block => Standing::ActionNeeded,
            Action::Create(_) | Action::Modify(..) => Standing::Change,
            // What goes without a successor leaves a source that should not be mirrored.
            Action::Delete(_) if has_session => Standing::Change,
            Action::Delete(_) | Action::Ignore => Standing::NotSelected,
            Action::Keep(_) => Standing::Mirrored,
        }
    }
}

/// How many sources stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Coverage {
    /// They should be mirrored: the sum of the other four.
    pub(crate) should_be: usize,
    pub(crate) mirrored: usize,
    pub(crate) change: usize,
    pub(crate) unsupported: usize,
    pub(crate) action_needed: usize,
}

impl Coverage {
    pub(crate) fn add(&mut self, standing: Standing) {
        let counter = match standing {
            Standing::NotSelected => return,
            Standing::Mirrored => &mut self.mirrored,
            Standing::Change => &mut self.change,
            Standing::Unsupported => &mut self.unsupported,
            Standing::ActionNeeded => &mut self.action_needed,
        };
        *counter = counter.saturating_add(1);
        self.should_be = self.should_be.saturating_add(1);
    }

    pub(crate) fn of<'a>(judged: impl IntoIterator<Item = &'a Judged<'a>>) -> Self {
        let mut coverage = Self::default();
        for source in judged {
            coverage.add(source.standing);
        }
        coverage
    }

    /// Percent of what should be mirrored, rounded down: 100 means all of it.
    pub(crate) fn percent(&self) -> usize {
        self.mirrored.saturating_mul(100).checked_div(self.should_be).unwrap_or(100)
    }
}
