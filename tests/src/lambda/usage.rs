//! The memory and CPU time that a process has used, as Linux counts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most memory it has had so far, in bytes (`VmHWM`).
pub fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The CPU time of its threads, user's and system's. That of a thread that runs at the moment is not
/// up to date.
pub fn cpu_time(process: u32) -> Option<Duration> {
    threads(process)?.iter().map(PathBuf::as_path).map(cpu_time_of).sum()
}

/// Whether all its threads wait for something.
pub(super) fn is_idle(process: u32) -> bool {
    threads(process).is_none_or(|threads| threads.iter().map(PathBuf::as_path).all(waits))
}

fn threads(process: u32) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    entries.map(|entry| Some(entry.ok()?.path())).collect()
}

/// Linux: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
fn cpu_time_of(thread: &Path) -> Option<Duration> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// A thread that has ended waits for nothing any more.
fn waits(thread: &Path) -> bool {
    let state = fs::read_to_string(thread.join("stat")).ok();
    // The name before it stands in brackets and may hold anything.
    let state = state.as_ref().and_then(|text| text.rsplit_once(") ")?.1.chars().next());
    state.is_none_or(|state| state != 'R')
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn work_takes_cpu_time() {
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let before = cpu_time(busy.id()).unwrap();
        // Linux brings the time of a process up to date when it gives way, and every few milliseconds.
        let has_worked = || cpu_time(busy.id()).unwrap() > before && !is_idle(busy.id());
        let noticed = (0..10_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            has_worked()
        });
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(noticed);
    }

    #[test]
    fn memory_is_counted_at_its_peak() {
        let process = std::process::id();
        drop(std::hint::black_box(vec![1_u8; 10_000_000]));
        assert!(peak_memory(process).unwrap() > 10_000_000);
        assert!(!is_idle(process), "this thread runs");
    }
}
