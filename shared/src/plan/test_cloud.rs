//! Clouds for the tests of the decision: one instance that should be mirrored, one target, one filter,
//! and whatever a test adds.

use std::{collections::BTreeMap, sync::Arc};

use super::plan;
use crate::{
    id::InterfaceId,
    observed::{
        Addresses, Attachment, AttachmentStatus, Capacity, DescribedInstance, Direction, Endpoint,
        Filter, FilterRule, Instance, InstanceState, Interface, KnownTypes, Location, NotFound,
        Observed, Owner, Packets, Session, Shown, Source, Tag, Target, TargetState,
    },
    plan::{eligibility::interface_capacity, question::Question},
    policy::Policy,
};

pub(super) const US: &str = "111111111111";
pub(super) const THEM: &str = "222222222222";

pub(super) struct Cloud {
    pub(super) settings: BTreeMap<&'static str, String>,
    pub(super) observed: Observed,
}

impl Cloud {
    /// `i-1`, tagged and running, with `eni-1`; load balancer target `tmt-1`; filter `tmf-1`.
    pub(super) fn new() -> Self {
        let mut observed = Observed {
            account: US.parse().unwrap(),
            instances: Vec::new(),
            sources: Vec::new(),
            sessions: Vec::new(),
            targets: vec![load_balancer("tmt-1", US)],
            filters: vec![filter("tmf-1")],
            is_whole: false,
            not_found: NotFound::default(),
            types: KnownTypes::default(),
        };
        observed.add(instance("i-1", &["eni-1"]));
        Self { settings: BTreeMap::new(), observed }
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    /// What the plan asks.
    pub(super) fn questions(&self) -> Vec<Question> {
        plan(&self.policy(), &self.observed).questions.into_iter().collect()
    }

    /// Nothing confirms the tags of `i-1`.
    pub(super) fn unconfirmed(self) -> Self {
        self.instance(|instance| instance.tags_confirmed = false)
    }

    /// Adds a tag to `i-1`.
    pub(super) fn tag(self, key: &str, value: &str) -> Self {
        self.instance(|instance| {
            instance.tags.retain(|tag| *tag.key != *key);
            instance.tags.push(Tag { key: key.into(), value: value.into() });
            instance.tags.sort();
        })
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.observed);
        self
    }

    /// Changes `i-1`.
    pub(super) fn instance(self, change: impl FnOnce(&mut Instance)) -> Self {
        self.with(|observed| change_instance(observed, 0, change))
    }

    /// Puts another instance in the place of `i-1`.
    pub(super) fn instead(self, described: DescribedInstance) -> Self {
        self.with(|observed| {
            remove_instances(observed);
            observed.add(described);
        })
    }

    /// Changes `eni-1`.
    pub(super) fn interface(self, change: impl FnOnce(&mut Interface)) -> Self {
        self.with(|observed| change(interface_of(&mut observed.sources[0])))
    }

    pub(super) fn session(self, session: Session) -> Self {
        self.with(|observed| observed.sessions.push(session))
    }

    pub(super) fn target(self, target: Target) -> Self {
        self.with(|observed| observed.targets.push(target))
    }

    pub(super) fn filter(self, filter: Filter) -> Self {
        self.with(|observed| observed.filters.push(filter))
    }

    pub(super) fn policy(&self) -> Policy {
        Policy::parse(|name| self.settings.get(name).cloned()).unwrap()
    }

    /// The plan as an operator reads it.
    #[track_caller]
    pub(super) fn plans(self, expected: &[&str]) {
        self.plans_also(expected);
    }

    /// The same, where the cloud goes on.
    #[track_caller]
    pub(super) fn plans_also(&self, expected: &[&str]) {
        let plan = plan(&self.policy(), &self.observed).to_string();
        assert_eq!(plan.lines().collect::<Vec<_>>(), expected);
    }
}

/// Changes an instance, as its sources know it, too.
pub(super) fn change_instance(
    observed: &mut Observed,
    position: usize,
    change: impl FnOnce(&mut Instance),
) {
    let mut changed = Instance::clone(&observed.instances[position]);
    change(&mut changed);
    let changed = Arc::new(changed);
    for source in &mut observed.sources {
        if source.instance().is_some_and(|instance| instance.id == changed.id) {
            interface_of(source).owner = Owner::Instance(changed.clone());
        }
    }
    observed.instances[position] = changed;
}

/// Removes all instances with their sources.
pub(super) fn remove_instances(observed: &mut Observed) {
    observed.instances.clear();
    observed.sources.retain(|source| source.instance().is_none());
}

pub(super) fn interface_of(source: &mut Source) -> &mut Interface {
    match &mut source.interface {
        Shown::Yes(interface) => interface,
        Shown::NotInList | Shown::NotFound => panic!("EC2 does not show {}", source.id),
    }
}

