//! Failures that last, after all has come to rest: the numbers that the function logs tell of each as long as it
//! lasts, and so does config-rule; and when it is over, all is as it should be again.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::time::sleep;

use super::check::{Found, converged};
use super::expect::Expected;
use super::fleet::Swept;
use super::people::pick;
use super::{Play, compliance, faults, numbers, overlap};
use crate::aws::ec2::{
    Caller, DEFAULT_ACCOUNT, RunInstances, SECOND_VPC, Tags, World, ZONE_A, ZONE_B,
};
use crate::cloud::Cloud;
use crate::cloud::fault::{Fault, Kind};
use crate::lambda::Answer;

const CREATE: &str = "CreateTrafficMirrorSession";

/// How long the function takes access denied for what a new role meets, and more.
const NEW_ROLE: Duration = Duration::from_mins(6);

/// How long a source must be left alone after too many changes, and more.
const CALM: Duration = Duration::from_mins(11);

/// How often the queue delivers a message.
const RECEIVES: u32 = 11;

/// So many deletions are never held back; beyond them half of the sessions are the limit.
const FREE_DELETIONS: usize = 10;

/// Why no session can be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NotPermitted,
    AccountFull,
    Throttled,
    NeverAnswered,
    Denied,
    NumberTaken,
    InterfaceFull,
}

const ALL: [Why; 7] = [
    Why::NotPermitted,
    Why::AccountFull,
    Why::Throttled,
    Why::NeverAnswered,
    Why::Denied,
    Why::NumberTaken,
    Why::InterfaceFull,
];

impl Why {
    fn begin(self, cloud: &Cloud) {
        let kind = match self {
            Self::AccountFull => {
                let mut world = cloud.world();
                let own = world.sessions().filter(|it| it.owner == DEFAULT_ACCOUNT).count();
                world.session_limit = own;
                return;
            }
            Self::NotPermitted => faults::refuse("OperationNotPermitted", "Not permitted", 400),
            Self::Throttled => Kind::Throttle,
            Self::NeverAnswered => Kind::HangBefore,
            Self::Denied => faults::denied(),
            Self::NumberTaken => faults::number_taken(),
            Self::InterfaceFull => faults::interface_full(),
        };
        cloud.faults().add(Fault::new(CREATE, kind));
    }

    /// Whether somebody must do something about it, so that no message is delivered for it again and again.
    fn is_permanent(self) -> bool {
        matches!(self, Self::NotPermitted | Self::AccountFull)
    }

    /// Whether only the next read can explain it, which is tried a few times.
    fn is_disputed(self) -> bool {
        matches!(self, Self::NumberTaken | Self::InterfaceFull)
    }

    fn check(self, swept: &Swept, missing: u64) -> anyhow::Result<()> {
        let name = if self.is_permanent() { "refused" } else { "unfinished" };
        // Somebody else may have waited for the room that the session leaves.
        let full = ["target-full", "targets-full"].map(|it| swept.numbers.of_reason(it));
        let said = swept.numbers.get(name) + full.iter().sum::<u64>();
        ensure!(said >= missing, "{name} of {missing}: {swept:?}");
        let should_come_again = !self.is_permanent() && swept.numbers.get(name) > 0;
        ensure!(
            self.is_disputed() || swept.comes_again == should_come_again,
            "whether it comes again: {swept:?}"
        );
        Ok(())
    }
}

