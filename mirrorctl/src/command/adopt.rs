//! `adopt`: takes over the sessions of 3CORESec's AutoMirror, which carry no tag of ownership.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_ec2::{Client, types::Tag};
use serde::Serialize;
use shared::{
    id::SessionId,
    observed::{Instance, Interface, Observed, Owner, Session, Shown},
    plan::{plan, restrict::restrict},
};
use shared_ec2::{client::Ec2, selector::Selector, sessions_described_as};

use crate::{
    answer::Answer,
    arguments::Adopt,
    command::{
        change::{Outcome, Question, ask, in_only_place},
        plan::Counts,
    },
    output::{Block, Mark, Table},
    place::Place,
    problem::{NOT_CONFIRMED, Problem},
    read::Input,
    view::brake::BY_HAND,
    world::Decided,
};

/// How AutoMirror describes its sessions.
const DESCRIPTION: &str = "Created by AutoMirror";

/// Sessions in one `CreateTags` (EC2 API: at most 1,000 resources).
const BATCH: usize = 500;

/// A session that is taken over, for machines.
#[derive(Serialize)]
struct Adopted<'a> {
    account: &'a str,
    region: &'a str,
    session: &'a str,
    interface: &'a str,
    target: &'a str,
    outcome: &'static str,
    error: Option<&'a str>,
}

pub(crate) async fn run(input: &Input<'_>, adopt: &Adopt) -> Answer {
    let columns =
        Table::new(&["account", "region", "session", "interface", "target", "outcome", "error"]);
    in_only_place(input, columns, async |answer, place| adopt_in(answer, input, place, adopt).await)
        .await
}

async fn adopt_in(
    answer: &mut Answer,
    input: &Input<'_>,
    place: &Place,
    adopt: &Adopt,
) -> Result<(), Problem> {
    let selectors: BTreeSet<_> = [Selector::Sweep].into();
    let decided = input.read(place, &selectors).await?;
    let mut sessions = sessions_described_as(&Ec2::new(&place.config), DESCRIPTION).await?;
    sessions.retain(|it| it.managed_by.is_none() && it.account == place.account);
    show(answer, &decided, &sessions);
    if sessions.is_empty() {
        answer.document.line("there is no session of AutoMirror: nothing to take over");
        tell_each(answer, place, &[], (0, None));
        return Ok(());
    }
    let owner = &decided.parsed.policy.owner;
    let count = sessions.len();
    let text = format!("{count} sessions get the tag ManagedBy={owner}.");
    let question = Question { given: adopt.yes.confirm.as_deref(), text };
    let (tagged, ended) = match ask(answer, input, place, &question) {
        Ok(()) => tag(place, &sessions, owner).await,
        Err(problem) => (0, Err(problem)),
    };
    tell_each(answer, place, &sessions, (tagged, ended.as_ref().err()));
    ended?;
    let head = format!("{count} sessions belong to automirror now");
    answer.document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
    answer.document.hint("mirrorctl plan shows what automirror does with them");
    Ok(())
}

/// Tells machines of each session. The first ones are tagged; a problem with EC2 is that of the batch after them.
fn tell_each(
    answer: &mut Answer,
    place: &Place,
    sessions: &[Session],
    (tagged, problem): (usize, Option<&Problem>),
) {
    let refused = problem.filter(|it| it.kind.code != NOT_CONFIRMED.code);
    let mut rows = Vec::new();
    for (index, session) in sessions.iter().enumerate() {
        let (outcome, error) = match refused {
            _ if index < tagged => (Outcome::Done, None),
            Some(problem) if index < tagged.saturating_add(BATCH) => {
                (Outcome::Failed, Some(problem.detail.as_str()))
            }
            _ => (Outcome::Left, None),
        };
        let row = Adopted {
            account: place.account.as_str(),
            region: &place.region,
            session: session.id.as_str(),
            interface: session.interface.as_str(),
            target: session.target.as_str(),
            outcome: outcome.name(),
            error,
        };
        answer.document.record("session", &row);
        let cells = [row.account, row.region, row.session, row.interface, row.target];
        let cells = cells.into_iter().chain([row.outcome, error.unwrap_or_default()]);
        answer.document.table.rows.push(cells.map(str::to_owned).collect());
        rows.push(row);
    }
    answer.document.add_to_place("sessions", rows);
}

/// The sessions, and what automirror would do about them once they are its own.
fn show(answer: &mut Answer, decided: &Decided, sessions: &[Session]) {
    decided.head(&mut answer.document);
    answer.document.place(decided.place());
    let mut table = Table::new(&["session", "interface", "number", "target", "filter"]);
    for session in sessions {
        let Session { id, interface, target, filter, number, .. } = session;
        let cells = [id.to_string(), interface.to_string(), number.to_string()];
        table
            .rows
            .push(cells.into_iter().chain([target.to_string(), filter.to_string()]).collect());
    }
    if sessions.is_empty() {
        return;
    }
    answer.document.blocks.push(Block::Table(table));
    let ids: BTreeSet<&SessionId> = sessions.iter().map(|session| &session.id).collect();
    let mut observed = decided.world.observed.clone();
    for session in observed.sessions.iter_mut().filter(|session| ids.contains(&session.id)) {
        session.managed_by = Some(decided.parsed.policy.owner.as_str().into());
    }
    // Before it changes anything, automirror asks whether tags are really absent. What is shown here is what follows
    // if they are.
    confirm_tags(&mut observed);
    let after = plan(&decided.parsed.policy, &observed);
    let held_back = restrict(after.clone(), BY_HAND).withheld.len();
    let counts = Counts::of(&after, held_back);
    answer.document.line(format!("automirror's plan once it owns them: {counts}"));
}

fn confirm_tags(observed: &mut Observed) {
    let confirmed = |instance: &Instance| Instance { tags_confirmed: true, ..instance.clone() };
    for instance in &mut observed.instances {
        *instance = Arc::new(confirmed(instance));
    }
    for source in &mut observed.sources {
        if let Shown::Yes(Interface { owner: Owner::Instance(instance), .. }) =
            &mut source.interface
        {
            *instance = Arc::new(confirmed(instance));
        }
    }
}

/// Tags the sessions, and says how many are tagged.
async fn tag(place: &Place, sessions: &[Session], owner: &str) -> (usize, Result<(), Problem>) {
    let client = Client::new(&place.config);
    let tag = Tag::builder().key("ManagedBy").value(owner).build();
    let mut tagged = 0_usize;
    for batch in sessions.chunks(BATCH) {
        let ids = batch.iter().map(|session| session.id.to_string()).collect();
        let answer = client.create_tags().set_resources(Some(ids)).tags(tag.clone()).send().await;
        if let Err(error) = answer {
            return (tagged, Err(Problem::refused("ec2:CreateTags", &error)));
        }
        tagged = tagged.saturating_add(batch.len());
    }
    (tagged, Ok(()))
}
