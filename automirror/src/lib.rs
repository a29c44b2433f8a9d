//! automirror: a Lambda function that keeps the Traffic Mirror sessions of EC2 instances as their tags
//! ask.
//!
//! In reading order, each floor over the ones before it: `event` turns what Lambda hands over into what
//! to read; `shared-ec2` reads it and `shared` decides; `act` executes the plan; `answer` logs what
//! happened and names what must be retried; `reconcile` and `handler` put it all together.

#![deny(missing_docs)]

mod act;
mod answer;
pub mod event;
pub mod handler;
mod reconcile;

pub use act::failure;
