//! From what Lambda hands over to where to look. An event says where, never what to do there.

use std::collections::BTreeSet;

use aws_lambda_events::{eventbridge::EventBridgeEvent, sqs::SqsMessage};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    id::{InstanceId, SessionId},
    policy::Policy,
    reads_tag,
    subject::Subject,
    text::{fit, quoted},
};

use crate::cloudtrail::{self, Identity};

/// One invocation's work.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// How it came.
    pub shape: Shape,
    /// What it consists of.
    pub records: Vec<Record>,
}

/// How the work came, which decides how it is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// An SQS batch: answered with the messages that must come again.
    Batch,
    /// An event or a call by hand: answered with a summary or an error.
    Single,
}

/// One message of a batch, or the only event.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// The SQS message id.
    pub message: Option<String>,
    /// How often SQS has delivered it, this time included.
    pub receives: u32,
    /// What it comes to.
    pub reading: Reading,
}

/// What an event comes to.
#[derive(Debug, PartialEq)]
pub enum Reading {
    /// Somewhere to look.
    Look(Look),
    /// Well formed, and nothing to do with mirroring.
    Ignored(String),
    /// It will never be readable, so it is not worth another try: the sweep sees to what it meant.
    Unreadable(String),
}

/// Where to look.
#[derive(Debug, Default, PartialEq)]
pub struct Look {
    /// What is named.
    pub subjects: BTreeSet<Subject>,
    /// An instance that has just come.
    pub launched: Option<Launched>,
    /// A session that somebody else has deleted.
    pub deleted: Option<SessionId>,
}

/// An instance that was there when an event was sent.
#[derive(Debug, PartialEq)]
pub struct Launched {
    /// That instance.
    pub instance: InstanceId,
    /// It was running, not pending.
    pub running: bool,
    /// Seconds since 1970.
    pub time: i64,
}

impl Reading {
    pub(crate) fn look(subjects: impl IntoIterator<Item = Subject>) -> Self {
        let subjects = subjects.into_iter().collect();
        Self::Look(Look { subjects, ..Look::default() })
    }
}

/// Reads events for one installation.
pub struct Reader<'a> {
    /// Which tags are ours.
    pub policy: &'a Policy,
    /// Whose calls are ours.
    pub us: &'a Identity,
}

impl Reader<'_> {
    /// Reads any payload; what makes no sense becomes an unreadable record.
    #[must_use]
    pub fn request(&self, payload: Value) -> Request {
        let Some(records) = payload.get("Records") else {
            let record = Record { message: None, receives: 1, reading: self.body(payload) };
            return Request { shape: Shape::Single, records: vec![record] };
        };
        let records = if let Value::Array(records) = records {
            records.iter().map(|record| self.record(record)).collect()
        } else {
            let reading = unreadable("`Records` is not a list");
            vec![Record { message: None, receives: 1, reading }]
        };
        Request { shape: Shape::Batch, records }
    }

    fn record(&self, record: &Value) -> Record {
        let message = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
        let reading = match SqsMessage::deserialize(record) {
            Err(error) => unreadable(format!("not an SQS message: {error}")),
            Ok(SqsMessage { body: None, .. }) => unreadable("an SQS message without a body"),
            Ok(SqsMessage { body: Some(body), .. }) => match serde_json::from_str(&body) {
                Ok(body) => self.body(body),
                Err(error) => unreadable(format!("the body is not JSON: {error}")),
            },
        };
        let receives = record.pointer("/attributes/ApproximateReceiveCount");
        let receives = receives.and_then(Value::as_str).and_then(|count| count.parse().ok());
        Record { message, receives: receives.unwrap_or(1), reading }
    }

    /// An EventBridge event or a call by hand.
    fn body(&self, body: Value) -> Reading {
        if body.get("detail-type").is_some() {
            return match serde_json::from_value(body) {
                Ok(event) => self.event(&event),
                Err(error) => unreadable(format!("not an EventBridge event: {error}")),
            };
        }
        match serde_json::from_value(body) {
            Ok(DirectCall { sweep: true, .. }) => Reading::look([Subject::Sweep]),
            Ok(DirectCall { instances, .. }) if !instances.is_empty() => {
                let ids: Result<BTreeSet<_>, _> =
                    instances.iter().map(|id| id.parse().map(Subject::Instance)).collect();
                ids.map_or_else(
                    |error| unreadable(format!("`instances` takes {error}")),
                    Reading::look,
                )
            }
            _ => unreadable(
                "neither an SQS batch, nor an EventBridge event, nor {\"instances\":[\"i-…\"]}, \
                 nor {\"sweep\":true}",
            ),
        }
    }

    fn event(&self, event: &EventBridgeEvent) -> Reading {
        let detail = &event.detail;
        match event.detail_type.as_str() {
            "EC2 Instance State-change Notification" => state_change(event),
            "Tag Change on Resource" => self.tag_change(event),
            "AWS API Call via CloudTrail" => cloudtrail::read(detail, self.us),
            "Config Rules Compliance Change" => compliance_change(detail),
            "Scheduled Event" => Reading::look([Subject::Sweep]),
            other => {
                Reading::Ignored(format!("events of type {} are not for automirror", quoted(other)))
            }
        }
    }

    fn tag_change(&self, event: &EventBridgeEvent) -> Reading {
        let text = |name| event.detail.get(name).and_then(Value::as_str);
        if text("service") != Some("ec2") || text("resource-type") != Some("instance") {
            return Reading::Ignored("the tag is not an instance's".to_owned());
        }
        let changed = event.detail.get("changed-tag-keys").and_then(Value::as_array);
        let ours = |key: &Value| key.as_str().is_none_or(|key| reads_tag(self.policy, key));
        if changed.is_some_and(|keys| !keys.iter().any(ours)) {
            return Reading::Ignored("the changed tags are not ours".to_owned());
        }
        let arns = event.resources.iter().flatten();
        let ids = arns.filter_map(|arn| arn.rsplit_once(":instance/")?.1.parse().ok());
        let subjects: BTreeSet<_> = ids.map(Subject::Instance).collect();
        if subjects.is_empty() {
            return unreadable("`resources` names no instance");
        }
        Reading::look(subjects)
    }
}

