#![expect(clippy::print_stdout, reason = "it speaks to people")]
//! Tries every order of calls of a few execution environments and a person: `make explore`, and with
//! `ARGS=thorough` the scenarios that take longer.

use std::process::ExitCode;

use local_cloud::model::{everyday, explore_all, thorough};

fn main() -> ExitCode {
    let is_thorough = std::env::args().any(|argument| argument == "thorough");
    let scenarios = if is_thorough { thorough() } else { everyday() };
    let explored = explore_all(scenarios, |explored| println!("{explored}"));
    let is_good = explored.iter().all(|explored| explored.failures.is_empty());
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
