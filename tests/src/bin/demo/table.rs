//! What is there in the end.

use local_cloud::aws::config::{Compliance, Verdict};
use local_cloud::aws::ec2::{Instance, Session};

use crate::label::{self, short};
use crate::screen::{Paint, pad, wrap};
use crate::stage::Stage;
use crate::user::is_ours;

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
    let header = HEADER.map(str::to_owned);
    let mut widths = header.each_ref().map(|text| text.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    stage.screen.line(Paint::Plain, "")?;
    stage.screen.line(Paint::Bold, "What is there now")?;
    stage.screen.line(Paint::Dim, &line(&header, &widths))?;
    for row in &rows {
        let [.., whose, _] = row;
        let is_foreign = whose.starts_with("foreign");
        let paint = if is_foreign { Paint::Yellow } else { Paint::Plain };
        stage.screen.line(paint, &line(row, &widths))?;
    }
    stage.screen.line(Paint::Plain, "")?;
    Ok(())
}

fn line(row: &[String; 9], widths: &[usize; 9]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| pad(cell, width + 2));
    format!("  {}", cells.collect::<String>().trim_end())
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
        _ if is_ours(session) => manager.unwrap_or_default(),
        Some(target) => format!("foreign, to {}", target.owner),
        None => "foreign".to_owned(),
    };
    let number = format!("{} {}", session.number, short(&session.id));
    [number, target_name.unwrap_or_default(), filter.unwrap_or_default(), whose]
}
