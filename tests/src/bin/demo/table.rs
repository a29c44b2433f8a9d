//! The table at the end: every session.

use comfy_table::{Table, presets::NOTHING};
use local_cloud::aws::ec2::{Instance, Session};

use crate::label;
use crate::screen::{BOLD, DIM, PLAIN, YELLOW};
use crate::stage::Stage;
use crate::user::is_owned;

const HEADER: [&str; 5] = ["name", "interface", "session", "to", "compliance"];

/// Shows every session of every instance.
pub(crate) fn show(stage: &mut Stage) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for instance in stage.instances()? {
        rows.extend(rows_of(stage, &instance));
    }
    let is_foreign = rows.iter().map(|[_, _, _, to, _]| to.ends_with("(foreign)"));
    let styles: Vec<_> = is_foreign.map(|it| if it { YELLOW } else { PLAIN }).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADER).add_rows(rows);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((2, 1));
    }
    stage.screen.pause()?;
    stage.screen.line(PLAIN, "")?;
    stage.screen.line(BOLD, "The sessions now")?;
    let text = table.trim_fmt();
    for (style, line) in [DIM].into_iter().chain(styles).zip(text.lines()) {
        stage.screen.line(style, line)?;
    }
    Ok(())
}

fn rows_of(stage: &Stage, instance: &Instance) -> Vec<[String; 5]> {
    let mut sessions = stage.sessions();
    sessions.retain(|session| instance.interfaces.contains(&session.interface));
    sessions.sort_by_key(|session| (session.interface.clone(), session.number));
    let row = |session: &Session| {
        let name = label::name(&instance.tags, &instance.id);
        let [id, to] = cells_of(stage, session);
        let verdict = stage.verdict(&instance.id).map(|it| it.compliance.name());
        let compliance = verdict.unwrap_or("-").to_owned();
        [name, session.interface.clone(), id, to, compliance]
    };
    sessions.iter().map(row).collect()
}

/// A session by its number and id, and where it leads.
fn cells_of(stage: &Stage, session: &Session) -> [String; 2] {
    let world = stage.deployment.cloud.world();
    let to = match world.target(&session.target) {
        Some(target) if target.owner != session.owner => target.owner.clone(),
        Some(target) => label::name(&target.tags, &target.id),
        None => session.target.clone(),
    };
    let whose = if is_owned(session) { "" } else { " (foreign)" };
    [format!("{} {}", session.number, session.id), format!("{to}{whose}")]
}
