//! Executes a plan: the only floor that changes EC2.

mod client_token;
pub(crate) mod executor;
pub mod failure;
pub(crate) mod outcome;
mod rate_limiter;
pub(crate) mod usage;
