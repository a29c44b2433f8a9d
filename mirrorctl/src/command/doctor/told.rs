//! What is the matter, as both questions of `doctor` tell it: what and where, why it matters, and how to mend it.

use serde::Serialize;

use crate::{
    doctor::trouble::Trouble,
    output::{Block, Document, Mark},
};

/// Findings that people are shown: four lines each.
const SHOWN: usize = 12;

/// What is the matter in a place.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    account: &'a str,
    region: &'a str,
    state: &'static str,
    code: &'static str,
    at: &'a str,
    text: &'a str,
    why: &'static str,
    mend: &'static str,
}

impl<'a> Told<'a> {
    pub(super) fn new((account, region): (&'a str, &'a str), trouble: &'a Trouble) -> Self {
        let [why, mend] = trouble.advice();
        let Trouble { grade, code, at, detail: text } = trouble;
        Self { account, region, state: grade.name(), code, at, text, why, mend }
    }

    /// For people: how many it concerns, if that is to be said, and what has it.
    pub(super) fn block(&self, how_many: Option<&str>, what: String) -> Block {
        let Self { state, code, at, text, why, mend, .. } = self;
        let mark = match *state {
            "broken" => Mark::Bad,
            "limited" => Mark::Plain,
            _ => Mark::Change,
        };
        let how_many = how_many.map(|count| format!(", {count}")).unwrap_or_default();
        let details =
            vec![what, format!("why it matters: {why}"), format!("how to mend it: {mend}")];
        Block::Item(mark, format!("{state} {code} at {at}{how_many}: {text}"), details)
    }
}

/// Shows people the first of all findings.
pub(super) fn show(document: &mut Document, findings: impl ExactSizeIterator<Item = Block>) {
    let hidden = findings.len().saturating_sub(SHOWN);
    document.blocks.extend(findings.take(SHOWN));
    if hidden > 0 {
        document.line(format!("and {hidden} more findings: --output json has all"));
    }
}
