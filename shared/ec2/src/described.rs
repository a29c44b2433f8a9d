//! Instances with their interfaces, as `DescribeInstances` shows them.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    id::InterfaceId,
    observed::{DescribedInstance, Instance, Shown, Source},
};

use crate::unique::unique;

/// Instances with their interfaces. Two flat lists: a list for each instance would take a tenth more
/// memory.
#[derive(Default)]
pub(crate) struct Described {
    pub(crate) instances: Vec<Arc<Instance>>,
    /// Those of one instance stand together.
    pub(crate) sources: Vec<Source>,
}

impl Extend<DescribedInstance> for Described {
    fn extend<I: IntoIterator<Item = DescribedInstance>>(&mut self, items: I) {
        for DescribedInstance { instance, sources } in items {
            self.instances.push(instance);
            self.sources.extend(sources);
        }
    }
}

impl Described {
    /// Adds what was read later.
    pub(crate) fn append(&mut self, mut later: Self) {
        // Of a large account the first list is not copied.
        if self.instances.is_empty() {
            *self = later;
        } else {
            self.instances.append(&mut later.instances);
            self.sources.append(&mut later.sources);
        }
    }

    /// Leaves each instance once, with the interfaces it had when it was read last: pages and calls may
    /// overlap.
    pub(crate) fn deduplicate(&mut self) {
        let count = self.instances.len();
        self.instances = unique(std::mem::take(&mut self.instances), |instance| &instance.id);
        if self.instances.len() == count {
            return;
        }
        let instances = &self.instances;
        let is_last = |owner: &Arc<Instance>| {
            let position = instances.binary_search_by(|it| it.id.cmp(&owner.id)).ok();
            position.and_then(|it| instances.get(it)).is_some_and(|it| Arc::ptr_eq(it, owner))
        };
        self.sources.retain(|source| source.instance().is_some_and(is_last));
    }

    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &InterfaceId> {
        self.sources.iter().map(|source| &source.id)
    }
}

/// Adds the services that manage interfaces, which `DescribeInstances` does not show.
pub(crate) fn add_requesters(sources: &mut [Source], requesters: &BTreeMap<InterfaceId, Arc<str>>) {
    for source in sources {
        if let Shown::Yes(interface) = &mut source.interface
            && let Some(requester) = requesters.get(&source.id)
        {
            interface.requester = Some(requester.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::observed::{Attachment, InstanceState, Interface, Owner};

    use super::*;

    fn described(id: &str, instance_type: &str, interfaces: &[&str]) -> DescribedInstance {
        let instance = Arc::new(Instance {
            id: id.parse().unwrap(),
            state: InstanceState::Running,
            instance_type: instance_type.into(),
            tags: Vec::new(),
            tags_confirmed: false,
        });
        let sources = interfaces.iter().map(|id| {
            let interface = Interface {
                kind: "interface".into(),
                vpc: None,
                zone: None,
                ipv6_only: false,
                has_ipv6: false,
                requester: None,
                tags: Vec::new(),
                attachment: Some(Attachment::default()),
                owner: Owner::Instance(instance.clone()),
            };
            Source { id: id.parse().unwrap(), interface: Shown::Yes(interface) }
        });
        DescribedInstance { sources: sources.collect(), instance }
    }

    #[test]
    fn an_instance_that_was_read_twice_is_there_once_as_it_was_read_last() {
        let mut first = Described::default();
        let old = described("i-1", "old", &["eni-1", "eni-2"]);
        first.extend([old, described("i-2", "m5.large", &["eni-3"])]);
        let mut second = Described::default();
        second.extend([described("i-1", "new", &["eni-1"])]);
        first.append(second);
        first.deduplicate();
        let instances = first.instances.iter().map(|it| (it.id.as_str(), &*it.instance_type));
        assert_eq!(instances.collect::<Vec<_>>(), [("i-1", "new"), ("i-2", "m5.large")]);
        let interfaces: Vec<_> = first.interfaces().map(InterfaceId::as_str).collect();
        assert_eq!(interfaces, ["eni-3", "eni-1"]);
        assert!(first.sources.iter().all(|it| &*it.instance().unwrap().instance_type != "old"));
    }
}
