//! The SQS queue between EventBridge and a function, with redelivery and dead letters.
//!
//! Time is counted in rounds: what fails in one round, or was delayed by a fault, is visible again
//! in a later one. No test waits for a visibility time-out.

use std::collections::BTreeSet;

use serde_json::Value;

pub use faults::EventFaults;
pub use message::{Batch, Message};
pub use poller::{Delivered, Delivery, deliver, drain};

use crate::lambda::{Answer, InvokeError};
use batch_result::BatchResult;
use faults::EventPath;

mod batch_result;
mod faults;
mod message;
mod poller;

/// The queue, its event source mapping (`ReportBatchItemFailures`) and its dead-letter queue.
#[derive(Debug)]
pub struct Queue {
    messages: Vec<Message>,
    dead_letters: Vec<Message>,
    max_receive_count: u32,
    path: EventPath,
    round: u64,
    pushed: u64,
    dropped: usize,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new(EventFaults::default())
    }
}

impl Queue {
    #[must_use]
    pub fn new(faults: EventFaults) -> Queue {
        Queue {
            messages: Vec::new(),
            dead_letters: Vec::new(),
            max_receive_count: 11,
            path: EventPath::new(faults),
            round: 0,
            pushed: 0,
            dropped: 0,
        }
    }

    /// How often a message is tried before it is a dead letter.
    #[must_use]
    pub fn with_max_receive_count(self, max_receive_count: u32) -> Queue {
        Queue { max_receive_count, ..self }
    }

    pub fn push_event(&mut self, event: &Value) {
        self.push_raw(&event.to_string());
    }

    /// Pushes a body that need not be an event, nor JSON.
    pub fn push_raw(&mut self, body: &str) {
        let copies = self.path.copies();
        self.dropped += usize::from(copies.is_empty());
        for delay in copies {
            let message = Message {
                id: format!("00000000-0000-4000-9000-{:012x}", self.pushed),
                body: body.to_owned(),
                receive_count: 0,
                sent_in: self.round,
                first_received_in: 0,
                visible_from: self.round + delay,
            };
            self.pushed += 1;
            let place = self.path.place(self.messages.len());
            self.messages.insert(place, message);
        }
    }

    /// Takes up to `max` of the messages visible now, oldest first; none is an empty batch.
    pub fn take_batch(&mut self, max: usize) -> Batch {
        let round = self.round;
        let mut left = max;
        let messages = self
            .messages
            .extract_if(.., |message| {
                let taken = left > 0 && message.visible_from <= round;
                left -= usize::from(taken);
                taken
            })
            .map(|mut message| {
                if message.receive_count == 0 {
                    message.first_received_in = round;
                }
                message.receive_count += 1;
                message
            })
            .collect();
        Batch { messages }
    }

    /// Deletes what the function has done. The rest is retried in the next round, or moves to the dead
    /// letters when it was received often enough.
    pub fn settle(&mut self, batch: Batch, outcome: Result<&Answer, &InvokeError>) {
        let ids: BTreeSet<&str> =
            batch.messages.iter().map(|message| message.id.as_str()).collect();
        let result = BatchResult::of(outcome, &ids);
        for mut message in batch.messages {
            if !result.returns(&message.id) {
                continue;
            }
            if message.receive_count >= self.max_receive_count {
                self.dead_letters.push(message);
            } else {
                message.visible_from = self.round + 1;
                self.messages.push(message);
            }
        }
    }

    pub fn next_round(&mut self) {
        self.round += 1;
    }

    /// The messages that wait, visible or not. Those in a batch do not count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The messages that wait, visible or not.
    #[must_use]
    pub fn waiting(&self) -> &[Message] {
        &self.messages
    }

    #[must_use]
    pub fn dead_letters(&self) -> &[Message] {
        &self.dead_letters
    }

    /// How many events a fault has dropped: a test of lost events can show that some were lost.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_listed_messages_come_again_in_the_next_round() {
        let mut queue = queue_of(3);
        let batch = queue.take_batch(10);
        let failed = batch.messages[1].id.clone();
        let answer = json!({"batchItemFailures": [{"itemIdentifier": failed}]});
        queue.settle(batch, Ok(&Answer::Response(answer)));

        assert!(queue.take_batch(10).is_empty(), "not in this round");
        queue.next_round();
        let batch = queue.take_batch(10);
        assert_eq!(bodies(&batch), ["1"]);
        assert_eq!(batch.messages[0].receive_count, 2);
        let attributes = &batch.event()["Records"][0]["attributes"];
        assert_eq!(attributes["SentTimestamp"], attributes["ApproximateFirstReceiveTimestamp"]);
    }

    #[test]
    fn each_copy_of_a_duplicated_event_is_a_message_of_its_own() {
        let faults = EventFaults { duplicate_per_mille: 1000, ..EventFaults::default() };
        let mut queue = Queue::new(faults);
        queue.push_event(&json!({"id": "e-1"}));
        let batch = queue.take_batch(10);
        assert_eq!(bodies(&batch), [r#"{"id":"e-1"}"#, r#"{"id":"e-1"}"#]);
        assert_ne!(batch.messages[0].id, batch.messages[1].id);
    }

    fn queue_of(messages: usize) -> Queue {
        let mut queue = Queue::default();
        for number in 0..messages {
            queue.push_raw(&number.to_string());
        }
        queue
    }

    fn bodies(batch: &Batch) -> Vec<&str> {
        batch.messages.iter().map(|message| message.body.as_str()).collect()
    }
}
