//! What a command found out: what to print, and the exit code.

use serde_json::{Value, json};

use crate::{
    arguments::Threshold,
    output::Document,
    problem::Problem,
    read::Outcome,
    view::source::{Coverage, Standing},
    world::Decided,
};

/// What a command found out.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) document: Document,
    pub(crate) findings: Findings,
    /// There is a question that nobody can answer.
    pub(crate) cannot_tell: bool,
    /// What went wrong, and where.
    pub(crate) problems: Vec<(Option<String>, Problem)>,
}

/// What was found that is not as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) unsupported: bool,
    pub(crate) change: bool,
    pub(crate) action_needed: bool,
}

impl Findings {
    pub(crate) fn of(decided: &Decided) -> Self {
        let judged = decided.judged();
        let Coverage { unsupported, action_needed, .. } = Coverage::of(&judged);
        Self {
            unsupported: unsupported > 0,
            change: decided.plan.changes().next().is_some(),
            action_needed: action_needed > 0,
        }
    }

    pub(crate) fn note(&mut self, standing: Standing) {
        match standing {
            Standing::NotSelected | Standing::Mirrored => {}
            Standing::Change => self.change = true,
            Standing::Unsupported => self.unsupported = true,
            Standing::ActionNeeded => self.action_needed = true,
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.unsupported |= other.unsupported;
        self.change |= other.change;
        self.action_needed |= other.action_needed;
    }
}

impl Answer {
    /// Takes the worlds that could be decided on; notes what went wrong with the others.
    pub(crate) fn sort_out(&mut self, outcomes: Vec<Outcome>) -> Vec<Decided> {
        let mut worlds = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(decided) => worlds.push(decided),
                Err((place, problem)) => self.fail(place, problem),
            }
        }
        worlds
    }

    /// Notes what went wrong, for people and machines.
    pub(crate) fn fail(&mut self, place: Option<String>, problem: Problem) {
        let fields = told(place.as_deref(), &problem);
        self.document.record("error", &fields);
        self.document.place(&fields);
        self.problems.push((place, problem));
    }

    /// Notes what went wrong in the only place that there is, beside what is told of that already.
    pub(crate) fn fail_there(&mut self, place: String, problem: Problem) {
        let fields = told(Some(&place), &problem);
        self.document.record("error", &fields);
        if !self.document.add_to_place("error", fields.get("error")) {
            self.document.place(&fields);
        }
        self.problems.push((Some(place), problem));
    }

    /// Notes what could not be found out or done in a place of which the rest is told.
    pub(crate) fn lack(&mut self, place: String, problem: Problem) {
        let (account, region) = place.split_once(' ').unzip();
        let error = json!({"code": problem.kind.code, "detail": problem.detail});
        let fields = json!({"account": account, "region": region, "error": error});
        self.document.record("error", &fields);
        self.problems.push((Some(place), problem));
    }

    /// What went wrong in no one place may concern any of them: then no finding is closed.
    pub(crate) fn close_nothing_unsure(&mut self) {
        if self.problems.iter().any(|(place, _)| place.is_none()) {
            self.document.exported.retain(|finding| !finding.is_fine);
        }
    }

    /// What could not be read is never green.
    pub(crate) fn exit_code(&self, threshold: Threshold) -> u8 {
        let Findings { unsupported, change, action_needed } = self.findings;
        let is_found = match threshold {
            Threshold::Unsupported => unsupported || change || action_needed,
            Threshold::Change => change || action_needed,
            Threshold::ActionNeeded => action_needed,
            Threshold::Never => false,
        };
        if self.cannot_tell || !self.problems.is_empty() {
            1
        } else if is_found {
            2
        } else {
            0
        }
    }
}

/// What went wrong, for machines.
fn told(place: Option<&str>, problem: &Problem) -> Value {
    let kind = problem.kind;
    let (account, region) = place.and_then(|place| place.split_once(' ')).unzip();
    let error = json!({
        "code": kind.code, "message": kind.sentence, "detail": problem.detail,
        "why": kind.why, "mend": kind.mend,
    });
    json!({"account": account, "region": region, "error": error})
}