impl Play<'_> {
    /// A stranger deletes the sessions of an interface, and for a while no new ones can be created.
    pub(super) async fn end_with_failure(&mut self) -> anyhow::Result<()> {
        let cloud = self.cloud;
        let Some((instance, interface)) = self.any_mirrored() else { return Ok(()) };
        let why = pick(&mut self.rng, &ALL);
        self.say(&format!("a stranger deletes what mirrors {interface}, then: {why:?}"));
        // The schedule has read the sessions by then, and reads on for a second.
        let pause = Duration::from_millis(self.rng.u64(50..400));
        let site = &self.own.site;
        let delete = || self.delete_sessions(&interface);
        overlap::change_during_schedule(cloud, site, pause, &instance, delete).await?;
        let missing = self.missing(&interface);
        if missing == 0 {
            return self.settle().await;
        }
        why.begin(cloud);
        let fleet = &mut self.own.fleet;
        fleet.lose_messages();
        fleet.renew();
        why.check(&fleet.sweep_once().await?, missing)?;
        if why == Why::Denied {
            sleep(NEW_ROLE).await;
            Why::NotPermitted.check(&fleet.sweep_once().await?, missing)?;
        }
        compliance::agrees(cloud, &self.own.site).await.context("config-rule meanwhile")?;
        faults::clear(cloud);
        cloud.world().session_limit = 10_000;
        self.settle().await
    }

    /// A stranger deletes again and again what mirrors an interface.
    pub(super) async fn end_with_flapping(&mut self) -> anyhow::Result<()> {
        let Some((_, interface)) = self.any_mirrored() else { return Ok(()) };
        self.say(&format!("a stranger deletes all that mirrors {interface}"));
        self.own.fleet.renew();
        let mut repaired = 0;
        let numbers = loop {
            self.delete_sessions(&interface);
            if self.missing(&interface) == 0 {
                return self.settle().await;
            }
            self.own.fleet.lose_messages();
            let Swept { numbers, .. } = self.own.fleet.sweep_once().await?;
            if self.missing(&interface) > 0 {
                break numbers;
            }
            repaired += 1;
            ensure!(repaired < 10, "it goes on for ever");
        };
        ensure!(repaired == 4, "repaired {repaired} times");
        let is_told = numbers.get("unstable") > 0 && numbers.get("must_act") > 0;
        ensure!(is_told, "nothing is said of it: {numbers:?}");
        sleep(CALM).await;
        let Swept { numbers, .. } = self.own.fleet.sweep_once().await?;
        ensure!(self.missing(&interface) == 0, "not repaired after a calm time: {numbers:?}");
        self.settle().await
    }

    /// All tags are changed at once, by mistake.
    pub(super) async fn end_with_brake(&mut self) -> anyhow::Result<()> {
        if self.other.is_some() {
            return Ok(());
        }
        let cloud = self.cloud;
        let zone = pick(&mut self.rng, &[ZONE_A, ZONE_B]);
        launch(&mut cloud.world(), zone, self.rng.usize(8..16));
        cloud.world().tick();
        self.settle().await?;
        let owned = self.count_owned(|_| true);
        opt_out_all(&mut cloud.world());
        let doomed = self.count_owned(|found| found.expected == Expected::Nothing);
        let allowed = (owned / 2).max(FREE_DELETIONS).min(doomed);
        self.say(&format!("all are opted out: {doomed} of {owned} sessions, {allowed} may go"));
        let fleet = &mut self.own.fleet;
        fleet.lose_messages();
        fleet.renew();
        for deleted in [allowed, 0] {
            let Swept { numbers, .. } = fleet.sweep_once().await?;
            let said = ["deleted", "held_back"].map(|name| numbers.get(name));
            let right = [deleted, doomed - allowed].map(|count| count as u64);
            ensure!(said == right, "{numbers:?} should say {right:?}");
        }
        ensure!(self.count_owned(|_| true) == owned - allowed, "others went as well");
        let answer = self.own.fleet.call(json!({"sweep": true, "unlimited": true})).await;
        ensure!(matches!(answer, Answer::Response(_)), "{answer:?}");
        let left = self.count_owned(|found| found.expected == Expected::Nothing);
        ensure!(left == 0, "{left} are left without a limit");
        self.settle().await
    }

    /// An instance is launched, of which events in envelopes tell, among messages that are no work.
    pub(super) async fn end_with_mail(&mut self) -> anyhow::Result<()> {
        let Self { cloud, rng, own, .. } = self;
        let before: Vec<_> = cloud.world().sessions().cloned().collect();
        own.fleet.lose_messages();
        own.fleet.renew();
        let zone = pick(rng, &[ZONE_A, ZONE_B, SECOND_VPC]);
        launch(&mut cloud.world(), zone, 1);
        cloud.world().tick();
        let events = cloud.world().take_events();
        let unreadable = rng.u32(1..=3);
        let mut said: Vec<_> = (0..unreadable).map(|_| own.fleet.receive_unreadable(rng)).collect();
        own.fleet.receive(&events);
        own.fleet.receive_foreign(&events);
        said.push(format!("and {} events", events.len()));
        numbers::take();
        let dead = own.fleet.drain().await?;
        let counted: u64 = numbers::take().iter().map(|it| it.get("unreadable")).sum();
        own.fleet.check_mail()?;
        // Alone they are no reason for any call.
        own.fleet.receive_foreign(&events);
        own.fleet.drain().await?;
        own.fleet.check_mail()?;
        let count = usize::try_from(unreadable)?;
        ensure!(dead.len() == count, "of {unreadable} dead letters there are {dead:?}");
        ensure!(counted == u64::from(unreadable * RECEIVES), "{counted} were counted: {dead:?}");
        let checked = converged(&before, &cloud.world(), &own.site);
        self.say(&said.join("; "));
        checked.context("after the events of a launch")
    }

    /// An instance and an interface of it that is mirrored as it should be.
    fn any_mirrored(&mut self) -> Option<(String, String)> {
        let Self { cloud, rng, own, .. } = self;
        let world = cloud.world();
        let mut mirrored = Vec::new();
        for instance in world.instances() {
            for id in &instance.interfaces {
                let found = Found::on(&world, &own.site, instance, id)?;
                let is_right = matches!(found.expected, Expected::Sessions(_));
                if is_right && !found.owned.is_empty() && found.unserved().is_empty() {
                    mirrored.push((instance.id.clone(), id.clone()));
                }
            }
        }
        rng.choice(mirrored)
    }

    fn delete_sessions(&self, interface: &str) {
        let mut world = self.cloud.world();
        let site = &self.own.site;
        let here = world.sessions().filter(|it| it.interface == interface && site.owns(it));
        let stranger = Caller::role(DEFAULT_ACCOUNT, "stranger", "stranger");
        for id in here.map(|session| session.id.clone()).collect::<Vec<_>>() {
            world.delete_session(&stranger, &id).expect("the session is there");
        }
    }

    /// How many sessions an interface lacks that could be created.
    fn missing(&self, interface: &str) -> u64 {
        let world = self.cloud.world();
        let mut hosts = world.instances();
        let host = hosts.find(|host| host.interfaces.iter().any(|it| it == interface));
        let found = host.and_then(|host| Found::on(&world, &self.own.site, host, interface));
        found.map_or(0, |found| {
            let unserved = found.unserved().into_iter();
            unserved.filter(|desired| !found.is_prevented(desired)).count() as u64
        })
    }

    /// How many owned sessions there are on such interfaces of instances.
    fn count_owned(&self, is: impl Fn(&Found<'_>) -> bool) -> usize {
        let world = self.cloud.world();
        let each = world.instances().flat_map(|it| it.interfaces.iter().map(move |id| (it, id)));
        let found = each.filter_map(|(it, id)| Found::on(&world, &self.own.site, it, id));
        found.filter(|found| is(found)).map(|found| found.owned.len()).sum()
    }
}

fn launch(world: &mut World, zone: &str, count: usize) {
    let tags = Tags::from([("Mirror".to_owned(), "True".to_owned())]);
    let (instance_type, subnet) = ("m5.large".to_owned(), Some(zone.to_owned()));
    let request = RunInstances { instance_type, count, subnet, tags, ..RunInstances::default() };
    world.run_instances(&Caller::default(), &request).expect("instances");
}

fn opt_out_all(world: &mut World) {
    let alive = world.instances().filter(|it| !it.interfaces.is_empty());
    let ids: Vec<_> = alive.map(|it| it.id.clone()).collect();
    let tags = Tags::from([("Mirror".to_owned(), "False".to_owned())]);
    world.create_tags(&Caller::default(), &ids, &tags).expect("tags");
}
