//! Random runs: people, events and EC2 act at random on the functions' own code, within this process and in
//! no real time. Whatever happened, once the faults are over and a sweep has run, all is as it should be.
//!
//! The seed decides everything, so a failing run can be repeated: `make simulate SEED=…`.

mod check;
pub(crate) mod clock;
mod compliance;
mod expect;
mod faults;
mod fleet;
mod guard;
mod people;
pub(crate) mod process;
/// Many instances at once, at EC2's rate.
pub mod rush;
mod site;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use tokio::runtime::{self, Runtime};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::aws::sqs::EventFaults;
use crate::cloud::Cloud;
use crate::cloud::call::{Call, Outcome};
use fleet::Fleet;
use guard::Guard;
use site::Site;

/// How often a person or a fault acts in a run.
const TURNS: usize = 60;

/// The longest time between two of them: shorter than most calls take, and longer than some.
const PAUSE: u64 = 400;

/// Longer than EC2 remembers a client token, and than a function's cache lasts.
const CALM: Duration = Duration::from_mins(2);

/// A run, as far as it came.
#[derive(Debug)]
pub struct Run {
    pub seed: u64,
    /// What was done and by whom, with the time.
    pub story: Vec<String>,
    pub calls: Vec<Call>,
    /// Why it is not as it should be.
    pub failure: Option<anyhow::Error>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        match &self.failure {
            None => write!(f, "seed {}: as it should be", self.seed),
            Some(error) => write!(f, "seed {}: {error:#}", self.seed),
        }
    }
}

/// Plays one run.
///
/// # Panics
/// If the runtime cannot be created.
pub fn run(seed: u64) -> Run {
    let runtime = still(seed);
    let cloud = Arc::new(Cloud::in_process(seed));
    let mut story = Vec::new();
    let played = LocalSet::new().block_on(&runtime, play(seed, &cloud, &mut story));
    Run { seed, story, calls: cloud.calls(), failure: played.err() }
}

/// A runtime whose time passes only while no task can work.
fn still(seed: u64) -> Runtime {
    // The SDK's own random numbers: how long it pauses between two attempts.
    fastrand::seed(seed);
    let mut runtime = runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime")
}

/// What came of many runs.
#[derive(Debug, Default)]
pub struct Summary {
    pub runs: usize,
    /// Calls of the functions, and how many of them failed.
    pub calls: usize,
    pub faults: usize,
    /// Sessions that were created, modified and deleted.
    pub changes: usize,
    /// The seeds of runs that did not end as they should, and why.
    pub failed: Vec<(u64, String)>,
}

impl Summary {
    fn add(&mut self, run: &Run) {
        self.runs += 1;
        self.calls += run.calls.len();
        for call in &run.calls {
            self.faults += usize::from(matches!(call.outcome, Outcome::Fault(_)));
            let is_change = call.outcome == Outcome::Done && call.action.ends_with("MirrorSession");
            self.changes += usize::from(is_change);
        }
        if let Some(error) = &run.failure {
            self.failed.push((run.seed, format!("{error:#}")));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, calls, faults, changes, failed } = self;
        write!(f, "{runs} runs, {calls} calls, {faults} of them gone wrong, {changes} changes")?;
        for (seed, error) in failed {
            write!(f, "\nmake simulate SEED={seed} fails: {error}")?;
        }
        Ok(())
    }
}

/// Plays the runs of these seeds, on two threads.
///
/// # Panics
/// If a run panics.
pub fn run_all(seeds: Range<u64>) -> Summary {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let run = run(seed);
                    summary.lock().unwrap_or_else(PoisonError::into_inner).add(&run);
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}

async fn play(seed: u64, cloud: &Arc<Cloud>, story: &mut Vec<String>) -> anyhow::Result<()> {
    clock::start();
    let mut rng = Rng::with_seed(seed);
    let site = Site::make(&mut rng, cloud);
    story.push(format!("{:?}", site.settings));
    let events = EventFaults {
        seed,
        drop_per_mille: 150,
        duplicate_per_mille: 150,
        delay_per_mille: 200,
        reorder: true,
    };
    let mut fleet = Fleet::new(cloud, &site, events, rng.fork());
    let mut guard = Guard::default();
    for _ in 0..TURNS {
        sleep(Duration::from_millis(rng.u64(0..=PAUSE))).await;
        guard.check(&cloud.world())?;
        let said = match rng.u8(0..20) {
            0 => faults::change(&mut rng, cloud),
            1 => fleet.ask_for_sweep(),
            2 => fleet.kill_one(&mut rng),
            3..=6 => {
                cloud.world().tick();
                "time goes on for instances".to_owned()
            }
            _ => people::act(&mut rng, &mut cloud.world(), &site),
        };
        story.push(format!("{:>6} ms  {said}", clock::milliseconds()));
        guard.remember(&cloud.world());
        fleet.work(&mut rng).await;
    }
    come_to_rest(cloud, &mut fleet, &mut guard).await?;
    // So that AWS Config holds verdicts that are out of date after the sweep.
    compliance::evaluate(cloud, &site).await.context("config-rule before the sweep")?;
    sleep(CALM).await;
    story.push(format!("{:>6} ms  the faults are over", clock::milliseconds()));
    let before: Vec<_> = cloud.world().sessions().cloned().collect();
    let changed = sweep(cloud, &mut fleet).await?;
    story.push(format!("{:>6} ms  swept: {changed} changes", clock::milliseconds()));
    guard.check(&cloud.world())?;
    check::converged(&before, &cloud.world(), &site).context("after a sweep")?;
    compliance::agrees(cloud, &site).await.context("config-rule")?;
    let changed = sweep(cloud, &mut fleet).await?;
    ensure!(changed == 0, "a second sweep tried {changed} changes");
    Ok(())
}

/// Ends the faults, lets running work finish, and loses the messages that wait.
async fn come_to_rest(cloud: &Cloud, fleet: &mut Fleet, guard: &mut Guard) -> anyhow::Result<()> {
    cloud.faults().clear();
    for _ in 0..3 {
        cloud.world().tick();
    }
    guard.remember(&cloud.world());
    fleet.finish().await;
    fleet.lose_messages();
    guard.check(&cloud.world())?;
    Ok(())
}

/// A sweep as the schedule starts it, in new execution environments. Returns how many changes it tried.
async fn sweep(cloud: &Cloud, fleet: &mut Fleet) -> anyhow::Result<usize> {
    let before = cloud.calls().len();
    fleet.sweep().await?;
    let calls = cloud.calls();
    Ok(calls.iter().skip(before).filter(|call| !call.action.starts_with("Describe")).count())
}
