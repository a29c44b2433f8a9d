//! Why a target is as it is.

use std::collections::BTreeMap;

use crate::{
    answer::Answer,
    command::explain::finding::Finding,
    output::{Block, Mark},
    view::target::TargetRow,
    world::Decided,
};

pub(crate) fn explain(answer: &mut Answer, decided: &Decided, row: &TargetRow) {
    decided.head(&mut answer.document);
    let owner = row.owner.as_deref().unwrap_or("nobody that EC2 shows");
    let zones = if row.zones.is_empty() { "not known".to_owned() } else { row.zones.join(", ") };
    let allowed = if row.allowed { "yes" } else { "no: no session of yours leads there" };
    let facts = [
        ("who owns it", owner.to_owned()),
        ("what receives the packets", row.endpoint.clone()),
        ("in which zones", zones),
        ("its state", row.state.to_owned()),
        ("is it allowed", allowed.to_owned()),
        ("sources on it that can be seen", row.room()),
        ("sessions on it", format!("{} of yours, {} foreign", row.owned, row.foreign)),
    ];
    for (question, text) in &facts {
        Finding::push(answer, decided, &row.target, question, text);
    }
    let details = facts.iter().map(|(question, text)| format!("{question}: {text}"));
    let mark = if row.allowed { Mark::Plain } else { Mark::Bad };
    let head = format!("target {}", row.target);
    answer.document.blocks.push(Block::Item(mark, head, details.collect()));
    for (reason, count) in reasons(decided, row) {
        answer.document.line(format!("{count} interfaces are {reason} because of it"));
        answer.document.hint(format!("mirrorctl explain {reason}"));
    }
}

/// What is blocked because of the target, by reason.
fn reasons(decided: &Decided, row: &TargetRow) -> BTreeMap<&'static str, usize> {
    let mut reasons = BTreeMap::new();
    let names = |text: &str| text.split([' ', ',', ':']).any(|word| word == row.target);
    let blocked = decided.plan.steps.iter().filter(|step| step.action.name() == "block");
    for step in blocked.filter(|step| names(&step.reason.to_string())) {
        let count: &mut usize = reasons.entry(step.reason.code()).or_default();
        *count = count.saturating_add(1);
    }
    reasons
}
