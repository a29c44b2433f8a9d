//! Carries out steps: a few at a time, so that Ctrl-C ends it cleanly.

use std::time::SystemTime;

use automirror::by_hand::{ByHand, Tried};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use shared::plan::step::{Action, ActionOf, Step};
use tokio::signal::ctrl_c;

use crate::{
    answer::Answer,
    output::{Block, Mark},
    place::Place,
    problem::{NOT_DONE, Problem, STOPPED},
    read::{Input, name},
    settings::Parsed,
};

/// Steps that are begun before Ctrl-C is looked at again. EC2 takes 5 changes a second.
const BATCH: usize = 8;

/// Carries out the changes among the steps: deletions first, then modifications, then creations, since each
/// may need the room that the ones before it make. Says what was done, what was not, and what is left.
pub(crate) async fn execute(
    answer: &mut Answer,
    input: &Input<'_>,
    place: &Place,
    parsed: &Parsed,
    mut steps: Vec<Step>,
) {
    steps.retain(|step| step.action.is_change());
    steps.sort_by_key(|step| phase(&step.action));
    let hand = ByHand::new(
        &place.config,
        parsed.run.clone(),
        parsed.policy.clone(),
        &invocation((input.now)()),
        input.now,
    );
    let bar = ProgressBar::new(u64::try_from(steps.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} changes, Ctrl-C stops")
    {
        bar.set_style(style);
    }
    let mut stop = Box::pin(ctrl_c());
    let mut tried = Vec::new();
    let mut is_stopped = false;
    while !steps.is_empty() && !is_stopped {
        let mut batch = steps.split_off(BATCH.min(steps.len()));
        std::mem::swap(&mut batch, &mut steps);
        let mut work = Box::pin(hand.execute(batch));
        // What has begun is waited for: its outcome would be unknown otherwise.
        let ended = tokio::select! {
            ended = &mut work => ended,
            _ = &mut stop => {
                is_stopped = true;
                work.await
            }
        };
        bar.inc(u64::try_from(ended.len()).unwrap_or(u64::MAX));
        tried.extend(ended);
    }
    bar.finish_and_clear();
    report(answer, place, &tried, &steps);
}

fn phase(action: &Action) -> u8 {
    match action {
        Action::Delete(_) => 0,
        Action::Modify(..) => 1,
        Action::Create(_) => 2,
        Action::Keep(_) | Action::Block | Action::Ignore => 3,
    }
}

/// What new sessions carry as the tag `Invocation`: people find by it what made them.
fn invocation(now: SystemTime) -> String {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("mirrorctl-{}", since_1970.as_millis())
}

fn report(answer: &mut Answer, place: &Place, tried: &[Tried], left: &[Step]) {
    let at = name(place.account.as_str(), &place.region);
    let mut done = 0_usize;
    for Tried { step, outcome } in tried {
        let action = ActionOf(step).to_string();
        let (session, error) = match outcome {
            Ok(session) => (Some(session.to_string()), None),
            Err(why) => (None, Some(why.as_str())),
        };
        let record = json!({
            "account": place.account.as_str(), "region": place.region, "interface": step.source.as_str(),
            "action": step.action.name(), "session": session, "error": error,
        });
        answer.document.record("change", &record);
        answer.document.place(&record);
        match outcome {
            Ok(_) => done = done.saturating_add(1),
            Err(why) => {
                let detail = format!("{}: {action}: {why}", step.source);
                answer.fail(Some(at.clone()), Problem::new(&NOT_DONE, detail));
            }
        }
    }
    let all = tried.len().saturating_add(left.len());
    let mark = if done == all { Mark::Good } else { Mark::Bad };
    let head = format!("{done} of {all} changes are made");
    answer.document.blocks.push(Block::Item(mark, head, Vec::new()));
    if let Some(next) = left.first() {
        let next = format!("{}: {}", next.source, ActionOf(next));
        let detail = format!("{} changes are left, the next is {next}", left.len());
        answer.fail(Some(at), Problem::new(&STOPPED, detail));
    }
}
