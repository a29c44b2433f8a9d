//! What CloudTrail has recorded of calls that change something, as far as whoever asks may read it.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::{
    Client,
    primitives::DateTime,
    types::{Event, LookupAttribute, LookupAttributeKey},
};
use serde_json::Value;
use shared::id::{InterfaceId, SessionId};

use crate::problem::{AWS_REFUSED, Problem, TOO_MUCH};

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When it was made, in milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Everything that CloudTrail tells of it.
    body: Value,
}

/// The calls that change sessions. CloudTrail does not promise to find them by the ids that they name, so they are
/// looked up by their names, and chosen here.
pub(crate) const MIRROR_CALLS: [&str; 3] =
    ["CreateTrafficMirrorSession", "ModifyTrafficMirrorSession", "DeleteTrafficMirrorSession"];

/// Pages of 50 calls. CloudTrail gives two a second.
const MAX_PAGES: usize = 40;

const ACTION: &str = "cloudtrail:LookupEvents";

/// The calls with this attribute since then, newest first.
pub(crate) async fn calls(
    config: &SdkConfig,
    (key, value): (LookupAttributeKey, &str),
    from: i64,
) -> Result<Vec<Call>, Problem> {
    let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
    let attribute = attribute.map_err(|error| Problem::new(&AWS_REFUSED, error.to_string()))?;
    let request = Client::new(config).lookup_events().lookup_attributes(attribute);
    let mut pages = request.start_time(DateTime::from_millis(from)).into_paginator().send();
    let (mut calls, mut read) = (Vec::new(), 0_usize);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Problem::refused(ACTION, &error))?;
        calls.extend(page.events().iter().filter_map(Call::read));
        read = read.saturating_add(1);
        if read >= MAX_PAGES && page.next_token().is_some() {
            return Err(Problem::new(&TOO_MUCH, format!("{ACTION}: {value}: {MAX_PAGES} pages")));
        }
    }
    Ok(calls)
}

impl Call {
    fn read(event: &Event) -> Option<Self> {
        let body = serde_json::from_str(event.cloud_trail_event()?).ok()?;
        let at = event.event_time()?.to_millis().ok()?;
        let (id, name) = (event.event_id()?.to_owned(), event.event_name()?.to_owned());
        Some(Self { at, id, name, body })
    }

    /// Who made it: a role and its session, a user, or a service.
    pub(crate) fn by(&self) -> &str {
        let field = |path: &str| self.body.pointer(path).and_then(Value::as_str);
        let arn = field("/userIdentity/arn").and_then(|arn| arn.splitn(6, ':').last());
        arn.or_else(|| field("/userIdentity/invokedBy")).unwrap_or("nobody that CloudTrail names")
    }

    /// AWS's code, where AWS refused it.
    pub(crate) fn error(&self) -> Option<&str> {
        self.body.get("errorCode").and_then(Value::as_str)
    }

    /// The ids of mirroring that it names, in its request and in the answer to it, each once.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let mut ids = Vec::new();
        for part in ["requestParameters", "responseElements"] {
            if let Some(part) = self.body.get(part) {
                collect(part, &mut ids);
            }
        }
        ids
    }

    /// The tags that it sets or removes.
    pub(crate) fn tags(&self) -> Vec<(&str, &str)> {
        let items = self.body.pointer("/requestParameters/tagSet/items").and_then(Value::as_array);
        items.into_iter().flatten().filter_map(tag).collect()
    }

    /// Whether it names one of these.
    pub(crate) fn names_one_of(&self, wanted: &BTreeSet<String>) -> bool {
        self.ids().iter().any(|id| wanted.contains(*id))
    }
}

/// Whether the text is the id of an interface or a session.
pub(crate) fn is_source_or_session(text: &str) -> bool {
    text.parse::<InterfaceId>().is_ok() || text.parse::<SessionId>().is_ok()
}

fn tag(item: &Value) -> Option<(&str, &str)> {
    let key = item.get("key")?.as_str()?;
    Some((key, item.get("value").and_then(Value::as_str).unwrap_or_default()))
}

fn collect<'a>(value: &'a Value, ids: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => {
            let is_id = ["eni-", "tms-", "tmt-", "tmf-"].iter().any(|it| text.starts_with(it));
            if is_id && !ids.contains(&text.as_str()) {
                ids.push(text);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, ids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(body: Value) -> Call {
        Call { at: 0, id: "1".to_owned(), name: "CreateTrafficMirrorSession".to_owned(), body }
    }

    #[test]
    fn who_called_is_the_role_with_its_session_the_user_or_the_service() {
        for (identity, by) in [
            (json!({"arn": "arn:aws:sts::1:assumed-role/admin/eve"}), "assumed-role/admin/eve"),
            (json!({"arn": "arn:aws:iam::1:user/alice"}), "user/alice"),
            (json!({"invokedBy": "autoscaling.amazonaws.com"}), "autoscaling.amazonaws.com"),
            (json!({}), "nobody that CloudTrail names"),
        ] {
            assert_eq!(call(json!({"userIdentity": identity})).by(), by);
        }
    }

    #[test]
    fn the_ids_of_a_call_are_those_of_its_request_and_of_the_answer() {
        let call = call(json!({
            "requestParameters": {"CreateTrafficMirrorSessionRequest":
                {"NetworkInterfaceId": "eni-1", "TrafficMirrorTargetId": "tmt-1", "Description": "x"}},
            "responseElements": {"CreateTrafficMirrorSessionResponse":
                {"trafficMirrorSession": {"networkInterfaceId": "eni-1", "trafficMirrorSessionId": "tms-1"}}},
        }));
        assert_eq!(call.ids(), ["eni-1", "tmt-1", "tms-1"]);
        assert!(call.names_one_of(&["tms-1".to_owned()].into()));
        assert!(!call.names_one_of(&["tms-2".to_owned()].into()));
    }
}
