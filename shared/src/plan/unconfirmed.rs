//! What rests on a tag that is absent waits for a second witness: `DescribeInstances` now and then leaves
//! tags out.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    desired::is_tagged,
    question::Question,
    reason::Reason,
    step::{Action, Step},
};
use crate::{
    observed::{Instance, Observed},
    policy::{Policy, Scope},
};

/// Turns the changes that rest on absent tags which nothing confirms into blocks, and returns what must be
/// asked.
pub(super) fn withhold_unconfirmed(
    policy: &Policy,
    observed: &Observed,
    steps: &mut [Step],
) -> BTreeSet<Question> {
    let unconfirmed: BTreeMap<_, _> = observed
        .instances
        .iter()
        .filter(|instance| !instance.tags_confirmed)
        .map(|instance| (&instance.id, &**instance))
        .collect();
    let mut questions = BTreeSet::new();
    for step in steps {
        let instance = step.instance.as_ref().and_then(|id| unconfirmed.get(id));
        if let Some(instance) = instance.filter(|it| rests_on_absent_tags(policy, it, step)) {
            questions.insert(Question::Tags(instance.id.clone()));
            step.before = None;
            step.action = Action::Block;
            step.reason = Reason::TagsUnconfirmed;
        }
    }
    questions
}

/// Whether the step could be another one if the instance had tags that it is not shown with.
fn rests_on_absent_tags(policy: &Policy, instance: &Instance, step: &Step) -> bool {
    match (&step.action, &step.reason) {
        // It may have opted out.
        (Action::Create(_), _) => policy.scope == Scope::All && !is_tagged(policy, instance),
        (Action::Delete(_), reason) => !matches!(
            reason,
            Reason::OptedOut { .. } | Reason::NotRunning { .. } | Reason::Detached
        ),
        (Action::Modify(..), _) => true,
        (Action::Keep(_) | Action::Block | Action::Ignore, _) => false,
    }
}
