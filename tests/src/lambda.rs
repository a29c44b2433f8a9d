//! Lambda: runs the real binaries as Lambda does, with its Runtime API, its limits and its log.

mod answer;
/// Finds the binaries that the workspace builds.
pub mod binary;
mod credentials;
/// AWS's own emulator, as a second opinion on a binary.
pub mod emulator;
mod function;
mod log;
mod runtime_api;
mod sandbox;
#[cfg(test)]
pub(crate) mod tests;
/// What processes take of the machine.
pub mod usage;

pub use answer::{Answer, FunctionError};
pub use credentials::Credentials;
pub use function::{Function, FunctionOptions, Invocation, InvokeError, REGION};
pub use log::LogLine;
pub(crate) use log::LogPipe;
