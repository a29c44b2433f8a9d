//! The deployed function: which version runs, in which mode, and whether it sweeps.

use std::time::Duration;

use serde::Serialize;
use shared::policy::run::Mode;

use crate::{
    function::Deployed,
    log::{Heard, LONGEST, Sweep, Unread, written},
    output::Mark,
    problem::{FILE_LACKS, KINDS, Problem},
    world::Decided,
};

/// The deployed function.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FunctionView<'a> {
    name: &'a str,
    /// The version that started last; none where the log does not say.
    version: Option<&'a str>,
    mode: &'static str,
    /// When code or settings last changed.
    last_modified: Option<&'a str>,
    last_sweep: Option<SweepView>,
    /// Why the log could not be read.
    unread: Option<&'a Unread>,
    #[serde(skip)]
    heard: Option<&'a Heard>,
}

/// The last sweep.
#[derive(Clone, Debug, Serialize)]
struct SweepView {
    at: String,
    /// Whether it has read everything.
    complete: bool,
    /// Whether the next one should have ended before the log was read.
    late: bool,
    #[serde(skip)]
    age: Duration,
}

impl Decided {
    /// The deployed function, where there is one.
    pub(crate) fn function_view(&self) -> Option<FunctionView<'_>> {
        let Deployed { name, last_modified, .. } = self.world.function.as_ref()?;
        let heard = self.world.heard.as_ref();
        let sweep = heard.and_then(|heard| Some((heard, heard.last_sweep?)));
        let last_sweep = sweep.map(|(heard, sweep)| {
            let Sweep { at, complete, .. } = sweep;
            let (late, age) = (heard.is_late(sweep), heard.age(at));
            SweepView { at: written(at), complete, late, age }
        });
        Some(FunctionView {
            name,
            version: heard.and_then(|heard| heard.version.as_deref()),
            mode: match self.parsed.run.mode {
                Mode::Enforce => "enforce",
                Mode::Detect => "detect",
            },
            last_modified: last_modified.as_deref(),
            last_sweep,
            unread: heard.and_then(|heard| heard.unread.as_ref()),
            heard,
        })
    }
}

impl FunctionView<'_> {
    /// What is deployed.
    pub(crate) fn deployed(&self) -> String {
        let Self { name, mode, .. } = self;
        let version = self.version.unwrap_or("that its log does not tell");
        let since = self.last_modified.unwrap_or("at a time that Lambda does not say");
        format!(
            "function {name}: version {version}, mode {mode}, code and settings last changed {since}"
        )
    }

    /// The last sweep, and how good that is.
    pub(crate) fn swept(&self) -> (Mark, String) {
        if let Some(problem) = self.problem() {
            return (Mark::Bad, format!("last sweep: cannot tell: {}", problem.detail));
        }
        let Some(SweepView { complete, late, age, .. }) = self.last_sweep else {
            let text = format!(
                "last sweep: none in its log of {LONGEST} hours: it does not run, or logs no lines of level INFO"
            );
            return (Mark::Bad, text);
        };
        let complete =
            if complete { "complete" } else { "not complete: it has not read everything" };
        let text = format!("last sweep: {}, {complete}", ago(age));
        let mark = if self.is_good() { Mark::Good } else { Mark::Bad };
        (mark, if late { format!("{text}; the next one is late") } else { text })
    }

    /// Whether it sweeps as it should.
    pub(crate) fn is_good(&self) -> bool {
        self.last_sweep.as_ref().is_some_and(|sweep| sweep.complete && !sweep.late)
    }

    /// Why nobody can tell whether it sweeps.
    pub(crate) fn problem(&self) -> Option<Problem> {
        if self.heard.is_none() {
            let detail = "what the function's log said when the file was written";
            return Some(Problem::new(&FILE_LACKS, detail));
        }
        let Unread { code, detail } = self.unread?;
        // A file of another version may have a code that is not known here.
        let kind = KINDS.iter().copied().find(|kind| kind.code == code).unwrap_or(&FILE_LACKS);
        Some(Problem::new(kind, detail))
    }
}

/// How long ago something was, as exactly as it matters.
fn ago(age: Duration) -> String {
    match age.as_secs() / 60 {
        0..5 => "less than 5 minutes ago".to_owned(),
        minutes @ 5..120 => format!("{minutes} minutes ago"),
        minutes => format!("{} hours ago", minutes / 60),
    }
}
