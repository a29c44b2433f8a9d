//! The machine that measures.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Context;

/// Processor, cores, kernel and compiler.
pub(crate) fn describe() -> anyhow::Result<String> {
    let information = fs::read_to_string("/proc/cpuinfo").context("no /proc/cpuinfo")?;
    // Arm processors have no name there.
    let name = information.lines().find_map(|line| line.strip_prefix("model name"));
    let name =
        name.map_or(std::env::consts::ARCH, |name| name.trim_start_matches([' ', '\t', ':']));
    let cores = available_parallelism().context("the cores cannot be counted")?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("no kernel")?;
    let rustc = Command::new("rustc").arg("--version").output().context("no rustc")?;
    let rustc = String::from_utf8_lossy(&rustc.stdout).trim().to_owned();
    Ok(format!("{name}, {cores} cores, Linux {}, {rustc}", kernel.trim()))
}
