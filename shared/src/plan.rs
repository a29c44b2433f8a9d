//! The decision: what should happen to each mirror source, and why.
//!
//! ```text
//! source | sessions owned   | should be mirrored | step
//! -------+------------------+--------------------+---------------------------
//! eni-1  | none             | to tmt-1           | create
//! eni-2  | tms-2 to tmt-1   | to tmt-1           | keep
//! eni-3  | tms-3 to tmt-9   | to tmt-1           | modify
//! eni-4  | tms-4 and tms-5  | to tmt-1           | keep tms-4, delete tms-5
//! eni-5  | tms-6            | no                 | delete
//! eni-6  | none             | no                 | ignore
//! eni-7  | none             | yes, but no room   | block
//! ```
//!
//! A session may also be right and still mirror nothing: an empty filter, or a foreign session that
//! takes the packets first, adds a `block` step beside the `keep`.
//!
//! Bottom up: [`reason`] and [`step`] are what a plan consists of; `index` looks things up; `desired`
//! is what the tags ask for, `eligibility` what EC2 can mirror, `placement` which target, `matching`
//! which session serves which desired session; `draft` is the plan under construction; `fulfil` and
//! `place` write steps into it; `decide` is the whole. On top of a plan: [`verdict`], [`brake`],
//! [`restrict`] and [`apply`].

pub mod advice;
pub mod apply;
pub mod brake;
mod catalogue;
mod coverage;
mod decide;
pub mod desired;
mod draft;
pub mod eligibility;
mod fulfil;
mod index;
mod matching;
pub mod nearest;
mod place;
mod placement;
pub mod question;
pub mod reason;
pub mod remove;
pub mod restrict;
pub mod room;
mod settings;
pub mod step;
mod unconfirmed;
pub mod verdict;

#[cfg(test)]
mod evidence;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod test_cloud;
#[cfg(test)]
mod tests;

pub use coverage::{accepts_packets, missing_packets};
pub use decide::plan;
pub use placement::room_on_targets;
