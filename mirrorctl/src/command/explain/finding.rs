//! One question about one thing, and its answer.

use serde::Serialize;

use crate::{answer::Answer, world::Decided};

/// A question and its answer, for machines.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    account: String,
    region: String,
    subject: String,
    question: String,
    answer: String,
}

impl Finding {
    /// Adds an answer for machines.
    pub(crate) fn push(
        answer: &mut Answer,
        decided: &Decided,
        subject: &str,
        question: &str,
        text: &str,
    ) {
        let finding = Self {
            account: decided.world.account.to_string(),
            region: decided.world.region.clone(),
            subject: subject.to_owned(),
            question: question.to_owned(),
            answer: text.to_owned(),
        };
        let Self { account, region, .. } = finding.clone();
        let document = &mut answer.document;
        document.record("finding", &finding);
        document.place(&finding);
        let Self { subject, question, answer, .. } = finding;
        document.table.rows.push(vec![account, region, subject, question, answer]);
    }
}
