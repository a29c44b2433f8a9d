//! automirror as it is deployed: the cloud's events go through the queue to the real binary, which
//! calls the cloud.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::{
    binary::binary,
    cloud::{Cloud, Options},
    function::{Function, FunctionOptions, Invocation},
    queue::{Delivery, Queue, deliver},
};

/// What Lambda's event source mapping hands over at once.
pub const BATCH: usize = 100;

/// How many rounds of deliveries and ticks settle anything that settles at all.
const ROUNDS: usize = 30;

/// A cloud with automirror in it.
#[derive(Debug)]
pub struct Deployment {
    pub cloud: Cloud,
    pub queue: Queue,
    /// Concurrent processes of the one function.
    pub workers: Vec<Function>,
    /// Whether the account has a trail: without one EventBridge gets no API calls.
    pub trail: bool,
}

impl Deployment {
    /// One worker with these settings, and a trail.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let cloud = Cloud::start(&Options::default())?;
        let worker = worker(&cloud, settings).await?;
        Ok(Self { cloud, queue: Queue::default(), workers: vec![worker], trail: true })
    }

    /// Brings the events since the last time to the queue.
    pub fn forward(&mut self) {
        let events = self.cloud.world().take_events();
        for event in events {
            let is_call = event["detail-type"] == "AWS API Call via CloudTrail";
            if self.trail || !is_call {
                self.queue.push_event(&event);
            }
        }
    }

    /// Brings the events to the queue and what is in the queue to the workers, once.
    pub async fn deliver(&mut self) -> Delivery {
        self.forward();
        let workers: Vec<&Function> = self.workers.iter().collect();
        deliver(&mut self.queue, &workers, BATCH).await
    }

    /// Delivers and lets instances move on until nothing happens any more.
    pub async fn settle(&mut self) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for _ in 0..ROUNDS {
            deliveries.push(self.deliver().await);
            self.cloud.world().tick();
            self.forward();
            if self.queue.is_empty() {
                break;
            }
        }
        deliveries
    }

    /// The scheduled sweep, by the first worker.
    pub async fn sweep(&self) -> anyhow::Result<Invocation> {
        self.invoke(&json!({"sweep": true})).await
    }

    /// Calls the first worker by hand.
    pub async fn invoke(&self, payload: &Value) -> anyhow::Result<Invocation> {
        let worker = self.workers.first().context("there is no worker")?;
        Ok(worker.invoke(payload.to_string().as_bytes()).await?)
    }

    /// Adds a process of the function.
    pub async fn add_worker(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        self.workers.push(worker(&self.cloud, settings).await?);
        Ok(())
    }
}

/// The real binary, against this cloud.
pub async fn worker(cloud: &Cloud, settings: &[(&str, &str)]) -> anyhow::Result<Function> {
    let mut options = FunctionOptions::new(binary("automirror"));
    options.timeout = Duration::from_mins(1);
    options.env = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    options.env.push(("AWS_ENDPOINT_URL_EC2".to_owned(), cloud.endpoint()));
    Function::start(options).await
}
