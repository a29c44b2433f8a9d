//! The CPU time of `plan` for an account with so many interfaces, for each of several runs, in nanoseconds.

mod account;

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use shared::{plan::plan, policy::Policy};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [interfaces, times] = &arguments[..] else {
        anyhow::bail!("usage: planner INTERFACES TIMES");
    };
    let policy = Policy::parse(|_| None)?;
    let observed = account::account(interfaces.parse()?)?;
    for _ in 0..times.parse().context("TIMES is a number")? {
        let before = cpu_time()?;
        let plan = plan(&policy, &observed);
        let time = cpu_time()?.saturating_sub(before);
        anyhow::ensure!(plan.steps.len() >= observed.instances.len(), "the plan is not whole");
        writeln!(io::stdout(), "{}", time.as_nanos())?;
    }
    Ok(())
}

/// Of this thread so far.
fn cpu_time() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Ok(Duration::try_from(time)?)
}
