//! What came of an invocation, in numbers: one line of the log, and the answer.

use serde::Serialize;
use serde_json::{Value, json};
use shared::{plan::verdict::Verdict, text::quote};
use tracing::{info, warn};

use crate::evaluation::Evaluation;

/// At most this many lines of one kind: the numbers are of all, and AWS Config holds each verdict.
const MAX_LINES: usize = 100;

/// The numbers of an invocation.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    #[serde(skip)]
    pub(crate) rule: String,
    /// What set it off, such as a change or the schedule. Empty: an event that cannot be read.
    #[serde(skip)]
    pub(crate) trigger: &'static str,
    /// The resource that this was about.
    #[serde(skip)]
    pub(crate) trigger_id: String,
    pub(crate) judged: usize,
    pub(crate) compliant: usize,
    pub(crate) non_compliant: usize,
    pub(crate) not_applicable: usize,
    /// Evaluations that AWS Config does not hold yet.
    pub(crate) news: usize,
    /// Of these, the ones that it has stored.
    pub(crate) sent: usize,
    /// … the ones that it did not accept.
    pub(crate) refused: usize,
    /// What the time did not suffice for.
    pub(crate) not_reached: usize,
    #[serde(skip)]
    told: usize,
    #[serde(skip)]
    problems: Vec<String>,
}

impl Summary {
    /// Counts verdicts.
    pub(crate) fn judge(&mut self, evaluations: &[Evaluation]) {
        self.judged += evaluations.len();
        for evaluation in evaluations {
            match evaluation.verdict {
                Verdict::Compliant => self.compliant += 1,
                Verdict::NonCompliant => self.non_compliant += 1,
                Verdict::NotApplicable => self.not_applicable += 1,
            }
        }
    }

    /// Counts what is about to be sent, and tells of what is not compliant.
    pub(crate) fn announce(&mut self, news: &[Evaluation]) {
        self.news += news.len();
        for evaluation in news.iter().filter(|it| it.verdict == Verdict::NonCompliant) {
            if self.told < MAX_LINES {
                let id = &evaluation.resource.id;
                let annotation = &evaluation.annotation;
                info!(resource_id = id, compliance = "NON_COMPLIANT", "{id}: {annotation}");
            }
            self.told += 1;
        }
    }

    /// Something that the invocation must fail with.
    pub(crate) fn note_problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The same, each once: several reads may fail for one reason.
    pub(crate) fn note_problems(&mut self, problems: impl IntoIterator<Item = String>) {
        for problem in problems {
            if !self.problems.contains(&problem) {
                self.note_problem(problem);
            }
        }
    }

    /// What was not reached makes the invocation fail: somebody must hear of it.
    pub(crate) fn note_not_reached(&mut self) {
        if self.not_reached > 0 {
            self.note_problem(format!(
                "there was no time for {} resources: give the function more time or memory",
                self.not_reached
            ));
        }
    }

    /// Everything that the invocation must fail with.
    pub(crate) fn problem(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }

    /// Writes the line about the whole invocation.
    pub(crate) fn log(&self) {
        let Self { judged, compliant, non_compliant, not_applicable, .. } = *self;
        let Self { news, sent, refused, not_reached, .. } = *self;
        if self.told > MAX_LINES {
            let more = self.told - MAX_LINES;
            info!("{more} more are NON_COMPLIANT: AWS Config has their annotations");
        }
        let Self { rule, trigger, trigger_id, .. } = self;
        let cause = [*trigger, trigger_id].join(" ");
        info!(
            rule,
            trigger,
            trigger_id,
            judged,
            compliant,
            non_compliant,
            not_applicable,
            news,
            sent,
            refused,
            not_reached,
            "rule {}, {}: judged {judged}, COMPLIANT {compliant}, NON_COMPLIANT \
             {non_compliant}, NOT_APPLICABLE {not_applicable}; news {news}, sent {sent}, refused {refused}, \
             not reached {not_reached}",
            quote(rule),
            cause.trim_end()
        );
    }

    pub(crate) fn answer(&self) -> Value {
        json!(self)
    }
}

/// Tells of evaluations that AWS Config refuses, each with its reason.
pub(crate) fn log_refused<'a>(refused: impl IntoIterator<Item = (&'a str, &'a str)>) {
    for (id, why) in refused.into_iter().take(MAX_LINES) {
        warn!(resource_id = id, "AWS Config refuses the evaluation of {id}: {why}");
    }
}
