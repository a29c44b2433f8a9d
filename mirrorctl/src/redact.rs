//! Takes out of a world what tags say, but for what the decision understands. The plan stays the same.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    id::{FilterId, TargetId},
    observed::{Instance, Owner, Shown, Tag},
    plan::desired::are_selecting,
    policy::tag::is_false,
};

use crate::{problem::Problem, world::World};

/// Replaces the values. Equal ones stay equal.
pub(crate) fn redact(mut world: World) -> Result<World, Problem> {
    let policy = world.settings.parse()?.policy;
    let is_understood = |tag: &Tag| {
        let is_known = |word: &str| tag.value.trim().eq_ignore_ascii_case(word);
        is_false(&tag.value)
            || are_selecting(&policy, std::slice::from_ref(tag))
            || is_known("all")
            || is_known("primary")
            || is_list_of::<TargetId>(&tag.value)
            || is_list_of::<FilterId>(&tag.value)
    };
    let mut names = Names::default();
    let observed = &mut world.observed;
    let mut instance = |instance: &Arc<Instance>| {
        let mut instance = Instance::clone(instance);
        for tag in instance.tags.iter_mut().filter(|tag| !is_understood(tag)) {
            tag.value = names.of(&tag.value);
        }
        Arc::new(instance)
    };
    for one in &mut observed.instances {
        *one = instance(one);
    }
    for source in &mut observed.sources {
        if let Shown::Yes(interface) = &mut source.interface {
            if let Owner::Instance(one) = &mut interface.owner {
                *one = instance(one);
            }
            interface.tags.clear();
        }
    }
    let owners = observed.sessions.iter_mut().map(|session| &mut session.managed_by);
    let owners = owners.chain(observed.filters.iter_mut().map(|filter| &mut filter.managed_by));
    for owner in owners.flatten().filter(|owner| ***owner != policy.owner) {
        *owner = names.of(owner);
    }
    Ok(world)
}

fn is_list_of<T: std::str::FromStr>(value: &str) -> bool {
    value.split(',').all(|id| id.trim().parse::<T>().is_ok())
}

/// What each value is called now.
#[derive(Default)]
struct Names(BTreeMap<Arc<str>, Arc<str>>);

impl Names {
    fn of(&mut self, value: &Arc<str>) -> Arc<str> {
        let next = self.0.len().saturating_add(1);
        let name = || format!("redacted-{next}").into();
        Arc::clone(self.0.entry(Arc::clone(value)).or_insert_with(name))
    }
}
