//! config-rule: the Lambda function of an AWS Config custom rule. It reports the plan that automirror
//! executes, so an instance is COMPLIANT exactly when there is nothing left to do for it.
//!
//! In reading order, each floor over the ones before it: `resource` is what the rule evaluates; `event`
//! says which resources to evaluate, `parameters` by which policy; `shared-ec2` reads EC2 and `shared` decides;
//! `verdict` turns the plan into evaluations; `look` is both together; `news` leaves out what AWS Config holds already, `report` sends the rest, `summary` counts;
//! `schedule` evaluates everything, and `handler` puts it all together. Nothing here can change EC2.

#![deny(missing_docs)]

pub mod event;
pub mod handler;
mod look;
mod news;
pub mod parameters;
mod report;
pub mod resource;
mod schedule;
mod summary;
mod verdict;
