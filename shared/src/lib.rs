//! The core of automirror and config-rule: one pure function, [`plan`](plan::plan), decides what
//! should happen to each mirror source, and why. automirror obeys the plan, config-rule reports it.
//!
//! In reading order, each floor over the ones before it: [`id`], [`number`] and [`text`] are the
//! ground; [`policy`] is what the operator wants; [`observed`] is what EC2 says, as plain data;
//! [`plan`] is the decision. Reading EC2 is a crate of its own, `shared-ec2`, so nothing here can
//! look around: no SDK, no clock, no environment.

#![deny(missing_docs)]

pub mod id;
pub mod number;
pub mod observed;
pub mod plan;
pub mod policy;
pub mod text;
