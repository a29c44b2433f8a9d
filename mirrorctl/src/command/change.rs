//! The changes that a person asks for: shown, asked about, made, and told one by one with what has become of them.

use serde::Serialize;
use shared::plan::step::{ActionOf, Step};

use crate::{
    answer::Answer,
    command::execute::{Execution, execute},
    confirm::{confirm, is_anybody_there},
    output::{Block, Mark, Table},
    place::Place,
    problem::{NOT_DONE, NOT_WRITTEN, Problem, STOPPED},
    read::Input,
    settings::Parsed,
};

/// What has become of a change. What nobody confirmed is left, like what Ctrl-C has kept from being begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
    Left,
}

impl Outcome {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

/// A change, for machines.
#[derive(Serialize)]
struct ChangeRow<'a> {
    account: &'a str,
    region: &'a str,
    action: &'static str,
    instance: Option<String>,
    interface: &'a str,
    /// The one that was or would be modified or deleted, and the one that was created.
    session: Option<String>,
    /// Where the session leads: after the change, and of a deletion before it.
    target: Option<String>,
    filter: Option<String>,
    outcome: &'static str,
    error: Option<&'a str>,
}

/// What is asked before anything is changed.
pub(super) struct Question<'a> {
    /// What a script has said already.
    pub(super) given: Option<&'a str>,
    /// What the changes are, as a sentence.
    pub(super) text: String,
}

/// The table of the changes, which is empty where there are none.
pub(super) fn columns() -> Table {
    Table::new(&[
        "account",
        "region",
        "action",
        "instance",
        "interface",
        "session",
        "target",
        "filter",
        "outcome",
        "error",
    ])
}

/// Does something in the only place that the arguments name, and tells of it in a table with these columns.
pub(super) async fn in_only_place(
    input: &Input<'_>,
    columns: Table,
    work: impl AsyncFnOnce(&mut Answer, &Place) -> Result<(), Problem>,
) -> Answer {
    let mut answer = Answer::default();
    answer.document.table = columns;
    match input.only_place().await {
        Ok(place) => {
            if let Err(problem) = work(&mut answer, &place).await {
                answer.fail_there(place.name(), problem);
            }
        }
        Err(problem) => answer.fail(None, problem),
    }
    answer
}

/// Whether somebody at a terminal will be asked.
pub(super) fn is_asked(given: Option<&str>) -> bool {
    given.is_none() && is_anybody_there()
}

/// Shows what there is so far, and asks.
pub(super) fn ask(
    answer: &mut Answer,
    input: &Input<'_>,
    place: &Place,
    question: &Question<'_>,
) -> Result<(), Problem> {
    let shown = answer.document.show_now(input.global.output, is_asked(question.given));
    shown.map_err(|error| Problem::new(&NOT_WRITTEN, format!("standard output: {error}")))?;
    confirm(&place.account, question.given, &question.text)
}

/// Asks, and makes the changes if the answer is yes. Machines are told of each of them, whatever the answer.
pub(super) async fn carry_out(
    answer: &mut Answer,
    input: &Input<'_>,
    (place, parsed): (&Place, &Parsed),
    mut steps: Vec<Step>,
    question: &Question<'_>,
) -> Result<(), Problem> {
    steps.retain(|step| step.action.is_change());
    let confirmed = ask(answer, input, place, question);
    let execution = match &confirmed {
        Ok(()) => execute(input, place, parsed, steps).await,
        Err(_) => Execution { tried: Vec::new(), left: steps },
    };
    tell_each(answer, place, &execution);
    confirmed?;
    sum_up(answer, place, &execution)
}

/// Tells machines of each change.
pub(super) fn tell_each(answer: &mut Answer, place: &Place, execution: &Execution) {
    let tried = execution.tried.iter().map(|tried| (&tried.step, Some(&tried.outcome)));
    let left = execution.left.iter().map(|step| (step, None));
    answer.document.table = columns();
    let mut rows = Vec::new();
    for (step, outcome) in tried.chain(left) {
        let row = ChangeRow::new(place, step, outcome);
        answer.document.record("change", &row);
        answer.document.table.rows.push(row.cells());
        rows.push(row);
    }
    answer.document.add_to_place("changes", rows);
}

/// Says how many changes are made, why others are not, and what is left.
fn sum_up(answer: &mut Answer, place: &Place, execution: &Execution) -> Result<(), Problem> {
    let Execution { tried, left } = execution;
    let done = tried.iter().filter(|tried| tried.outcome.is_ok()).count();
    let all = tried.len().saturating_add(left.len());
    let mark = if done == all { Mark::Good } else { Mark::Bad };
    let head = format!("{done} of {all} changes are made");
    answer.document.blocks.push(Block::Item(mark, head, Vec::new()));
    for tried in tried {
        if let Err(why) = &tried.outcome {
            let detail = format!("{}: {}: {why}", tried.step.source, ActionOf(&tried.step));
            answer.lack(place.name(), Problem::new(&NOT_DONE, detail));
        }
    }
    let Some(next) = left.first() else { return Ok(()) };
    let next = format!("{}: {}", next.source, ActionOf(next));
    let detail = format!("{} changes are left, the next is {next}", left.len());
    Err(Problem::new(&STOPPED, detail))
}

impl<'a> ChangeRow<'a> {
    /// Of a step that was tried, or of one that is left.
    fn new(
        place: &'a Place,
        step: &'a Step,
        outcome: Option<&'a Result<shared::id::SessionId, String>>,
    ) -> Self {
        let before = step.before.as_deref();
        let target = step.action.target().or(before.map(|it| &it.target));
        let filter = step.action.filter().or(before.map(|it| &it.filter));
        let made = outcome.and_then(|outcome| outcome.as_ref().ok());
        Self {
            account: place.account.as_str(),
            region: &place.region,
            action: step.action.name(),
            instance: step.instance.as_ref().map(ToString::to_string),
            interface: step.source.as_str(),
            session: made.or(before.map(|it| &it.id)).map(ToString::to_string),
            target: target.map(ToString::to_string),
            filter: filter.map(ToString::to_string),
            outcome: match outcome {
                Some(Ok(_)) => Outcome::Done,
                Some(Err(_)) => Outcome::Failed,
                None => Outcome::Left,
            }
            .name(),
            error: outcome.and_then(|outcome| outcome.as_ref().err()).map(String::as_str),
        }
    }

    fn cells(&self) -> Vec<String> {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        vec![
            self.account.to_owned(),
            self.region.to_owned(),
            self.action.to_owned(),
            text(&self.instance),
            self.interface.to_owned(),
            text(&self.session),
            text(&self.target),
            text(&self.filter),
            self.outcome.to_owned(),
            self.error.unwrap_or_default().to_owned(),
        ]
    }
}
