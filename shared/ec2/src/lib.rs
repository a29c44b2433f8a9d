//! Reads from EC2 what the decision is made from. Nothing here changes EC2.
//!
//! In reading order, each floor over the ones before it: [`client`] is how AWS is called, [`deadline`]
//! until when, and `error` what goes wrong; [`log`] is how a function logs; `convert`, `addressed`, `filter`, `described` and
//! `targets` turn the SDK's types into ours; `ask` is what a request asks for, `pages` reads a list to its end, `by_id` asks about ids; `call` and `interfaces` have
//! one function for each EC2 call; [`doors`] are the security groups in front of targets;
//! `resources` are targets and filters, and [`cache`] keeps them between invocations; [`selector`] is
//! what to read; `target_usage` how full the targets are and whether they receive; [`reader`] what every
//! read shares; `named` and `sweep` which calls are made for which selectors; `witness` asks about what a
//! list did not show; [`observe`] puts it all together. [`warm_up`] is what a function reads before its
//! first event.

#![deny(missing_docs)]

mod addressed;
mod ask;
mod by_id;
pub mod cache;
mod call;
pub mod client;
mod convert;
pub mod deadline;
mod described;
pub mod doors;
mod error;
mod filter;
mod interfaces;
pub mod log;
mod named;
pub mod observe;
mod pages;
pub mod reader;
mod resources;
pub mod selector;
mod sweep;
mod target_usage;
mod targets;
mod unique;
pub mod warm_up;
mod witness;

pub use addressed::{Addressed, addresses_of};
pub use call::{all_sessions, regions, sessions_described_as, tags_by_key};
pub use error::{ObserveError, is_denied};
pub use interfaces::addresses;
pub use targets::description;
