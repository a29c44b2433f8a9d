//! The numbers that each invocation of automirror logs, from which alarms are made.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;

use anyhow::Context;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// Those of the run on this thread.
    static LINES: RefCell<Vec<Numbers>> = const { RefCell::new(Vec::new()) };
}

/// The numbers of an invocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    numbers: BTreeMap<&'static str, u64>,
    reasons: String,
}

impl Numbers {
    /// # Panics
    /// If the line has no such number: alarms would miss it.
    pub(super) fn get(&self, name: &str) -> u64 {
        *self.numbers.get(name).unwrap_or_else(|| panic!("the summary has no {name}: {self:?}"))
    }

    /// How many steps have this reason.
    pub(super) fn of_reason(&self, reason: &str) -> u64 {
        let mut entries = self.reasons.split(", ").filter_map(|entry| entry.split_once(' '));
        entries.find(|(_, it)| *it == reason).map_or(0, |(count, _)| count.parse().unwrap_or(0))
    }
}

/// Listens to what is logged on this thread from now on.
///
/// The ear is the whole process's. tracing asks once whether anybody wants an event, and with a single subscriber only
/// that of the thread which asks: with one on this thread alone, another thread that logs a summary first would have it
/// never told again.
///
/// # Panics
/// If something else listens already.
pub(super) fn listen() {
    static EAR: Once = Once::new();
    EAR.call_once(|| {
        tracing::subscriber::set_global_default(Ear).expect("nothing else listens in this process");
        // For events that were asked about between the ear's birth and its becoming the process's.
        tracing::callsite::rebuild_interest_cache();
    });
    LINES.take();
}

/// The numbers of the invocations that ended since they were taken last.
pub(super) fn take() -> Vec<Numbers> {
    LINES.take()
}

/// The numbers of the invocation that ended last.
pub(super) fn last() -> anyhow::Result<Numbers> {
    take().pop().context("no invocation has logged its summary")
}

/// Hears nothing but summaries.
struct Ear;

impl Ear {
    fn is_summary(metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.fields().field("summary").is_some()
    }
}

impl Subscriber for Ear {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::is_summary(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Self::is_summary(metadata)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut numbers = Numbers::default();
        event.record(&mut numbers);
        LINES.with_borrow_mut(|lines| lines.push(numbers));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Numbers {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.insert(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.numbers.insert(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reasons" {
            value.clone_into(&mut self.reasons);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_heard_though_another_thread_logged_the_first_of_its_kind() {
        fn log() {
            tracing::info!(summary = true, mirrored = 1_u64);
        }
        listen();
        std::thread::spawn(log).join().expect("it only logs");
        log();
        assert_eq!(last().expect("its own line").get("mirrored"), 1);
        assert!(take().is_empty());
    }
}
