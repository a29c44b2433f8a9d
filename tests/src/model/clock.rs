//! The clock of the functions. It stands still, except where a choice lets a minute pass.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use crate::simulation::clock::BEGIN;

thread_local! {
    static MINUTE: Cell<u64> = const { Cell::new(0) };
}

/// From now on it is this minute on this thread.
pub(super) fn set(minute: u64) {
    MINUTE.set(minute);
}

pub(super) fn since_1970() -> Duration {
    BEGIN + Duration::from_mins(MINUTE.get())
}

pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + since_1970()
}
