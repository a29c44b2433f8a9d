//! What comes to the queue beside the account's own events, and the envelopes that forwarders put around these.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::people::pick;

/// The messages of a queue that are no work, by their bodies.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// They are for somebody else.
    foreign: BTreeSet<String>,
    /// Nobody can read them, or they ask for what must not be asked for through a queue.
    unreadable: BTreeSet<String>,
    made: u64,
}

impl Mail {
    /// An event as it comes to the queue: as it is, or through a topic or a destination.
    pub(super) fn body(rng: &mut Rng, event: &Value) -> String {
        match rng.u8(0..8) {
            0 => notification(&event.to_string()).to_string(),
            1 => json!({
                "version": "1.0", "timestamp": "2026-01-01T00:00:00Z",
                "requestContext": {"condition": "RetriesExhausted"},
                "requestPayload": event,
            })
            .to_string(),
            _ => event.to_string(),
        }
    }

    /// The event as if it came from another account, region or sender.
    pub(super) fn foreign(&mut self, rng: &mut Rng, event: &Value) -> String {
        let elsewhere = [
            ("account", "444455556666"),
            ("region", "eu-west-1"),
            ("source", "my.own.application"),
        ];
        let (field, other) = pick(rng, &elsewhere);
        let mut event = event.clone();
        event[field] = json!(other);
        let body = Self::body(rng, &event);
        self.foreign.insert(body.clone());
        body
    }

    /// A message that cannot be read.
    pub(super) fn unreadable(&mut self, rng: &mut Rng) -> String {
        self.made += 1;
        let made = self.made;
        let sweep = json!({"sweep": true, "number": made}).to_string();
        let body = match rng.u8(0..7) {
            0 => format!("no JSON, number {made}"),
            1 => sweep,
            2 => json!({"remove": true, "number": made}).to_string(),
            // An order in an envelope is none either, and only one envelope is opened.
            3 => notification(&sweep).to_string(),
            4 => notification(&notification(&scheduled(made).to_string()).to_string()).to_string(),
            5 => json!({"number": made}).to_string(),
            _ => json!({
                "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
                "detail": {"instance-id": made, "state": "running"},
            })
            .to_string(),
        };
        self.unreadable.insert(body.clone());
        body
    }

    pub(super) fn is_foreign(&self, body: &str) -> bool {
        self.foreign.contains(body)
    }

    pub(super) fn is_unreadable(&self, body: &str) -> bool {
        self.unreadable.contains(body)
    }

    /// Whether the message is no reason for any call.
    pub(super) fn is_silent(&self, body: &str) -> bool {
        self.is_foreign(body) || self.is_unreadable(body)
    }
}

/// What a topic makes of a message.
fn notification(message: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "11111111-0000-0000-0000-000000000006",
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:ec2", "Message": message,
        "Timestamp": "2026-01-01T00:00:01.000Z",
    })
}

fn scheduled(number: u64) -> Value {
    json!({
        "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}, "number": number,
    })
}
