//! `explain`: why an instance, interface, session or target is as it is; what a code means.

mod code;
mod finding;
mod source;
mod target;

use std::collections::BTreeSet;

use shared::{
    id::{InstanceId, InterfaceId, SessionId, TargetId},
    text::quote,
};
use shared_ec2::selector::Selector;

use crate::{
    answer::Answer,
    arguments::Explain,
    doctor::trouble::is_code,
    output::Table,
    problem::{NO_SUCH_CODE, NOT_FOUND, Problem},
    read::Input,
    world::Decided,
};

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Instance(InstanceId),
    Interface(InterfaceId),
    Session(SessionId),
    Target(TargetId),
    Code(String),
}

pub(crate) async fn run(input: &Input<'_>, explain: &Explain) -> Result<Answer, Problem> {
    let subject = subject(&explain.subject)?;
    let mut answer = Answer::default();
    answer.document.table = Table::new(&["account", "region", "subject", "question", "answer"]);
    let selectors: BTreeSet<_> = match &subject {
        Subject::Code(code) => {
            code::explain(&mut answer.document, code);
            return Ok(answer);
        }
        Subject::Instance(id) => [Selector::Instance(id.clone())].into(),
        Subject::Interface(id) => [Selector::Interface(id.clone())].into(),
        Subject::Session(id) => [Selector::Session(id.clone())].into(),
        // How full a target is, and by whose sessions, only a sweep tells.
        Subject::Target(_) => [Selector::Sweep].into(),
    };
    let outcomes = input.worlds(explain.source.from.as_deref(), &selectors).await;
    let worlds = answer.sort_out(outcomes);
    let mut is_found = false;
    for decided in &worlds {
        is_found |= explain_in(&mut answer, decided, &subject);
    }
    if !is_found {
        let places: Vec<_> = worlds.iter().map(Decided::name).collect();
        let looked = if places.is_empty() { "no place".to_owned() } else { places.join(", ") };
        let detail = format!("{} was looked for in {looked}", explain.subject);
        answer.fail(None, Problem::new(&NOT_FOUND, detail));
    }
    Ok(answer)
}

/// Every code.
pub(crate) fn codes() -> Answer {
    let mut answer = Answer::default();
    code::explain_all(&mut answer.document);
    answer
}

/// What the text names.
fn subject(text: &str) -> Result<Subject, Problem> {
    let instance = text.parse().map(Subject::Instance).ok();
    let id = instance
        .or_else(|| text.parse().map(Subject::Interface).ok())
        .or_else(|| text.parse().map(Subject::Session).ok())
        .or_else(|| text.parse().map(Subject::Target).ok());
    match id {
        Some(id) => Ok(id),
        None if is_code(text) => Ok(Subject::Code(text.to_owned())),
        None => {
            let meant = code::similar(text).map(|code| format!(": did you mean `{code}`?"));
            let detail = format!("{}{}", quote(text), meant.unwrap_or_default());
            Err(Problem::new(&NO_SUCH_CODE, detail))
        }
    }
}

/// Explains the subject in one world, and says whether it is there.
fn explain_in(answer: &mut Answer, decided: &Decided, subject: &Subject) -> bool {
    let observed = &decided.world.observed;
    match subject {
        Subject::Instance(id) => {
            let instance = observed.instances.iter().find(|instance| instance.id == *id);
            let Some(instance) = instance else { return false };
            source::instance(answer, decided, instance);
        }
        Subject::Interface(id) => {
            let source = observed.sources.iter().find(|source| source.id == *id);
            let Some(source) = source else { return false };
            source::interface(answer, decided, source);
        }
        Subject::Session(id) => {
            let session = observed.sessions.iter().find(|session| session.id == *id);
            let Some(session) = session else { return false };
            source::session(answer, decided, session);
        }
        Subject::Target(id) => {
            let mut rows = decided.target_rows();
            rows.retain(|row| row.target == id.as_str());
            let Some(row) = rows.first() else { return false };
            target::explain(answer, decided, row);
        }
        Subject::Code(_) => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_code() {
        assert!(matches!(subject("i-0a1"), Ok(Subject::Instance(_))));
        assert!(matches!(subject("eni-0a1"), Ok(Subject::Interface(_))));
        assert!(matches!(subject("tms-0a1"), Ok(Subject::Session(_))));
        assert!(matches!(subject("tmt-0a1"), Ok(Subject::Target(_))));
        // A code that begins like an id.
        assert!(matches!(subject("shadowed"), Ok(Subject::Code(_))));
        assert!(matches!(subject("no-permission"), Ok(Subject::Code(_))));
        for bad in ["", "shadow", "i-", "vpc-1"] {
            assert_eq!(subject(bad).unwrap_err().kind.code, "no-such-code", "{bad}");
        }
        for (typed, meant) in [
            ("shadwed", Some("shadowed")),
            ("SHADOWED", Some("shadowed")),
            ("target-ful", Some("target-full")),
            ("no-permision", Some("no-permission")),
            ("vpc-1", None),
            ("", None),
        ] {
            let Problem { detail, .. } = subject(typed).unwrap_err();
            let told = detail.split_once("mean `").map(|(_, rest)| rest.trim_end_matches("`?"));
            assert_eq!(told, meant, "{detail}");
        }
    }
}
