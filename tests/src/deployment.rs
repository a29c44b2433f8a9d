//! automirror as it is deployed: the cloud's events go through the queue to the real binary, which
//! calls the cloud. Optionally with the Config rule, whose verdicts come back as events.

pub(crate) mod role;
mod rule;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

pub use rule::{Attempt, ConfigRule};

use crate::{
    aws::iam::Role,
    aws::sqs::{Delivery, Queue, deliver},
    cloud::{Cloud, Options},
    lambda::binary::binary,
    lambda::{Function, FunctionOptions, Invocation},
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
    /// Concurrent execution environments of the one function.
    pub workers: Vec<Function>,
    /// The role of the first worker, which Lambda polls the queue with.
    pub role: Option<Role>,
    /// Whether the account has a trail: without one EventBridge gets no API calls.
    pub trail: bool,
    pub rule: Option<ConfigRule>,
}

impl Deployment {
    /// One worker with these settings, and a trail. Its role may do what the template allows it with
    /// these settings, no more.
    pub async fn start(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_in(Cloud::start(&Options::default())?, settings).await
    }

    /// The same in a cloud that there is.
    pub async fn start_in(cloud: Cloud, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let role = role::of("automirror", &cloud, settings)?;
        let worker = start(binary("automirror"), &cloud, settings, Some(&role)).await?;
        Ok(Self {
            cloud,
            queue: Queue::default(),
            workers: vec![worker],
            role: Some(role),
            trail: true,
            rule: None,
        })
    }

    /// Adds the Config rule, with settings for its function and parameters of its own.
    pub async fn add_rule(
        &mut self,
        settings: &[(&str, &str)],
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        self.rule = Some(ConfigRule::start(&self.cloud, settings, parameters).await?);
        Ok(())
    }

    /// A round of the recorder: the rule's function evaluates each item by itself.
    pub async fn evaluate(&mut self) {
        if let Some(rule) = &mut self.rule {
            rule.record(&self.cloud);
            rule.work_off().await;
        }
    }

    /// The schedule of the rule.
    pub async fn schedule_rule(&mut self) -> anyhow::Result<&Attempt> {
        let rule = self.rule.as_mut().context("there is no rule")?;
        Ok(rule.schedule(&self.cloud).await)
    }

    /// Brings the events since the last time to the queue.
    pub fn forward(&mut self) {
        let events = self.cloud.world().take_events();
        for event in events.iter().filter(|event| passes(event, self.trail)) {
            self.queue.push_event(event);
        }
    }

    /// Brings the events to the queue and what is in the queue to the workers, once.
    pub async fn deliver(&mut self) -> Delivery {
        self.forward();
        let workers: Vec<&Function> = self.workers.iter().collect();
        if let Some(role) = &self.role {
            role.poll_queue();
        }
        let delivery = deliver(&mut self.queue, &workers, BATCH).await;
        if let Some(role) = self.role.as_ref().filter(|_| !delivery.batches.is_empty()) {
            role.delete_messages();
        }
        delivery
    }

    /// Evaluates, delivers and lets instances change their state until nothing happens any more.
    pub async fn settle(&mut self) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for _ in 0..ROUNDS {
            self.evaluate().await;
            deliveries.push(self.deliver().await);
            self.cloud.world().tick();
            self.forward();
            let is_judged = self.rule.as_ref().is_none_or(|rule| rule.is_idle(&self.cloud));
            if self.queue.is_empty() && is_judged {
                break;
            }
        }
        deliveries
    }

    /// The scheduled sweep, by the first worker.
    pub async fn sweep(&self) -> anyhow::Result<Invocation> {
        self.invoke(&json!({"sweep": true})).await
    }

    /// Calls the first worker directly.
    pub async fn invoke(&self, payload: &Value) -> anyhow::Result<Invocation> {
        let worker = self.workers.first().context("there is no worker")?;
        Ok(worker.invoke(payload.to_string().as_bytes()).await?)
    }

    /// Adds an execution environment of the function; with another owner it is another installation's.
    pub async fn add_worker(&mut self, settings: &[(&str, &str)]) -> anyhow::Result<()> {
        let role = role::of("automirror", &self.cloud, settings)?;
        let worker = start(binary("automirror"), &self.cloud, settings, Some(&role)).await?;
        self.workers.push(worker);
        Ok(())
    }
}

/// What the EventBridge rules let through, in an account with or without a trail.
pub(crate) fn passes(event: &Value, trail: bool) -> bool {
    match event["detail-type"].as_str() {
        Some("AWS API Call via CloudTrail") => trail,
        Some("Config Rules Compliance Change") => {
            event["detail"]["newEvaluationResult"]["complianceType"] == "NON_COMPLIANT"
        }
        _ => true,
    }
}

/// The real binary, against this cloud, with a role that may do anything.
pub async fn worker(cloud: &Cloud, settings: &[(&str, &str)]) -> anyhow::Result<Function> {
    start(binary("automirror"), cloud, settings, None).await
}

async fn start(
    binary: PathBuf,
    cloud: &Cloud,
    settings: &[(&str, &str)],
    role: Option<&Role>,
) -> anyhow::Result<Function> {
    let options = FunctionOptions { role: role.cloned(), ..options(binary, cloud, settings) };
    Function::start(options).await
}

fn options(binary: PathBuf, cloud: &Cloud, settings: &[(&str, &str)]) -> FunctionOptions {
    let mut options = FunctionOptions::new(binary);
    options.timeout = Duration::from_mins(1);
    options.log = Some(cloud.log_sink());
    options.env = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    for service in ["EC2", "CONFIG_SERVICE", "ELASTIC_LOAD_BALANCING_V2"] {
        options.env.push((format!("AWS_ENDPOINT_URL_{service}"), cloud.endpoint()));
    }
    options
}
