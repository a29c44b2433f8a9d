//! What must be remembered of what was observed when the plan has been executed.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    id::{InstanceId, InterfaceId, SessionId},
    observed::{InstanceState, Observed},
    plan::{desired::has_key, step::Step},
    policy::Policy,
};
use shared_ec2::selector::Selector;

use crate::act::outcome::Executed;

/// What EC2 showed, by id.
#[derive(Default)]
pub(crate) struct Inventory {
    /// Instances that EC2 shows, with an interface where they should have one.
    pub(crate) instances: BTreeSet<InstanceId>,
    pub(crate) pending: BTreeSet<InstanceId>,
    /// Instances that EC2 shows as stopping or stopped.
    pub(crate) stopped: BTreeSet<InstanceId>,
    /// Named instances that carry the selecting key in some spelling: whoever set that tag wants to know
    /// what came of it.
    pub(crate) with_key: BTreeSet<InstanceId>,
    /// The instance of each interface.
    interfaces: BTreeMap<InterfaceId, InstanceId>,
    /// The interface of each session.
    sessions: BTreeMap<SessionId, InterfaceId>,
}

impl Inventory {
    /// Of a sweep alone only the pending instances are needed, and there may be very many others.
    pub(crate) fn new(
        policy: &Policy,
        observed: &Observed,
        selectors: &BTreeSet<Selector>,
    ) -> Self {
        let in_state = |is: fn(InstanceState) -> bool| {
            let instances = observed.instances.iter().filter(move |it| is(it.state));
            instances.map(|instance| instance.id.clone()).collect()
        };
        let pending = in_state(|state| state == InstanceState::Pending);
        if selectors.iter().all(|selector| *selector == Selector::Sweep) {
            return Self { pending, ..Self::default() };
        }
        let interfaces = observed
            .sources
            .iter()
            .filter_map(|source| Some((source.id.clone(), source.instance()?.id.clone())));
        let sessions = observed.sessions.iter().map(|it| (it.id.clone(), it.interface.clone()));
        let named: BTreeSet<_> = selectors.iter().filter_map(Selector::instance).collect();
        let with_key =
            observed.instances.iter().filter(|it| named.contains(&it.id) && has_key(policy, it));
        Self {
            instances: observed.complete_instances().into_iter().cloned().collect(),
            pending,
            stopped: in_state(|it| matches!(it, InstanceState::Stopping | InstanceState::Stopped)),
            with_key: with_key.map(|instance| instance.id.clone()).collect(),
            interfaces: interfaces.collect(),
            sessions: sessions.collect(),
        }
    }

    /// Takes over what a later look has shown of these instances.
    pub(crate) fn update(&mut self, later: Self) {
        for instances in [&mut self.pending, &mut self.stopped] {
            instances.retain(|instance| !later.instances.contains(instance));
        }
        self.instances.extend(later.instances);
        self.pending.extend(later.pending);
        self.stopped.extend(later.stopped);
        self.with_key.extend(later.with_key);
        self.interfaces.extend(later.interfaces);
        self.sessions.extend(later.sessions);
    }

    /// Whether a step is about what an event names, or about its neighbours on the same instance.
    pub(crate) fn concerns(&self, selector: &Selector, step: &Step) -> bool {
        let on_same_instance = |interface: &InterfaceId| {
            let instance = self.interfaces.get(interface);
            step.source == *interface || (instance.is_some() && step.instance.as_ref() == instance)
        };
        match selector {
            Selector::Sweep => true,
            Selector::Unattached => step.instance.is_none(),
            Selector::Instance(instance)
            | Selector::Started(instance)
            | Selector::Tagged(instance) => step.instance.as_ref() == Some(instance),
            Selector::Interface(interface) => on_same_instance(interface),
            Selector::Session(session) => self.sessions.get(session).is_some_and(on_same_instance),
            // Only config-rule asks for one.
            Selector::Target(_) => false,
        }
    }

    /// What a step was done for, of these causes, each with what it names.
    pub(crate) fn cause<'a>(
        &self,
        causes: &[(&BTreeSet<Selector>, &'a str)],
        executed: &Executed,
    ) -> &'a str {
        let concerns = |selectors: &BTreeSet<Selector>| {
            selectors.iter().any(|selector| self.concerns(selector, &executed.step))
        };
        let cause = causes.iter().find(|(selectors, _)| concerns(selectors));
        cause.map_or("a second look", |(_, cause)| *cause)
    }
}
