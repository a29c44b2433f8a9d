//! What must be true of input from outside, whatever it is: each check takes any bytes, reads them
//! as the functions and the command line do, and panics where something is not true.
//!
//! `fuzz_targets` lets a fuzzer look for bytes that fail, `tests/replay.rs` replays what is kept in
//! `corpus`, the one folder for each check.

#![deny(missing_docs)]

use std::collections::BTreeMap;

pub mod answer;
pub mod capture;
pub mod event;
pub mod rule;
pub mod settings;
pub mod tags;

/// A check, with the name of its corpus.
pub type Check = (&'static str, fn(&[u8]));

/// Every check.
pub const CHECKS: [Check; 6] = [
    ("event", event::check),
    ("rule", rule::check),
    ("settings", settings::check),
    ("tags", tags::check),
    ("answer", answer::check),
    ("capture", capture::check),
];

/// Fails unless the text can be shown as it is: one line that steers nothing, and not too long.
fn assert_fit(text: &str, longest: usize) {
    assert_eq!(text, shared::text::sanitize(text, longest));
}

/// Lines of the form `NAME=value`.
fn pairs(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}
