//! IAM: what a role may do. Each call of a role with a policy is asked for here before it is done.
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
pub(crate) use request::{Asked, config, ec2};
pub use role::Role;
