//! The steps and remarks in automirror's log.

use anstyle::Style;
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

    /// The interface, by the name of its instance.
    pub(crate) fn subject(&self, world: &World) -> String {
        format!("{} {}", label::instance_name(world, &self.instance), label::short(&self.interface))
    }

    /// The message without what the columns before it say.
    pub(crate) fn text(&self) -> String {
        let prefixes =
            ["done: ", &format!("{} ", self.instance), &self.interface, ": ", &self.action];
        let mut text = self.message.as_str();
        for prefix in prefixes {
            text = text.strip_prefix(prefix).unwrap_or(text);
        }
        label::shorten(text.trim_start_matches([':', ' ']))
    }
}
