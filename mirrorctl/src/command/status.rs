//! `status`: how well an account is mirrored, on one screen.

use std::collections::BTreeSet;

use serde::Serialize;
use shared_ec2::selector::Selector;

use crate::{
    answer::{Answer, Findings},
    arguments::Source,
    output::{Block, Document, Mark, Table},
    quota::{Quota, quotas},
    read::Input,
    settings::Settings,
    view::{
        coverage::{Area, Obstacle, areas, obstacles},
        foreign::ForeignRow,
        function::FunctionView,
        price::Price,
        source::Coverage,
        target::{RoomNumbers, TargetRow},
    },
    world::Decided,
};

/// How well a place is mirrored.
#[derive(Debug, Serialize)]
pub(crate) struct Status<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) function: Option<FunctionView<'a>>,
    pub(crate) coverage: Coverage,
    pub(crate) areas: Vec<Area>,
    pub(crate) obstacles: Vec<Obstacle>,
    pub(crate) targets: Vec<TargetRow>,
    pub(crate) room: RoomNumbers,
    pub(crate) quotas: Vec<Quota>,
    pub(crate) foreign: Vec<ForeignRow>,
    pub(crate) unseen: Vec<String>,
    pub(crate) price: Price,
}

impl<'a> Status<'a> {
    /// `hourly` is the price of a session in an hour, in USD.
    pub(crate) fn new(decided: &'a Decided, hourly: f64) -> Self {
        let judged = decided.judged();
        let world = &decided.world;
        Self {
            account: world.account.as_str(),
            region: &world.region,
            settings: &world.settings,
            function: decided.function_view(),
            coverage: Coverage::of(&judged),
            areas: areas(&judged),
            obstacles: obstacles(&judged),
            targets: decided.target_rows(),
            room: RoomNumbers::of(decided),
            quotas: quotas(&world.observed),
            foreign: decided.foreign_rows(),
            unseen: decided.unseen(),
            price: Price::new(decided.owned_sessions(), hourly),
        }
    }
}

/// Rows that a table on the screen has.
const SHOWN: usize = 8;

pub(crate) async fn run(input: &Input<'_>, source: &Source) -> Answer {
    let mut answer = Answer::default();
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.worlds(source.from.as_deref(), &selectors).await;
    answer.document.table = Table::new(&[
        "account",
        "region",
        "vpc",
        "zone",
        "should_be",
        "mirrored",
        "change",
        "unsupported",
        "action_needed",
    ]);
    for decided in answer.sort_out(outcomes) {
        answer.findings.add(Findings::of(&decided));
        let status = Status::new(&decided, input.global.price);
        show(&mut answer.document, &decided, &status);
        for_machines(&mut answer.document, &status);
        if let Some(function) = &status.function {
            answer.findings.action_needed |= !function.is_good();
            if let Some(problem) = function.problem() {
                answer.lack(decided.name(), problem);
            }
        }
    }
    answer
}

fn for_machines(document: &mut Document, status: &Status<'_>) {
    for area in &status.areas {
        let Coverage { should_be, mirrored, change, unsupported, action_needed } = area.coverage;
        let counts = [should_be, mirrored, change, unsupported, action_needed];
        let place = [status.account, status.region, &area.vpc, &area.zone].map(str::to_owned);
        let row = place.into_iter().chain(counts.map(|count| count.to_string()));
        document.table.rows.push(row.collect());
    }
    document.record("status", status);
    document.place(status);
}

