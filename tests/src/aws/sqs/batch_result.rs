//! Which messages of a batch are retried after an invocation, with `ReportBatchItemFailures`.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lambda::{Answer, InvokeError};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum BatchResult {
    /// All messages are deleted, whether the function dealt with them or not.
    Success,
    /// All messages are retried.
    Failure,
    /// These messages are retried, the others are deleted.
    Partial(BTreeSet<String>),
}

impl BatchResult {
    pub(super) fn of(outcome: Result<&Answer, &InvokeError>, ids: &BTreeSet<&str>) -> BatchResult {
        match outcome {
            Ok(Answer::Response(response)) => BatchResult::of_response(response, ids),
            Ok(Answer::NotJson(_) | Answer::Error(_)) | Err(_) => BatchResult::Failure,
        }
    }

    pub(super) fn returns(&self, id: &str) -> bool {
        match self {
            BatchResult::Success => false,
            BatchResult::Failure => true,
            BatchResult::Partial(failed) => failed.contains(id),
        }
    }

    fn of_response(response: &Value, ids: &BTreeSet<&str>) -> BatchResult {
        let failures = match response {
            Value::Null => return BatchResult::Success,
            // Without the list the answer is an empty one, whatever else it holds. A misspelt name
            // of the list thus deletes the batch: the worst that Lambda could make of it.
            Value::Object(fields) => match fields.get("batchItemFailures") {
                None | Some(Value::Null) => return BatchResult::Success,
                Some(Value::Array(failures)) => failures,
                Some(_) => return BatchResult::Failure,
            },
            _ => return BatchResult::Failure,
        };
        if failures.is_empty() {
            return BatchResult::Success;
        }
        // One identifier that is not of this batch (empty, null, missing) fails the whole batch.
        failures
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().filter(|id| ids.contains(id)))
            .map(|id| id.map(str::to_owned))
            .collect::<Option<BTreeSet<String>>>()
            .map_or(BatchResult::Failure, BatchResult::Partial)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use serde_json::json;

    use super::*;
    use crate::lambda::FunctionError;

    #[test]
    fn an_answer_names_what_comes_again_and_one_that_lambda_cannot_read_fails_the_batch() {
        let listing = |item: Value| json!({"batchItemFailures": [{"itemIdentifier": "b"}, item]});
        let nothing = [json!(null), json!({}), json!({"batchItemFailures": null})];
        for answer in nothing.into_iter().chain([json!({"batchItemFailures": []})]) {
            assert_eq!(result(&answer), BatchResult::Success, "{answer}");
        }
        let listed = result(&listing(json!({"itemIdentifier": "c"})));
        assert_eq!(["a", "b", "c"].map(|id| listed.returns(id)), [false, true, true]);
        for answer in [
            json!("done"),
            json!([]),
            json!({"batchItemFailures": "a"}),
            listing(json!({"itemIdentifier": ""})),
            listing(json!({"itemIdentifier": null})),
            listing(json!({"itemIdentifier": "of another batch"})),
            listing(json!({"messageId": "a"})),
            listing(json!("a")),
        ] {
            assert_eq!(result(&answer), BatchResult::Failure, "{answer}");
        }
    }

    #[test]
    fn no_answer_fails_the_batch() {
        let error = Answer::Error(FunctionError {
            error_type: "Oops".to_owned(),
            error_message: String::new(),
        });
        let crash = InvokeError::Crashed { status: ExitStatus::from_raw(9), log: Vec::new() };
        let outcomes = [
            Ok(&error),
            Ok(&Answer::NotJson("{".to_owned())),
            Err(&crash),
            Err(&InvokeError::TimedOut { log: Vec::new() }),
        ];
        for outcome in outcomes {
            assert_eq!(BatchResult::of(outcome, &ids()), BatchResult::Failure, "{outcome:?}");
        }
    }

    fn result(response: &Value) -> BatchResult {
        BatchResult::of(Ok(&Answer::Response(response.clone())), &ids())
    }

    fn ids() -> BTreeSet<&'static str> {
        ["a", "b", "c"].into()
    }
}
