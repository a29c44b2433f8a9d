//! Random acts of people. EC2 refuses many of them; then nothing has happened.

use fastrand::Rng;

use super::site::{Site, installation_of};
use super::targets;
use crate::aws::ec2::{
    Caller, CreateInterface, CreateSession, Field, Instance, LaunchInterface, ModifySession,
    Refusal, RunInstances, SECOND_VPC, Session, Tags, World, ZONE_A, ZONE_B,
};

/// More instances than this are not launched: what happens to few is what happens to many.
const MOST_INSTANCES: usize = 14;

/// One act of a person in the account, and its outcome.
pub(super) fn act(rng: &mut Rng, world: &mut World, site: &Site) -> String {
    let act = match rng.u8(0..20) {
        0..=4 => launch(rng, world, site),
        5..=7 => tag(rng, world, site),
        8 => untag(rng, world),
        9..=10 => stop_or_start(rng, world),
        11 => terminate(rng, world),
        12 => attach(rng, world),
        13 => detach(rng, world),
        14..=15 => delete_session(rng, world),
        16 => create_session(rng, world, site),
        17 => modify_session(rng, world, site),
        18 => change_owner(rng, world, site),
        _ => delete_interface(rng, world),
    };
    said(act)
}

pub(super) fn said(act: Act) -> String {
    match act {
        None => "nothing to do".to_owned(),
        Some((said, Ok(()))) => said,
        Some((said, Err(refusal))) => format!("{said}: {}", refusal.code),
    }
}

/// What was done to what, if there was anything to do it to.
pub(super) type Act = Option<(String, Result<(), Refusal>)>;

fn launch(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let alive = world.instances().filter(|it| !it.interfaces.is_empty()).count();
    if alive >= MOST_INSTANCES {
        return None;
    }
    let interface = |device_index, delete_on_termination| LaunchInterface {
        device_index,
        delete_on_termination,
        ..LaunchInterface::default()
    };
    let mut interfaces = vec![interface(0, Some(true))];
    if rng.u8(..3) == 0 {
        interfaces.push(interface(1, Some(rng.bool())));
    }
    let request = RunInstances {
        instance_type: pick(rng, &["m5.large", "m5.large", "m5.large", "t2.micro"]).to_owned(),
        count: rng.usize(1..=4),
        subnet: Some(pick(rng, &[ZONE_A, ZONE_A, ZONE_B, SECOND_VPC]).to_owned()),
        tags: tags(rng, world, site),
        interfaces,
        ..RunInstances::default()
    };
    let said = format!("launch {} with {:?}", request.instance_type, request.tags);
    Some(match world.run_instances(&Caller::default(), &request) {
        Ok(ids) => (format!("{said}: {ids:?}"), Ok(())),
        Err(refusal) => (said, Err(refusal)),
    })
}

/// Tags that say something about mirroring: mostly what users write.
fn tags(rng: &mut Rng, world: &World, site: &Site) -> Tags {
    let mut tags = Tags::new();
    let mut add = |key: &str, value: String| tags.insert(key.to_owned(), value);
    match rng.u8(..8) {
        0 => {}
        1 => drop(add("Mirror", "False".to_owned())),
        2 => drop(add("mirror", "TRUE".to_owned())),
        _ => drop(add("Mirror", "True".to_owned())),
    }
    if rng.u8(..4) == 0 {
        drop(add("Mirror-Target", named_targets(rng, world, site)));
    }
    if rng.u8(..4) == 0 {
        drop(add("Mirror-Filter", named_filters(rng, site)));
    }
    if rng.u8(..6) == 0 {
        drop(add("Mirror-Interfaces", pick(rng, &["all", "primary", "odd"]).to_owned()));
    }
    tags
}

fn named_targets(rng: &mut Rng, world: &World, site: &Site) -> String {
    let (all, allowed) = (targets::all(world), targets::allowed(world, site));
    match rng.u8(..6) {
        0 => "tmt-0000000000000dead".to_owned(),
        _ if allowed.is_empty() => choose(rng, &all),
        1 => choose(rng, &all),
        2 => [choose(rng, &allowed), choose(rng, &allowed)].join(","),
        _ => choose(rng, &allowed),
    }
}

fn named_filters(rng: &mut Rng, site: &Site) -> String {
    match rng.u8(..6) {
        0 => "tmf-0000000000000dead".to_owned(),
        1..=2 => site.filters.join(","),
        _ => choose(rng, &site.filters),
    }
}

fn tag(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let id = any_instance(rng, world)?;
    let tags = tags(rng, world, site);
    let done = world.create_tags(&Caller::default(), std::slice::from_ref(&id), &tags);
    Some((format!("tag {id} with {tags:?}"), done))
}

fn untag(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_instance(rng, world)?;
    let keys: Vec<String> = world.instance(&id)?.tags.keys().cloned().collect();
    let key = (!keys.is_empty()).then(|| choose(rng, &keys))?;
    let gone = [(key.clone(), None)].into();
    let done = world.delete_tags(&Caller::default(), std::slice::from_ref(&id), &gone);
    Some((format!("take {key} off {id}"), done))
}

