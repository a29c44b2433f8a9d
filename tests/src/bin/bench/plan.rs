//! The decision alone, by the program `planner`.

use std::process::Command;

use anyhow::{Context, ensure};

use crate::Size;
use crate::packages::Packages;
use crate::statistics::median;
use crate::table::Table;

const INTERFACES: usize = 10_000;
/// How often the fewer are planned for; the ten times as many a tenth of that.
const TIMES: usize = 100;

pub(crate) fn measure(size: Size, packages: &Packages) -> anyhow::Result<Table> {
    let (few, times) = (INTERFACES / size.divisor, TIMES / size.divisor.min(10));
    let one = cpu_time(packages, few, times)?;
    let ten = cpu_time(packages, few * 10, times / 10)?;
    let mut table = Table::new("`plan`", &["CPU, ms", "CPU, times"]);
    table.row("10,000 interfaces", [Some(one), Some(1.0)]);
    table.row("100,000 interfaces", [Some(ten), Some(ten / one)]);
    Ok(table)
}

/// In milliseconds.
fn cpu_time(packages: &Packages, interfaces: usize, times: usize) -> anyhow::Result<f64> {
    let output = Command::new(packages.binary("planner"))
        .args([interfaces.to_string(), times.to_string()])
        .output()
        .context("could not run planner")?;
    ensure!(output.status.success(), "planner: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).context("planner wrote no text")?;
    let nanoseconds = lines.lines().map(str::parse).collect::<Result<Vec<f64>, _>>()?;
    Ok(median(nanoseconds) / 1e6)
}
