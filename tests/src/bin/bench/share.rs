//! The part of a core that Lambda gives a small function: it runs and stands still in turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// Lambda: "At 1,769 MB, a function has the equivalent of one vCPU."
const WHOLE_CORE: f64 = 1769.0;
const MEMORY: f64 = 128.0;
/// A turn of running, which lengthens to what the machine's timers can do.
const RUN: Duration = Duration::from_micros(1_400);

/// A process gets 128 MB's part of a core until this is dropped.
pub(crate) struct Share {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Share {
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let process = Pid::from_raw(process.cast_signed()).context("no process has the id 0")?;
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        let thread = thread::spawn(move || take_turns(process, &is_over));
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn take_turns(process: Pid, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        sleep(RUN);
        // One that has ended needs no share.
        if kill_process(process, Signal::STOP).is_err() {
            return;
        }
        sleep(begun.elapsed().mul_f64(WHOLE_CORE / MEMORY - 1.0));
        kill_process(process, Signal::CONT).ok();
    }
}
