//! What happens within a load balancer: whether packets cross zones, and who gets them.

use super::{
    network::{Health, Pool},
    target::{BalancerGate, Behind},
    trouble::{
        HEALTH_UNKNOWN, Judgement, NO_HEALTHY_SENSOR, NO_HEALTHY_SENSOR_IN_ZONE, Trouble,
        ZONE_WITHOUT_NODE,
    },
};

/// Whether the load balancer hands packets to other zones. Its target groups may say otherwise.
fn crosses(gate: &BalancerGate<'_>) -> Result<bool, Trouble> {
    let own = || gate.balancer.crosses_zones.clone().map_err(|problem| Trouble::unread(&problem));
    let pools = gate.pools.as_ref().map_err(Clone::clone)?;
    if pools.is_empty() {
        return own();
    }
    let mut all = true;
    for pool in pools {
        let pool: &Pool = pool;
        match pool.crosses_zones.as_ref().map_err(Trouble::unread)? {
            Some(crosses) => all &= crosses,
            None => all &= own()?,
        }
    }
    Ok(all)
}

/// Whether a copy from this zone finds a node of the load balancer.
pub(super) fn node_in(gate: &BalancerGate<'_>, zone: &str) -> Judgement {
    if gate.balancer.zones.contains(zone) || crosses(gate)? {
        return Ok(());
    }
    let detail = format!("load balancer {} has no node in {zone}", gate.name);
    Err(Trouble::new(&ZONE_WITHOUT_NODE, format!("{}/{zone}", gate.name), detail))
}

/// The healthy sensors in whatever zone: one or more.
pub(super) fn all_healthy<'a, 'b>(
    gate: &'b BalancerGate<'a>,
) -> Result<Vec<&'b Behind<'a>>, Trouble> {
    let sensors = gate.sensors.as_ref().map_err(Clone::clone)?;
    let with = |health| sensors.iter().filter(move |it| it.sensor.health == health);
    let healthy: Vec<_> = with(Health::Healthy).collect();
    if !healthy.is_empty() {
        return Ok(healthy);
    }
    Err(if with(Health::Unknown).next().is_some() {
        let detail = format!("the health of the sensors behind {} is not known", gate.name);
        Trouble::new(&HEALTH_UNKNOWN, gate.name, detail)
    } else {
        let (count, name) = (sensors.len(), gate.name);
        let detail = format!("of {count} sensors behind load balancer {name} none is healthy");
        Trouble::new(&NO_HEALTHY_SENSOR, gate.name, detail)
    })
}

/// Whether a healthy sensor gets what comes from this zone.
pub(super) fn healthy(gate: &BalancerGate<'_>, zone: &str) -> Judgement {
    let healthy = all_healthy(gate)?;
    let is_here = |it: &&Behind<'_>| it.interface.as_ref().is_ok_and(|it| it.zone == zone);
    if healthy.iter().any(is_here) || crosses(gate)? {
        return Ok(());
    }
    // A sensor whose zone is not known may be in this one.
    if let Some(trouble) = healthy.iter().find_map(|it| it.interface.as_ref().err()) {
        return Err(trouble.clone());
    }
    let detail = format!("no sensor in {zone} behind load balancer {} is healthy", gate.name);
    Err(Trouble::new(&NO_HEALTHY_SENSOR_IN_ZONE, format!("{}/{zone}", gate.name), detail))
}

/// The healthy sensors that may get what comes from this zone. Where that is not known, all of them.
pub(super) fn receiving<'a>(
    gate: &BalancerGate<'a>,
    zone: &str,
) -> Result<Vec<Behind<'a>>, Trouble> {
    let sensors = gate.sensors.as_ref().map_err(Clone::clone)?;
    let crosses = crosses(gate).unwrap_or(true);
    let gets = |it: &&Behind<'_>| {
        let is_elsewhere = it.interface.as_ref().is_ok_and(|it| it.zone != zone);
        it.sensor.health == Health::Healthy && (crosses || !is_elsewhere)
    };
    Ok(sensors.iter().filter(gets).cloned().collect())
}
