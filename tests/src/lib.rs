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

/// AWS's services, with their rules.
pub mod aws;
/// The local cloud: the services as one server on loopback, its faults, and the record of calls.
pub mod cloud;
/// automirror as it is deployed: cloud, queue and the real binary.
pub mod deployment;
/// Lambda, around the real binaries.
pub mod lambda;
/// Every order of calls of a few execution environments and a person, within one process and in no real time.
#[cfg(feature = "in-process")]
pub mod model;
/// Random runs, within one process and in no real time.
#[cfg(feature = "in-process")]
pub mod simulation;
