//! A local cloud to test automirror in: EC2 and AWS Config with their rules, the Lambda Runtime API,
//! the queue between them, and faults on demand. It speaks AWS's wire protocols, so any AWS client works
//! against it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unreachable,
    reason = "scaffolding for tests may end at the first surprise"
)]
#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "its callers are the tests beside it"
)]

/// Finds the binaries that the workspace builds.
pub mod binary;
/// What was asked of the cloud, and how it answered.
pub mod call;
/// The cloud as a server on loopback.
pub mod cloud;
/// The state of AWS Config, with AWS's rules.
pub mod config;
/// automirror as it is deployed: cloud, queue and the real binary.
pub mod deployment;
mod ec2;
/// What goes wrong, on demand.
pub mod fault;
/// Runs a Lambda binary as Lambda does.
pub mod function;
/// IAM: what roles may do.
pub mod iam;
/// Every order of things for a few processes and a person, in one process and in no real time.
#[cfg(feature = "in-process")]
pub mod model;
/// The SQS queue between EventBridge and a function.
pub mod queue;
/// AWS's own emulator, as a second opinion on the binary.
pub mod rie;
/// Runs by chance, in one process and in no real time.
#[cfg(feature = "in-process")]
pub mod simulation;
/// CloudFormation templates, resolved.
pub mod template;
/// The state of the cloud, with AWS's rules.
pub mod world;
