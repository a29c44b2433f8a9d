//! The event source mapping: brings the messages of a queue to functions.

use futures_util::future::join_all;

use super::{Message, Queue};
use crate::lambda::{Function, Invocation, InvokeError, LogLine};

/// What came of one round, batch by batch.
#[derive(Debug)]
pub struct Delivery {
    pub batches: Vec<Delivered>,
}

/// A batch as the function got it, and what came of it.
#[derive(Debug)]
pub struct Delivered {
    pub messages: Vec<Message>,
    pub outcome: Result<Invocation, InvokeError>,
}

impl Delivered {
    #[must_use]
    pub fn log(&self) -> &[LogLine] {
        self.outcome.as_ref().map_or_else(InvokeError::log, |invocation| &invocation.log)
    }
}

/// Delivers all that is visible, once, and moves the queue to its next round.
///
/// The functions stand for the concurrent execution environments of one function: they get the batches in turn
/// and work at the same time. The batches are settled in their own order, so that the queue is the
/// same afterwards, whichever was first.
///
/// # Panics
/// Without functions.
pub async fn deliver(queue: &mut Queue, functions: &[&Function], batch_size: usize) -> Delivery {
    let mut batches = Vec::new();
    loop {
        let batch = queue.take_batch(batch_size);
        if batch.is_empty() {
            break;
        }
        batches.push(batch);
    }
    let outcomes = join_all(batches.iter().enumerate().map(|(number, batch)| {
        let function = functions[number % functions.len()];
        async move { function.invoke(batch.event().to_string().as_bytes()).await }
    }))
    .await;

    let mut delivered = Vec::new();
    for (batch, outcome) in batches.into_iter().zip(outcomes) {
        let messages = batch.messages.clone();
        queue.settle(batch, outcome.as_ref().map(|invocation| &invocation.answer));
        delivered.push(Delivered { messages, outcome });
    }
    queue.next_round();
    Delivery { batches: delivered }
}

/// Delivers round by round until the queue is empty, or `max_rounds` have passed.
pub async fn drain(
    queue: &mut Queue,
    functions: &[&Function],
    batch_size: usize,
    max_rounds: usize,
) -> Vec<Delivery> {
    let mut rounds = Vec::new();
    while !queue.is_empty() && rounds.len() < max_rounds {
        rounds.push(deliver(queue, functions, batch_size).await);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    use crate::lambda::tests::start;

    #[tokio::test]
    async fn a_drain_waits_for_delayed_events_but_not_for_ever() {
        let function = start(&[]).await;
        let faults = crate::aws::sqs::EventFaults { delay_per_mille: 1000, ..Default::default() };
        let mut queue = Queue::new(faults);
        queue.push_event(&json!({}));
        assert_eq!(drain(&mut queue, &[&function], 10, 1).await.len(), 1);
        assert_eq!(queue.len(), 1, "still under way");
        drain(&mut queue, &[&function], 10, 10).await;
        assert!(queue.is_empty());
    }
}
