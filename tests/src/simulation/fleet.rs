//! The function as it is deployed: a queue, and execution environments that work on it at the same time.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use shared::policy::{Policy, run::RunSettings};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::clock;
use super::mail::Mail;
use super::numbers::{self, Numbers};
use super::process::Process;
use super::site::{Mistake, Site, Which};
use crate::aws::sqs::{Batch, EventFaults, Message, Queue};
use crate::cloud::Cloud;
use crate::deployment::passes;
use crate::lambda::{Answer, InvokeError};

/// Concurrent execution environments: two for events, and one that may have a sweep. The second installation has
/// one, and numbers from here on.
const PROCESSES: usize = 3;
const SECOND: u64 = 1_000_000;

/// SQS's visibility timeout: how long it hides a message that a function has received.
const VISIBILITY: Duration = Duration::from_mins(6);

/// How often SQS delivers a message at most.
const RECEIVES: usize = 5;

/// More rounds than any message is delivered.
const MOST_ROUNDS: usize = 20;

pub(super) struct Fleet {
    cloud: Arc<Cloud>,
    which: Which,
    policy: Policy,
    run_settings: RunSettings,
    /// Whether nothing exists that one of the settings names.
    is_mistyped: bool,
    queue: Queue,
    mail: Mail,
    /// The copies of unreadable messages that came to the queue.
    unreadable: usize,
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
    /// If nothing of that is work: how many calls there were before.
    silent_since: Option<usize>,
    /// When that began, in milliseconds of the run.
    begun: u128,
    /// There are newer settings than its own.
    is_outdated: bool,
}

impl Fleet {
    pub(super) fn new(cloud: &Arc<Cloud>, site: &Site, events: EventFaults, rng: Rng) -> Self {
        let (cloud, policy) = (Arc::clone(cloud), site.policy.clone());
        let run_settings = site.run_settings.clone();
        let started = if site.which == Which::Second { SECOND } else { 0 };
        let mut fleet = Self {
            cloud,
            which: site.which,
            policy,
            run_settings,
            is_mistyped: false,
            queue: Queue::new(events),
            mail: Mail::default(),
            unreadable: 0,
            slots: Vec::new(),
            started,
            mistyped: BTreeSet::new(),
            rng,
        };
        fleet.renew();
        fleet
    }

    /// Starts new execution environments, whose caches are empty.
    pub(super) fn renew(&mut self) {
        let count = if self.which == Which::Second { 1 } else { PROCESSES };
        self.slots = (0..count).map(|_| self.new_slot()).collect();
    }

