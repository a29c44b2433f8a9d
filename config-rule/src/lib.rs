//! config-rule: the Lambda function of an AWS Config custom rule. It reports the plan that automirror
//! carries out, so an instance is COMPLIANT exactly when there is nothing left to do for it.
//!
//! An event says what to judge (`event`), `shared` reads EC2 and decides, `verdict` turns the plan into
//! evaluations, `report` sends them. Nothing here changes EC2.

#![deny(missing_docs)]

pub mod event;
pub mod handler;
mod history;
pub mod parameters;
mod report;
mod verdict;