fn show(document: &mut Document, decided: &Decided, status: &Status<'_>) {
    decided.head(document);
    if let Some(function) = &status.function {
        document.line(function.deployed());
        let (mark, swept) = function.swept();
        document.blocks.push(Block::Item(mark, swept, Vec::new()));
    } else {
        document.line("no deployed function was asked, so it is not known whether one keeps this as it should be");
    }
    show_coverage(document, status);
    let mut table = Table::new(&["VPC", "zone", "mirrored", "to change", "EC2 cannot", "act"]);
    for Area { vpc, zone, coverage } in status.areas.iter().take(SHOWN) {
        let Coverage { should_be, mirrored, change, unsupported, action_needed } = coverage;
        let mirrored = format!("{mirrored} of {should_be}");
        let rest = [*change, *unsupported, *action_needed].map(|count| count.to_string());
        table.rows.push([vpc.clone(), zone.clone(), mirrored].into_iter().chain(rest).collect());
    }
    push(document, table, status.areas.len(), "areas");
    show_targets(document, &status.targets);
    document.line(format!("room: {}", status.room));
    show_foreign(document, &status.foreign);
    let quotas = status.quotas.iter();
    let quotas: Vec<_> =
        quotas.map(|Quota { name, used, limit }| format!("{used} of {limit} {name}")).collect();
    document.line(format!("quotas: {}", quotas.join(", ")));
    for unseen in &status.unseen {
        document.line(format!("cannot be seen: {unseen}"));
    }
    document.line(format!("price: {} for automirror's sessions", status.price));
    if let Some(obstacle) = status.obstacles.first() {
        document.hint(format!("mirrorctl explain {} says how to mend it", obstacle.reason));
    } else if status.coverage.change > 0 {
        document.hint("mirrorctl plan shows what automirror will do");
    }
}

fn show_coverage(document: &mut Document, status: &Status<'_>) {
    let Coverage { should_be, mirrored, change, .. } = status.coverage;
    let is_whole = mirrored == should_be;
    let mark = if is_whole { Mark::Good } else { Mark::Bad };
    let head = match should_be {
        0 => "nothing should be mirrored: no instance is selected by the settings".to_owned(),
        _ => format!(
            "{mirrored} of {should_be} interfaces that should be mirrored are ({} %)",
            status.coverage.percent()
        ),
    };
    let mut details = Vec::new();
    if change > 0 {
        details.push(format!("{change} change: automirror changes a session"));
    }
    for Obstacle { reason, sources, example, .. } in status.obstacles.iter().take(SHOWN) {
        details.push(format!("{sources} {reason}: {example}"));
    }
    document.blocks.push(Block::Item(mark, head, details));
}

fn show_targets(document: &mut Document, targets: &[TargetRow]) {
    let mut table = Table::new(&["target", "owner", "behind it", "state", "sources", "allowed"]);
    for row in targets.iter().take(SHOWN) {
        let owner = row.owner.clone().unwrap_or_else(|| "not shown".to_owned());
        let allowed = if row.allowed { "yes" } else { "no" };
        table.rows.push(vec![
            row.target.clone(),
            owner,
            row.endpoint.clone(),
            row.state.to_owned(),
            row.room(),
            allowed.to_owned(),
        ]);
    }
    push(document, table, targets.len(), "targets");
}

fn show_foreign(document: &mut Document, foreign: &[ForeignRow]) {
    for ForeignRow { target, owner, trusted, sessions, first } in foreign.iter().take(SHOWN) {
        let owner =
            owner.as_deref().map_or_else(String::new, |owner| format!(" of account {owner}"));
        let (mark, trusted) =
            if *trusted { (Mark::Plain, "allowed") } else { (Mark::Bad, "not allowed") };
        let sessions = if *sessions == 1 {
            "1 foreign session leads".to_owned()
        } else {
            format!("{sessions} foreign sessions lead")
        };
        let head = format!("{sessions} to {target}{owner}, which is {trusted}");
        let named = first.iter().map(|it| format!("{} on {}", it.session, it.interface));
        document.blocks.push(Block::Item(mark, head, vec![named.collect::<Vec<_>>().join(", ")]));
    }
    let hidden = foreign.len().saturating_sub(SHOWN);
    if hidden > 0 {
        document
            .line(format!("and foreign sessions to {hidden} more targets: --output json has all"));
    }
}

/// Adds a table that may be cut.
fn push(document: &mut Document, table: Table, all: usize, what: &str) {
    let hidden = all.saturating_sub(table.rows.len());
    if !table.rows.is_empty() {
        document.blocks.push(Block::Table(table));
    }
    if hidden > 0 {
        document.line(format!("and {hidden} more {what}: --output json has all"));
    }
}
