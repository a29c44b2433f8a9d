//! What invocations take: time and calls of AWS.

use std::ops::AddAssign;
use std::time::Duration;

use local_cloud::cloud::call::{Call, Outcome};

use crate::label::count;

/// What invocations of a function took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) invocations: usize,
    pub(crate) time: Duration,
    /// Calls of EC2.
    reads: usize,
    pub(crate) writes: usize,
    config_calls: usize,
    pub(crate) refused: usize,
}

/// What it took so far.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) events: usize,
    pub(crate) automirror: Cost,
    pub(crate) rule: Cost,
    /// Events that automirror returned to be retried.
    pub(crate) returned: usize,
}

impl Cost {
    /// Of these invocations, during which these calls were made. While the demo serves, others
    /// call the cloud too.
    pub(crate) fn new(
        function: &str,
        times: impl IntoIterator<Item = Duration>,
        calls: &[Call],
    ) -> Self {
        let mut cost = Self::default();
        for time in times {
            cost.invocations += 1;
            cost.time += time;
        }
        let role = format!("assumed-role/{function}/");
        for call in calls.iter().filter(|call| call.caller.principal.starts_with(&role)) {
            *match call.action.as_str() {
                action if action.starts_with("Describe") => &mut cost.reads,
                action if action.ends_with("TrafficMirrorSession") => &mut cost.writes,
                _ => &mut cost.config_calls,
            } += 1;
            cost.refused += usize::from(call.outcome != Outcome::Done);
        }
        cost
    }

    /// The calls of a function that may write to EC2, or may call AWS Config.
    pub(crate) fn calls(&self) -> String {
        let other = match self.config_calls {
            0 => count(self.writes, "write"),
            calls => count(calls, "Config call"),
        };
        let refused = match self.refused {
            0 => String::new(),
            refused => format!("; {} refused", count(refused, "call")),
        };
        format!("{}, {other}{refused}", count(self.reads, "read"))
    }
}

impl Totals {
    pub(crate) fn text(&self) -> String {
        let Self { events, automirror, rule, .. } = self;
        format!(
            "automirror: {} in {}, {}; config-rule: {}, {}",
            count(*events, "event"),
            count(automirror.invocations, "invocation"),
            automirror.calls(),
            count(rule.invocations, "invocation"),
            rule.calls(),
        )
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.invocations += other.invocations;
        self.time += other.time;
        self.reads += other.reads;
        self.writes += other.writes;
        self.config_calls += other.config_calls;
        self.refused += other.refused;
    }
}
