//! The real binary in the local cloud: every event, every line of the decision, every failure.

mod decisions;
mod emulator;
mod events;
mod failures;
mod hostile;
mod scale;
mod settings;
mod stage;
mod wire;
