//! Parses what Lambda hands over.

use std::collections::BTreeSet;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::{Map, Value};
use shared::{
    id::{AccountId, InstanceId},
    observed::Tag,
    plan::desired::are_selecting,
    policy::Policy,
    text::quote,
};
use shared_ec2::selector::Selector;

use super::{
    cloudtrail::{self, Identity},
    direct,
    envelope::{Body, Content, RawPayload, open},
    parsed::{Launch, MAX_IDS, ParsedEvent, Payload, Record, Scope, Shape},
};

/// At most this many records of a batch are read; the others come again. The deployed queue hands over
/// 100.
const MAX_READ: usize = 1_000;

/// Parses events for one installation.
pub struct Parser<'a> {
    /// Which tags the decision reads.
    pub policy: &'a Policy,
    /// Whose calls are this function's own.
    pub own: &'a Identity,
    /// Whose events are meant.
    pub home: &'a Home,
}

/// The account and the region that the function looks after: its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// That account.
    pub account: AccountId,
    /// That region, such as `eu-west-1`.
    pub region: String,
}

impl Home {
    /// From the ARN of the function (`arn:aws:lambda:REGION:ACCOUNT:function:NAME`).
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        let region = arn.split(':').nth(3).filter(|region| !region.is_empty())?;
        Some(Self { account: AccountId::of_arn(arn)?, region: region.to_owned() })
    }
}

impl Parser<'_> {
    /// Parses any payload; what makes no sense becomes an unreadable record.
    #[must_use]
    pub fn payload(&self, payload: RawPayload) -> Payload {
        let (shape, contents) = open(payload);
        let contents = contents.into_iter().enumerate();
        let records = contents.map(|(index, content)| {
            let Content { message, receives, body } = content;
            let event = if index < MAX_READ {
                body.map_or_else(ParsedEvent::unreadable, |body| self.body(body, shape))
            } else {
                ParsedEvent::Unread
            };
            Record { message, receives, event }
        });
        Payload { shape, records: records.collect() }
    }

    /// An EventBridge event, or a direct call.
    fn body(&self, body: Body, shape: Shape) -> ParsedEvent {
        match body {
            Body::Bare(value) | Body::Forwarded(value) if value.get("detail-type").is_some() => {
                match event_of(value) {
                    Ok(event) => self.event(&event),
                    Err(error) => {
                        ParsedEvent::unreadable(format!("not an EventBridge event: {error}"))
                    }
                }
            }
            Body::Bare(value) if shape == Shape::Single => direct::parse(&value),
            Body::Bare(_) | Body::Forwarded(_) => ParsedEvent::unreadable(
                "not an EventBridge event (sweep, remove and instances are accepted only where the function \
                 is invoked directly)",
            ),
        }
    }

    fn event(&self, event: &EventBridgeEvent) -> ParsedEvent {
        if let Some(elsewhere) = self.elsewhere(event) {
            return ParsedEvent::ignored(elsewhere);
        }
        let (sources, parsed): (&[&str], _) = match event.detail_type.as_str() {
            "EC2 Instance State-change Notification" => (&["aws.ec2"], state_change(event)),
            "Tag Change on Resource" => (&["aws.tag"], self.tag_change(event)),
            "AWS API Call via CloudTrail" => (&["aws.ec2"], cloudtrail::parse(event, self.own)),
            "Config Rules Compliance Change" => (&["aws.config"], compliance_change(&event.detail)),
            "Scheduled Event" => {
                (&["aws.events", "aws.scheduler"], ParsedEvent::reconcile([Selector::Sweep]))
            }
            other => {
                let why = format!("events of type {} are not for automirror", quote(other));
                return ParsedEvent::ignored(why);
            }
        };
        if !sources.contains(&event.source.as_str()) {
            let (kind, source) = (&event.detail_type, quote(&event.source));
            return ParsedEvent::ignored(format!("{source} does not send events of type {kind}"));
        }
        match parsed {
            ParsedEvent::Reconcile(scope) if scope.selectors.len() > MAX_IDS => {
                ParsedEvent::unreadable(format!("it names more than {MAX_IDS} resources"))
            }
            ParsedEvent::Reconcile(scope) if scope.cause.is_empty() => {
                ParsedEvent::Reconcile(Scope { cause: event.detail_type.clone(), ..scope })
            }
            parsed => parsed,
        }
    }

    /// Why the event is none of this function's: it comes from another account or region, as on a bus that
    /// gathers those of an organisation.
    fn elsewhere(&self, event: &EventBridgeEvent) -> Option<String> {
        let Home { account, region } = self.home;
        if let Some(other) = event.account.as_deref().filter(|it| *it != account.as_str()) {
            return Some(format!("it is about account {}", quote(other)));
        }
        if let Some(other) = event.region.as_deref().filter(|it| it != region) {
            return Some(format!("it is about region {}", quote(other)));
        }
        None
    }

    fn tag_change(&self, event: &EventBridgeEvent) -> ParsedEvent {
        let text = |name| event.detail.get(name).and_then(Value::as_str);
        if text("service") != Some("ec2") || text("resource-type") != Some("instance") {
            return ParsedEvent::ignored("the tag is not on an instance");
        }
        let changed = event.detail.get("changed-tag-keys").and_then(Value::as_array);
        let is_read = |key: &Value| key.as_str().is_none_or(|key| self.policy.reads_tag(key));
        if changed.is_some_and(|keys| !keys.iter().any(is_read)) {
            return ParsedEvent::ignored("automirror does not read the changed tags");
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

/// The event, without what is odd and not needed: a time that is none, an id that is a number.
fn event_of(value: Value) -> Result<EventBridgeEvent, serde_json::Error> {
    let time = value.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok());
    let is_usable = |(name, value): &(String, Value)| match name.as_str() {
        "detail-type" | "source" | "detail" => true,
        "account" | "region" => value.is_string(),
        "resources" => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        _ => false,
    };
    let mut fields = match value {
        Value::Object(fields) => fields.into_iter().filter(is_usable).collect(),
        _ => Map::new(),
    };
    fields.entry("detail").or_insert(Value::Null);
    let mut event: EventBridgeEvent = serde_json::from_value(Value::Object(fields))?;
    event.time = time;
    Ok(event)
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
        return ParsedEvent::ignored("the new compliance type is not NON_COMPLIANT");
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
        _ => ParsedEvent::ignored("the resource is neither an instance nor a session"),
    }
}
