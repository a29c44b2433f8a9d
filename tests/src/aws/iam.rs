//! IAM: what a role may do. The local cloud asks here before it executes a call of a role that has a policy.
//!
//! Users, and roles without a policy, may do anything.

mod authorization;
mod condition;
mod policy;
mod record;
mod request;
mod role;

pub use authorization::{Authorization, Tagged};
pub use policy::{Decision, Policy};
pub use record::Record;
pub(crate) use request::{Asked, config, ec2, elb};
pub use role::Role;
