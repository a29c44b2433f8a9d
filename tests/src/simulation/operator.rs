//! Random acts of those who run the sensors, filters and functions, and of a stranger among them.

use fastrand::Rng;

use super::fleet::Fleet;
use super::people::{Act, any_instance, choose, pick, said};
use super::site::{Mistake, Site, sensor};
use super::targets;
use crate::aws::ec2::{
    Caller, CreateRule, DEFAULT_ACCOUNT, Direction, Endpoint, Refusal, Tags, World, ZONE_A, ZONE_B,
};
use crate::cloud::Cloud;

/// One act in the account.
pub(super) fn act(rng: &mut Rng, world: &mut World, site: &Site) -> String {
    said(match rng.u8(0..13) {
        0..=2 => stop_or_start(rng, world),
        3 => terminate(rng, world),
        4 => detach_and_delete(rng, world),
        5 | 6 => Some(drain(rng, world)),
        7..=9 => change_filter(rng, world, site),
        10 => create_target(rng, world),
        11 => delete_balancer(rng, world),
        _ => delete_target(rng, world, site),
    })
}

/// Another deployment of the functions: with a mistake in the settings, without one, or with another sensor.
pub(super) fn deploy(rng: &mut Rng, cloud: &Cloud, site: &mut Site, fleet: &mut Fleet) -> String {
    let said = if site.correct(cloud) {
        "the settings are right again".to_owned()
    } else if rng.bool() {
        mistype(rng, cloud, site)
    } else {
        replace_sensor(rng, cloud, site)
    };
    fleet.deploy(site);
    said
}

/// Names what does not exist, beside or instead of what does.
pub(super) fn mistype(rng: &mut Rng, cloud: &Cloud, site: &mut Site) -> String {
    let named = site.settings.get("MIRROR_TARGET_IDS").cloned();
    let (target, filter) = ("tmt-0000000000000bad", "tmf-0000000000000bad");
    let (name, value, mistake) = match (rng.u8(0..4), named) {
        (0, _) => ("MIRROR_FILTER_ID", filter.to_owned(), Mistake::Everything),
        (1, _) => ("MIRROR_VPC_IDS", "vpc-0000000000000bad".to_owned(), Mistake::Everything),
        (2, Some(named)) => {
            let first = named.split(',').next().unwrap_or_default();
            ("MIRROR_TARGET_IDS", format!("{first},{target}"), Mistake::Something)
        }
        _ => ("MIRROR_TARGET_IDS", target.to_owned(), Mistake::Everything),
    };
    let said = format!("by mistake {name} is {value}");
    site.set(cloud, name, value, Some(mistake));
    said
}

/// A new sensor, whose target takes the place of another one or is one more.
fn replace_sensor(rng: &mut Rng, cloud: &Cloud, site: &mut Site) -> String {
    let user = Caller::default();
    let mut world = cloud.world();
    let zone = pick(rng, &[ZONE_A, ZONE_B]);
    let new = sensor(rng, &mut world, zone);
    let old = any_sensor(rng, &world, |target| *target != new);
    let old = old.filter(|_| rng.u8(0..3) > 0);
    if let Some((_, host)) = old.as_ref().and_then(|old| Some((old, host(&world, old)?))) {
        drop(world.terminate_instances(&user, &[host]));
    }
    drop(world);
    if let Some(named) = site.settings.get("MIRROR_TARGET_IDS") {
        let is_left = |it: &&str| old.as_deref() != Some(*it);
        let mut named: Vec<_> = named.split(',').filter(is_left).collect();
        named.push(&new);
        let named = named.join(",");
        site.set(cloud, "MIRROR_TARGET_IDS", named, None);
    }
    format!("{new} takes the place of {old:?}")
}

fn stop_or_start(rng: &mut Rng, world: &mut World) -> Act {
    let target = any_sensor(rng, world, |_| true)?;
    let hosts = [host(world, &target)?];
    let user = Caller::default();
    Some(if rng.u8(0..3) > 0 {
        let done = world.stop_instances(&user, &hosts).map(|_| ());
        (format!("stop the sensor of {target}"), done)
    } else {
        let done = world.start_instances(&user, &hosts).map(|_| ());
        (format!("start the sensor of {target}"), done)
    })
}

fn terminate(rng: &mut Rng, world: &mut World) -> Act {
    let target = any_sensor(rng, world, |_| true)?;
    let hosts = [host(world, &target)?];
    let done = world.terminate_instances(&Caller::default(), &hosts).map(|_| ());
    Some((format!("terminate the sensor of {target}"), done))
}

