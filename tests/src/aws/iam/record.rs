//! The record of every authorization. `proof` checks it when all tests have run.
#![expect(clippy::disallowed_methods, reason = "where the record goes is the environment's to say")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Authorization;

/// The folder that the records go to, one file for each process; without it nothing is recorded.
const FOLDER: &str = "AUTHORIZATIONS";

/// What was asked of which role, and what came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The function whose role it is, and the parameters that were given to the template.
    pub function: String,
    pub parameters: BTreeMap<String, String>,
    #[serde(flatten)]
    pub asked: Authorization,
    pub allowed: bool,
    /// Whether the test said that there would be denials.
    pub denials_expected: bool,
}

impl Record {
    pub(super) fn write(&self) {
        static FILE: LazyLock<Option<File>> = LazyLock::new(open);
        if let Some(mut file) = FILE.as_ref() {
            let line = serde_json::to_string(self).expect("a record is text") + "\n";
            // One write is one line, whoever else writes.
            file.write_all(line.as_bytes()).expect("the record can be written");
        }
    }
}

fn open() -> Option<File> {
    let folder = std::env::var(FOLDER).ok()?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder of the record can be created");
    let path = folder.join(format!("{}.jsonl", std::process::id()));
    let file = OpenOptions::new().create(true).append(true).open(&path);
    Some(file.expect("the file of the record can be created"))
}
