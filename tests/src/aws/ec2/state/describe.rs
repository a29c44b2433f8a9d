//! What `Describe…` returns for each type of resource, and which filters it takes.

use std::collections::BTreeMap;

use super::session::Key;
use super::{
    Caller, Endpoint, Filter, Instance, Interface, Refusal, Rule, Session, Tags, Target, World,
};

/// A filter's name, and the values that a resource has under it.
pub type Column<T> = (&'static str, fn(&World, &T) -> Vec<String>);

/// A kind of resource that can be described.
pub trait Resource: Sized + 'static {
    /// What AWS calls the type, in ARNs and where tags are concerned.
    const TYPE: &'static str;
    /// The code for an id that is unknown, and what the id is of.
    const MISSING: (&'static str, &'static str);
    /// The documented filters; the first is the id.
    const COLUMNS: &'static [Column<Self>];
    /// Whether `tag:KEY` and `tag-key` are filters too.
    const TAG_FILTERS: bool = false;
    /// Whether `MaxResults` may come with ids.
    const PAGED_WITH_IDS: bool = true;
    /// The most that `MaxResults` may be.
    const LARGEST_PAGE: i64 = 1000;

    fn rows(world: &World) -> &BTreeMap<String, Self>;
    fn id(&self) -> &str;
    fn owner(&self) -> &str;
    fn tags(&self) -> &Tags;
    fn tags_mut(&mut self) -> &mut Tags;

    fn is_visible(&self, _world: &World, caller: &Caller) -> bool {
        self.owner() == caller.account
    }

    /// Whether an operator manages it.
    fn is_managed(&self) -> bool {
        false
    }

    /// The ids of all that can have this value, if there is an index for the filter.
    fn indexed<'a>(_world: &'a World, _filter: &str, _value: &str) -> Option<Vec<&'a str>> {
        None
    }

    fn missing(id: &str) -> Refusal {
        let (code, noun) = Self::MISSING;
        Refusal::new(code, format!("The {noun} ID '{id}' does not exist"))
    }
}

/// The fields that every kind has.
macro_rules! fields {
    () => {
        fn id(&self) -> &str {
            &self.id
        }

        fn owner(&self) -> &str {
            &self.owner
        }

        fn tags(&self) -> &Tags {
            &self.tags
        }

        fn tags_mut(&mut self) -> &mut Tags {
            &mut self.tags
        }
    };
}

pub(super) use fields;

impl Resource for Instance {
    const TYPE: &'static str = "instance";
    const MISSING: (&'static str, &'static str) = ("InvalidInstanceID.NotFound", "instance");
    const COLUMNS: &'static [Column<Self>] = &[
        ("instance-id", |_, i| vec![i.id.clone()]),
        ("instance-state-name", |_, i| vec![i.state.name().to_owned()]),
        ("instance-type", |_, i| vec![i.instance_type.clone()]),
        ("vpc-id", |_, i| i.vpc.iter().cloned().collect()),
        ("subnet-id", |_, i| i.subnet.iter().cloned().collect()),
        ("network-interface.network-interface-id", |_, i| i.interfaces.clone()),
        ("network-interface.attachment.attachment-id", |world, i| {
            attached(world, i).filter_map(|e| e.attachment.as_ref()).map(|a| a.id.clone()).collect()
        }),
        ("network-interface.attachment.status", |world, i| {
            attached(world, i)
                .filter_map(|e| e.attachment.as_ref())
                .map(|a| a.status.clone())
                .collect()
        }),
        ("network-interface.requester-managed", |world, i| {
            attached(world, i).map(|e| e.requester.is_some().to_string()).collect()
        }),
    ];
    const TAG_FILTERS: bool = true;
    const PAGED_WITH_IDS: bool = false;

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.instances
    }

    fields!();

    fn is_managed(&self) -> bool {
        self.operator.is_some()
    }

    fn indexed<'a>(world: &'a World, filter: &str, value: &str) -> Option<Vec<&'a str>> {
        (filter == "network-interface.network-interface-id")
            .then(|| world.interface(value).and_then(Interface::instance).into_iter().collect())
    }
}

fn attached<'a>(world: &'a World, instance: &'a Instance) -> impl Iterator<Item = &'a Interface> {
    instance.interfaces.iter().filter_map(|id| world.interface(id))
}

