//! The answer to Lambda: for a batch the messages that must be retried, for anything else what was done.

use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;

use super::{
    batch_result::{Reported, Unfinished},
    summary::Summary,
};

/// The most steps that an error message names.
const MAX_NAMED: usize = 3;

/// What a direct call is answered with.
#[derive(Serialize)]
struct DirectAnswer<'a> {
    summary: &'a Summary,
    /// For each interface that was looked at, what is done about it and why; of a sweep the changes and what
    /// is blocked.
    steps: &'a [&'a Reported],
    /// Steps that are left: invoke the function again.
    left: usize,
}

/// The answer to a batch.
pub(crate) fn batch(messages: &[Option<&str>]) -> Result<Value, Diagnostic> {
    let mut answer = SqsBatchResponse::default();
    for message in messages {
        match message {
            Some(message) => answer.add_failure(*message),
            // Nothing names it, so the whole batch must be retried.
            None => return Err(diagnostic("Unfinished", "a message without an id".to_owned())),
        }
    }
    to_value(&answer)
}

/// The answer to a direct call, or to an event that came without a queue.
pub(crate) fn direct(summary: &Summary, steps: &[&Reported]) -> Result<Value, Diagnostic> {
    let left = summary.unfinished + summary.refused + summary.withheld;
    to_value(&DirectAnswer { summary, steps, left })
}

/// What must be retried, where nothing but an error makes that happen.
pub(crate) fn unfinished(unfinished: &[&Unfinished]) -> Diagnostic {
    let steps: Vec<_> =
        unfinished.iter().take(MAX_NAMED).map(|unfinished| unfinished.step.to_string()).collect();
    let count = unfinished.len();
    diagnostic("Unfinished", format!("{count} steps must be retried, such as {steps:?}"))
}

pub(crate) fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}

fn to_value(answer: &impl Serialize) -> Result<Value, Diagnostic> {
    serde_json::to_value(answer).map_err(|error| diagnostic("Answer", error.to_string()))
}
