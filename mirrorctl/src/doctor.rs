//! Do the packets arrive? Each link between a source and its sensor, as far as AWS shows it.
//!
//! In reading order, each floor over the ones before it: `trouble` is what can be said of a `link`; `block` and
//! `network` are what was read; `passage` and `route` judge one way, `target` what stands at a target and `balancer`
//! within it, `way` all that lies between; `links` is the decision, `flow` adds what CloudWatch counts, and `arrival` what
//! a sensor has captured.
//! `finding` is what paths have in common, and `read` reads a network from AWS. `pre` judges what there is before
//! anything is deployed.

pub(crate) mod arrival;
mod balancer;
mod block;
pub(crate) mod finding;
pub(crate) mod flow;
pub(crate) mod link;
pub(crate) mod links;
pub(crate) mod network;
mod passage;
pub(crate) mod pre;
pub(crate) mod read;
mod route;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod trouble;
mod way;
