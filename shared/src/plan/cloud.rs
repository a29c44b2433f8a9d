//! Clouds for the tests of the decision: one instance that is wanted, one target, one filter, and
//! whatever a test adds.

use std::collections::BTreeMap;

use crate::{
    observed::{
        Filter, Instance, InstanceState, Interface, LooseInterface, LoosePlace, Observed, Session,
        Target, TargetKind,
    },
    plan::plan,
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
        let observed = Observed {
            account: US.parse().unwrap(),
            instances: vec![instance("i-1", &["eni-1"])],
            loose: Vec::new(),
            sessions: Vec::new(),
            targets: vec![load_balancer("tmt-1", US)],
            filters: vec![filter("tmf-1")],
        };
        Self { settings: BTreeMap::new(), observed }
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.insert(name, value.to_owned());
        self
    }

    /// Adds a tag to `i-1`.
    pub(super) fn tag(mut self, key: &str, value: &str) -> Self {
        let tags = &mut self.observed.instances[0].tags;
        tags.retain(|(other, _)| **other != *key);
        tags.push((key.into(), value.into()));
        tags.sort();
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Observed)) -> Self {
        change(&mut self.observed);
        self
    }

    /// Changes `i-1`.
    pub(super) fn instance(self, change: impl FnOnce(&mut Instance)) -> Self {
        self.with(|observed| change(&mut observed.instances[0]))
    }

    /// Changes `eni-1`.
    pub(super) fn interface(self, change: impl FnOnce(&mut Interface)) -> Self {
        self.instance(|instance| change(&mut instance.interfaces[0]))
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
        let plan = plan(&self.policy(), &self.observed).to_string();
        assert_eq!(plan.lines().collect::<Vec<_>>(), expected);
    }
}

pub(super) fn instance(id: &str, interfaces: &[&str]) -> Instance {
    let interfaces = interfaces.iter().enumerate().map(|(index, id)| Interface {
        id: id.parse().unwrap(),
        kind: "interface".into(),
        vpc: "vpc-1".parse().ok(),
        primary: index == 0,
        detaching: false,
        ipv6_only: false,
        requester: None,
    });
    Instance {
        id: id.parse().unwrap(),
        state: InstanceState::Running,
        instance_type: "m5.large".into(),
        zone: Some("a".into()),
        tags: vec![("Mirror".into(), "True".into())],
        interfaces: interfaces.collect(),
    }
}

/// A session of ours, to `tmt-1` with `tmf-1`.
pub(super) fn ours(id: &str, interface: &str, number: i32) -> Session {
    Session {
        id: id.parse().unwrap(),
        account: US.parse().unwrap(),
        interface: interface.parse().unwrap(),
        target: "tmt-1".parse().unwrap(),
        filter: "tmf-1".parse().unwrap(),
        number,
        packet_length: None,
        vni: Some(7),
        managed_by: Some("automirror".to_owned()),
    }
}

/// A session of somebody else, to `target` with `filter`.
pub(super) fn foreign(id: &str, number: i32, target: &str, filter: &str) -> Session {
    Session {
        target: target.parse().unwrap(),
        filter: filter.parse().unwrap(),
        managed_by: None,
        ..ours(id, "eni-1", number)
    }
}

pub(super) fn load_balancer(id: &str, account: &str) -> Target {
    Target {
        id: id.parse().unwrap(),
        account: account.parse().unwrap(),
        kind: TargetKind::NetworkLoadBalancer,
        refused: false,
    }
}

/// A target of ours behind the interface of an `m5.large` sensor.
pub(super) fn sensor(id: &str, interface: &str, zone: &str) -> Target {
    let kind = TargetKind::Interface {
        id: interface.parse().unwrap(),
        instance_type: Some("m5.large".into()),
        zone: Some(zone.into()),
    };
    Target { kind, ..load_balancer(id, US) }
}

pub(super) fn filter(id: &str) -> Filter {
    Filter { id: id.parse().unwrap(), accepts: true, managed_by: None }
}

pub(super) fn loose(id: &str, place: LoosePlace) -> LooseInterface {
    LooseInterface { id: id.parse().unwrap(), place }
}

/// `count` sessions of other interfaces that fill a target.
pub(super) fn fill(target: &str, count: usize) -> impl Iterator<Item = Session> {
    (0..count).map(move |index| Session {
        interface: format!("eni-f{index}").parse().unwrap(),
        ..foreign(&format!("tms-f{}{index}", &target[4..]), 1, target, "tmf-1")
    })
}
