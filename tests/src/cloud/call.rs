//! The record of a call: who made it, with which parameters, and how it ended.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::ec2::Caller;
use crate::cloud::fault::Kind;

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub action: String,
    pub caller: Caller,
    pub user_agent: String,
    /// What is not text itself is JSON: the `Evaluations` of a `PutEvaluations`, for example.
    pub parameters: BTreeMap<String, String>,
    pub outcome: Outcome,
}

impl Call {
    /// The evaluations of a `PutEvaluations`, as they were sent.
    pub fn evaluations(&self) -> Vec<Value> {
        let sent = self.parameters.get("Evaluations").map(|text| serde_json::from_str(text));
        sent.and_then(Result::ok).unwrap_or_default()
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Refused by a rule, with this code.
    Refused(String),
    /// Struck by a fault.
    Fault(Kind),
}

/// How many of the calls were of this action.
pub fn count(calls: &[Call], action: &str) -> usize {
    calls.iter().filter(|call| call.action == action).count()
}
