//! What sensors have captured, as files of `seen`.

use std::{collections::BTreeSet, path::Path, time::SystemTime};

use serde_json::json;

use crate::{
    arguments::Doctor,
    doctor::arrival::Sender,
    output::Document,
    problem::{BAD_KEY, BAD_SIGNATURE, Problem},
    seen::SeenFile,
};

/// Senders of nobody that are named to people.
const NAMED: usize = 3;

/// The senders of all captures; none where no capture is given. One file that cannot be relied upon is enough to know
/// nothing of what is missing.
pub(super) fn by_sensors(
    doctor: &Doctor,
    now: SystemTime,
) -> Result<Option<BTreeSet<Sender>>, Problem> {
    let mut senders = BTreeSet::new();
    for path in &doctor.seen {
        let file = read(path, doctor, now)?;
        senders.extend(file.senders.iter().map(|row| (row.address, row.vni)));
    }
    Ok((!doctor.seen.is_empty()).then_some(senders))
}

/// Reads a file by whichever of the keys it is signed with.
fn read(path: &Path, doctor: &Doctor, now: SystemTime) -> Result<SeenFile, Problem> {
    let mut outcome = Err(Problem::new(&BAD_KEY, "there is none"));
    for key in &doctor.seen_key {
        outcome = SeenFile::read(path, key, now);
        if !outcome.as_ref().is_err_and(|problem| problem.kind == &BAD_SIGNATURE) {
            break;
        }
    }
    outcome
}

/// Says who was captured and sends for no session that was looked at.
pub(super) fn name_strangers(document: &mut Document, strangers: &[Sender]) {
    for (address, vni) in strangers {
        document.record("stranger", json!({"address": address, "vni": vni}));
    }
    let first: Vec<_> = strangers.iter().take(NAMED).collect();
    let first: Vec<_> =
        first.into_iter().map(|(address, vni)| format!("{address} VNI {vni}")).collect();
    let more = strangers.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if !strangers.is_empty() {
        document.line(format!(
            "captured, and of no session that was looked at: {}{more}",
            first.join(", ")
        ));
    }
}
