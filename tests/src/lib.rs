/// Finds the binaries that the workspace builds.
pub mod binary;
/// What was asked of the cloud, and how it answered.
pub mod call;
/// The cloud as a server on loopback.
pub mod cloud;
/// automirror as it is deployed: cloud, queue and the real binary.
pub mod deployment;
mod ec2;
/// What goes wrong, on demand.
pub mod fault;
/// Runs a Lambda binary as Lambda does.
pub mod function;
/// The SQS queue between EventBridge and a function.
pub mod queue;
/// AWS's own emulator, as a second opinion on the binary.
pub mod rie;
/// The state of the cloud, with AWS's rules.
pub mod world;
