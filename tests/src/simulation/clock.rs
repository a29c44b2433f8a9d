//! The time of a run: it stands still while anything is done.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: Duration = Duration::from_hours(490_896);

thread_local! {
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Begins a run on this thread.
pub(super) fn start() {
    STARTED.set(Some(Instant::now()));
}

/// What the functions go by.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + BEGIN + elapsed()
}

pub(super) fn since_1970() -> Duration {
    BEGIN + elapsed()
}

/// Since the run began.
pub(super) fn milliseconds() -> u128 {
    elapsed().as_millis()
}

fn elapsed() -> Duration {
    STARTED.get().map(|started| started.elapsed()).unwrap_or_default()
}