fn stop_or_start(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_instance(rng, world)?;
    let user = Caller::default();
    Some(if rng.bool() {
        let done = world.stop_instances(&user, std::slice::from_ref(&id)).map(|_| ());
        (format!("stop {id}"), done)
    } else {
        let done = world.start_instances(&user, std::slice::from_ref(&id)).map(|_| ());
        (format!("start {id}"), done)
    })
}

fn terminate(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_instance(rng, world)?;
    let done = world.terminate_instances(&Caller::default(), std::slice::from_ref(&id));
    Some((format!("terminate {id}"), done.map(|_| ())))
}

fn attach(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_instance(rng, world)?;
    let subnet = world.instance(&id)?.subnet.clone()?;
    let user = Caller::default();
    let request = CreateInterface { subnet, ..CreateInterface::default() };
    let interface = world.create_interface(&user, &request).ok()?;
    let done = world.attach_interface(&user, &interface, &id, rng.u32(1..4)).map(|_| ());
    Some((format!("attach {interface} to {id}"), done))
}

fn detach(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_instance(rng, world)?;
    let interface = world.instance(&id)?.interfaces.get(1)?.clone();
    let attachment = world.interface(&interface)?.attachment.as_ref()?.id.clone();
    let done = world.detach_interface(&Caller::default(), &attachment);
    Some((format!("detach {interface} from {id}"), done))
}

fn delete_interface(rng: &mut Rng, world: &mut World) -> Act {
    let interface = any_session(rng, world)?.interface;
    let done = world.delete_interface(&Caller::default(), &interface);
    Some((format!("delete {interface}"), done))
}

fn delete_session(rng: &mut Rng, world: &mut World) -> Act {
    let id = any_session(rng, world)?.id;
    let done = world.delete_session(&Caller::default(), &id);
    Some((format!("delete {id}"), done))
}

fn create_session(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let instance = any_instance(rng, world)?;
    let interfaces = world.instance(&instance)?.interfaces.clone();
    let request = CreateSession {
        interface: choose(rng, &interfaces),
        target: choose(rng, &targets::all(world)),
        filter: choose(rng, &site.filters),
        number: Some(pick(rng, &[1, 1, 2, 3, 7, 32_766])),
        // Some people copy the tags that automirror gives.
        tags: if rng.u8(..4) == 0 { owned_by(rng, site, "automirror", None) } else { Tags::new() },
        ..CreateSession::default()
    };
    let said = format!("create a session on {} to {}", request.interface, request.target);
    Some((said, world.create_session(&Caller::default(), &request).map(|_| ())))
}

fn modify_session(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let session = any_session(rng, world)?.id;
    let mut request = ModifySession { session, ..ModifySession::default() };
    match rng.u8(..4) {
        0 => request.filter = Some(choose(rng, &site.filters)),
        1 => request.number = Some(rng.i64(1..5)),
        2 => request.remove = vec![Field::PacketLength],
        _ => request.target = Some(choose(rng, &targets::all(world))),
    }
    let said = format!("modify {request:?}");
    Some((said, world.modify_session(&Caller::default(), &request).map(|_| ())))
}

/// Changes the owner tag of a session: an owned one becomes foreign, or the other way round.
fn change_owner(rng: &mut Rng, world: &mut World, site: &Site) -> Act {
    let session = any_session(rng, world)?;
    let owner = pick(rng, &["automirror", "another"]).to_owned();
    let tags = owned_by(rng, site, &owner, Some(&session));
    let id = session.id;
    let done = world.create_tags(&Caller::default(), std::slice::from_ref(&id), &tags);
    Some((format!("{owner} owns {id} now"), done))
}

/// Where installations have names, a session that gets their owner is one installation's, and stays so: one
/// without a name would be everybody's.
fn owned_by(rng: &mut Rng, site: &Site, owner: &str, session: Option<&Session>) -> Tags {
    let mut tags = Tags::from([("ManagedBy".to_owned(), owner.to_owned())]);
    let is_named = session.is_some_and(|it| installation_of(it).is_some());
    if site.policy.installation.is_some() && !is_named {
        let name = pick(rng, &["this", "other", "gone"]).to_owned();
        tags.insert("Installation".to_owned(), name);
    }
    tags
}

/// An instance that has interfaces: a sensor, too.
pub(super) fn any_instance(rng: &mut Rng, world: &World) -> Option<String> {
    let alive = world.instances().filter(|it: &&Instance| !it.interfaces.is_empty());
    let ids: Vec<String> = alive.map(|instance| instance.id.clone()).collect();
    (!ids.is_empty()).then(|| choose(rng, &ids))
}

fn any_session(rng: &mut Rng, world: &World) -> Option<Session> {
    let sessions: Vec<&Session> = world.sessions().collect();
    (!sessions.is_empty()).then(|| pick(rng, &sessions).clone())
}

pub(super) fn pick<T: Copy>(rng: &mut Rng, items: &[T]) -> T {
    items[rng.usize(..items.len())]
}

pub(super) fn choose(rng: &mut Rng, items: &[String]) -> String {
    items[rng.usize(..items.len())].clone()
}
