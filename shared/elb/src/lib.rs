//! Reads from Elastic Load Balancing what stands behind targets that are load balancers. Nothing here changes it.
//!
//! In reading order: `error` is what goes wrong, `pages` reads a list to its end, `convert` turns the SDK's types
//! into ours, and `read` has one function for each call.

#![deny(missing_docs)]

mod convert;
mod error;
mod pages;
mod read;

pub use convert::{Health, Listener, LoadBalancer, Sensor, is_active};
pub use error::ElbError;
pub use read::{Elb, TargetGroup};

/// The port that copies go to ("Traffic Mirroring packet format").
pub const VXLAN: u16 = 4789;
