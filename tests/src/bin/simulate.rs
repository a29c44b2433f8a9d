#![expect(clippy::print_stdout, reason = "it speaks to people")]
//! Plays simulations: `make simulate RUNS=5000`, or `make simulate SEED=7` for one run with all its events.

use std::process::ExitCode;

use anyhow::bail;
use local_cloud::simulation::{run, run_all};

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
        _ => bail!("simulate seed SEED | simulate runs COUNT from FIRST"),
    }
}

fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
