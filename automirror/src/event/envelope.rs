//! What Lambda hands over, taken out of its envelopes: what is to be read, and how the answer must look.
//!
//! Of an SQS message only `messageId`, `body` and the count of receives are needed; whatever else a
//! forwarder puts beside them does no harm.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::parsed::Shape;

/// The most records that SQS hands over at once (Lambda Developer Guide, "Configuring scaling behavior for
/// SQS event source mappings"). Whoever sends more is not SQS.
const MAX_RECORDS: usize = 10_000;

/// A payload as it came. Of a list that is longer than any that SQS sends, the rest is not kept: six
/// megabytes of empty records would otherwise fill the memory.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPayload {
    value: Value,
    is_too_long: bool,
}

/// Something that may be an event.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    /// The SQS message id.
    pub(crate) message: Option<String>,
    /// How often SQS has delivered the message, this time included.
    pub(crate) receives: u32,
    /// What it holds, or why that cannot be told.
    pub(crate) body: Result<Body, &'static str>,
}

/// What is in an envelope.
#[derive(Debug, PartialEq)]
pub(crate) enum Body {
    /// The payload of an invocation, as the caller sent it.
    Bare(Value),
    /// What came through a queue, a topic or a destination: whoever may send there is not asked whether he
    /// may invoke the function, so it can be an event and nothing else.
    Forwarded(Value),
}

/// Takes the payload of an invocation out of its envelopes.
pub(crate) fn open(payload: RawPayload) -> (Shape, Vec<Content>) {
    let RawPayload { value, is_too_long } = payload;
    if is_too_long {
        let error = "more than 10,000 records: SQS never hands over that many";
        return (Shape::Batch, vec![Content::unreadable(error)]);
    }
    match value {
        // EventBridge Pipes hand over the bare list.
        Value::Array(records) if !records.is_empty() => {
            (Shape::Batch, records.iter().map(message).collect())
        }
        Value::Object(mut fields) if fields.contains_key("Records") => {
            records(fields.remove("Records").unwrap_or_default())
        }
        value => (Shape::Single, vec![Content { message: None, receives: 1, body: unwrap(value) }]),
    }
}

fn records(records: Value) -> (Shape, Vec<Content>) {
    let Value::Array(records) = records else {
        return (Shape::Batch, vec![Content::unreadable("`Records` is not a list")]);
    };
    // A topic that calls the function itself.
    let is_topic = records.first().is_some_and(|record| record.get("Sns").is_some());
    if !is_topic {
        return (Shape::Batch, records.iter().map(message).collect());
    }
    let notified = records.into_iter().map(|mut record| {
        let body = inner_text(record.get_mut("Sns").unwrap_or(&mut Value::Null));
        Content { message: None, receives: 1, body }
    });
    (Shape::Single, notified.collect())
}

/// An SQS message.
fn message(record: &Value) -> Content {
    let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
    let receives = record.pointer("/attributes/ApproximateReceiveCount");
    let receives = receives.and_then(|count| match count {
        Value::String(count) => count.parse().ok(),
        count => count.as_u64().and_then(|count| u32::try_from(count).ok()),
    });
    let body = match text("/body").map(serde_json::from_str) {
        None => Err("an SQS message without a body"),
        Some(Err(_)) => Err("the body is not JSON"),
        Some(Ok(body)) => unwrap(body).map(|body| match body {
            Body::Bare(value) | Body::Forwarded(value) => Body::Forwarded(value),
        }),
    };
    let message = text("/messageId").map(str::to_owned);
    Content { message, receives: receives.unwrap_or(1), body }
}

/// Opens one envelope around an event, if there is one.
fn unwrap(mut value: Value) -> Result<Body, &'static str> {
    if value.get("Type").and_then(Value::as_str) == Some("Notification") {
        return inner_text(&mut value);
    }
    match value.get_mut("requestPayload") {
        Some(payload) => Ok(Body::Forwarded(payload.take())),
        None => Ok(Body::Bare(value)),
    }
}

/// The `Message` of an SNS notification.
fn inner_text(notification: &mut Value) -> Result<Body, &'static str> {
    let message = notification.get("Message").and_then(Value::as_str);
    let message = message.ok_or("an SNS notification without a message")?;
    let value = serde_json::from_str(message).map_err(|_| "the SNS message is not JSON")?;
    Ok(Body::Forwarded(value))
}

