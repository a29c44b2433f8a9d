//! What automirror gets: the input as a whole is a payload, and each line is the body of a message
//! in a batch.

use automirror::event::{
    cloudtrail::Identity,
    parse::{Home, Parser},
    parsed::{MAX_IDS, Orders, ParsedEvent, Payload, Record, Scope, Shape},
};
use serde_json::{Value, json};
use shared::policy::Policy;
use shared_ec2::selector::Selector;

/// The most characters said about an event: 250 and the sign that it was cut.
const LONGEST: usize = 251;

/// The most records of a batch that are read.
const MAX_READ: usize = 1_000;

/// Nothing is lost, everything is read in one of four ways, what is said is fit for the log, and what came
/// through a queue or in an envelope orders nothing.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(payload) = serde_json::from_str(text) {
        check_payload(&payload);
        check_envelopes(&payload);
    }
    check_batch(&text.lines().collect::<Vec<_>>());
}

fn check_payload(payload: &Value) {
    let parsed = parse(payload);
    assert_eq!(parsed, parse(payload), "parsing twice gives the same");
    let records = match payload {
        Value::Array(records) if !records.is_empty() => Some(records),
        payload => payload.get("Records").and_then(Value::as_array),
    };
    match records {
        Some(records) => {
            assert_eq!(parsed.records.len(), records.len());
            for (record, sent) in parsed.records.iter().zip(records) {
                let id = sent.get("messageId").and_then(Value::as_str);
                assert_eq!(record.message.as_deref(), id.filter(|_| parsed.shape == Shape::Batch));
            }
        }
        None => assert_eq!(parsed.records.len(), 1),
    }
    for record in &parsed.records {
        check_event(&record.event, parsed.shape == Shape::Single && records.is_none());
    }
}

/// In any envelope a payload says the same as by itself, or nothing; and it orders nothing.
fn check_envelopes(payload: &Value) {
    let bare = parse(payload);
    for envelope in [
        json!({"Type": "Notification", "Message": payload.to_string()}),
        json!({"version": "1.0", "requestPayload": payload}),
        json!({"Records": [{"Sns": {"Message": payload.to_string()}}]}),
        json!([{"messageId": "m-1", "body": payload.to_string()}]),
    ] {
        let wrapped = parse(&envelope);
        assert_eq!(wrapped.records.len(), 1);
        let event = &wrapped.records[0].event;
        check_event(event, false);
        if payload.get("detail-type").is_some() && payload.get("Records").is_none() {
            assert_eq!(*event, bare.records[0].event, "the same as by itself");
        }
    }
}

fn check_batch(bodies: &[&str]) {
    let messages = bodies.iter().enumerate().map(|(n, body)| {
        let attributes = json!({"ApproximateReceiveCount": "2"});
        json!({"messageId": format!("m-{n}"), "body": body, "attributes": attributes})
    });
    let Payload { shape, records } = parse(&json!({"Records": messages.collect::<Vec<_>>()}));
    assert_eq!((shape, records.len()), (Shape::Batch, bodies.len()));
    for (n, (record, body)) in records.into_iter().zip(bodies).enumerate() {
        let Record { message, receives, event: parsed } = record;
        assert_eq!((message, receives), (Some(format!("m-{n}")), 2));
        check_event(&parsed, false);
        assert_eq!(parsed == ParsedEvent::Unread, n >= MAX_READ);
        if n < MAX_READ && serde_json::from_str::<Value>(body).is_err() {
            assert!(matches!(parsed, ParsedEvent::Unreadable(_)));
        }
    }
}

fn check_event(event: &ParsedEvent, is_direct: bool) {
    match event {
        ParsedEvent::Reconcile(scope) => {
            let Scope { selectors, launched, deleted, new_target: _, cause, orders } = scope;
            assert!(!selectors.is_empty() || deleted.is_some());
            assert!(selectors.len() <= MAX_IDS);
            crate::assert_fit(cause, LONGEST);
            if let Some(launched) = launched {
                assert!(selectors.contains(&Selector::Started(launched.instance.clone())));
            }
            assert!(is_direct || *orders == Orders::default());
        }
        ParsedEvent::Ignored(why) | ParsedEvent::Unreadable(why) => crate::assert_fit(why, LONGEST),
        ParsedEvent::Unread => {}
    }
}

fn parse(payload: &Value) -> Payload {
    let policy = Policy::parse(|_| None).expect("the defaults are valid");
    let own = Identity { function_name: "automirror".to_owned(), access_key: "ASIAOWN".to_owned() };
    let home = Home::of_arn("arn:aws:lambda:us-east-1:111122223333:function:automirror");
    let home = &home.expect("this is an ARN");
    let text = payload.to_string();
    let payload = serde_json::from_str(&text).expect("this is JSON");
    Parser { policy: &policy, own: &own, home }.payload(payload)
}
