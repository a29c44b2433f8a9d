//! What waits in the queue.

use serde_json::{Value, json};

use crate::lambda::Answer;

/// A message about the instance or its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Says where it came from.
    pub(super) name: String,
    event: Value,
    /// How often it has been received.
    pub(super) receives: usize,
}

impl Message {
    pub(super) fn new(name: String, event: Value) -> Self {
        Self { name, event, receives: 0 }
    }

    pub(super) fn sweep(name: &str) -> Self {
        let event = json!({"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        Self::new(name.to_owned(), event)
    }

    /// Whether it says the same, under whatever name.
    pub(super) fn says(&self, other: &Self) -> bool {
        self.event == other.event
    }

    /// The session that it says is gone.
    pub(super) fn deleted(&self) -> &str {
        let detail = &self.event["detail"];
        if detail["eventName"] != "DeleteTrafficMirrorSession" {
            return "";
        }
        let request = &detail["requestParameters"]["DeleteTrafficMirrorSessionRequest"];
        request["TrafficMirrorSessionId"].as_str().unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        format!("{}, received {} times, of {:?}", self.name, self.receives, self.deleted())
    }

    /// What SQS hands over.
    pub(super) fn batch(&self) -> Value {
        json!({"Records": [{
            "messageId": self.name,
            "body": self.event.to_string(),
            "attributes": {"ApproximateReceiveCount": self.receives.to_string()},
        }]})
    }

    /// Whether an answer brings it back.
    pub(super) fn is_returned(&self, answer: &Answer) -> bool {
        let Answer::Response(answer) = answer else { return true };
        answer["batchItemFailures"] == json!([{ "itemIdentifier": self.name }])
    }
}
