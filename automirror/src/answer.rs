//! What became of an invocation: the log, and the answer that names what must be retried.

pub(crate) mod batch_result;
pub(crate) mod inventory;
pub(crate) mod ledger;
pub(crate) mod reply;
pub(crate) mod step_log;
pub(crate) mod summary;
