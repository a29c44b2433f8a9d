//! EC2: its state under its rules, and the Query protocol in front of it.

mod state;
mod throttling;
/// Copies of packets as they come to a sensor.
pub mod vxlan;
pub(crate) mod wire;

pub use state::*;
pub(crate) use throttling::Rates;
