//! The commands, a file each.

pub(crate) mod adopt;
pub(crate) mod apply;
mod change;
pub(crate) mod doctor;
mod execute;
pub(crate) mod explain;
mod heading;
pub(crate) mod history;
pub(crate) mod map;
pub(crate) mod observe;
pub(crate) mod plan;
pub(crate) mod remove;
pub(crate) mod report;
pub(crate) mod seen;
pub(crate) mod shell;
mod signed_file;
pub(crate) mod status;
mod written;