/// The target stays, behind nothing.
fn detach_and_delete(rng: &mut Rng, world: &mut World) -> Act {
    let user = Caller::default();
    let target = any_sensor(rng, world, |_| true)?;
    let interface = interface(world, &target)?;
    let attachment = world.interface(&interface)?.attachment.as_ref().map(|it| it.id.clone());
    let mut done = attachment.map_or(Ok(()), |id| world.detach_interface(&user, &id));
    let is_deleted = rng.bool();
    if is_deleted {
        done = done.and_then(|()| world.delete_interface(&user, &interface));
    }
    let what = if is_deleted { "detach and delete" } else { "detach" };
    Some((format!("{what} {interface} behind {target}"), done))
}

/// The target stays, and EC2 says nothing about it.
fn delete_balancer(rng: &mut Rng, world: &mut World) -> Act {
    let balancers = targets::all(world).into_iter().filter_map(|id| {
        let target = world.target(&id).filter(|it| it.owner == DEFAULT_ACCOUNT)?;
        match &target.endpoint {
            Endpoint::NetworkLoadBalancer(id) | Endpoint::GatewayLoadBalancerEndpoint(id) => {
                Some(id.clone())
            }
            Endpoint::Interface(_) => None,
        }
    });
    let balancers: Vec<_> = balancers.filter(|id| !world.is_endpoint_gone(id)).collect();
    let balancer = rng.choice(balancers)?;
    world.delete_balancer_or_endpoint(&balancer);
    Some((format!("delete {balancer}"), Ok(())))
}

fn drain(rng: &mut Rng, world: &mut World) -> (String, Result<(), Refusal>) {
    let user = Caller::default();
    let targets = targets::all(world);
    let draining = targets.iter().find(|id| world.target(id).is_some_and(targets::has_drain_tag));
    if let Some(target) = draining.filter(|_| rng.bool()).cloned() {
        let gone = [("Mirror-Drain".to_owned(), None)].into();
        let done = world.delete_tags(&user, std::slice::from_ref(&target), &gone);
        return (format!("{target} is drained no longer"), done);
    }
    let target = choose(rng, &targets);
    let tags = Tags::from([("Mirror-Drain".to_owned(), "True".to_owned())]);
    let done = world.create_tags(&user, std::slice::from_ref(&target), &tags);
    (format!("drain {target}"), done)
}

/// Takes the rules of one direction away, puts a reject in front of them, or makes them whole again.
fn change_filter(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let user = Caller::default();
    let filter = choose(rng, &site.filters);
    let direction = pick(rng, &[Direction::Ingress, Direction::Egress]);
    let rules = world.rules_of(world.filter(&filter)?, direction);
    let rules: Vec<String> = rules.into_iter().map(|rule| rule.id.clone()).collect();
    let accept = CreateRule::accept_all(&filter, direction, 10);
    if rules.len() == 1 && rng.u8(0..3) == 0 {
        let reject = CreateRule { number: 1, action: "reject".to_owned(), ..accept };
        let done = world.create_rule(&user, reject, Tags::new()).map(|_| ());
        return Some((format!("{filter} rejects all {direction:?} packets first"), done));
    }
    let is_whole = rules.len() == 1;
    for rule in rules {
        world.delete_rule(&user, &rule).ok()?;
    }
    if is_whole {
        return Some((format!("{filter} accepts no {direction:?} packets"), Ok(())));
    }
    let done = world.create_rule(&user, accept, Tags::new()).map(|_| ());
    Some((format!("{filter} accepts {direction:?} packets again"), done))
}

/// A target on somebody's interface, which then cannot be a source any more.
fn create_target(rng: &mut Rng, world: &mut World) -> Act {
    let instance = any_instance(rng, world)?;
    let interface = choose(rng, &world.instance(&instance)?.interfaces);
    let stranger = Caller::role(DEFAULT_ACCOUNT, "stranger", "stranger");
    let endpoint = Endpoint::Interface(interface.clone());
    let done = world.create_target(&stranger, endpoint, None, Tags::new()).map(|_| ());
    Some((format!("a stranger creates a target on {interface} of {instance}"), done))
}

/// A target that no setting names; EC2 refuses it while a session leads there.
fn delete_target(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let target = any_sensor(rng, world, |id| !site.names(id))?;
    let done = world.delete_target(&Caller::default(), &target);
    Some((format!("delete {target}"), done))
}

/// A target that is the interface of an instance, or was.
fn any_sensor(rng: &mut Rng, world: &World, is: impl Fn(&String) -> bool) -> Option<String> {
    let all = targets::all(world).into_iter();
    let sensors: Vec<_> = all.filter(|id| interface(world, id).is_some() && is(id)).collect();
    (!sensors.is_empty()).then(|| choose(rng, &sensors))
}

fn interface(world: &World, target: &str) -> Option<String> {
    match &world.target(target)?.endpoint {
        Endpoint::Interface(interface) => Some(interface.clone()),
        _ => None,
    }
}

fn host(world: &World, target: &str) -> Option<String> {
    let interface = world.interface(&interface(world, target)?)?;
    interface.attachment.as_ref()?.instance.clone()
}
