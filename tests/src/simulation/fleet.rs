//! The function as it is deployed: a queue, and execution environments that work on it at the same time.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use fastrand::Rng;
use serde_json::{Value, json};
use shared::policy::{Policy, run::RunSettings};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::clock;
use super::process::Process;
use super::site::{Mistake, Site};
use crate::aws::sqs::{Batch, EventFaults, Queue};
use crate::cloud::Cloud;
use crate::deployment::passes;
use crate::lambda::{Answer, InvokeError};

/// Concurrent execution environments: two for events, and one that may have a sweep.
const PROCESSES: usize = 3;

/// SQS's visibility timeout: how long it hides a message that a function has received.
const VISIBILITY: Duration = Duration::from_mins(6);

/// How often SQS delivers a message at most.
const RECEIVES: usize = 5;

pub(super) struct Fleet {
    cloud: Arc<Cloud>,
    policy: Policy,
    run_settings: RunSettings,
    /// Whether nothing exists that one of the settings names.
    is_mistyped: bool,
    queue: Queue,
    slots: Vec<Slot>,
    started: u64,
    /// The execution environments that were started with such settings.
    mistyped: BTreeSet<u64>,
    /// Decides which batch goes where. Apart from the random numbers of people, so that a change there
    /// changes nothing here.
    rng: Rng,
}

struct Slot {
    process: Rc<Process>,
    invocations: u64,
    work: Option<(Batch, JoinHandle<Answer>)>,
    /// When that began, in milliseconds of the run.
    begun: u128,
    /// There are newer settings than its own.
    is_outdated: bool,
}

impl Fleet {
    pub(super) fn new(cloud: &Arc<Cloud>, site: &Site, events: EventFaults, rng: Rng) -> Self {
        let (cloud, policy) = (Arc::clone(cloud), site.policy.clone());
        let run_settings = site.run_settings.clone();
        let mut fleet = Self {
            cloud,
            policy,
            run_settings,
            is_mistyped: false,
            queue: Queue::new(events),
            slots: Vec::new(),
            started: 0,
            mistyped: BTreeSet::new(),
            rng,
        };
        fleet.renew();
        fleet
    }

    /// Starts new execution environments, whose caches are empty.
    fn renew(&mut self) {
        self.slots = (0..PROCESSES).map(|_| self.new_slot()).collect();
    }

    fn new_slot(&mut self) -> Slot {
        self.started += 1;
        let process = Rc::new(Process::new(
            &self.cloud,
            &self.policy,
            self.run_settings.clone(),
            self.started,
        ));
        if self.is_mistyped {
            self.mistyped.insert(self.started);
        }
        Slot { process, invocations: 0, work: None, begun: 0, is_outdated: false }
    }

    /// Deploys the site's settings. What runs goes on to its end with the old ones.
    pub(super) fn deploy(&mut self, site: &Site) {
        self.policy.clone_from(&site.policy);
        self.run_settings = site.run_settings.clone();
        self.is_mistyped = site.mistake == Some(Mistake::Everything);
        for slot in &mut self.slots {
            slot.is_outdated = true;
        }
        self.replace_outdated();
    }

    fn replace_outdated(&mut self) {
        for number in 0..self.slots.len() {
            let Slot { work, is_outdated, .. } = &self.slots[number];
            if *is_outdated && work.is_none() {
                self.slots[number] = self.new_slot();
            }
        }
    }

    /// Since when an invocation runs that runs now, in milliseconds of the run.
    pub(super) fn busy_since(&self) -> Option<u128> {
        let busy = self.slots.iter().filter(|slot| slot.work.is_some());
        busy.map(|slot| slot.begun).min()
    }

    /// The execution environments that were started with settings that name nothing that exists.
    pub(super) fn mistyped(&self) -> &BTreeSet<u64> {
        &self.mistyped
    }

    /// The schedule's event, which may be lost like any other.
    pub(super) fn ask_for_sweep(&mut self) -> String {
        self.queue.push_event(&scheduled());
        "a sweep is due".to_owned()
    }

    /// Ends an execution environment, whatever it is doing.
    pub(super) fn kill_one(&mut self, rng: &mut Rng) -> String {
        let number = rng.usize(..self.slots.len());
        let new = self.new_slot();
        let old = std::mem::replace(&mut self.slots[number], new);
        let Some((batch, running)) = old.work else {
            return format!("execution environment {number} ends between two invocations");
        };
        running.abort();
        self.queue.settle(batch, Err(&InvokeError::TimedOut { log: Vec::new() }));
        format!("execution environment {number} ends during an invocation")
    }

    /// Settles the batches of ended invocations, queues new events, and gives batches to idle execution
    /// environments.
    pub(super) async fn work(&mut self, rng: &mut Rng) {
        self.settle_ended().await;
        self.forward();
        for number in 0..self.slots.len() {
            if self.slots[number].work.is_none() && rng.bool() {
                let most = self.rng.usize(1..=10);
                self.begin(number, most);
            }
        }
        self.queue.next_round();
    }

    /// Waits until no invocation runs any more.
    pub(super) async fn finish(&mut self) {
        while self.slots.iter().any(|slot| slot.work.is_some()) {
            sleep(Duration::from_millis(100)).await;
            self.settle_ended().await;
        }
    }

    pub(super) fn lose_messages(&mut self) {
        self.cloud.world().take_events();
        self.queue = Queue::default();
    }

    /// A sweep in a new execution environment, as often as the queue delivers it.
    pub(super) async fn sweep(&mut self) -> anyhow::Result<()> {
        self.lose_messages();
        self.renew();
        self.queue.push_event(&scheduled());
        for _ in 0..RECEIVES {
            self.begin(0, 1);
            self.finish().await;
            if self.queue.is_empty() {
                break;
            }
            self.queue.next_round();
            sleep(VISIBILITY).await;
        }
        let dead = self.queue.dead_letters().len();
        ensure!(dead == 0 && self.queue.is_empty(), "the sweep came back every time");
        Ok(())
    }

    fn begin(&mut self, number: usize, most: usize) {
        let batch = self.queue.take_batch(most);
        if batch.is_empty() {
            return;
        }
        let slot = &mut self.slots[number];
        let (process, event) = (Rc::clone(&slot.process), batch.event());
        let invocation = slot.invocations;
        slot.invocations += 1;
        slot.begun = clock::milliseconds();
        let running = spawn_local(async move { process.invoke(event, invocation).await });
        slot.work = Some((batch, running));
    }

    async fn settle_ended(&mut self) {
        for slot in &mut self.slots {
            let Some((batch, running)) = slot.work.take_if(|(_, running)| running.is_finished())
            else {
                continue;
            };
            match running.await {
                Ok(answer) => self.queue.settle(batch, Ok(&answer)),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.replace_outdated();
    }

    fn forward(&mut self) {
        let events = self.cloud.world().take_events();
        for event in events.iter().filter(|event| passes(event, true)) {
            self.queue.push_event(event);
        }
    }
}

fn scheduled() -> Value {
    json!({
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "detail": {},
    })
}
