//! The end of a run: the faults are over, and what must be so then.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use tokio::time::sleep;

use super::check::{self, Found};
use super::compliance::{self, Judged};
use super::expect::is_deserted;
use super::installation::Installation;
use super::numbers::Numbers;
use super::site::{Mistake, Site};
use super::{CALM, Play, clock, faults, operator, process};
use crate::aws::config::SESSION;
use crate::aws::ec2::{Session, World};
use crate::cloud::Cloud;
use crate::cloud::call::Call;
use crate::cloud::fault::{Fault, Kind};

/// Two installations may need several sweeps each: what one of them leaves makes room for the other.
const MOST_SWEEPS: usize = 4;

impl Play<'_> {
    /// Ends the faults and mistakes, lets running work finish, and loses the messages that wait.
    pub(super) async fn come_to_rest(&mut self) -> anyhow::Result<()> {
        self.check()?;
        let since: Vec<_> = self.installations().map(|it| it.fleet.busy_since()).collect();
        faults::clear(self.cloud);
        for _ in 0..3 {
            self.cloud.world().tick();
        }
        let now = clock::milliseconds();
        for installation in self.installations() {
            installation.keeper.freeze(now, false);
        }
        self.remember();
        for installation in self.installations() {
            installation.fleet.finish().await?;
            installation.fleet.check_mail()?;
            installation.fleet.lose_messages();
        }
        self.check_since(|installation| since[usize::from(installation.is_second())])?;
        let Installation { site, fleet, keeper } = &mut self.own;
        check_mistyped(&self.cloud.calls(), fleet)?;
        if site.correct(self.cloud) {
            fleet.deploy(site);
            keeper.deploy(now);
        }
        Ok(())
    }

    /// What must be so when the faults are over and a sweep has run.
    pub(super) async fn end(&mut self) -> anyhow::Result<()> {
        let cloud = self.cloud;
        let said = self.make_trouble();
        self.say(&said);
        // So that AWS Config holds verdicts that are out of date after the sweep.
        let told = compliance::evaluate(cloud, &self.own.site).await;
        if cloud.config().dislikes.is_empty() {
            told.context("config-rule before the sweep")?;
        }
        sleep(CALM).await;
        self.say("the faults are over");
        self.settle().await?;
        cloud.config().dislikes.clear();
        cloud.faults().clear();
        self.tell_amid_faults().await?;
        match self.rng.u8(0..16) {
            0 | 1 => self.end_with_mistake().await.context("after a mistake in the settings"),
            2..=5 => self.end_with_mail().await.context("with messages of all kinds"),
            6..=10 => self.end_with_failure().await.context("with a failure that lasts"),
            11 => self.end_with_flapping().await.context("with a stranger who undoes each change"),
            12 => self.end_with_brake().await.context("with the limit of deletions"),
            _ => Ok(()),
        }
    }

    /// Something about AWS Config goes wrong for a while.
    fn make_trouble(&mut self) -> String {
        let Self { cloud, rng, .. } = self;
        let cloud = *cloud;
        let disliked = match rng.u8(0..12) {
            0 => Some(SESSION.to_owned()),
            1 => any(rng, cloud.world().instances().map(|it| it.id.clone())),
            2 => any(rng, cloud.world().sessions().map(|it| it.id.clone())),
            3 | 4 => {
                let kind = if rng.bool() { Kind::Throttle } else { Kind::FailEvaluations(1) };
                let hits = Some(rng.u32(1..=2));
                let said = format!("{hits:?} calls meet {kind:?}");
                cloud.faults().add(Fault { hits, ..Fault::new("PutEvaluations", kind) });
                return said;
            }
            _ => None,
        };
        if let Some(disliked) = &disliked {
            let code = "InvalidParameterValueException".to_owned();
            cloud.config().dislikes.insert(disliked.clone(), code);
        }
        format!("AWS Config does not accept evaluations of {disliked:?}")
    }

    /// Sweeps until no installation has anything left to do, and checks that all is as it should be then.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let mut changed = self.sweep_all().await?;
        if self.other.is_none() {
            compliance::agrees(self.cloud, &self.own.site).await.context("config-rule")?;
            changed = self.sweep_all().await?;
        }
        for _ in 0..MOST_SWEEPS {
            if changed == 0 || self.other.is_none() {
                break;
            }
            changed = self.sweep_all().await?;
        }
        ensure!(changed == 0, "the last sweep tried {changed} changes");
        if self.other.is_some() {
            let cloud = self.cloud;
            for installation in self.installations() {
                let agrees = compliance::agrees(cloud, &installation.site).await;
                agrees.with_context(|| installation.site.which.rule())?;
            }
        }
        Ok(())
    }

    /// A sweep of each installation. Returns how many changes they tried.
    async fn sweep_all(&mut self) -> anyhow::Result<usize> {
        let cloud = self.cloud;
        let mut all = 0;
        let mut said = Vec::new();
        for installation in self.installations() {
            let before: Vec<_> = cloud.world().sessions().cloned().collect();
            let (changed, numbers) = installation.sweep(cloud).await?;
            let world = cloud.world();
            check::converged(&before, &world, &installation.site).context("after a sweep")?;
            if changed == 0 {
                check_numbers(&numbers, &world, &installation.site)?;
            }
            said.push(format!("swept: {changed} changes"));
            all += changed;
        }
        for said in said {
            self.say(&said);
        }
        self.check()?;
        Ok(all)
    }

    /// Verdicts that are old enough to be taken back stay while answers lack what there is.
    async fn tell_amid_faults(&mut self) -> anyhow::Result<()> {
        sleep(CALM + CALM).await;
        let (said, flaws) = faults::change(&mut self.rng, self.cloud);
        self.say(&said);
        let said = self.ask_a_rule(flaws).await?;
        self.say(&said);
        faults::clear(self.cloud);
        Ok(())
    }

    /// Settings that name nothing that exists change nothing, and are told of.
    async fn end_with_mistake(&mut self) -> anyhow::Result<()> {
        let Self { cloud, rng, own, .. } = self;
        let cloud = *cloud;
        let selected = compliance::selected(&cloud.world(), &own.site);
        let said = operator::mistype(rng, cloud, &mut own.site);
        self.say(&said);
        let own = &mut self.own;
        if own.site.mistake != Some(Mistake::Everything) {
            return Ok(());
        }
        own.fleet.deploy(&own.site);
        let (changed, numbers) = own.sweep(cloud).await?;
        ensure!(changed == 0, "a sweep tried {changed} changes");
        let is_told = numbers.get("broken_settings") == 1;
        ensure!(is_told || selected.is_empty(), "nothing is said of it: {numbers:?}");
        compliance::accuses_all(cloud, &own.site, &selected).await
    }
}

