//! CloudWatch Logs: what the functions write, and `FilterLogEvents` with the patterns that are used here.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::aws::ec2::Refusal;

/// Every group and its lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    groups: BTreeMap<String, Vec<LogEvent>>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Milliseconds since 1970.
    pub timestamp: u64,
    pub message: String,
}

/// Events on a page. AWS gives more; so short lists have several pages here.
const PAGE: usize = 50;

impl Logs {
    /// Adds a line to a group, which it creates.
    pub fn put(&mut self, group: &str, timestamp: u64, message: String) {
        let event = LogEvent { timestamp, message };
        self.groups.entry(group.to_owned()).or_default().push(event);
    }

    /// The lines of a group, for tests to change.
    pub fn group_mut(&mut self, group: &str) -> &mut Vec<LogEvent> {
        self.groups.entry(group.to_owned()).or_default()
    }

    /// Does what a request asks for; the answer is JSON.
    pub(crate) fn answer(
        &self,
        action: &str,
        parameters: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        if action != "FilterLogEvents" {
            let message = format!("The operation {action} is not known");
            return Err(Refusal::new("UnknownOperationException", message));
        }
        let text = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or(0_u64);
        let group = self.groups.get(text("logGroupName")).ok_or_else(|| {
            Refusal::new("ResourceNotFoundException", "The specified log group does not exist.")
        })?;
        let terms = terms(text("filterPattern"))?;
        let is_asked = |event: &&LogEvent| {
            let message = serde_json::from_str(&event.message).unwrap_or(Value::Null);
            event.timestamp >= number("startTime") && terms.iter().any(|term| term.holds(&message))
        };
        let first = text("nextToken").parse().unwrap_or(0_usize);
        let mut found = group.iter().filter(is_asked).skip(first);
        let page: Vec<_> = found.by_ref().take(PAGE).map(shown).collect();
        let next = found.next().map(|_| (first + page.len()).to_string());
        Ok(json!({"events": page, "nextToken": next, "searchedLogStreams": []}).to_string())
    }
}

fn shown(event: &LogEvent) -> Value {
    let LogEvent { timestamp, message } = event;
    json!({"timestamp": timestamp, "ingestionTime": timestamp, "message": message, "logStreamName": "one"})
}

/// One of the conditions of a pattern.
#[derive(Debug)]
struct Term {
    /// As a JSON pointer.
    path: String,
    /// What the text there looks like; without one it must be true.
    text: Option<WildMatch>,
}

impl Term {
    fn holds(&self, message: &Value) -> bool {
        match (message.pointer(&self.path), &self.text) {
            (Some(Value::Bool(value)), None) => *value,
            (Some(Value::String(value)), Some(text)) => text.matches(value),
            _ => false,
        }
    }
}

/// Reads `{ ($.a.b IS TRUE) || ($.c = "x*") }`. What else AWS understands is an error here, never "no line".
fn terms(pattern: &str) -> Result<Vec<Term>, Refusal> {
    let invalid = || {
        let message = format!("Invalid filter pattern, or one that is not known here: {pattern}");
        Refusal::new("InvalidParameterException", message)
    };
    let inner = pattern.trim().strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let term = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        let (path, text) = if let Some(path) = inner.strip_suffix(" IS TRUE") {
            (path, None)
        } else {
            let (path, text) = inner.split_once(" = ")?;
            (path, Some(WildMatch::new(text.strip_prefix('"')?.strip_suffix('"')?)))
        };
        let path = path.strip_prefix("$.")?;
        Some(Term { path: format!("/{}", path.replace('.', "/")), text })
    };
    let terms: Option<Vec<Term>> = inner.ok_or_else(invalid)?.split("||").map(term).collect();
    terms.ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(logs: &Logs, pattern: &str, start: &str, token: &str) -> Value {
        let parameters = [
            ("logGroupName", "g"),
            ("filterPattern", pattern),
            ("startTime", start),
            ("nextToken", token),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = logs.answer("FilterLogEvents", &parameters.into()).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn lines_are_found_by_their_fields_and_time_page_by_page() {
        let mut logs = Logs::default();
        for number in 0..120_u64 {
            let is_sweep = number % 2 == 0;
            let message = json!({"fields": {"sweep": is_sweep, "id": format!("i-{number}")}});
            logs.put("g", number, message.to_string());
        }
        logs.put("g", 200, "START RequestId: x".to_owned());
        let count = |answer: &Value| answer["events"].as_array().unwrap().len();
        let sweeps = "{ ($.fields.sweep IS TRUE) }";
        let first = found(&logs, sweeps, "0", "");
        assert_eq!((count(&first), &first["nextToken"]), (50, &json!("50")));
        let second = found(&logs, sweeps, "0", "50");
        assert_eq!((count(&second), &second["nextToken"]), (10, &Value::Null));
        assert_eq!(count(&found(&logs, sweeps, "100", "")), 10);
        let ids = r#"{ ($.fields.id = "i-7") || ($.fields.id = "i-10*") }"#;
        assert_eq!(count(&found(&logs, ids, "0", "")), 12);
    }

    #[test]
    fn a_pattern_that_is_not_known_is_an_error() {
        for pattern in ["", "ERROR", "{ $.a = 1 }", "{ ($.a > 1) }", "{ ($.a = 1) }"] {
            assert_eq!(terms(pattern).unwrap_err().code, "InvalidParameterException", "{pattern}");
        }
    }
}
