//! What automirror gets: the input as a whole is a payload, and each line is the body of a message
//! in a batch.

use automirror::{
    cloudtrail::Identity,
    event::{Look, Reader, Reading, Record, Request, Shape},
};
use serde_json::{Value, json};
use shared::{policy::Policy, subject::Subject};

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
    let request = read(payload);
    assert_eq!(request, read(payload), "reading twice gives the same");
    match payload.get("Records") {
        None => {
            assert_eq!((request.shape, request.records.len()), (Shape::Single, 1));
            assert_eq!(request.records[0].message, None);
        }
        Some(Value::Array(records)) => {
            assert_eq!((request.shape, request.records.len()), (Shape::Batch, records.len()));
            for (record, sent) in request.records.iter().zip(records) {
                assert_eq!(
                    record.message.as_deref(),
                    sent.get("messageId").and_then(Value::as_str)
                );
            }
        }
        Some(_) => {
            assert_eq!((request.shape, request.records.len()), (Shape::Batch, 1));
            assert!(matches!(request.records[0].reading, Reading::Unreadable(_)));
        }
    }
    for record in &request.records {
        check_reading(&record.reading);
    }
}

fn check_batch(bodies: &[&str]) {
    let messages = bodies.iter().enumerate().map(|(n, body)| {
        let attributes = json!({"ApproximateReceiveCount": "2"});
        json!({"messageId": format!("m-{n}"), "body": body, "attributes": attributes})
    });
    let Request { shape, records } = read(&json!({"Records": messages.collect::<Vec<_>>()}));
    assert_eq!((shape, records.len()), (Shape::Batch, bodies.len()));
    for (n, (record, body)) in records.into_iter().zip(bodies).enumerate() {
        let Record { message, receives, reading } = record;
        assert_eq!((message, receives), (Some(format!("m-{n}")), 2));
        check_reading(&reading);
        match serde_json::from_str::<Value>(body) {
            Err(_) => assert!(matches!(reading, Reading::Unreadable(_))),
            Ok(batch) if batch.get("Records").is_some() => {}
            Ok(event) => {
                assert_eq!(reading, read(&event).records[0].reading, "the same as by itself");
            }
        }
    }
}

fn check_reading(reading: &Reading) {
    match reading {
        Reading::Look(Look { subjects, launched, deleted }) => {
            assert!(!subjects.is_empty());
            if let Some(launched) = launched {
                assert!(subjects.contains(&Subject::Started(launched.instance.clone())));
            }
            assert!(deleted.is_none() || subjects.contains(&Subject::Sweep));
        }
        Reading::Ignored(why) | Reading::Unreadable(why) => crate::assert_fit(why, LONGEST),
    }
}

fn read(payload: &Value) -> Request {
    let policy = Policy::parse(|_| None).expect("the defaults are valid");
    let us = Identity { function_name: "automirror".to_owned(), access_key: "ASIAOURS".to_owned() };
    Reader { policy: &policy, us: &us }.request(payload.clone())
}
