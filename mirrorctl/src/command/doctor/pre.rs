//! `doctor --pre`: what mirroring needs before it is deployed.

use std::collections::BTreeSet;

use serde::Serialize;
use shared_ec2::selector::Selector;

use super::{
    told::{self, Told},
    view::{Counts, state},
};
use crate::{
    answer::{Answer, Findings},
    doctor::{
        finding::Accepted,
        pre::{
            Facts,
            check::{Check, Topic},
            checks,
            read::read,
            troubles,
        },
        trouble::{Grade, Trouble},
    },
    output::{Block, Document, Mark, Table},
    place::Place,
    problem::{BAD_SETTING, FUNCTION_IS_NEWER, Kind, NO_SUCH_FUNCTION, SEVERAL_FUNCTIONS},
    read::Input,
    settings::Settings,
};

/// The columns of the answer as a table: a row for each check.
const COLUMNS: [&str; 7] = ["account", "region", "check", "state", "code", "at", "text"];

/// Checks that people are shown: each target is one.
const ROWS: usize = 24;

/// What is wrong with the settings that were asked about is no finding: another question must be asked.
static OF_THE_QUESTION: [&Kind; 4] =
    [&BAD_SETTING, &FUNCTION_IS_NEWER, &NO_SUCH_FUNCTION, &SEVERAL_FUNCTIONS];

/// How a place is prepared.
#[derive(Serialize)]
struct Preparation<'a> {
    account: &'a str,
    region: &'a str,
    /// None where they could not be read.
    settings: Option<&'a Settings>,
    /// Checks.
    counts: Counts,
    /// Checks that `--ignore` leaves out.
    ignored: usize,
    findings: Vec<FindingRow<'a>>,
    checks: Vec<CheckRow<'a>>,
}

#[derive(Debug, Serialize)]
struct FindingRow<'a> {
    #[serde(flatten)]
    told: Told<'a>,
    checks: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct CheckRow<'a> {
    account: &'a str,
    region: &'a str,
    check: &'static str,
    state: &'static str,
    code: Option<&'static str>,
    at: Option<&'a str>,
    /// What was seen, or what is the matter.
    text: &'a str,
}

pub(super) async fn run(input: &Input<'_>, accepted: &[Accepted]) -> Answer {
    let mut answer = Answer::default();
    answer.document.table = Table::new(&COLUMNS);
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.in_places(async |place| {
        let facts = Box::pin(read(place, input.read(place, &selectors))).await;
        match facts.mirroring {
            Err(problem) if OF_THE_QUESTION.contains(&problem.kind) => Err(problem),
            _ => Ok((place.clone(), facts)),
        }
    });
    let outcomes = outcomes.await.unwrap_or_else(|problem| vec![Err((None, problem))]);
    for outcome in outcomes {
        match outcome {
            Err((place, problem)) => answer.fail(place, problem),
            Ok((place, facts)) => tell(&mut answer, &place, &facts, accepted),
        }
    }
    answer
}

fn tell(answer: &mut Answer, place: &Place, facts: &Facts, accepted: &[Accepted]) {
    let mut checks = checks(facts);
    let all = checks.len();
    checks.retain(|check| {
        let trouble = check.result.as_ref().err();
        !trouble.is_some_and(|trouble| accepted.iter().any(|it| it.covers(trouble, &[])))
    });
    let ignored = all.saturating_sub(checks.len());
    let has = |grade| checks.iter().any(|check| check.grade() == Some(grade));
    answer.cannot_tell |= has(Grade::CannotTell);
    answer.findings.add(Findings {
        unsupported: has(Grade::Limited),
        change: false,
        action_needed: has(Grade::Broken),
    });
    let preparation = Preparation::new(place, facts, &checks, ignored);
    match &facts.mirroring {
        Ok(mirroring) => mirroring.decided.head(&mut answer.document),
        Err(_) => answer.document.title(place.name()),
    }
    preparation.show(&mut answer.document);
    preparation.for_machines(&mut answer.document);
}

impl<'a> Preparation<'a> {
    fn new(place: &'a Place, facts: &'a Facts, checks: &'a [Check], ignored: usize) -> Self {
        let (account, region) = (place.account.as_str(), place.region.as_str());
        let mut counts = Counts::default();
        for check in checks {
            counts.add(check.grade());
        }
        let settings = facts.mirroring.as_ref().ok().map(|it| &it.decided.world.settings);
        let finding = |(trouble, topics): (&'a Trouble, Vec<Topic>)| {
            let mut checks: Vec<_> = topics.into_iter().map(Topic::name).collect();
            checks.dedup();
            FindingRow { told: Told::new((account, region), trouble), checks }
        };
        let findings = troubles(checks).into_iter().map(finding).collect();
        let check = |Check { topic, result }: &'a Check| {
            let trouble = result.as_ref().err();
            CheckRow {
                account,
                region,
                check: topic.name(),
                state: state(trouble.map(|it| it.grade)),
                code: trouble.map(|it| it.code),
                at: trouble.map(|it| it.at.as_str()),
                text: result.as_ref().map_or_else(|it| it.detail.as_str(), String::as_str),
            }
        };
        let checks = checks.iter().map(check).collect();
        Self { account, region, settings, counts, ignored, findings, checks }
    }

    fn show(&self, document: &mut Document) {
        let Counts { fine, limited, cannot_tell, broken } = self.counts;
        let all = self.counts.all();
        let head = format!(
            "of {all} checks before a deployment {fine} are fine; {limited} limited, {cannot_tell} cannot tell, \
             {broken} broken"
        );
        let mark = if fine == all { Mark::Good } else { Mark::Bad };
        document.blocks.push(Block::Item(mark, head, Vec::new()));
        let mut table = Table::new(&["check", "state", "what was seen"]);
        let row = |it: &CheckRow<'_>| [it.check, it.state, it.text].map(str::to_owned).to_vec();
        table.rows.extend(self.checks.iter().take(ROWS).map(row));
        document.blocks.push(Block::Table(table));
        let hidden = self.checks.len().saturating_sub(ROWS);
        if hidden > 0 {
            document.line(format!("and {hidden} more checks: --output json has all"));
        }
        told::show(document, self.findings.iter().map(FindingRow::block));
        if self.ignored > 0 {
            document.line(format!("left out by --ignore: {} checks", self.ignored));
        }
    }

    fn for_machines(mut self, document: &mut Document) {
        document.place(&self);
        for check in self.checks.drain(..) {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let CheckRow { account, region, check: topic, state, code, at, text: seen } = check;
            let whose = [Some(account), Some(region), Some(topic), Some(state)];
            let cells = whose.into_iter().chain([code, at, Some(seen)]);
            document.table.rows.push(cells.map(text).collect());
            document.record("check", &check);
        }
        for finding in self.findings.drain(..) {
            document.record("fault", &finding);
        }
        document.record("pre", &self);
    }
}

impl FindingRow<'_> {
    fn block(&self) -> Block {
        self.told.block(None, self.checks.join(", "))
    }
}
