//! Random runs: people, events and EC2 act at random on the functions' own code, within this process and in
//! no real time. Whatever happened, once the faults are over and a sweep has run, all is as it should be.
//!
//! The seed decides everything, so a failing run can be repeated: `make simulate SEED=…`.

mod check;
pub(crate) mod clock;
mod compliance;
mod ending;
mod expect;
mod faults;
mod fleet;
mod guard;
/// Many instances at once, at EC2's rate.
pub mod heal;
mod installation;
mod keeper;
mod lasting;
mod mail;
mod numbers;
mod operator;
mod overlap;
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

use fastrand::Rng;
use tokio::runtime::{self, Runtime};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::aws::sqs::EventFaults;
use crate::cloud::Cloud;
use crate::cloud::call::{Call, Outcome};
use faults::Flaws;
use guard::Guard;
use installation::Installation;
use site::Site;

/// How often a person or a fault acts in a run.
const TURNS: usize = 60;

/// The longest time between two of them: shorter than most calls take, and longer than some.
const PAUSE: u64 = 400;

/// Longer than EC2 remembers a client token, and than a function's cache lasts.
const CALM: Duration = Duration::from_mins(2);

/// So many of the calls of a failed run are shown, the last ones.
const LAST_CALLS: usize = 60;

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
            Some(error) => {
                for call in self.calls.iter().skip(self.calls.len().saturating_sub(LAST_CALLS)) {
                    let (caller, key) = (&call.caller.principal, &call.caller.access_key);
                    writeln!(f, "{caller} {key} {}: {:?}", call.action, call.outcome)?;
                }
                write!(f, "seed {}: {error:#}", self.seed)
            }
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
    numbers::listen();
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
    own: Installation,
    /// Another installation with the same owner, in some runs.
    other: Option<Installation>,
    guard: Guard,
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
    let second = site.make_second(&mut rng, cloud);
    let other = second.map(|site| {
        story.push(format!("beside another installation: {:?}", site.settings));
        Installation::new(cloud, site, events.clone(), rng.fork())
    });
    let own = Installation::new(cloud, site, events, rng.fork());
    let (guard, flaws) = (Guard::default(), Flaws::default());
    let mut play = Play { cloud, story, rng, own, other, guard, flaws };
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

    /// The installations that there are.
    fn installations(&mut self) -> impl Iterator<Item = &mut Installation> {
        std::iter::once(&mut self.own).chain(&mut self.other)
    }

    async fn turn(&mut self) -> anyhow::Result<()> {
        sleep(Duration::from_millis(self.rng.u64(0..=PAUSE))).await;
        self.check()?;
        let said = self.act();
        self.say(&said);
        self.remember();
        let events = self.cloud.world().take_events();
        let mut rng = self.rng.fork();
        for installation in self.installations() {
            installation.fleet.receive(&events);
            installation.fleet.work(&mut rng).await?;
        }
        if self.rng.u8(0..30) == 0 {
            let said = self.ask_a_rule(self.flaws).await?;
            self.say(&said);
        }
        Ok(())
    }

    /// Has the config-rule of an installation say something amid faults.
    async fn ask_a_rule(&mut self, flaws: Flaws) -> anyhow::Result<String> {
        let Self { rng, cloud, own, other, .. } = self;
        let asked = other.as_ref().filter(|_| rng.bool()).unwrap_or(own);
        truth::is_told(rng, cloud, &asked.site, flaws).await
    }

    /// Checks what the functions, which alone acted since, have done.
    fn check(&mut self) -> anyhow::Result<()> {
        self.check_since(|installation| installation.fleet.busy_since())
    }

    /// The same, where it is known otherwise when the oldest of their work began.
    fn check_since(
        &mut self,
        busy_since: impl Fn(&Installation) -> Option<u128>,
    ) -> anyhow::Result<()> {
        let sites: Vec<&Site> =
            std::iter::once(&self.own).chain(&self.other).map(|it| &it.site).collect();
        self.guard.check(self.cloud, &sites)?;
        let cloud = self.cloud;
        for installation in self.installations() {
            let since = busy_since(installation);
            let Installation { keeper, site, .. } = installation;
            keeper.check(&cloud.world(), site, since, clock::milliseconds())?;
        }
        Ok(())
    }

    fn remember(&mut self) {
        let world = self.cloud.world();
        let sites: Vec<&Site> =
            std::iter::once(&self.own).chain(&self.other).map(|it| &it.site).collect();
        self.guard.remember(&world, &sites);
        let now = clock::milliseconds();
        for Installation { keeper, site, .. } in
            std::iter::once(&mut self.own).chain(&mut self.other)
        {
            keeper.remember(&world, site, now);
        }
    }

    fn act(&mut self) -> String {
        let now = clock::milliseconds();
        let Self { cloud, rng, own, other, .. } = self;
        let Installation { site, fleet, keeper } = own;
        match rng.u8(0..32) {
            0 | 29 => {
                let (said, flaws) = faults::change(rng, cloud);
                for installation in self.installations() {
                    installation.keeper.freeze(now, flaws.is_stale);
                }
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
                keeper.deploy(now);
                said
            }
            9..=13 => operator::act(rng, &mut cloud.world(), site),
            30 => fleet.receive_unreadable(rng),
            31 => match other {
                Some(other) if rng.bool() => format!("other: {}", other.fleet.ask_for_sweep()),
                Some(other) => format!("other: {}", other.fleet.kill_one(rng)),
                None => fleet.receive_unreadable(rng),
            },
            _ => people::act(rng, &mut cloud.world(), site),
        }
    }
}
