//! What a plan means, counted and grouped: what the commands print.

pub(crate) mod brake;
pub(crate) mod coverage;
pub(crate) mod foreign;
pub(crate) mod function;
pub(crate) mod price;
pub(crate) mod source;
pub(crate) mod step;
pub(crate) mod target;
