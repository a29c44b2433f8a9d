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
/// Many instances at once, at EC2's rate.
pub mod heal;
mod keeper;
mod operator;
mod people;
pub(crate) mod process;
/// config-rule's schedule, in simulated time.
pub mod rule;
/// Many instances at once, at EC2's rate.
pub mod rush;
mod site;
mod targets;
mod truth;

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
use faults::Flaws;
use fleet::Fleet;
use guard::Guard;
use keeper::Keeper;
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

/// A run while it is played.
struct Play<'a> {
    cloud: &'a Arc<Cloud>,
    story: &'a mut Vec<String>,
    rng: Rng,
    site: Site,
    fleet: Fleet,
    guard: Guard,
    keeper: Keeper,
    flaws: Flaws,
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
    let fleet = Fleet::new(cloud, &site, events, rng.fork());
    let (guard, keeper) = (Guard::default(), Keeper::default());
    let mut play = Play { cloud, story, rng, site, fleet, guard, keeper, flaws: Flaws::default() };
    for _ in 0..TURNS {
        play.turn().await?;
    }
    play.come_to_rest().await?;
    play.end().await
}

impl Play<'_> {
    fn say(&mut self, said: &str) {
        self.story.push(format!("{:>6} ms  {said}", clock::milliseconds()));
    }

    async fn turn(&mut self) -> anyhow::Result<()> {
        sleep(Duration::from_millis(self.rng.u64(0..=PAUSE))).await;
        self.check(self.fleet.busy_since())?;
        let said = self.act();
        self.say(&said);
        self.remember();
        self.fleet.work(&mut self.rng).await;
        if self.rng.u8(0..30) == 0 {
            let said = truth::is_told(&mut self.rng, self.cloud, &self.site, self.flaws).await?;
            self.say(&said);
        }
        Ok(())
    }

    /// Checks what the functions, which alone acted since, have done.
    fn check(&mut self, busy_since: Option<u128>) -> anyhow::Result<()> {
        let world = self.cloud.world();
        self.guard.check(&world)?;
        self.keeper.check(&world, &self.site, busy_since)
    }

    fn remember(&mut self) {
        let world = self.cloud.world();
        self.guard.remember(&world);
        self.keeper.remember(&world, &self.site, clock::milliseconds());
    }

    fn act(&mut self) -> String {
        let Self { cloud, rng, site, fleet, .. } = self;
        match rng.u8(0..30) {
            0 | 29 => {
                let (said, flaws) = faults::change(rng, cloud);
                self.keeper.freeze(clock::milliseconds(), flaws.is_stale);
                self.flaws = flaws;
                said
            }
            1 => fleet.ask_for_sweep(),
            2 => fleet.kill_one(rng),
            3..=7 => {
                cloud.world().tick();
                "time goes on for instances".to_owned()
            }
            8 => {
                let said = operator::deploy(rng, cloud, site, fleet);
                self.keeper.deploy(clock::milliseconds());
                said
            }
            9..=13 => operator::act(rng, &mut cloud.world(), site),
            _ => people::act(rng, &mut cloud.world(), site),
        }
    }

    /// Ends the faults and mistakes, lets running work finish, and loses the messages that wait.
    async fn come_to_rest(&mut self) -> anyhow::Result<()> {
        let busy_since = self.fleet.busy_since();
        self.check(busy_since)?;
        self.cloud.faults().clear();
        for _ in 0..3 {
            self.cloud.world().tick();
        }
        let now = clock::milliseconds();
        self.keeper.freeze(now, false);
        self.remember();
        self.fleet.finish().await;
        self.fleet.lose_messages();
        self.check(busy_since)?;
        check_mistyped(&self.cloud.calls(), &self.fleet)?;
        if self.site.correct(self.cloud) {
            self.fleet.deploy(&self.site);
            self.keeper.deploy(now);
        }
        Ok(())
    }

    /// What must be so when the faults are over and a sweep has run.
    async fn end(&mut self) -> anyhow::Result<()> {
        let cloud = self.cloud;
        // So that AWS Config holds verdicts that are out of date after the sweep.
        compliance::evaluate(cloud, &self.site).await.context("config-rule before the sweep")?;
        sleep(CALM).await;
        self.say("the faults are over");
        let before: Vec<_> = cloud.world().sessions().cloned().collect();
        let changed = sweep(cloud, &mut self.fleet).await?;
        self.say(&format!("swept: {changed} changes"));
        self.guard.check(&cloud.world())?;
        check::converged(&before, &cloud.world(), &self.site).context("after a sweep")?;
        compliance::agrees(cloud, &self.site).await.context("config-rule")?;
        let changed = sweep(cloud, &mut self.fleet).await?;
        ensure!(changed == 0, "a second sweep tried {changed} changes");
        self.tell_amid_faults().await?;
        if self.rng.u8(0..8) == 0 {
            self.end_with_mistake().await.context("after a mistake in the settings")?;
        }
        Ok(())
    }

    /// Verdicts that are old enough to be taken back stay while answers lack what there is.
    async fn tell_amid_faults(&mut self) -> anyhow::Result<()> {
        sleep(CALM + CALM).await;
        let (said, flaws) = faults::change(&mut self.rng, self.cloud);
        self.say(&said);
        let said = truth::is_told(&mut self.rng, self.cloud, &self.site, flaws).await?;
        self.say(&said);
        self.cloud.faults().clear();
        Ok(())
    }

    /// Settings that name nothing that exists change nothing, and are told of.
    async fn end_with_mistake(&mut self) -> anyhow::Result<()> {
        let selected = compliance::selected(&self.cloud.world(), &self.site);
        let said = operator::mistype(&mut self.rng, self.cloud, &mut self.site);
        self.say(&said);
        if self.site.mistake != Some(site::Mistake::Everything) {
            return Ok(());
        }
        self.fleet.deploy(&self.site);
        let changed = sweep(self.cloud, &mut self.fleet).await?;
        ensure!(changed == 0, "a sweep tried {changed} changes");
        compliance::accuses_all(self.cloud, &self.site, &selected).await
    }
}

/// With settings that name nothing that exists, nothing was even tried.
fn check_mistyped(calls: &[Call], fleet: &Fleet) -> anyhow::Result<()> {
    let keys: Vec<_> = fleet.mistyped().iter().map(|number| process::access_key(*number)).collect();
    let mut tried = calls.iter().filter(|call| keys.contains(&call.caller.access_key));
    let change = tried.find(|call| !call.action.starts_with("Describe"));
    ensure!(change.is_none(), "with settings that name nothing that exists: {change:?}");
    Ok(())
}

/// A sweep as the schedule starts it, in new execution environments. Returns how many changes it tried.
async fn sweep(cloud: &Cloud, fleet: &mut Fleet) -> anyhow::Result<usize> {
    let before = cloud.calls().len();
    fleet.sweep().await?;
    let calls = cloud.calls();
    // TODO: the product leads a session to the target behind its own interface, where it knows no other, and
    // EC2 refuses that each time.
    let is_vain = |call: &&Call| {
        call.action == "ModifyTrafficMirrorSession"
            && call.outcome == Outcome::Refused("InvalidParameterValue".to_owned())
    };
    let changes = calls.iter().skip(before).filter(|call| !call.action.starts_with("Describe"));
    Ok(changes.filter(|call| !is_vain(call)).count())
}
