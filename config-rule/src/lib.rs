//! config-rule: the Lambda function of an AWS Config custom rule. It reports the plan that automirror
//! executes, so an instance is COMPLIANT exactly when there is nothing left to do for it.
//!
//! In reading order, each floor over the ones before it: `resource` is what the rule evaluates; `event`
//! says which resources to evaluate, `parameters` by which policy; `shared-ec2` reads EC2 and `shared` decides;
//! `evaluation` is what is said of a resource; `standing` and `targets` say what stands behind the targets, where the rule is told to look there;
//! `verdict` turns the plan into evaluations; `look` reads; `news` leaves out what AWS Config holds already, `report` sends the rest, `summary` counts;
//! `judge` puts looks and verdicts together; `change` evaluates what has changed, `schedule` everything, and `handler`
//! does what an event asks for. Nothing here can change EC2.

#![deny(missing_docs)]

mod change;
mod evaluation;
pub mod event;
pub mod handler;
mod judge;
mod look;
mod news;
pub mod parameters;
mod report;
pub mod resource;
mod schedule;
mod standing;
mod summary;
mod targets;
mod verdict;