/// A call by hand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectCall {
    #[serde(default)]
    instances: Vec<String>,
    #[serde(default)]
    sweep: bool,
}

fn state_change(event: &EventBridgeEvent) -> Reading {
    let text = |name| event.detail.get(name).and_then(Value::as_str);
    let Some(Ok(instance)) = text("instance-id").map(str::parse::<InstanceId>) else {
        return unreadable("`detail.instance-id` is not an instance id");
    };
    let mut look = Look::default();
    match text("state") {
        Some(state @ ("pending" | "running")) => {
            let running = state == "running";
            look.subjects.insert(Subject::Started(instance.clone()));
            look.launched = event.time.map(|time| {
                let time = time.timestamp();
                Launched { instance, running, time }
            });
        }
        // The interfaces have left the instance: those that were kept may still have sessions.
        Some("terminated") => {
            look.subjects.extend([Subject::Instance(instance), Subject::Detached]);
        }
        _ => {
            look.subjects.insert(Subject::Instance(instance));
        }
    }
    Reading::Look(look)
}

fn compliance_change(detail: &Value) -> Reading {
    let text = |pointer| detail.pointer(pointer).and_then(Value::as_str);
    if text("/newEvaluationResult/complianceType") != Some("NON_COMPLIANT") {
        return Reading::Ignored("its verdict is not NON_COMPLIANT".to_owned());
    }
    let id = text("/resourceId").unwrap_or_default();
    match text("/resourceType") {
        Some("AWS::EC2::Instance") => id.parse().map_or_else(
            |error| unreadable(format!("`detail.resourceId` is not {error}")),
            |id| Reading::look([Subject::Instance(id)]),
        ),
        Some("AWS::EC2::TrafficMirrorSession") => id.parse().map_or_else(
            |error| unreadable(format!("`detail.resourceId` is not {error}")),
            |id| Reading::look([Subject::Session(id)]),
        ),
        _ => Reading::Ignored("neither an instance nor a session".to_owned()),
    }
}

/// What is wrong may quote what was sent, so it is made fit for the log.
pub(crate) fn unreadable(why: impl AsRef<str>) -> Reading {
    Reading::Unreadable(fit(why.as_ref(), LONGEST))
}

/// The most characters that are said about an event.
const LONGEST: usize = 250;
