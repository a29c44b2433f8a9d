//! The core of automirror and config-rule: one pure function, [`plan`](plan::plan), decides what
//! should happen to each network interface, and why. automirror obeys it, config-rule reports it.
//!
//! In reading order: [`policy`] is what the operator wants, [`observed`] what EC2 says now,
//! [`plan`] the decision, [`step`] and [`reason`] what it consists of, and [`observe`] the one
//! place that reads EC2.

#![deny(missing_docs)]
#![cfg_attr(not(feature = "ec2"), allow(dead_code, reason = "some of it is for reading EC2 only"))]

#[cfg(feature = "ec2")]
pub mod client;
#[cfg(feature = "ec2")]
mod convert;
#[cfg(feature = "ec2")]
mod describe;
mod eligibility;
pub mod id;
mod index;
#[cfg(feature = "ec2")]
mod loads;
mod matching;
#[cfg(feature = "ec2")]
pub mod observe;
pub mod observed;
mod placement;
pub mod plan;
pub mod policy;
pub mod reason;
pub mod settings;
pub mod spelling;
pub mod step;
pub mod subject;
pub mod surroundings;
pub mod text;
pub mod verdict;
mod wish;

pub use wish::{reads_tag, selected};
