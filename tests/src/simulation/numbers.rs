//! The numbers that each invocation of automirror logs, from which alarms are made.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::Context;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, Interest};
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
pub(super) fn listen() -> DefaultGuard {
    LINES.take();
    tracing::subscriber::set_default(Ear)
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
