//! What sensors have captured, as files of `seen`.

use std::{path::Path, time::SystemTime};

use serde_json::{Value, json};
use shared::id::TargetId;

use crate::{
    answer::Answer,
    arguments::{Captured, Doctor},
    doctor::arrival::{Captures, Sender},
    output::{Document, listed},
    problem::{BAD_KEY, BAD_SIGNATURE, Problem},
    seen::SeenFile,
};

/// Senders of nobody that are named to people.
const NAMED: usize = 3;

/// What was captured behind each target. One file that cannot be relied upon is enough to know nothing of what is
/// missing: then no capture counts.
pub(super) fn captures(answer: &mut Answer, doctor: &Doctor, now: SystemTime) -> Captures {
    let mut captures = Captures::new();
    for Captured { target, file } in &doctor.seen {
        let seen = match read(file, doctor, now) {
            Ok(seen) => seen,
            Err(problem) => {
                answer.fail(None, problem);
                return Captures::new();
            }
        };
        let (recent, others) = seen.recent(now);
        captures.entry(target.clone()).or_default().extend(recent);
        if others > 0 {
            answer.document.line(format!(
                "{}: {others} senders do not count: the file counts for less time than has passed since they were \
                 captured, or the capture has no times",
                file.display()
            ));
        }
    }
    captures
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

/// Names the senders that were captured and are of no session whose address was read.
pub(super) fn name_strangers(document: &mut Document, strangers: &[(&TargetId, Sender)]) {
    if strangers.is_empty() {
        return;
    }
    let fields = |(target, (address, vni)): &(&TargetId, Sender)| -> Value {
        json!({"target": target.as_str(), "address": address, "vni": vni})
    };
    for stranger in strangers {
        document.record("stranger", fields(stranger));
    }
    document.place(json!({"strangers": strangers.iter().map(fields).collect::<Vec<_>>()}));
    let first = strangers.iter().take(NAMED);
    let first: Vec<_> =
        first.map(|(target, (address, vni))| format!("{address} VNI {vni} at {target}")).collect();
    document.line(format!(
        "captured, and of no session whose address was read: {}",
        listed(&first, strangers.len())
    ));
}
