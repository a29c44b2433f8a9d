//! From what Lambda hands over to what to read. An event says where to look, never what to do there.

pub mod cloudtrail;
mod direct;
pub mod envelope;
pub mod parse;
pub mod parsed;
