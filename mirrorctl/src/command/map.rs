//! `map`: which interface and instance sends with which outer address and VNI, for a sensor.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;
use shared::{
    id::{AccountId, InstanceId, InterfaceId},
    observed::Session,
    text::sanitize,
};
use shared_ec2::{Addressed, addresses, all_sessions, client::Ec2, tags_by_key};

use super::signed_file::{self, show_verified};
use crate::{
    answer::Answer,
    arguments::{Map, MapFormat, Verify},
    log::millis,
    map::{
        MapRow, Period, SenderMap,
        format::{COLUMNS, Expiry, Found, found},
    },
    output::{Block, Document, Table, listed},
    place::Place,
    problem::{AMBIGUOUS, BAD_FILE, NOT_WRITTEN, Problem, UNSEEN_SOURCE},
    read::Input,
    seen::{check_expiry, expiry},
    signed::verified,
};

/// Rows that are shown to people. The other formats have all of them.
const SHOWN: usize = 20;
/// Ids that an error names.
const NAMED: usize = 3;
/// Places that are read at once.
const CONCURRENT: usize = 4;
/// The tag that people know an instance by.
const NAME: &str = "Name";
/// The longest value of a tag (EC2 API, "Tag restrictions").
const MAX_TAG: usize = 256;

/// What one account and region shows.
#[derive(Default)]
struct Part {
    rows: Vec<MapRow>,
    /// Sessions whose source cannot be seen from there.
    unseen: Vec<Session>,
}

pub(crate) async fn run(input: &Input<'_>, map: &Map) -> Answer {
    let mut answer = Answer::default();
    let done = match &map.verify {
        Some(Verify::Verify { file, key }) => verify(&mut answer.document, input, file, key),
        None => draw(&mut answer, input, map).await,
    };
    if let Err(problem) = done {
        answer.fail(None, problem);
    }
    answer
}

async fn draw(answer: &mut Answer, input: &Input<'_>, arguments: &Map) -> Result<(), Problem> {
    let places = input.places().await?.into_iter().map(async |place| {
        let place = place.map_err(|problem| (None, problem))?;
        let part = read(&place, arguments).await;
        part.map_err(|problem| (Some(place.name()), problem))
    });
    let parts: Vec<_> = stream::iter(places).buffered(CONCURRENT).collect().await;
    let mut all = Part::default();
    for part in parts {
        match part {
            Ok(part) => {
                all.rows.extend(part.rows);
                all.unseen.extend(part.unseen);
            }
            Err((place, problem)) => answer.fail(place, problem),
        }
    }
    // A map without what could not be read would replace one that has it.
    let is_whole = answer.problems.is_empty();
    let known: BTreeSet<_> = all.rows.iter().flat_map(|row| row.sessions.clone()).collect();
    all.unseen.retain(|session| !known.contains(session.id.as_str()));
    let map = SenderMap::new(all.rows);
    show(&mut answer.document, &map, &arguments.tag);
    complain(answer, &map, &all.unseen, arguments);
    match &arguments.file.out {
        Some(out) if is_whole => write(answer, input, &map, arguments, out),
        Some(out) => {
            let why = format!("{}: it would not be whole", out.display());
            Err(Problem::new(&NOT_WRITTEN, why))
        }
        None => Ok(()),
    }
}

async fn read(place: &Place, arguments: &Map) -> Result<Part, Problem> {
    let ec2 = Ec2::with_largest_pages(&place.config);
    let mut sessions = all_sessions(&ec2).await?;
    let is_meant =
        |it: &Session| arguments.target.is_empty() || arguments.target.contains(&it.target);
    sessions.retain(is_meant);
    let interfaces: BTreeSet<_> = sessions.iter().map(|session| &session.interface).collect();
    let found = addresses(&ec2, interfaces).await?;
    let keys: Vec<_> = std::iter::once(NAME.to_owned()).chain(arguments.tag.clone()).collect();
    let instances: BTreeSet<_> = found.iter().filter_map(|it| it.instance.as_ref()).collect();
    let mut tags: BTreeMap<InstanceId, BTreeMap<String, String>> = BTreeMap::new();
    for (id, tag) in tags_by_key(&ec2, instances, &keys).await? {
        let value = sanitize(&tag.value, MAX_TAG);
        tags.entry(id).or_default().insert(tag.key.to_string(), value);
    }
    let found: BTreeMap<&InterfaceId, &Addressed> = found.iter().map(|it| (&it.id, it)).collect();
    let mut part = Part::default();
    for session in sessions {
        let source = found.get(&session.interface);
        let row = source.and_then(|source| row(place, &session, source, &tags, arguments));
        match row {
            Some(row) => part.rows.push(row),
            None => part.unseen.push(session),
        }
    }
    Ok(part)
}

/// The row of a session, where its interface has an address to send from.
fn row(
    place: &Place,
    session: &Session,
    source: &Addressed,
    tags: &BTreeMap<InstanceId, BTreeMap<String, String>>,
    arguments: &Map,
) -> Option<MapRow> {
    let tags = source.instance.as_ref().and_then(|id| tags.get(id));
    let chosen = tags.into_iter().flatten().filter(|(key, _)| arguments.tag.contains(key));
    Some(MapRow {
        address: source.primary?,
        vni: session.vni?.to_i32().try_into().ok()?,
        account: session.account.to_string(),
        region: place.region.clone(),
        interface: source.id.to_string(),
        instance: source.instance.as_ref().map(ToString::to_string),
        name: tags.and_then(|tags| tags.get(NAME)).cloned(),
        vpc: source.vpc.as_ref().map(ToString::to_string),
        zone: source.zone.clone(),
        sessions: vec![session.id.to_string()],
        targets: vec![session.target.to_string()],
        addresses: source.addresses.clone(),
        tags: chosen.map(|(key, value)| (key.clone(), value.clone())).collect(),
    })
}

