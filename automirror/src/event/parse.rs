//! Parses what Lambda hands over.

use std::collections::BTreeSet;

use aws_lambda_events::{eventbridge::EventBridgeEvent, sqs::SqsMessage};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    id::InstanceId, observed::Tag, plan::desired::are_selecting, policy::Policy, text::quote,
};
use shared_ec2::selector::Selector;

use super::{
    cloudtrail::{self, Identity},
    parsed::{Launch, ParsedEvent, Payload, Record, Scope, Shape},
};

/// Parses events for one installation.
pub struct Parser<'a> {
    /// Which tags the decision reads.
    pub policy: &'a Policy,
    /// Whose calls are this function's own.
    pub own: &'a Identity,
}

impl Parser<'_> {
    /// Parses any payload; what makes no sense becomes an unreadable record.
    #[must_use]
    pub fn payload(&self, payload: Value) -> Payload {
        let Some(records) = payload.get("Records") else {
            let record = Record { message: None, receives: 1, event: self.body(payload) };
            return Payload { shape: Shape::Single, records: vec![record] };
        };
        let records = if let Value::Array(records) = records {
            records.iter().map(|record| self.record(record)).collect()
        } else {
            let event = ParsedEvent::unreadable("`Records` is not a list");
            vec![Record { message: None, receives: 1, event }]
        };
        Payload { shape: Shape::Batch, records }
    }

    fn record(&self, record: &Value) -> Record {
        let message = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
        let event = match SqsMessage::deserialize(record) {
            Err(error) => ParsedEvent::unreadable(format!("not an SQS message: {error}")),
            Ok(SqsMessage { body: None, .. }) => {
                ParsedEvent::unreadable("an SQS message without a body")
            }
            Ok(SqsMessage { body: Some(body), .. }) => match serde_json::from_str(&body) {
                Ok(body) => self.body(body),
                Err(error) => ParsedEvent::unreadable(format!("the body is not JSON: {error}")),
            },
        };
        let receives = record.pointer("/attributes/ApproximateReceiveCount");
        let receives = receives.and_then(Value::as_str).and_then(|count| count.parse().ok());
        Record { message, receives: receives.unwrap_or(1), event }
    }

    /// An EventBridge event or a direct call.
    fn body(&self, body: Value) -> ParsedEvent {
        if body.get("detail-type").is_some() {
            return match serde_json::from_value(body) {
                Ok(event) => self.event(&event),
                Err(error) => ParsedEvent::unreadable(format!("not an EventBridge event: {error}")),
            };
        }
        match serde_json::from_value(body) {
            Ok(DirectCall { sweep: true, .. }) => ParsedEvent::reconcile([Selector::Sweep]),
            Ok(DirectCall { instances, .. }) if !instances.is_empty() => {
                let ids: Result<BTreeSet<_>, _> =
                    instances.iter().map(|id| id.parse().map(Selector::Instance)).collect();
                ids.map_or_else(
                    |error| ParsedEvent::unreadable(format!("`instances` takes {error}")),
                    ParsedEvent::reconcile,
                )
            }
            _ => ParsedEvent::unreadable(
                "neither an SQS batch, nor an EventBridge event, nor {\"instances\":[\"i-…\"]}, \
                 nor {\"sweep\":true}",
            ),
        }
    }

    fn event(&self, event: &EventBridgeEvent) -> ParsedEvent {
        let detail = &event.detail;
        match event.detail_type.as_str() {
            "EC2 Instance State-change Notification" => state_change(event),
            "Tag Change on Resource" => self.tag_change(event),
            "AWS API Call via CloudTrail" => cloudtrail::parse(detail, self.own),
            "Config Rules Compliance Change" => compliance_change(detail),
            "Scheduled Event" => ParsedEvent::reconcile([Selector::Sweep]),
            other => ParsedEvent::Ignored(format!(
                "events of type {} are not for automirror",
                quote(other)
            )),
        }
    }

    fn tag_change(&self, event: &EventBridgeEvent) -> ParsedEvent {
        let text = |name| event.detail.get(name).and_then(Value::as_str);
        if text("service") != Some("ec2") || text("resource-type") != Some("instance") {
            return ParsedEvent::Ignored("the tag is not on an instance".to_owned());
        }
        let changed = event.detail.get("changed-tag-keys").and_then(Value::as_array);
        let is_read = |key: &Value| key.as_str().is_none_or(|key| self.policy.reads_tag(key));
        if changed.is_some_and(|keys| !keys.iter().any(is_read)) {
            return ParsedEvent::Ignored("automirror does not read the changed tags".to_owned());
        }
        let arns = event.resources.iter().flatten();
        let ids = arns.filter_map(|arn| arn.rsplit_once(":instance/")?.1.parse().ok());
        let named = if self.are_selecting(event) { Selector::Tagged } else { Selector::Instance };
        let selectors: BTreeSet<_> = ids.map(named).collect();
        if selectors.is_empty() {
            return ParsedEvent::unreadable("`resources` names no instance");
        }
        ParsedEvent::reconcile(selectors)
    }
}