impl Installation {
    /// A sweep as the schedule starts it, in new execution environments. Returns how many changes it tried, and
    /// what it said.
    pub(super) async fn sweep(&mut self, cloud: &Cloud) -> anyhow::Result<(usize, Numbers)> {
        let before = cloud.count_calls();
        self.fleet.lose_messages();
        let numbers = self.fleet.sweep().await?;
        let calls = cloud.calls_from(before);
        let changes = calls.iter().filter(|call| !call.action.starts_with("Describe"));
        Ok((changes.count(), numbers))
    }
}

/// What the summary of a sweep that had nothing left to do says of what is prevented: alarms know nothing else.
fn check_numbers(numbers: &Numbers, world: &World, site: &Site) -> anyhow::Result<()> {
    for name in ["created", "modified", "deleted", "held_back", "unstable", "refused", "unfinished"]
    {
        ensure!(numbers.get(name) == 0, "{name} in {numbers:?}");
    }
    ensure!(numbers.get("complete") == 1, "not complete: {numbers:?}");
    let is_broken = numbers.get("broken_settings") == 1;
    let may_be_broken = is_deserted(world, &site.policy);
    ensure!(!is_broken || may_be_broken, "the settings are right: {numbers:?}");
    let (right, judgements) = expected_numbers(world, site)?;
    let said = ["mirrored", "must_act", "cannot"].map(|name| numbers.get(name));
    // Of what is stopped a sweep reads only a part, where the settings may be mistyped.
    let is_right = said == right || is_broken && said[1] <= right[1] && said[0] + said[2] == 0;
    ensure!(is_right, "{right:?}: {numbers:?}\n{}", judgements.join("\n"));
    Ok(())
}

/// How many sources are mirrored, need somebody and cannot be mirrored, and what is to be said of each.
fn expected_numbers(world: &World, site: &Site) -> anyhow::Result<([u64; 3], Vec<String>)> {
    let (mut mirrored, mut wrong, mut unsupported) = (0, 0, 0);
    let mut judgements = Vec::new();
    for instance in world.instances() {
        for id in &instance.interfaces {
            let found = Found::on(world, site, instance, id).context("no such interface")?;
            let judged = Judged::of(world, site, &found);
            mirrored += u64::from(judged.is_mirrored);
            wrong += u64::from(judged.is_wrong);
            unsupported += u64::from(judged.is_unsupported && !judged.is_wrong);
            judgements.push(format!("{id}: {judged:?}, {found}"));
        }
    }
    // What another installation has on an interface that is attached to nothing is told of, too.
    let is_free = |session: &&Session| {
        let interface = world.interface(&session.interface);
        interface.is_some_and(|it| it.attachment.is_none())
            && site.is_twin(session)
            && compliance::is_in_vpcs(world, site, session)
    };
    let free: BTreeSet<_> = world.sessions().filter(is_free).map(|it| &it.interface).collect();
    wrong += u64::try_from(free.len())?;
    Ok(([mirrored, wrong, unsupported], judgements))
}

fn any(rng: &mut fastrand::Rng, ids: impl Iterator<Item = String>) -> Option<String> {
    rng.choice(ids.collect::<Vec<_>>())
}

/// With settings that name nothing that exists, nothing was even tried.
fn check_mistyped(calls: &[Call], fleet: &super::fleet::Fleet) -> anyhow::Result<()> {
    let keys: Vec<_> = fleet.mistyped().iter().map(|number| process::access_key(*number)).collect();
    let mut tried = calls.iter().filter(|call| keys.contains(&call.caller.access_key));
    let change = tried.find(|call| !call.action.starts_with("Describe"));
    ensure!(change.is_none(), "with settings that name nothing that exists: {change:?}");
    Ok(())
}
