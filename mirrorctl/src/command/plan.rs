//! `plan`: what a sweep of automirror would do, and why.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::plan::step::{Action, Plan as Steps};
use shared_ec2::selector::Selector;

use crate::{
    answer::{Answer, Findings},
    arguments::Plan,
    command::observe::save,
    output::{Block, Document, Mark, Table},
    read::Input,
    settings::Settings,
    view::{
        brake::Brake,
        price::Price,
        step::{COLUMNS, Group, StepRow},
    },
    world::{Decided, File},
};

/// Groups of steps that are printed without `--verbose`: two lines each.
const SHOWN_GROUPS: usize = 16;

/// The plan of a place, for machines.
#[derive(Serialize)]
struct PlanView<'a> {
    account: &'a str,
    region: &'a str,
    settings: &'a Settings,
    counts: Counts,
    brake: &'a Brake,
    price: Prices,
    groups: &'a [Group],
    steps: Vec<StepRow>,
}

/// How many steps of each kind there are.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    create: usize,
    modify: usize,
    delete: usize,
    keep: usize,
    block: usize,
    ignore: usize,
    /// Of the changes, those that the next sweep would not make: `brake` says what holds them back.
    held_back: usize,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Prices {
    now: Price,
    after: Price,
}

pub(crate) async fn run(input: &Input<'_>, plan: &Plan) -> Answer {
    let mut answer = Answer::default();
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let outcomes = input.worlds(plan.source.from.as_deref(), &selectors).await;
    answer.document.table = Table::new(&COLUMNS);
    let worlds = answer.sort_out(outcomes);
    for decided in &worlds {
        answer.findings.add(Findings::of(decided));
        if input.global.output.is_for_people() {
            show(&mut answer.document, decided, plan.verbose, input);
        } else {
            record(&mut answer.document, decided, input);
        }
    }
    if let Some(path) = &plan.out {
        let shown = worlds.iter().flat_map(|decided| decided.plan.changes());
        let shown = Some(shown.map(ToString::to_string).collect());
        let worlds = worlds.into_iter().map(|decided| decided.world).collect();
        // What could not be saved is noted in the answer.
        let _is_saved = save(&mut answer, path, &File { shown, ..File::new(worlds, false) });
    }
    answer
}

/// What is said of the plan of a place as a whole.
struct Summary {
    groups: Vec<Group>,
    brake: Brake,
    counts: Counts,
    price: Prices,
}

impl Summary {
    fn of(decided: &Decided, input: &Input<'_>) -> Self {
        // What a person applies is not held back as much as what the function does.
        let brake = if input.listens { Brake::of_sweep(decided) } else { Brake::by_hand(decided) };
        let counts = Counts::of(&decided.plan, brake.held_back);
        let price = prices(decided, &counts, input.global.price);
        Self { groups: decided.groups(), brake, counts, price }
    }
}

/// Writes the plan of a place for people.
pub(crate) fn show(document: &mut Document, decided: &Decided, verbose: bool, input: &Input<'_>) {
    let Summary { groups, brake, counts, price } = Summary::of(decided, input);
    decided.head(document);
    document.line(counts.to_string());
    for line in brake.lines() {
        document.blocks.push(Block::Item(Mark::Bad, line, Vec::new()));
    }
    show_groups(document, &groups, verbose);
    if verbose {
        for step in &decided.plan.steps {
            document.line(step.to_string());
        }
    }
    document.line(price.to_string());
    if let Some(group) = groups.iter().find(|group| group.level == "action-needed") {
        document.hint(format!("mirrorctl explain {} says how to mend it", group.reason));
    }
}

/// Writes the plan of a place for machines.
pub(crate) fn record(document: &mut Document, decided: &Decided, input: &Input<'_>) {
    let Summary { groups, brake, counts, price } = Summary::of(decided, input);
    let steps = decided.step_rows();
    document.table.rows.extend(steps.iter().map(StepRow::cells));
    for step in &steps {
        document.record("step", step);
    }
    let (account, region) = (decided.world.account.as_str(), &decided.world.region);
    let settings = &decided.world.settings;
    let (groups, brake) = (groups.as_slice(), &brake);
    let mut view = PlanView { account, region, settings, counts, brake, price, groups, steps };
    document.place(&view);
    view.steps.clear();
    document.record("plan", &view);
}

fn show_groups(document: &mut Document, groups: &[Group], verbose: bool) {
    // What is as it should be is counted above.
    let matter: Vec<_> =
        groups.iter().filter(|it| verbose || !matches!(it.action, "keep" | "ignore")).collect();
    let shown = if verbose { matter.len() } else { SHOWN_GROUPS };
    for group in matter.iter().take(shown) {
        let Group { action, reason, vpc, count, example, .. } = group;
        let mark = match group.level {
            "action-needed" => Mark::Bad,
            "unsupported" => Mark::Plain,
            _ if group.action == "keep" => Mark::Good,
            _ => Mark::Change,
        };
        let head = format!("{action} {count}, {reason}, in {vpc}: {example}");
        let named = group.first.iter().map(|it| match &it.instance {
            Some(instance) => format!("{instance} {}", it.interface),
            None => it.interface.clone(),
        });
        let mut named: Vec<_> = named.collect();
        let more = count.saturating_sub(named.len());
        if more > 0 {
            named.push(format!("and {more} more"));
        }
        document.blocks.push(Block::Item(mark, head, vec![named.join(", ")]));
    }
    let hidden = matter.len().saturating_sub(shown);
    if hidden > 0 {
        document.line(format!("and {hidden} more groups of steps: --verbose prints them"));
    }
}

impl Counts {
    /// Of this plan, of which so many changes are held back.
    pub(crate) fn of(plan: &Steps, held_back: usize) -> Self {
        let mut counts = Self { held_back, ..Self::default() };
        for step in &plan.steps {
            let counter = match step.action {
                Action::Create(_) => &mut counts.create,
                Action::Modify(..) => &mut counts.modify,
                Action::Delete(_) => &mut counts.delete,
                Action::Keep(_) => &mut counts.keep,
                Action::Block => &mut counts.block,
                Action::Ignore => &mut counts.ignore,
            };
            *counter = counter.saturating_add(1);
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { create, modify, delete, keep, block, ignore, held_back } = self;
        write!(
            f,
            "{create} to create, {modify} to modify, {delete} to delete, {block} blocked; \
             {keep} as they should be, {ignore} not to be mirrored"
        )?;
        if *held_back > 0 {
            write!(f, "; {held_back} of the changes wait")?;
        }
        Ok(())
    }
}

fn prices(decided: &Decided, counts: &Counts, hourly: f64) -> Prices {
    let now = decided.owned_sessions();
    let after = now.saturating_add(counts.create).saturating_sub(counts.delete);
    Prices { now: Price::new(now, hourly), after: Price::new(after, hourly) }
}

impl std::fmt::Display for Prices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { now, after } = self;
        let sessions = if now.sessions == 1 { "session" } else { "sessions" };
        write!(f, "{} {sessions}, {now}; after the plan {}, {after}", now.sessions, after.sessions)
    }
}
