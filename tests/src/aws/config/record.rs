//! The recorder: an item for whatever in the world is not as it was written down last.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Config, INSTANCE, Item, ResourceKey, SESSION, Status, Time, configuration, invocation::Pending,
};
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
        self.round += 1;
        for change in self.changes(world) {
            let item = self.capture(world, change);
            let due = self.round + self.delay;
            for rule in self.rules.values().filter(|rule| rule.covers(&item.key)) {
                self.pending.push(Pending { due, rule: rule.name.clone(), item: item.clone() });
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
        if self.records(INSTANCE) {
            self.changes_of_instances(world, &mut changes);
        }
        if self.records(SESSION) {
            self.changes_of_sessions(world, &mut changes);
        }
        changes
    }

    fn records(&self, resource_type: &str) -> bool {
        self.recording && self.recorded_types.contains(resource_type)
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
    use serde_json::json;

    use super::super::HistoryQuery;
    use super::*;
    use crate::aws::ec2::{
        Caller, CreateInterface, CreateSession, Endpoint, ModifySession, RunInstances,
    };

    struct Stage {
        world: World,
        config: Config,
        alice: Caller,
        instance: String,
    }

    impl Stage {
        fn new() -> Self {
            let (mut world, alice) = (World::default(), Caller::default());
            let instance = world.run_instances(&alice, &m5()).unwrap().remove(0);
            world.tick();
            let mut config = Config::default();
            config.record(&world);
            Self { world, config, alice, instance }
        }

        fn mirror(&mut self) -> Session {
            let balancer = Endpoint::NetworkLoadBalancer("arn:aws:balancer".to_owned());
            let target =
                self.world.create_target(&self.alice, balancer, None, Tags::new()).unwrap();
            let filter = self.world.create_filter(&self.alice, None, Tags::new()).unwrap();
            let interface = self.world.instance(&self.instance).unwrap().interfaces[0].clone();
            let number = Some(1);
            let wish =
                CreateSession { interface, target, filter, number, ..CreateSession::default() };
            self.world.create_session(&self.alice, &wish).unwrap()
        }

        /// What the next round captures.
        fn record(&mut self) -> Vec<Item> {
            let before = self.items();
            self.config.record(&self.world);
            let mut after = self.items();
            after.retain(|item| !before.contains(item));
            after
        }

        fn items(&self) -> Vec<Item> {
            self.config.history.values().flatten().cloned().collect()
        }
    }

    fn m5() -> RunInstances {
        RunInstances { instance_type: "m5.large".to_owned(), ..RunInstances::default() }
    }

    #[test]
    fn an_instance_is_recorded_when_it_appears_changes_and_ends_and_not_between() {
        let mut stage = Stage::new();
        let id = stage.instance.clone();
        let key = ResourceKey::instance(&id);
        assert_eq!(stage.items()[0].status, Status::ResourceDiscovered);
        assert!(stage.record().is_empty());

        let tags = Tags::from([("Mirror".to_owned(), "True".to_owned())]);
        stage.world.create_tags(&stage.alice, std::slice::from_ref(&id), &tags).unwrap();
        let items = stage.record();
        assert_eq!((&items[0].key, items[0].status, &items[0].tags), (&key, Status::Ok, &tags));

        let spare =
            stage.world.create_interface(&stage.alice, &CreateInterface::default()).unwrap();
        stage.world.attach_interface(&stage.alice, &spare, &id, 1).unwrap();
        let interfaces = &stage.record()[0].configuration["networkInterfaces"];
        assert_eq!(interfaces[1]["networkInterfaceId"], spare.as_str());
        assert_eq!(interfaces[1]["attachment"]["deviceIndex"], 1);

        let ids = [id];
        stage.world.stop_instances(&stage.alice, &ids).unwrap();
        let stopping = json!({ "code": 64, "name": "stopping" });
        assert_eq!(stage.record()[0].configuration["state"], stopping);
        stage.world.terminate_instances(&stage.alice, &ids).unwrap();
        assert_eq!(stage.record()[0].status, Status::Ok);
        stage.world.tick();
        let items = stage.record();
        assert_eq!((items.len(), items[0].status), (1, Status::ResourceDeleted));
        assert!(items[0].configuration.is_null() && items[0].tags.is_empty());
        assert!(stage.record().is_empty());
    }

    #[test]
    fn a_session_is_recorded_in_pascal_case_and_its_end_with_its_interface_too() {
        let mut stage = Stage::new();
        let session = stage.mirror();
        let items = stage.record();
        assert_eq!((items.len(), items[0].status), (1, Status::ResourceDiscovered));
        assert_eq!(
            items[0].configuration,
            json!({
                "Id": session.id,
                "NetworkInterfaceId": session.interface,
                "TrafficMirrorTargetId": session.target,
                "TrafficMirrorFilterId": session.filter,
                "SessionNumber": 1,
                "PacketLength": 8500,
                "VirtualNetworkId": session.vni,
            })
        );
        let id = session.id.clone();
        let request = ModifySession { session: id, number: Some(2), ..ModifySession::default() };
        stage.world.modify_session(&stage.alice, &request).unwrap();
        assert_eq!(stage.record()[0].status, Status::Ok);

        stage.world.terminate_instances(&stage.alice, &[stage.instance.clone()]).unwrap();
        stage.world.tick();
        let gone: Vec<_> = stage.record().into_iter().map(|i| (i.key.id, i.status)).collect();
        let deleted = Status::ResourceDeleted;
        assert_eq!(gone, [(stage.instance.clone(), deleted), (session.id.clone(), deleted)]);
        // Where it was is in its history.
        let query = HistoryQuery::new(ResourceKey::session(&session.id));
        let (items, _) = stage.config.resource_history(&query).unwrap();
        assert_eq!(items[1].configuration["NetworkInterfaceId"], session.interface.as_str());
    }

    #[test]
    fn what_belongs_to_others_or_is_switched_off_is_not_recorded() {
        let mut stage = Stage::new();
        stage.world.run_instances(&Caller::user("444455556666"), &m5()).unwrap();
        assert!(stage.record().is_empty());
        stage.config.recorded_types.remove(SESSION);
        stage.mirror();
        assert!(stage.record().is_empty());
        stage.config.recording = false;
        stage.world.run_instances(&stage.alice, &m5()).unwrap();
        assert!(stage.record().is_empty());
        // Switched on again, the recorder finds what it missed.
        stage.config.recording = true;
        assert_eq!(stage.record().len(), 1);
        assert!(stage.config.is_settled(&stage.world));
    }

    #[test]
    fn no_two_captures_have_the_same_time() {
        let mut stage = Stage::new();
        stage.world.run_instances(&stage.alice, &RunInstances { count: 5, ..m5() }).unwrap();
        stage.record();
        let mut times: Vec<_> = stage.items().into_iter().map(|item| item.captured).collect();
        times.sort_unstable();
        times.dedup();
        assert_eq!(times.len(), 6);
    }
}