    fn new_slot(&mut self) -> Slot {
        self.started += 1;
        let process = Rc::new(Process::of(
            self.which.function(),
            &self.cloud,
            &self.policy,
            self.run_settings.clone(),
            self.started,
        ));
        if self.is_mistyped {
            self.mistyped.insert(self.started);
        }
        Slot {
            process,
            invocations: 0,
            work: None,
            silent_since: None,
            begun: 0,
            is_outdated: false,
        }
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

    /// A message that nobody can read.
    pub(super) fn receive_unreadable(&mut self, rng: &mut Rng) -> String {
        let body = self.mail.unreadable(rng);
        let before = self.queue.len();
        self.queue.push_raw(&body);
        self.unreadable += self.queue.len() - before;
        format!("the queue gets {body}")
    }

    /// Events of the account, in envelopes and beside foreign ones.
    pub(super) fn receive(&mut self, events: &[Value]) {
        for event in events.iter().filter(|event| passes(event, true)) {
            let body = Mail::body(&mut self.rng, event);
            self.queue.push_raw(&body);
            if self.rng.u8(0..16) == 0 {
                self.receive_foreign(std::slice::from_ref(event));
            }
        }
    }

    /// The same events as if they were somebody else's.
    pub(super) fn receive_foreign(&mut self, events: &[Value]) {
        for event in events {
            let body = self.mail.foreign(&mut self.rng, event);
            self.queue.push_raw(&body);
        }
    }

    /// Whether the unreadable messages are all there yet, and none is a dead letter that is for somebody else.
    /// While no invocation runs.
    pub(super) fn check_mail(&self) -> anyhow::Result<()> {
        let dead = self.queue.dead_letters();
        let all = self.queue.waiting().iter().chain(dead);
        let left = all.filter(|it| self.mail.is_unreadable(&it.body)).count();
        let foreign = dead.iter().find(|it| self.mail.is_foreign(&it.body));
        ensure!(foreign.is_none(), "it came again to the end: {foreign:?}");
        ensure!(
            left == self.unreadable,
            "{left} of {} unreadable messages are left",
            self.unreadable
        );
        Ok(())
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

    /// Settles the batches of ended invocations, and gives batches to idle execution environments.
    pub(super) async fn work(&mut self, rng: &mut Rng) -> anyhow::Result<()> {
        self.settle_ended().await?;
        for number in 0..self.slots.len() {
            if self.slots[number].work.is_none() && rng.bool() {
                let most = self.rng.usize(1..=10);
                self.begin(number, most);
            }
        }
        self.queue.next_round();
        Ok(())
    }

    /// Waits until no invocation runs any more.
    pub(super) async fn finish(&mut self) -> anyhow::Result<()> {
        while self.slots.iter().any(|slot| slot.work.is_some()) {
            sleep(Duration::from_millis(100)).await;
            self.settle_ended().await?;
        }
        Ok(())
    }

    pub(super) fn lose_messages(&mut self) {
        self.cloud.world().take_events();
        self.queue = Queue::default();
        self.unreadable = 0;
    }

    /// A sweep in a new execution environment, as often as the queue delivers it.
    pub(super) async fn sweep(&mut self) -> anyhow::Result<Numbers> {
        self.renew();
        for _ in 0..RECEIVES {
            let Swept { numbers, comes_again } = self.sweep_once().await?;
            if !comes_again {
                return Ok(numbers);
            }
            self.queue.next_round();
            sleep(VISIBILITY).await;
        }
        anyhow::bail!("the sweep came back every time")
    }

    /// One delivery of a sweep, to the first execution environment. A second one is of the same message, if that
    /// came again.
    pub(super) async fn sweep_once(&mut self) -> anyhow::Result<Swept> {
        if self.queue.is_empty() {
            self.queue.push_event(&scheduled());
        }
        self.queue.next_round();
        numbers::take();
        self.begin(0, 1);
        self.finish().await?;
        let numbers = numbers::last().context("a sweep")?;
        ensure!(numbers.get("sweep") == 1 && numbers.get("records") == 1, "no sweep: {numbers:?}");
        let comes_again = !self.queue.is_empty();
        let returned = numbers.get("returned");
        ensure!(returned == u64::from(comes_again), "of {returned} messages that come again");
        Ok(Swept { numbers, comes_again })
    }

    /// A direct call to the first execution environment.
    pub(super) async fn call(&mut self, order: Value) -> Answer {
        let slot = &mut self.slots[0];
        slot.invocations += 1;
        slot.process.invoke(order, slot.invocations - 1).await
    }

    /// Delivers all messages to the first execution environment until none is left, and gives the dead letters.
    pub(super) async fn drain(&mut self) -> anyhow::Result<Vec<Message>> {
        for _ in 0..MOST_ROUNDS {
            if self.queue.is_empty() {
                break;
            }
            self.begin(0, 100);
            self.finish().await?;
            self.queue.next_round();
        }
        ensure!(self.queue.is_empty(), "messages come again for ever: {:?}", self.queue.waiting());
        Ok(self.queue.dead_letters().to_vec())
    }

    fn begin(&mut self, number: usize, most: usize) {
        let batch = self.queue.take_batch(most);
        if batch.is_empty() {
            return;
        }
        let slot = &mut self.slots[number];
        let process = Rc::clone(&slot.process);
        let mut event = batch.event();
        if self.rng.u8(0..8) == 0 {
            // Pipes hand over the bare list.
            event = event["Records"].take();
        }
        let invocation = slot.invocations;
        // A new execution environment warms up.
        let is_silent =
            invocation > 0 && batch.messages.iter().all(|it| self.mail.is_silent(&it.body));
        slot.silent_since = is_silent.then(|| self.cloud.count_calls());
        slot.invocations += 1;
        slot.begun = clock::milliseconds();
        let running = spawn_local(async move { process.invoke(event, invocation).await });
        slot.work = Some((batch, running));
    }

    async fn settle_ended(&mut self) -> anyhow::Result<()> {
        for slot in &mut self.slots {
            let Some((batch, running)) = slot.work.take_if(|(_, running)| running.is_finished())
            else {
                continue;
            };
            if let Some(before) = slot.silent_since.take() {
                let key = slot.process.access_key();
                let mut calls = self.cloud.calls_from(before).into_iter();
                let call = calls.find(|call| call.caller.access_key == key);
                ensure!(call.is_none(), "{call:?} for what is no work: {batch:?}");
            }
            match running.await {
                Ok(answer) => self.queue.settle(batch, Ok(&answer)),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.replace_outdated();
        Ok(())
    }
}

/// What came of one delivery of a sweep.
#[derive(Debug)]
pub(super) struct Swept {
    pub(super) numbers: Numbers,
    /// The queue delivers its message again.
    pub(super) comes_again: bool,
}

fn scheduled() -> Value {
    json!({
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "detail": {},
    })
}
