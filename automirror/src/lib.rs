//! automirror: a Lambda function that keeps Traffic Mirror sessions as the instances' tags ask.
//!
//! An event says where to look (`event`), `shared` reads EC2 there and decides, `execute` carries
//! the plan out, and the answer names what must come again (`handler`).

#![deny(missing_docs)]

pub mod cloudtrail;
mod deadline;
pub mod event;
mod execute;
pub mod failure;
pub mod handler;
mod outcome;
mod pace;
mod report;
mod token;
mod work;
