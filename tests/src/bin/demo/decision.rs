//! The steps and remarks in automirror's log.

use anstyle::Style;
use local_cloud::aws::config::Verdict;
use local_cloud::aws::ec2::World;
use local_cloud::lambda::LogLine;
use serde_json::Value;

use crate::label;
use crate::screen::{GREEN, MAGENTA, RED, YELLOW};

/// What a line of automirror's log says.
pub(crate) enum Said {
    /// A change that was executed, or failed.
    Step(Decision),
    /// An event that asks for nothing.
    Ignored(String),
    /// How often each reason was given, at the end of an invocation.
    Summary(String),
    /// Anything else.
    Other(String),
}

/// What automirror decided about an interface, and why.
pub(crate) struct Decision {
    pub(crate) instance: String,
    pub(crate) interface: String,
    pub(crate) action: String,
    pub(crate) reason: String,
    message: String,
    failed: bool,
}

impl Said {
    pub(crate) fn read(line: &LogLine) -> Self {
        let LogLine::Json(line) = line else { return Self::Other(line.to_string()) };
        let field = |name| line.pointer("/fields")?.get(name)?.as_str().map(str::to_owned);
        let message = field("message").unwrap_or_else(|| line.to_string());
        if let Some(action) = field("action") {
            return Self::Step(Decision {
                instance: field("instance_id").unwrap_or_default(),
                interface: field("source_id").unwrap_or_default(),
                action,
                reason: field("reason").unwrap_or_default(),
                message,
                failed: line.get("level").and_then(Value::as_str) == Some("ERROR"),
            });
        }
        if let Some(reasons) = field("reasons") {
            return Self::Summary(reasons);
        }
        match message.strip_prefix("ignored an event: ") {
            Some(why) => Self::Ignored(why.to_owned()),
            None => Self::Other(message),
        }
    }
}

impl Decision {
    pub(crate) fn paint(&self) -> Style {
        match self.action.as_str() {
            _ if self.failed => RED,
            "create" => GREEN,
            "delete" => MAGENTA,
            _ => YELLOW,
        }
    }

    /// Whether everything stays as it is, at least for now.
    pub(crate) fn changes_nothing(&self) -> bool {
        !self.failed && matches!(self.action.as_str(), "keep" | "ignore")
    }

    /// Whether both say the same, of two interfaces.
    pub(crate) fn says_as(&self, other: &Self) -> bool {
        self.action == other.action && self.failed == other.failed && self.text() == other.text()
    }

    /// Whether it gave the reason for this verdict.
    pub(crate) fn explains(&self, verdict: &Verdict) -> bool {
        let annotation = verdict.annotation.as_deref().unwrap_or_default();
        verdict.key.id == self.instance && annotation.contains(&self.text())
    }

    /// The message without what the columns before it say.
    pub(crate) fn text(&self) -> String {
        let prefixes =
            ["done: ", &format!("{} ", self.instance), &self.interface, ": ", &self.action];
        let mut text = self.message.as_str();
        for prefix in prefixes {
            text = text.strip_prefix(prefix).unwrap_or(text);
        }
        text.trim_start_matches([':', ' ']).to_owned()
    }
}

/// The text without the event that set it off, unless that was somebody's call: what people did is on the screen.
pub(crate) fn without_event(text: &str) -> &str {
    match text.split_once(" (because of: ") {
        Some((decision, cause)) if !cause.contains(" by ") => decision,
        _ => text,
    }
}

/// The interfaces that these decisions are about, with the names of their instances.
pub(crate) fn subjects(world: &World, decisions: &[&Decision]) -> String {
    let texts = decisions
        .iter()
        .map(|it| format!("{} {}", label::instance_name(world, &it.instance), it.interface));
    texts.collect::<Vec<_>>().join(", ")
}
