//! Carries out steps: a few at a time, so that Ctrl-C ends it cleanly.

use std::time::SystemTime;

use automirror::by_hand::{ByHand, Tried};
use indicatif::{ProgressBar, ProgressStyle};
use shared::plan::step::{Action, Step};
use tokio::signal::ctrl_c;

use crate::{place::Place, read::Input, settings::Parsed};

/// Steps that are begun before Ctrl-C is looked at again. EC2 takes 5 changes a second.
const BATCH: usize = 8;

/// What has become of the changes.
#[derive(Debug, Default)]
pub(super) struct Execution {
    pub(super) tried: Vec<Tried>,
    /// What was not begun.
    pub(super) left: Vec<Step>,
}

/// Makes the changes: deletions first, then modifications, then creations, since each may need the room that the
/// ones before it make.
pub(super) async fn execute(
    input: &Input<'_>,
    place: &Place,
    parsed: &Parsed,
    mut steps: Vec<Step>,
) -> Execution {
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
    // EC2 answers in any order, and what is printed is to be the same each time.
    tried.sort_by_cached_key(|it| (phase(&it.step.action), it.step.source.clone()));
    Execution { tried, left: steps }
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