impl Resource for Interface {
    const TYPE: &'static str = "network-interface";
    const MISSING: (&'static str, &'static str) =
        ("InvalidNetworkInterfaceID.NotFound", "networkInterface");
    const COLUMNS: &'static [Column<Self>] = &[
        ("network-interface-id", |_, i| vec![i.id.clone()]),
        ("attachment.attachment-id", |_, i| i.attachment.iter().map(|a| a.id.clone()).collect()),
        ("attachment.instance-id", |_, i| i.instance().map(str::to_owned).into_iter().collect()),
        ("attachment.instance-owner-id", |_, i| {
            i.attachment.iter().map(|a| a.instance_owner.clone()).collect()
        }),
        ("attachment.status", |_, i| i.attachment.iter().map(|a| a.status.clone()).collect()),
        ("status", |_, i| vec![i.status().to_owned()]),
        ("requester-managed", |_, i| vec![i.requester.is_some().to_string()]),
        ("requester-id", |_, i| i.requester.iter().cloned().collect()),
        ("vpc-id", |_, i| vec![i.vpc.clone()]),
        ("subnet-id", |_, i| vec![i.subnet.clone()]),
        ("interface-type", |_, i| vec![i.interface_type.clone()]),
        ("addresses.private-ip-address", |_, i| i.ipv4.iter().map(ToString::to_string).collect()),
        ("group-id", |_, i| i.groups.clone()),
        ("description", |_, i| vec![i.description.clone()]),
    ];
    const TAG_FILTERS: bool = true;
    const PAGED_WITH_IDS: bool = false;

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.interfaces
    }

    fields!();

    fn is_managed(&self) -> bool {
        self.operator.is_some()
    }

    fn indexed<'a>(world: &'a World, filter: &str, value: &str) -> Option<Vec<&'a str>> {
        (filter == "attachment.instance-id").then(|| {
            let instance = world.instance(value).into_iter();
            instance.flat_map(|i| &i.interfaces).map(String::as_str).collect()
        })
    }
}

impl Resource for Session {
    const TYPE: &'static str = "traffic-mirror-session";
    const MISSING: (&'static str, &'static str) =
        ("InvalidTrafficMirrorSessionId.NotFound", "traffic mirror session");
    const COLUMNS: &'static [Column<Self>] = &[
        ("traffic-mirror-session-id", |_, s| vec![s.id.clone()]),
        ("network-interface-id", |_, s| vec![s.interface.clone()]),
        ("traffic-mirror-target-id", |_, s| vec![s.target.clone()]),
        ("traffic-mirror-filter-id", |_, s| vec![s.filter.clone()]),
        ("owner-id", |_, s| vec![s.owner.clone()]),
        ("session-number", |_, s| vec![s.number.to_string()]),
        ("packet-length", |_, s| s.packet_length.iter().map(u16::to_string).collect()),
        ("virtual-network-id", |_, s| vec![s.vni.to_string()]),
        ("description", |_, s| s.description.iter().cloned().collect()),
    ];

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        world.sessions.rows()
    }

    fields!();

    /// The owner of a target sees the sessions that others have on it.
    fn is_visible(&self, world: &World, caller: &Caller) -> bool {
        let target = || world.targets.get(&self.target);
        self.owner == caller.account || target().is_some_and(|t| t.owner == caller.account)
    }

    fn indexed<'a>(world: &'a World, filter: &str, value: &str) -> Option<Vec<&'a str>> {
        let key = match filter {
            "network-interface-id" => Key::Interface(value.to_owned()),
            "traffic-mirror-target-id" => Key::Target(value.to_owned()),
            "traffic-mirror-filter-id" => Key::Filter(value.to_owned()),
            "owner-id" => Key::Owner(value.to_owned()),
            _ => return None,
        };
        Some(world.sessions.ids(&key).map(String::as_str).collect())
    }
}

