//! What a function answers to an event.

use serde::Deserialize;
use serde_json::Value;

/// The body of a process's answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An empty body counts as `null`: the SQS poller makes no difference between them.
    Response(Value),
    /// A response that is not JSON, which Lambda passes on as it is.
    NotJson(String),
    /// The handler returned an error or panicked; the process lives on.
    Error(FunctionError),
}

/// How a runtime reports a failed invocation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    pub error_type: String,
    pub error_message: String,
}

impl Answer {
    pub(super) fn response(body: &[u8]) -> Answer {
        if body.is_empty() {
            return Answer::Response(Value::Null);
        }
        match serde_json::from_slice(body) {
            Ok(value) => Answer::Response(value),
            Err(_) => Answer::NotJson(String::from_utf8_lossy(body).into_owned()),
        }
    }

    /// A body of another form is kept as the message: it is an error all the same.
    pub(super) fn error(body: &[u8]) -> Answer {
        Answer::Error(serde_json::from_slice(body).unwrap_or_else(|_| FunctionError {
            error_type: String::new(),
            error_message: String::from_utf8_lossy(body).into_owned(),
        }))
    }
}