/// Says what the map lacks.
fn complain(answer: &mut Answer, map: &SenderMap, unseen: &[Session], arguments: &Map) {
    for same in map.ambiguous.iter().take(NAMED) {
        let sources: Vec<_> =
            same.iter().map(|row| format!("{} {}", row.account, row.interface)).collect();
        let Some(MapRow { address, vni, .. }) = same.first() else { continue };
        let why = format!("{address} VNI {vni}: {}", sources.join(", "));
        answer.fail(None, Problem::new(&AMBIGUOUS, why));
    }
    if let Some(more) = map.ambiguous.len().checked_sub(NAMED).filter(|more| *more > 0) {
        answer.fail(None, Problem::new(&AMBIGUOUS, format!("and {more} more")));
    }
    let is_by_inner = matches!(arguments.format, MapFormat::Arkime | MapFormat::Suricata);
    let inner = map.by_inner_address().ambiguous;
    if is_by_inner && arguments.file.out.is_some() && !inner.is_empty() {
        let first: Vec<_> = inner.iter().take(NAMED).map(ToString::to_string).collect();
        let why =
            format!("{} addresses by themselves: {}", inner.len(), listed(&first, inner.len()));
        answer.fail(None, Problem::new(&AMBIGUOUS, why));
    }
    let mut accounts: BTreeMap<&AccountId, Vec<String>> = BTreeMap::new();
    for session in unseen {
        accounts.entry(&session.account).or_default().push(session.id.to_string());
    }
    for (account, ids) in accounts {
        let first: Vec<_> = ids.iter().take(NAMED).cloned().collect();
        let why = format!("account {account}: {}", listed(&first, ids.len()));
        answer.fail(None, Problem::new(&UNSEEN_SOURCE, why));
    }
}

fn show(document: &mut Document, map: &SenderMap, tags: &[String]) {
    for row in &map.rows {
        document.record("sender", row);
    }
    document.place(json!({"senders": map.rows, "ambiguous": map.ambiguous}));
    document.table = Table::new(&COLUMNS);
    document.table.columns.retain(|column| *column != "expires");
    document.table.rows = map.rows.iter().map(without_expiry).collect();
    document.line(format!("{} senders", map.rows.len()));
    let mut columns = vec!["address", "VNI", "instance", "name", "interface", "sessions"];
    if !tags.is_empty() {
        columns.push("tags");
    }
    let mut table = Table::new(&columns);
    for row in map.rows.iter().take(SHOWN) {
        let MapRow { address, vni, instance, name, interface, sessions, .. } = row;
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let cells = [address.to_string(), vni.to_string(), text(instance), text(name)];
        let mut cells = cells.to_vec();
        cells.extend([interface.clone(), sessions.join(" ")]);
        if !tags.is_empty() {
            let tags = row.tags.iter().map(|(key, value)| format!("{key}={value}"));
            cells.push(tags.collect::<Vec<_>>().join(" "));
        }
        table.rows.push(cells);
    }
    if !table.rows.is_empty() {
        document.blocks.push(Block::Table(table));
    }
    if let Some(more) = map.rows.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        document.line(format!("and {more} more: --output csv has all"));
    }
}

fn without_expiry(row: &MapRow) -> Vec<String> {
    let mut cells = row.cells("", &[]);
    cells.pop();
    cells
}

fn write(
    answer: &mut Answer,
    input: &Input<'_>,
    map: &SenderMap,
    arguments: &Map,
    out: &Path,
) -> Result<(), Problem> {
    let (now, hours) = ((input.now)(), arguments.file.expires);
    let period = Period {
        made: expiry(now, 0),
        expires: expiry(now, hours),
        expires_at: millis(now).div_euclid(1_000).saturating_add(i64::from(hours) * 3_600),
    };
    let content = map.write(arguments.format, &period, &arguments.tag);
    let file = (&arguments.file, out);
    signed_file::write(answer, file, &content, "is written", "seen --new-key")
}

/// A map that can be relied upon.
#[derive(Serialize)]
struct Verified<'a> {
    file: &'a str,
    rows: usize,
    expires: &'a str,
}

fn verify(
    document: &mut Document,
    input: &Input<'_>,
    path: &Path,
    key: &Path,
) -> Result<(), Problem> {
    let content = verified(path, key)?;
    let name = path.display().to_string();
    let no_map = || Problem::new(&BAD_FILE, format!("{name}: it is no map, or has no row"));
    let Found { rows, expires } = found(&content).ok_or_else(no_map)?;
    let expires = match expires {
        Expiry::Text(text) => text,
        Expiry::Seconds(seconds) => crate::log::written(seconds.saturating_mul(1_000)),
    };
    check_expiry(path, &expires, (input.now)())?;
    let verified = Verified { file: &name, rows, expires: &expires };
    let mut table = Table::new(&["file", "rows", "expires"]);
    table.rows.push(vec![name.clone(), rows.to_string(), expires.clone()]);
    show_verified(document, &verified, table, (&name, &format!("{rows} rows")));
    Ok(())
}