impl Resource for Target {
    const TYPE: &'static str = "traffic-mirror-target";
    const MISSING: (&'static str, &'static str) =
        ("InvalidTrafficMirrorTargetId.NotFound", "traffic mirror target");
    const COLUMNS: &'static [Column<Self>] = &[
        ("traffic-mirror-target-id", |_, t| vec![t.id.clone()]),
        ("network-interface-id", |_, t| match &t.endpoint {
            Endpoint::Interface(id) => vec![id.clone()],
            _ => Vec::new(),
        }),
        ("network-load-balancer-arn", |_, t| match &t.endpoint {
            Endpoint::NetworkLoadBalancer(arn) => vec![arn.clone()],
            _ => Vec::new(),
        }),
        ("owner-id", |_, t| vec![t.owner.clone()]),
        ("description", |_, t| t.description.iter().cloned().collect()),
    ];

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.targets
    }

    fields!();

    fn is_visible(&self, _world: &World, caller: &Caller) -> bool {
        self.owner == caller.account || self.shared_with.contains(&caller.account)
    }
}

impl Resource for Filter {
    const TYPE: &'static str = "traffic-mirror-filter";
    const MISSING: (&'static str, &'static str) =
        ("InvalidTrafficMirrorFilterId.NotFound", "traffic mirror filter");
    const COLUMNS: &'static [Column<Self>] = &[
        ("traffic-mirror-filter-id", |_, f| vec![f.id.clone()]),
        ("description", |_, f| f.description.iter().cloned().collect()),
    ];

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.filters
    }

    fields!();
}

impl Resource for Rule {
    const TYPE: &'static str = "traffic-mirror-filter-rule";
    const MISSING: (&'static str, &'static str) =
        ("InvalidTrafficMirrorFilterRuleId.NotFound", "traffic mirror filter rule");
    const COLUMNS: &'static [Column<Self>] = &[
        ("traffic-mirror-filter-rule-id", |_, r| vec![r.id.clone()]),
        ("traffic-mirror-filter-id", |_, r| vec![r.spec.filter.clone()]),
        ("rule-number", |_, r| vec![r.spec.number.to_string()]),
        ("rule-action", |_, r| vec![r.spec.action.clone()]),
        ("traffic-direction", |_, r| vec![r.spec.direction.name().to_owned()]),
        ("protocol", |_, r| r.spec.protocol.iter().map(i64::to_string).collect()),
        ("source-cidr-block", |_, r| vec![r.spec.source_cidr.clone()]),
        ("destination-cidr-block", |_, r| vec![r.spec.destination_cidr.clone()]),
        ("description", |_, r| r.spec.description.iter().cloned().collect()),
    ];

    fn rows(world: &World) -> &BTreeMap<String, Self> {
        &world.rules
    }

    fields!();

    fn indexed<'a>(world: &'a World, filter: &str, value: &str) -> Option<Vec<&'a str>> {
        (filter == "traffic-mirror-filter-id").then(|| {
            let filter = world.filter(value).into_iter();
            filter.flat_map(|f| &f.rules).map(String::as_str).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateSession, Query};
    use super::*;

    #[test]
    fn an_index_finds_the_same_as_looking_at_every_row() {
        let mut stage = Stage::new();
        let session = stage.create(&stage.request());
        let (interface, target) = (stage.launch("t3.micro"), stage.balancer());
        stage.create(&CreateSession { interface, target, ..stage.request() });
        let alice = stage.alice.clone();
        let world = &stage.world;
        same::<Session>(world, &alice, "network-interface-id", &session.interface, 1);
        same::<Session>(world, &alice, "traffic-mirror-target-id", &session.target, 1);
        same::<Session>(world, &alice, "traffic-mirror-filter-id", &session.filter, 2);
        same::<Session>(world, &alice, "traffic-mirror-session-id", &session.id, 1);
        same::<Session>(world, &alice, "owner-id", &session.owner, 2);
        let name = "network-interface.network-interface-id";
        same::<Instance>(world, &alice, name, &session.interface, 1);
        same::<Interface>(world, &alice, "attachment.instance-id", &stage.instance, 1);
    }

    fn same<T: Resource>(world: &World, caller: &Caller, name: &str, value: &str, count: usize) {
        // A wildcard makes it look at every row.
        for value in [value.to_owned(), format!("{value}*")] {
            let query = Query::default().with(name, &[&value]);
            let rows = world.describe::<T>(caller, &query).unwrap().rows;
            assert_eq!(rows.len(), count, "{name}={value}");
        }
    }
}
