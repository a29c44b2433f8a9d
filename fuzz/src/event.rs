//! What automirror gets: the input as a whole is a payload, and each line is the body of a message
//! in a batch.

use automirror::event::{
    cloudtrail::Identity,
    parse::Parser,
    parsed::{ParsedEvent, Payload, Record, Scope, Shape},
};
use serde_json::{Value, json};
use shared::policy::Policy;
use shared_ec2::selector::Selector;

/// The most characters said about an event: 250 and the sign that it was cut.
const LONGEST: usize = 251;

/// Nothing is lost, everything is read in one of three ways, and what is said is fit for the log.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(payload) = serde_json::from_str(text) {
        check_payload(&payload);
    }
    check_batch(&text.lines().collect::<Vec<_>>());
}

fn check_payload(payload: &Value) {
    let parsed = parse(payload);
    assert_eq!(parsed, parse(payload), "parsing twice gives the same");
    match payload.get("Records") {
        None => {
            assert_eq!((parsed.shape, parsed.records.len()), (Shape::Single, 1));
            assert_eq!(parsed.records[0].message, None);
        }
        Some(Value::Array(records)) => {
            assert_eq!((parsed.shape, parsed.records.len()), (Shape::Batch, records.len()));
            for (record, sent) in parsed.records.iter().zip(records) {
                assert_eq!(
                    record.message.as_deref(),
                    sent.get("messageId").and_then(Value::as_str)
                );
            }
        }
        Some(_) => {
            assert_eq!((parsed.shape, parsed.records.len()), (Shape::Batch, 1));
            assert!(matches!(parsed.records[0].event, ParsedEvent::Unreadable(_)));
        }
    }
    for record in &parsed.records {
        check_event(&record.event);
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
        check_event(&parsed);
        match serde_json::from_str::<Value>(body) {
            Err(_) => assert!(matches!(parsed, ParsedEvent::Unreadable(_))),
            Ok(batch) if batch.get("Records").is_some() => {}
            Ok(event) => {
                assert_eq!(parsed, parse(&event).records[0].event, "the same as by itself");
            }
        }
    }
}

fn check_event(event: &ParsedEvent) {
    match event {
        ParsedEvent::Reconcile(Scope { selectors, launched, deleted, new_target: _ }) => {
            assert!(!selectors.is_empty());
            if let Some(launched) = launched {
                assert!(selectors.contains(&Selector::Started(launched.instance.clone())));
            }
            assert!(deleted.is_none() || selectors.contains(&Selector::Sweep));
        }
        ParsedEvent::Ignored(why) | ParsedEvent::Unreadable(why) => crate::assert_fit(why, LONGEST),
    }
}

fn parse(payload: &Value) -> Payload {
    let policy = Policy::parse(|_| None).expect("the defaults are valid");
    let own = Identity { function_name: "automirror".to_owned(), access_key: "ASIAOWN".to_owned() };
    Parser { policy: &policy, own: &own }.payload(payload.clone())
}
