//! What `seen` and `map` say of the files that they write and verify.

use std::path::Path;

use serde::Serialize;

use crate::{
    answer::Answer,
    arguments::SignedFile,
    output::{Block, Document, Mark, Table},
    problem::Problem,
    signed::save,
};

/// Writes the file, and says so: `done` is what has become of it, and `new_key` the argument that makes a key.
pub(super) fn write(
    answer: &mut Answer,
    (file, out): (&SignedFile, &Path),
    content: &[u8],
    done: &str,
    new_key: &str,
) -> Result<(), Problem> {
    save(out, content, file.key.as_deref())?;
    if out.as_os_str() == "-" {
        answer.document = Document { is_stdout_taken: true, ..Document::default() };
        return Ok(());
    }
    let head = format!("{} {done}, for {} hours", out.display(), file.expires);
    answer.document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
    if file.key.is_none() {
        let hint =
            format!("the file is not signed: --key FILE signs it, and {new_key} FILE makes a key");
        answer.document.hint(hint);
    }
    Ok(())
}

/// Says that a file can be relied upon, and what it holds.
pub(super) fn show_verified(
    document: &mut Document,
    verified: &impl Serialize,
    table: Table,
    (name, holds): (&str, &str),
) {
    document.record("verified", verified);
    document.place(verified);
    document.table = table;
    let head = format!("{name} is what was signed, and has not expired: {holds}");
    document.blocks.push(Block::Item(Mark::Good, head, Vec::new()));
}
