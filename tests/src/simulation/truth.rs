//! Whether packets arrive, by what EC2 does with them, and what config-rule must not say meanwhile: it may fail
//! while anything goes wrong, but not say what is not so.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use fastrand::Rng;

use super::compliance::evaluate_one;
use super::expect::is_selected;
use super::faults::Flaws;
use super::site::{Mistake, Site};
use crate::aws::config::{Compliance, ResourceKey, Rule, Verdict};
use crate::aws::ec2::{Delivery, Instance, Session, World};
use crate::cloud::Cloud;

/// Whether an owned session on the interface leads nowhere, or the filters of its owned sessions accept together
/// nothing of one direction: several sessions may share the packets on purpose.
pub(super) fn is_blind(world: &World, site: &Site, interface: &str) -> bool {
    let owned = owned(world, site, interface);
    !owned.is_empty() && (owned.iter().any(|it| !it.target_is_up) || !accept_all(&owned))
}

/// Whether the session accepts something, and with the owned ones on its interface something of both directions.
pub(super) fn takes_all(world: &World, site: &Site, session: &Session) -> bool {
    let mut all = world.delivers(&session.interface);
    let is_owned = |id: &str| world.session(id).is_some_and(|it| site.owns(it));
    all.retain(|it| it.session == session.id || is_owned(&it.session));
    let mut own = all.iter().filter(|it| it.session == session.id);
    own.any(|it| it.accepts.ingress.ipv4 || it.accepts.egress.ipv4) && accept_all(&all)
}

fn owned(world: &World, site: &Site, interface: &str) -> Vec<Delivery> {
    let mut all = world.delivers(interface);
    all.retain(|it| world.session(&it.session).is_some_and(|it| site.owns(it)));
    all
}

fn accept_all(deliveries: &[Delivery]) -> bool {
    deliveries.iter().any(|it| it.accepts.ingress.ipv4)
        && deliveries.iter().any(|it| it.accepts.egress.ipv4)
}

/// Asks config-rule about everything, or about one instance or session, while anything may go wrong.
pub(super) async fn is_told(
    rng: &mut Rng,
    cloud: &Arc<Cloud>,
    site: &Site,
    flaws: Flaws,
) -> anyhow::Result<String> {
    let before = cloud.world().copy();
    let held = cloud.config().rule(site.which.rule()).map(stored).unwrap_or_default();
    let changed = any_resource(rng, &before).filter(|_| rng.bool());
    let outcome = evaluate_one(cloud, site, changed).await;
    let (now, config) = (cloud.world(), cloud.config());
    let Some(rule) = config.rule(site.which.rule()) else {
        return Ok("config-rule is not there".to_owned());
    };
    let shown = [Some(&before), Some(&*now), now.frozen().filter(|_| flaws.is_stale)];
    let worlds: Vec<&World> = shown.into_iter().flatten().collect();
    let is_new = |verdict: &&Verdict| {
        let old = held.get(&verdict.key);
        old.is_none_or(|old| old.recorded != verdict.recorded || old.ordering != verdict.ordering)
    };
    let mut count = 0;
    for verdict in rule.verdicts().filter(is_new) {
        count += 1;
        check(&worlds, site, verdict).with_context(|| format!("amid faults: {verdict:?}"))?;
    }
    Ok(match outcome {
        Ok(()) => format!("config-rule stores {count} verdicts"),
        Err(error) => format!("config-rule fails after {count} verdicts: {error:#}"),
    })
}

fn any_resource(rng: &mut Rng, world: &World) -> Option<ResourceKey> {
    let instances = world.instances().map(|it| ResourceKey::instance(&it.id));
    let sessions = world.sessions().map(|it| ResourceKey::session(&it.id));
    rng.choice(instances.chain(sessions).collect::<Vec<_>>())
}

fn stored(rule: &Rule) -> BTreeMap<ResourceKey, Verdict> {
    rule.verdicts().map(|verdict| (verdict.key.clone(), verdict.clone())).collect()
}

/// Only what is so in every world that EC2 may have shown counts.
fn check(worlds: &[&World], site: &Site, verdict: &Verdict) -> anyhow::Result<()> {
    let id = &verdict.key.id;
    let said = verdict.annotation.as_deref().unwrap_or_default();
    let is_gone = said.starts_with("[gone]");
    if worlds.iter().all(|world| world.session(id).is_some()) {
        ensure!(!is_gone, "the session is there");
        return Ok(());
    }
    let instances: Vec<&Instance> = worlds.iter().filter_map(|world| world.instance(id)).collect();
    if instances.len() < worlds.len() {
        return Ok(());
    }
    ensure!(!is_gone, "the instance is there");
    let is_selected = instances.iter().all(|it| is_selected(&site.policy, it));
    ensure!(!is_selected || !said.starts_with("[not-selected]"), "its tags select it");
    if verdict.compliance == Compliance::Compliant {
        ensure!(site.mistake != Some(Mistake::Everything), "the settings name nothing that exists");
        let blind = instances[0].interfaces.iter().find(|id| is_blind_in_all(worlds, site, id));
        let delivered = blind.map(|blind| worlds[0].delivers(blind));
        ensure!(blind.is_none(), "packets of {blind:?} do not arrive: {delivered:?}");
    }
    Ok(())
}

/// Whether the interface is blind, and was so in the same way whenever EC2 may have been asked.
fn is_blind_in_all(worlds: &[&World], site: &Site, interface: &str) -> bool {
    let mut deliveries = worlds.iter().map(|world| world.delivers(interface));
    let first = deliveries.next();
    deliveries.all(|it| Some(it) == first) && worlds.iter().all(|it| is_blind(it, site, interface))
}
