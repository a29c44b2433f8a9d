//! The real binary in the local cloud: every event, every line of the decision, every failure.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test ends at the first surprise"
)]

mod architecture;
mod attacks;
mod authorization;
mod bench;
mod cache;
mod compliance;
mod decisions;
mod demo;
mod emulator;
mod envelopes;
mod events;
mod evidence;
mod failures;
mod guardrails;
mod health;
mod hostile;
mod limits;
mod mirrorctl;
mod model;
mod order;
mod races;
mod scale;
mod settings;
mod simulation;
mod stage;
mod verdicts;
mod wire;
