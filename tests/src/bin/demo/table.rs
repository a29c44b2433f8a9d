//! The table at the end: every interface with its sessions.

use comfy_table::{Table, presets::NOTHING};
use local_cloud::aws::config::{Compliance, Verdict};
use local_cloud::aws::ec2::{Instance, Session};

use crate::label::{self, short};
use crate::screen::{BOLD, DIM, PLAIN, YELLOW, wrap};
use crate::stage::Stage;
use crate::user::is_owned;

const HEADER: [&str; 9] = [
    "instance",
    "type",
    "state",
    "interface",
    "session",
    "target",
    "filter",
    "whose",
    "compliance",
];
/// The most characters of the reason for a verdict.
const REASON: usize = 40;

/// Shows every interface of every instance with its sessions.
pub(crate) fn show(stage: &mut Stage) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for instance in stage.instances()? {
        rows.extend(rows_of(stage, &instance));
    }
    let is_foreign = rows.iter().map(|[.., whose, _]| whose.starts_with("foreign"));
    let styles: Vec<_> = is_foreign.map(|it| if it { YELLOW } else { PLAIN }).collect();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADER).add_rows(rows);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((2, 1));
    }
    stage.screen.line(PLAIN, "")?;
    stage.screen.line(BOLD, "What is there now")?;
    let text = table.trim_fmt();
    for (style, line) in [DIM].into_iter().chain(styles).zip(text.lines()) {
        stage.screen.line(style, line)?;
    }
    stage.screen.line(PLAIN, "")?;
    Ok(())
}

fn rows_of(stage: &Stage, instance: &Instance) -> Vec<[String; 9]> {
    let none = || "-".to_owned();
    let sessions = stage.sessions();
    let mut rows = Vec::new();
    let row = |interface: String, session: [String; 4]| {
        let name = label::instance(&stage.deployment.cloud.world(), &instance.id);
        let [number, target, filter, whose] = session;
        let kind = instance.instance_type.clone();
        let life = instance.state.name().to_owned();
        let compliance = stage.verdict(&instance.id).map_or_else(none, in_short);
        [name, kind, life, interface, number, target, filter, whose, compliance]
    };
    if instance.interfaces.is_empty() {
        rows.push(row(none(), [none(), none(), none(), none()]));
    }
    for interface in &instance.interfaces {
        let mut on_it: Vec<_> = sessions.iter().filter(|s| s.interface == *interface).collect();
        on_it.sort_by_key(|session| session.number);
        if on_it.is_empty() {
            rows.push(row(short(interface), [none(), none(), none(), none()]));
        }
        for session in on_it {
            rows.push(row(short(interface), cells_of(stage, session)));
        }
    }
    rows
}

/// The verdict; if it is bad, with the reason, without its interface, which the row names.
fn in_short(verdict: &Verdict) -> String {
    let name = verdict.compliance.name();
    let why = verdict.annotation.as_deref().unwrap_or_default();
    if verdict.compliance != Compliance::NonCompliant {
        return name.to_owned();
    }
    let why = label::shorten(why.split_once(": ").map_or(why, |(_, why)| why));
    let lines = wrap(&why, REASON);
    let rest = if lines.len() > 1 { "…" } else { "" };
    format!("{name}: {}{rest}", lines.first().map_or("", String::as_str))
}

fn cells_of(stage: &Stage, session: &Session) -> [String; 4] {
    let world = stage.deployment.cloud.world();
    let target = world.target(&session.target);
    let target_name = target.map(|target| label::name(&target.tags, &target.id));
    let filter = world.filter(&session.filter).map(|filter| label::name(&filter.tags, &filter.id));
    let manager = session.tags.get("ManagedBy").cloned();
    let outside = target.filter(|target| target.owner != session.owner);
    let whose = match outside {
        _ if is_owned(session) => manager.unwrap_or_default(),
        Some(target) => format!("foreign, to {}", target.owner),
        None => "foreign".to_owned(),
    };
    let number = format!("{} {}", session.number, short(&session.id));
    [number, target_name.unwrap_or_default(), filter.unwrap_or_default(), whose]
}
