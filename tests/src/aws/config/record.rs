//! The recorder: it captures an item for each resource that has changed since its last item.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Config, Item, ResourceKey, Status, Time, configuration, invocation::Pending};
use crate::aws::ec2::{Instance, Interface, Session, State, Tags, World};

/// The resources as they were captured last. What is deleted is not in it.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    instances: BTreeMap<String, (Instance, Vec<Interface>)>,
    sessions: BTreeMap<String, Session>,
}

impl Config {
    /// A round of the recorder: captures what is new, changed or gone since the last one, whoever
    /// did it and however.
    pub fn record(&mut self, world: &World) {
        for change in self.changes(world) {
            let item = self.capture(world, change);
            for rule in self.rules.values().filter(|rule| rule.covers(&item.key)) {
                self.pending.push(Pending { rule: rule.name.clone(), item: item.clone() });
            }
            self.history.entry(item.key.clone()).or_default().push(item);
        }
    }

    /// Whether the recorder has written down everything, and the rules know of it.
    pub fn is_settled(&self, world: &World) -> bool {
        self.pending.is_empty() && self.changes(world).is_empty()
    }

    /// Each resource that is not as it was recorded, and what its item will say. In the world's
    /// order, the instances first.
    fn changes(&self, world: &World) -> Vec<(ResourceKey, Status)> {
        let mut changes = Vec::new();
        if self.recording {
            self.changes_of_instances(world, &mut changes);
            self.changes_of_sessions(world, &mut changes);
        }
        changes
    }

    fn changes_of_instances(&self, world: &World, changes: &mut Vec<(ResourceKey, Status)>) {
        for row in world.instances().filter(|row| row.owner == self.account) {
            let status = match self.recorded.instances.get(&row.id) {
                // EC2 shows it for a while yet; to Config it is deleted.
                Some(_) if row.state == State::Terminated => Status::ResourceDeleted,
                None if row.state == State::Terminated => continue,
                Some((known, interfaces))
                    if known == row && interfaces.iter().eq(attached(world, row)) =>
                {
                    continue;
                }
                Some(_) => Status::Ok,
                None => Status::ResourceDiscovered,
            };
            changes.push((ResourceKey::instance(&row.id), status));
        }
    }

    fn changes_of_sessions(&self, world: &World, changes: &mut Vec<(ResourceKey, Status)>) {
        for row in world.sessions().filter(|row| row.owner == self.account) {
            let status = match self.recorded.sessions.get(&row.id) {
                Some(known) if known == row => continue,
                Some(_) => Status::Ok,
                None => Status::ResourceDiscovered,
            };
            changes.push((ResourceKey::session(&row.id), status));
        }
        let gone = self.recorded.sessions.keys().filter(|id| world.session(id).is_none());
        changes.extend(gone.map(|id| (ResourceKey::session(id), Status::ResourceDeleted)));
    }

    /// An item that says nothing but its status: of what is deleted, or to be filled in.
    pub fn bare_item(&mut self, world: &World, key: ResourceKey, status: Status) -> Item {
        Item {
            account: self.account.clone(),
            region: self.region.clone(),
            key,
            status,
            captured: self.time(world),
            availability_zone: "Not Applicable".to_owned(),
            created: None,
            tags: Tags::new(),
            relationships: Vec::new(),
            configuration: Value::Null,
        }
    }

    fn capture(&mut self, world: &World, (key, status): (ResourceKey, Status)) -> Item {
        let mut item = self.bare_item(world, key, status);
        let id = item.key.id.clone();
        if status == Status::ResourceDeleted {
            self.recorded.instances.remove(&id);
            self.recorded.sessions.remove(&id);
        } else if let Some(row) = world.instance(&id) {
            let interfaces: Vec<_> = attached(world, row).cloned().collect();
            item.configuration = configuration::instance(row, &interfaces);
            item.relationships = configuration::relationships(row);
            item.availability_zone.clone_from(&row.availability_zone);
            item.created = Some(Time::of_seconds(row.launched));
            item.tags.clone_from(&row.tags);
            self.recorded.instances.insert(id, (row.clone(), interfaces));
        } else if let Some(row) = world.session(&id) {
            // Whether AWS relates a session to its interface is not known, so nothing is to rely
            // on it.
            item.configuration = configuration::session(row);
            item.tags.clone_from(&row.tags);
            self.recorded.sessions.insert(id, row.clone());
        }
        item
    }
}

fn attached<'a>(world: &'a World, instance: &'a Instance) -> impl Iterator<Item = &'a Interface> {
    instance.interfaces.iter().filter_map(|id| world.interface(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::ec2::{Caller, RunInstances};

    #[test]
    fn an_instance_is_recorded_when_it_appears_changes_and_ends_while_the_recorder_is_on() {
        let (mut world, alice) = (World::default(), Caller::default());
        let ids = world.run_instances(&alice, &RunInstances::default()).unwrap();
        world.run_instances(&Caller::user("444455556666"), &RunInstances::default()).unwrap();
        let mut config = Config::default();
        let record = |world: &World, config: &mut Config| {
            let known = config.history.values().map(Vec::len).sum::<usize>();
            config.record(world);
            let items = config.history.get(&ResourceKey::instance(&ids[0])).cloned();
            let is_new = config.history.values().map(Vec::len).sum::<usize>() > known;
            items.unwrap_or_default().last().filter(|_| is_new).map(|item| item.status)
        };
        config.recording = false;
        assert_eq!(record(&world, &mut config), None, "the recorder is off");
        config.recording = true;
        assert_eq!(record(&world, &mut config), Some(Status::ResourceDiscovered));
        assert_eq!(record(&world, &mut config), None, "nothing changed");
        let tags = Tags::from([("Mirror".to_owned(), "True".to_owned())]);
        world.create_tags(&alice, &ids, &tags).unwrap();
        assert_eq!(record(&world, &mut config), Some(Status::Ok));
        world.terminate_instances(&alice, &ids).unwrap();
        assert_eq!(record(&world, &mut config), Some(Status::Ok));
        world.tick();
        assert_eq!(record(&world, &mut config), Some(Status::ResourceDeleted));
        assert_eq!(record(&world, &mut config), None, "EC2 shows it for a while yet");
        assert!(config.is_settled(&world) && config.history.len() == 1);
    }
}