impl Content {
    fn unreadable(why: &'static str) -> Self {
        Self { message: None, receives: 1, body: Err(why) }
    }
}

impl From<Value> for RawPayload {
    fn from(value: Value) -> Self {
        Self { value, is_too_long: false }
    }
}

impl<'de> Deserialize<'de> for RawPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawPayload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawPayload, E> {
        Ok(Value::from(value).into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawPayload, E> {
        Ok(Value::from(value).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawPayload, E> {
        Ok(Value::from(value).into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<RawPayload, E> {
        Ok(Value::from(value).into())
    }

    fn visit_str<E>(self, value: &str) -> Result<RawPayload, E> {
        Ok(Value::from(value).into())
    }

    fn visit_unit<E>(self) -> Result<RawPayload, E> {
        Ok(Value::Null.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<RawPayload, A::Error> {
        let Records { records, is_too_long } = Records::read(list)?;
        Ok(RawPayload { value: Value::Array(records), is_too_long })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawPayload, A::Error> {
        let (mut map, mut is_too_long) = (Map::new(), false);
        while let Some(name) = fields.next_key::<String>()? {
            if name == "Records" {
                let RawPayload { value, is_too_long: too_long } = fields.next_value()?;
                is_too_long |= too_long;
                map.insert(name, value);
            } else {
                map.insert(name, fields.next_value()?);
            }
        }
        Ok(RawPayload { value: Value::Object(map), is_too_long })
    }
}

/// A list of records, as far as it is kept.
struct Records {
    records: Vec<Value>,
    is_too_long: bool,
}

impl Records {
    fn read<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut records = Vec::new();
        while records.len() < MAX_RECORDS {
            match list.next_element()? {
                Some(record) => records.push(record),
                None => return Ok(Self { records, is_too_long: false }),
            }
        }
        let mut is_too_long = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            is_too_long = true;
        }
        Ok(Self { records, is_too_long })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_is_read_as_any_json_is_and_a_list_without_end_is_not_kept() {
        for value in [
            json!({"a": [1, -2, 3.5, "x", null, true], "Records": [{"b": {}}, 7]}),
            json!(null),
            json!([1, {"Records": []}]),
            json!({"Records": {"Records": [1]}}),
            json!(-7),
            json!("text"),
        ] {
            let read: RawPayload = serde_json::from_str(&value.to_string()).unwrap();
            assert_eq!(read, RawPayload::from(value));
        }
        let list = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        for text in [list(MAX_RECORDS + 1), format!("{{\"Records\":{}}}", list(MAX_RECORDS + 1))] {
            let read: RawPayload = serde_json::from_str(&text).unwrap();
            assert!(read.is_too_long);
            let (shape, contents) = open(read);
            assert_eq!((shape, contents.len()), (Shape::Batch, 1));
        }
        let read: RawPayload = serde_json::from_str(&list(MAX_RECORDS)).unwrap();
        assert!(!read.is_too_long);
    }

    #[test]
    fn one_envelope_is_opened_and_what_was_in_it_was_forwarded() {
        let event = json!({"detail-type": "x"});
        let notification = json!({"Type": "Notification", "Message": event.to_string()});
        let destination = json!({"version": "1.0", "requestPayload": event});
        let sqs = |body: &Value| json!({"messageId": "m-1", "body": body.to_string()});
        for payload in [
            notification.clone(),
            destination.clone(),
            json!({"Records": [sqs(&event)]}),
            json!({"Records": [sqs(&notification)]}),
            json!({"Records": [sqs(&destination)]}),
            json!({"Records": [{"Sns": {"Message": event.to_string()}}]}),
            json!([sqs(&event)]),
        ] {
            let (_, contents) = open(payload.clone().into());
            assert_eq!(contents[0].body, Ok(Body::Forwarded(event.clone())), "{payload}");
        }
        let twice = json!({"Type": "Notification", "Message": notification.to_string()});
        let (_, contents) = open(twice.into());
        assert_eq!(contents[0].body, Ok(Body::Forwarded(notification)));
        let (_, contents) = open(event.clone().into());
        assert_eq!(contents[0].body, Ok(Body::Bare(event)));
    }
}
