//! automirror: a Lambda function that keeps the Traffic Mirror sessions of EC2 instances as their tags
//! ask.
//!
//! In reading order, each floor over the ones before it: `event` turns what Lambda hands over into what
//! to read; `memory` is what is kept between invocations; `shared-ec2` reads it and `shared` decides; `act`
//! executes the plan; `answer` logs what happened and names what must be retried; `reconcile` does that for
//! some events, `group` for all of an invocation, which `intake` sorts; `handler` puts it together.

#![deny(missing_docs)]

mod act;
mod answer;
pub mod by_hand;
pub mod event;
mod group;
pub mod handler;
mod intake;
mod memory;
mod reconcile;

pub use act::failure;
