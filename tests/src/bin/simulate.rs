#![expect(clippy::print_stdout, reason = "it speaks to people")]
//! Plays simulations: `make simulate RUNS=5000`, or `make simulate SEED=7` for one run with all its events.

use std::process::ExitCode;

use anyhow::bail;
use local_cloud::simulation::{
    heal::{INCIDENTS, heal},
    run, run_all,
};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["seed", seed] => {
            let run = run(seed.parse()?);
            println!("{run}");
            Ok(exit(run.failure.is_none()))
        }
        ["runs", count, "from", first] => {
            let (count, first): (u64, u64) = (count.parse()?, first.parse()?);
            let summary = run_all(first..first.saturating_add(count));
            println!("{summary}");
            Ok(exit(summary.failed.is_empty()))
        }
        ["heal", count] => {
            print_time_to_heal(count.parse()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("simulate seed SEED | simulate runs COUNT from FIRST | simulate heal COUNT"),
    }
}

/// Prints how long it takes to the session, in the middle and at worst of so many runs.
fn print_time_to_heal(count: u64) {
    println!("| until there is a session after | median, s | worst of {count}, s |");
    println!("| --- | ---: | ---: |");
    for (incident, name) in INCIDENTS {
        let mut times: Vec<f64> =
            (0..count).map(|seed| heal(incident, seed).as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let worst = times.last().copied().unwrap_or_default();
        println!("| {name} | {median:.1} | {worst:.1} |");
    }
}

fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
