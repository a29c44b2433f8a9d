//! `apply`: carries out the plan of now, or one that was saved, exactly as it was shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use shared::{
    id::InterfaceId,
    plan::{restrict::restrict, step::Step},
};
use shared_ec2::selector::Selector;

use crate::{
    answer::{Answer, Findings},
    arguments::Apply,
    command::{
        change::{Question, carry_out, columns, in_only_place, is_asked, tell_each},
        execute::Execution,
        plan::{record, show},
    },
    place::Place,
    problem::{BAD_PLAN, Problem, STALE},
    read::Input,
    settings::Settings,
    view::brake::BY_HAND,
    world::{Decided, File},
};

pub(crate) async fn run(input: &Input<'_>, apply: &Apply) -> Answer {
    in_only_place(input, columns(), async |answer, place| {
        apply_in(answer, input, place, apply).await
    })
    .await
}

async fn apply_in(
    answer: &mut Answer,
    input: &Input<'_>,
    place: &Place,
    apply: &Apply,
) -> Result<(), Problem> {
    let saved = apply.plan.as_deref().map(|path| read_saved(path, place)).transpose()?;
    let decided = decide(input, place, saved.as_ref().map(|saved| &saved.world.settings)).await?;
    let steps = if let Some(saved) = &saved {
        as_shown(saved, &decided)?
    } else {
        restrict(decided.plan.clone(), BY_HAND).plan.steps
    };
    let count = steps.iter().filter(|step| step.action.is_change()).count();
    answer.findings = left_over(&decided, count);
    show_plan(answer, input, saved.as_ref().unwrap_or(&decided), apply);
    if count == 0 {
        answer.document.line("there is nothing to change");
        tell_each(answer, place, &Execution::default());
        return Ok(());
    }
    let changes = if count == 1 { "1 change".to_owned() } else { format!("{count} changes") };
    let text = format!("This makes {changes}.");
    let question = Question { given: apply.yes.confirm.as_deref(), text };
    carry_out(answer, input, (place, &decided.parsed), steps, &question).await?;
    answer.document.hint("mirrorctl status");
    Ok(())
}

/// The plan for whoever reads the answer, and for whoever is asked.
fn show_plan(answer: &mut Answer, input: &Input<'_>, shown: &Decided, apply: &Apply) {
    let is_for_people = input.global.output.is_for_people();
    if is_for_people || is_asked(apply.yes.confirm.as_deref()) {
        show(&mut answer.document, shown, false, input);
    }
    if !is_for_people {
        record(&mut answer.document, shown, input);
    }
}

/// What is not as it should be once so many changes are made: what no change mends, and changes that were not shown.
fn left_over(now: &Decided, made: usize) -> Findings {
    Findings { change: now.plan.changes().count() > made, ..Findings::of(now) }
}

/// The world as it is now, by the settings of the saved plan if there is one.
async fn decide(
    input: &Input<'_>,
    place: &Place,
    saved: Option<&Settings>,
) -> Result<Decided, Problem> {
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    match saved {
        Some(settings) => input.read_by(place, settings.clone(), None, &selectors).await,
        None => input.read(place, &selectors).await,
    }
}

/// The saved plan of this place, made again from what it was made from.
fn read_saved(path: &Path, place: &Place) -> Result<Decided, Problem> {
    let bad = |why: &str| Problem::new(&BAD_PLAN, format!("{}: {why}", path.display()));
    let mut file = File::read(path).map_err(|problem| Problem { kind: &BAD_PLAN, ..problem })?;
    let shown = file.shown.ok_or_else(|| bad("it is no saved plan: `plan --out` saves one"))?;
    let (Some(world), true) = (file.worlds.pop(), file.worlds.is_empty()) else {
        return Err(bad("it has more than one account and region: save a plan for each"));
    };
    let at = world.name();
    if at != place.name() {
        return Err(bad(&format!("it is a plan for {at}")));
    }
    let decided = world.decide()?;
    // Another version may decide otherwise.
    if decided.plan.changes().map(ToString::to_string).ne(shown) {
        let version = &file.version;
        return Err(bad(&format!("mirrorctl {version}, which saved it, would do something else")));
    }
    Ok(decided)
}

/// The changes that were shown, if the world still asks for each of them, with everything that they change
/// as it was. What else has come up since was not shown, so it is not done.
fn as_shown(saved: &Decided, now: &Decided) -> Result<Vec<Step>, Problem> {
    let shown = restrict(saved.plan.clone(), BY_HAND).plan;
    let mut asked: BTreeMap<&InterfaceId, Vec<&Step>> = BTreeMap::new();
    for step in now.plan.changes() {
        asked.entry(&step.source).or_default().push(step);
    }
    let is_asked = |step: &Step| asked.get(&step.source).is_some_and(|it| it.contains(&step));
    if let Some(stale) = shown.changes().find(|step| !is_asked(step)) {
        return Err(Problem::new(&STALE, stale.to_string()));
    }
    Ok(shown.steps)
}
