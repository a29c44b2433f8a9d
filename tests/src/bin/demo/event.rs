//! The events that reached the queue, in short.

use local_cloud::aws::config::INSTANCE;
use local_cloud::aws::ec2::World;
use local_cloud::aws::sqs::Message;
use serde_json::Value;

use crate::label;

/// Events of one kind, in short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Events {
    pub(crate) kind: String,
    /// What each of them is about.
    pub(crate) about: Vec<String>,
}

/// The messages of a batch, those of one kind together.
pub(crate) fn events(world: &World, messages: &[Message]) -> Vec<Events> {
    let mut all: Vec<Events> = Vec::new();
    for message in messages {
        let event = serde_json::from_str(&message.body).unwrap_or_default();
        let (kind, about) = event_of(world, &event);
        match all.iter_mut().find(|events| events.kind == kind) {
            Some(events) => events.about.push(about),
            None => all.push(Events { kind, about: vec![about] }),
        }
    }
    all
}

impl Events {
    /// What they are about, the same thing once only.
    pub(crate) fn text(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for about in &self.about {
            match counts.iter_mut().find(|(known, _)| known == about) {
                Some((_, count)) => *count += 1,
                None => counts.push((about, 1)),
            }
        }
        let texts = counts.into_iter().map(|(about, count)| match count {
            1 => about.to_owned(),
            _ => format!("{about} ({count} times)"),
        });
        texts.collect::<Vec<_>>().join(", ")
    }
}

fn event_of(world: &World, event: &Value) -> (String, String) {
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/detail-type") {
        "EC2 Instance State-change Notification" => {
            let instance = label::instance(world, text("/detail/instance-id"));
            (format!("state {}", text("/detail/state")), instance)
        }
        "Tag Change on Resource" => {
            let id = text("/resources/0").rsplit('/').next().unwrap_or_default();
            (format!("tag changed: {}", changed_keys(event)), label::instance(world, id))
        }
        "AWS API Call via CloudTrail" => {
            let by = text("/detail/userIdentity/arn").rsplit('/').next().unwrap_or_default();
            (format!("API call, {by}"), text("/detail/eventName").to_owned())
        }
        "Config Rules Compliance Change" => {
            let id = text("/detail/resourceId");
            let verdict = text("/detail/newEvaluationResult/complianceType");
            let about = match text("/detail/resourceType") {
                INSTANCE => label::instance(world, id),
                _ if verdict == "NON_COMPLIANT" => id.to_owned(),
                _ => "a session".to_owned(),
            };
            (format!("rule {verdict}"), about)
        }
        other => (other.to_owned(), String::new()),
    }
}

fn changed_keys(event: &Value) -> String {
    let keys = event.pointer("/detail/changed-tag-keys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    keys.collect::<Vec<_>>().join(", ")
}
