//! EC2: its state under its rules, and the Query protocol in front of it.

mod state;
mod throttling;
pub(crate) mod wire;

pub use state::*;
pub(crate) use throttling::Rates;