pub(super) fn instance(id: &str, interfaces: &[&str]) -> DescribedInstance {
    let instance = Arc::new(Instance {
        id: id.parse().unwrap(),
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        tags: vec![Tag { key: "Mirror".into(), value: "True".into() }],
        tags_confirmed: true,
    });
    let sources = interfaces.iter().enumerate().map(|(index, id)| {
        let attachment = Attachment { primary: index == 0, status: AttachmentStatus::Attached };
        let interface = Interface {
            zone: Some("a".into()),
            attachment: Some(attachment),
            ..interface("vpc-1", Owner::Instance(instance.clone()))
        };
        Source { id: id.parse().unwrap(), interface: Shown::Yes(interface) }
    });
    DescribedInstance { sources: sources.collect(), instance }
}

/// An interface that is attached to nothing.
pub(super) fn interface(vpc: &str, owner: Owner) -> Interface {
    Interface {
        kind: "interface".into(),
        vpc: vpc.parse().ok(),
        zone: None,
        ipv6_only: false,
        has_ipv6: false,
        requester: None,
        tags: Vec::new(),
        attachment: None,
        owner,
    }
}

/// A source that is on no instance.
pub(super) fn unattached(id: &str, interface: Shown<Interface>) -> Source {
    Source { id: id.parse().unwrap(), interface }
}

/// An owned session to `tmt-1` with `tmf-1`.
pub(super) fn owned(id: &str, interface: &str, number: i32) -> Session {
    Session {
        id: id.parse().unwrap(),
        account: US.parse().unwrap(),
        interface: interface.parse().unwrap(),
        target: "tmt-1".parse().unwrap(),
        filter: "tmf-1".parse().unwrap(),
        number: number.try_into().unwrap(),
        packet_length: None,
        vni: 7.try_into().ok(),
        managed_by: Some("automirror".into()),
        installation: None,
    }
}

/// A foreign session to `target` with `filter`.
pub(super) fn foreign(id: &str, number: i32, target: &str, filter: &str) -> Session {
    Session {
        target: target.parse().unwrap(),
        filter: filter.parse().unwrap(),
        managed_by: None,
        installation: None,
        ..owned(id, "eni-1", number)
    }
}

pub(super) fn load_balancer(id: &str, account: &str) -> Target {
    Target {
        id: id.parse().unwrap(),
        account: account.parse().unwrap(),
        endpoint: Endpoint::NetworkLoadBalancer("net/sensors/0".into()),
        location: Location::default(),
        capacity: Capacity::Unlimited,
        state: TargetState::Ready,
        draining: false,
        interfaces: Vec::new(),
    }
}

/// A target of this account behind the interface of an `m5.large` sensor.
pub(super) fn sensor(id: &str, interface: &str, zone: &str) -> Target {
    let interface: InterfaceId = interface.parse().unwrap();
    Target {
        endpoint: Endpoint::Interface(interface.clone()),
        location: Location { vpc: None, zones: vec![zone.into()] },
        capacity: interface_capacity("m5.large"),
        interfaces: vec![interface],
        ..load_balancer(id, US)
    }
}

/// A filter that accepts everything.
pub(super) fn filter(id: &str) -> Filter {
    let v4 = Addresses::V4(0..=u32::MAX, 0..=u32::MAX);
    let v6 = Addresses::V6(0..=u128::MAX, 0..=u128::MAX);
    let rules = [
        (Direction::Ingress, &v4),
        (Direction::Egress, &v4),
        (Direction::Ingress, &v6),
        (Direction::Egress, &v6),
    ];
    let rules = rules.into_iter().zip(1..).map(|((direction, addresses), number)| FilterRule {
        direction,
        number,
        accepts: true,
        packets: Some(Packets {
            protocols: 0..=255,
            source_ports: 0..=65_535,
            destination_ports: 0..=65_535,
            addresses: addresses.clone(),
        }),
    });
    Filter { id: id.parse().unwrap(), managed_by: None, rules: rules.collect(), amazon_dns: false }
}

/// A filter without the rules of one direction.
pub(super) fn one_way_filter(id: &str, missing: Direction) -> Filter {
    let mut filter = filter(id);
    filter.rules.retain(|rule| rule.direction != missing);
    filter
}

/// `count` sessions of other sources that fill a target.
pub(super) fn fill(target: &str, count: usize) -> impl Iterator<Item = Session> {
    (0..count).map(move |index| Session {
        interface: format!("eni-f{index}").parse().unwrap(),
        ..foreign(&format!("tms-f{}{index}", &target[4..]), 1, target, "tmf-1")
    })
}
