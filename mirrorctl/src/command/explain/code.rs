//! What a code means.

use serde_json::json;
use shared::plan::{
    advice::advice,
    reason::{Entry, REASONS},
};

use crate::{doctor::trouble::FAULTS, output::Document, problem::KINDS, view::step::level_name};

/// What there is to know of the reason, fault or problem with this code.
pub(crate) fn explain(document: &mut Document, code: &str) {
    let entry = REASONS.iter().find(|entry| entry.code == code);
    if let (Some(Entry { sentence, level, .. }), Some(advice)) = (entry, advice(code)) {
        let level = level_name(*level);
        let source = Some(advice.source).filter(|source| !source.is_empty());
        write(document, code, level, sentence, [advice.why, advice.mend], source);
    }
    if let Some(fault) = FAULTS.iter().find(|fault| fault.code == code) {
        let level = fault.grade.name();
        write(document, code, level, fault.sentence, [fault.why, fault.mend], Some(fault.source));
    }
    if let Some(kind) = KINDS.iter().find(|kind| kind.code == code) {
        write(document, code, "error", kind.sentence, [kind.why, kind.mend], None);
    }
}

/// Every code.
pub(crate) fn explain_all(document: &mut Document) {
    for code in all() {
        explain(document, code);
    }
}

/// The reasons in the order of the catalogue, then the faults, then the problems.
fn all() -> impl Iterator<Item = &'static str> {
    let reasons = REASONS.iter().map(|entry| entry.code);
    let faults = FAULTS.iter().map(|fault| fault.code);
    reasons.chain(faults).chain(KINDS.iter().map(|kind| kind.code))
}

/// How alike two words must be, of 1. clap asks for 0.7 of the names of commands, of which there are fewer.
const ALIKE: f64 = 0.8;

/// The code that somebody may have meant.
pub(crate) fn similar(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let alike = all().map(|code| (strsim::jaro(code, &text), code));
    let best = alike.filter(|(likeness, _)| *likeness > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, code)| code)
}

fn write(
    document: &mut Document,
    code: &str,
    level: &'static str,
    sentence: &str,
    [why, mend]: [&str; 2],
    source: Option<&str>,
) {
    document.title(code);
    document.line(format!("{level}: {sentence}"));
    document.line(format!("why it matters: {why}"));
    document.line(format!("how to mend it: {mend}"));
    if let Some(source) = source {
        document.line(format!("AWS: {source}"));
    }
    let fields = json!({
        "code": code, "level": level, "sentence": sentence, "why": why, "mend": mend, "source": source,
    });
    document.record("code", &fields);
    document.place(&fields);
    document.table.columns = vec!["code", "level", "sentence", "why", "mend", "source"];
    let row = [code, level, sentence, why, mend, source.unwrap_or_default()];
    document.table.rows.push(row.map(str::to_owned).to_vec());
}
