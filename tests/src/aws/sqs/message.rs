//! A message, and the event with which SQS hands messages to Lambda.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use md5::{Digest, Md5};
use serde_json::{Value, json};

use crate::lambda::REGION;

/// 2026-01-01T00:00:00Z, in milliseconds: round 0. Each round is a second.
const EPOCH: u64 = 1_767_225_600_000;

/// A message as SQS keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    /// An event as JSON, unless it was pushed raw.
    pub body: String,
    pub receive_count: u32,
    pub(super) sent_in: u64,
    pub(super) first_received_in: u64,
    pub(super) visible_from: u64,
}

/// What the poller took for one invocation, and will settle by its outcome.
#[derive(Debug)]
#[must_use = "a batch that is not settled is lost"]
pub struct Batch {
    pub messages: Vec<Message>,
}

impl Batch {
    /// The event with which SQS invokes a function.
    #[must_use]
    pub fn event(&self) -> Value {
        json!({ "Records": self.messages.iter().map(Message::record).collect::<Vec<_>>() })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl Message {
    fn record(&self) -> Value {
        let timestamp = |round: u64| (EPOCH + round * 1000).to_string();
        json!({
            "messageId": self.id,
            // A handle is good for one receipt only, as in SQS.
            "receiptHandle": format!("{}#{}", self.id, self.receive_count),
            "body": self.body,
            "attributes": {
                "ApproximateReceiveCount": self.receive_count.to_string(),
                "SentTimestamp": timestamp(self.sent_in),
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": timestamp(self.first_received_in),
            },
            "messageAttributes": {},
            "md5OfBody": format!("{:032x}", u128::from_be_bytes(Md5::digest(&self.body).into())),
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:111122223333:automirror"),
            "awsRegion": REGION,
        })
    }
}
