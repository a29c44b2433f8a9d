//! `remove`: deletes automirror's sessions.

use std::collections::BTreeSet;

use shared::{
    observed::{Session, Source},
    plan::{
        reason::Reason,
        step::{Action, Step},
    },
    policy::run::Mode,
};
use shared_ec2::selector::Selector;

use crate::{
    answer::Answer,
    arguments::Remove,
    command::{
        change::{Question, carry_out, columns, in_only_place, tell_each},
        execute::Execution,
    },
    output::{Block, Table},
    place::Place,
    problem::Problem,
    read::Input,
    world::Decided,
};

/// Sessions that are shown; all of them are in the machine formats.
const SHOWN: usize = 20;

pub(crate) async fn run(input: &Input<'_>, remove: &Remove) -> Answer {
    in_only_place(input, columns(), async |answer, place| {
        remove_in(answer, input, place, remove).await
    })
    .await
}

async fn remove_in(
    answer: &mut Answer,
    input: &Input<'_>,
    place: &Place,
    remove: &Remove,
) -> Result<(), Problem> {
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let decided = input.read(place, &selectors).await?;
    let owner = remove.owner.as_deref().unwrap_or(&decided.parsed.policy.owner);
    let steps = steps(&decided, owner, remove);
    show(answer, &decided, &steps);
    if steps.is_empty() {
        let place_of = remove.vpc.as_ref().map(|vpc| format!(" in {vpc}")).unwrap_or_default();
        let nothing =
            format!("no session{place_of} has the tag ManagedBy={owner}: nothing to delete");
        answer.document.line(nothing);
        tell_each(answer, place, &Execution::default());
        return Ok(());
    }
    let (afterwards, hint) = afterwards(&decided, owner);
    answer.document.line(afterwards);
    let text = match steps.len() {
        1 => "This deletes 1 session.".to_owned(),
        count => format!("This deletes {count} sessions."),
    };
    let question = Question { given: remove.yes.confirm.as_deref(), text };
    carry_out(answer, input, (place, &decided.parsed), steps, &question).await?;
    answer.document.hint(hint);
    Ok(())
}

/// Whether the sessions stay away, which is said before anybody agrees; and what brings them back.
fn afterwards(decided: &Decided, owner: &str) -> (String, String) {
    let own = &decided.parsed.policy.owner;
    if owner != own {
        let line = format!(
            "they are not of the installation {own}: only a function with MIRROR_OWNER={owner} creates them again"
        );
        let hint =
            format!("mirrorctl apply --set owner={owner} brings back what those settings ask for");
        return (line, hint);
    }
    let line = match (&decided.world.function, decided.parsed.run.mode) {
        (None, _) => {
            "a function with these settings, if there is one, creates them again".to_owned()
        }
        (Some(function), Mode::Detect) => {
            format!("function {} is in mode detect: it does not create them again", function.name)
        }
        (Some(function), Mode::Enforce) => format!(
            "function {} hears of it, and creates again what should be mirrored, most of it within seconds. To keep \
             them away, take off the tags, set MIRROR_MODE=detect first, or remove the deployment instead",
            function.name
        ),
    };
    (line, "mirrorctl apply brings back what should be mirrored".to_owned())
}

/// A deletion for each session of the owner, in the VPC if one is named.
fn steps(decided: &Decided, owner: &str, remove: &Remove) -> Vec<Step> {
    let observed = &decided.world.observed;
    let sources = decided.sources();
    let is_meant = |session: &&Session| {
        let vpc = sources.get(&session.interface).and_then(|source| source.vpc());
        session.has_owner(owner, &observed.account)
            && remove.vpc.as_ref().is_none_or(|wanted| vpc == Some(wanted))
    };
    let step = |session: &Session| Step {
        instance: sources
            .get(&session.interface)
            .and_then(|source: &&Source| source.instance())
            .map(|instance| instance.id.clone()),
        source: session.interface.clone(),
        before: Some(Box::new(session.clone())),
        action: Action::Delete(session.id.clone()),
        // It is a person who wants it; no reason of the decision says that, and none is shown.
        reason: Reason::Duplicate,
    };
    observed.sessions.iter().filter(is_meant).map(step).collect()
}

fn show(answer: &mut Answer, decided: &Decided, steps: &[Step]) {
    decided.head(&mut answer.document);
    answer.document.place(decided.place());
    let mut table = Table::new(&["session", "interface", "instance", "target"]);
    for step in steps.iter().take(SHOWN) {
        let session = step.before.as_deref();
        let instance = step.instance.as_ref().map(ToString::to_string);
        table.rows.push(vec![
            session.map(|it| it.id.to_string()).unwrap_or_default(),
            step.source.to_string(),
            instance.unwrap_or_else(|| "none".to_owned()),
            session.map(|it| it.target.to_string()).unwrap_or_default(),
        ]);
    }
    let hidden = steps.len().saturating_sub(table.rows.len());
    if !table.rows.is_empty() {
        answer.document.blocks.push(Block::Table(table));
    }
    if hidden > 0 {
        answer.document.line(format!("and {hidden} more"));
    }
}
