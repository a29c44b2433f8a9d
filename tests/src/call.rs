//! What was asked of the cloud over HTTP, and how it answered.

use std::collections::BTreeMap;

use crate::fault::Kind;
use crate::world::Caller;

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub action: String,
    pub caller: Caller,
    pub parameters: BTreeMap<String, String>,
    pub outcome: Outcome,
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