impl Parser<'_> {
    /// Whether the tags that the event shows select the instance. If EC2 shows it without them, that is a
    /// reason to look again.
    fn are_selecting(&self, event: &EventBridgeEvent) -> bool {
        let tags = event.detail.get("tags").and_then(Value::as_object).into_iter().flatten();
        let tags: Vec<_> = tags
            .filter_map(|(key, value)| {
                Some(Tag { key: key.as_str().into(), value: value.as_str()?.into() })
            })
            .collect();
        are_selecting(self.policy, &tags)
    }
}

/// A direct call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectCall {
    #[serde(default)]
    instances: Vec<String>,
    #[serde(default)]
    sweep: bool,
}

fn state_change(event: &EventBridgeEvent) -> ParsedEvent {
    let text = |name| event.detail.get(name).and_then(Value::as_str);
    let Some(Ok(instance)) = text("instance-id").map(str::parse::<InstanceId>) else {
        return ParsedEvent::unreadable("`detail.instance-id` is not an instance id");
    };
    let mut scope = Scope::default();
    match text("state") {
        Some(state @ ("pending" | "running")) => {
            let running = state == "running";
            scope.selectors.insert(Selector::Started(instance.clone()));
            scope.launched = event.time.map(|time| {
                let time = time.timestamp();
                Launch { instance, running, time }
            });
        }
        // Its interfaces have left it: those that were not deleted with it may still have sessions.
        Some("terminated") => {
            scope.selectors.extend([Selector::Instance(instance), Selector::Unattached]);
        }
        _ => {
            scope.selectors.insert(Selector::Instance(instance));
        }
    }
    ParsedEvent::Reconcile(scope)
}

fn compliance_change(detail: &Value) -> ParsedEvent {
    let text = |pointer| detail.pointer(pointer).and_then(Value::as_str);
    if text("/newEvaluationResult/complianceType") != Some("NON_COMPLIANT") {
        return ParsedEvent::Ignored("the new compliance type is not NON_COMPLIANT".to_owned());
    }
    let id = text("/resourceId").unwrap_or_default();
    match text("/resourceType") {
        Some("AWS::EC2::Instance") => id.parse().map_or_else(
            |error| ParsedEvent::unreadable(format!("`detail.resourceId` is not {error}")),
            |id| ParsedEvent::reconcile([Selector::Instance(id)]),
        ),
        Some("AWS::EC2::TrafficMirrorSession") => id.parse().map_or_else(
            |error| ParsedEvent::unreadable(format!("`detail.resourceId` is not {error}")),
            |id| ParsedEvent::reconcile([Selector::Session(id)]),
        ),
        _ => ParsedEvent::Ignored("the resource is neither an instance nor a session".to_owned()),
    }
}
