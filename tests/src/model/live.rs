//! Keeps runs that can go on from where they are, so that not every step replays all choices before it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::choice::Choice;
use super::run::Run;
use super::scenario::Scenario;

/// Runs that are kept: the model checker goes on with the latest states first.
const KEPT: usize = 100;

thread_local! {
    // A run cannot leave its thread.
    static LIVE: RefCell<VecDeque<(Vec<Choice>, Run)>> = RefCell::default();
}

pub(super) fn keep(choices: &[Choice], run: Run) {
    LIVE.with_borrow_mut(|live| {
        if live.len() == KEPT {
            live.pop_front();
        }
        live.push_back((choices.to_vec(), run));
    });
}

/// The run of these choices, replayed if it is not kept.
pub(super) fn take(scenario: &Arc<Scenario>, choices: &[Choice]) -> Run {
    let kept = LIVE.with_borrow_mut(|live| {
        let is_it = |(known, run): &(Vec<Choice>, Run)| {
            known == choices && Arc::ptr_eq(&run.scenario, scenario)
        };
        let position = live.iter().rposition(is_it)?;
        live.remove(position)
    });
    if let Some((_, run)) = kept {
        return run;
    }
    let mut run = Run::new(scenario);
    for choice in choices {
        run.play(choice);
    }
    run.marks.clear();
    run
}
