//! `history`: what happened to the mirroring of an instance, an interface or a session, and who did it: from
//! CloudTrail and from the function's log, by time.

mod gather;

use std::time::Duration;

use serde::Serialize;
use shared::text::sanitize;

use crate::{
    answer::Answer,
    arguments::History,
    log::written,
    output::{Block, Document, Table},
    place::name,
    problem::{NOT_FOUND, Problem},
    read::Input,
};
use gather::{Gathered, Happening};

/// The history of one place.
#[derive(Debug, Serialize)]
struct HistoryView<'a> {
    account: &'a str,
    region: &'a str,
    id: &'a str,
    /// Nothing older was looked for.
    since: String,
    happenings: Vec<Happening>,
    /// What could not be read, so that something may be missing.
    unread: Vec<String>,
}

/// The longest detail that is printed: a tag may be longer.
const MAX_DETAIL: usize = 200;

pub(crate) async fn run(input: &Input<'_>, history: &History) -> Answer {
    let mut answer = Answer::default();
    answer.document.table =
        Table::new(&["account", "region", "time", "source", "by", "what", "detail", "error"]);
    let places = match input.places().await {
        Ok(places) => places,
        Err(problem) => {
            answer.fail(None, problem);
            return answer;
        }
    };
    let mut has_any = false;
    for place in places {
        let place = match place {
            Ok(place) => place,
            Err(problem) => {
                answer.fail(None, problem);
                continue;
            }
        };
        let days = Duration::from_hours(24).saturating_mul(history.days.into());
        let gathered = Gathered::of(input, &place, &history.id, days).await;
        has_any |= !gathered.happenings.is_empty();
        show(&mut answer, history, (place.account.as_str(), &place.region), gathered);
    }
    if !has_any && answer.problems.is_empty() {
        let detail = format!("{} within {} days", history.id, history.days);
        answer.fail(None, Problem::new(&NOT_FOUND, detail));
    }
    answer
}

fn show(answer: &mut Answer, history: &History, place: (&str, &str), gathered: Gathered) {
    let (account, region) = place;
    let Gathered { since, happenings, problems, has_function } = gathered;
    let unread = problems.iter().map(|problem| problem.detail.clone()).collect();
    let since = written(since);
    let id = history.id.as_str();
    let view = HistoryView { account, region, id, since, happenings, unread };
    let document = &mut answer.document;
    document.title(name(account, region));
    document.line(format!(
        "{id} since {}; CloudTrail shows a call some minutes after it was made",
        view.since
    ));
    if !has_function {
        document.line("no function is asked, so nothing says why automirror did what it did");
    }
    show_happenings(document, &view);
    document.place(&view);
    for problem in problems {
        answer.document.line(format!("cannot be seen: {}", problem.detail));
        answer.lack(name(account, region), problem);
    }
}

fn show_happenings(document: &mut Document, view: &HistoryView<'_>) {
    let mut table = Table::new(&["time", "by", "what", "detail"]);
    for it in &view.happenings {
        let refused = it.error.as_ref().map(|code| format!("refused: {code} "));
        let detail = format!("{}{}", refused.unwrap_or_default(), it.detail);
        let detail = sanitize(&detail, MAX_DETAIL);
        table.rows.push(vec![it.time.clone(), it.by.clone(), it.what.clone(), detail]);
        let error = it.error.clone().unwrap_or_default();
        let cells = [view.account, view.region, &it.time, it.source, &it.by, &it.what, &it.detail];
        let cells = cells.into_iter().map(str::to_owned).chain([error]);
        document.table.rows.push(cells.collect());
        document.record("happening", it);
    }
    if table.rows.is_empty() {
        document.line("nothing is told of it");
    } else {
        document.blocks.push(Block::Table(table));
    }
}
