//! What EC2 says now, as plain data: nothing here decides.

mod filter;
mod instance;
mod session;
mod shown;
mod source;
mod target;

pub use filter::{Addresses, Direction, Filter, FilterRule, Packets};
pub use instance::{Instance, InstanceState, Tag};
pub use session::Session;
pub use shown::Shown;
pub use source::{Attachment, AttachmentStatus, DescribedInstance, Interface, Owner, Source};
pub use target::{Capacity, Endpoint, Location, Target, TargetState};

use std::{collections::BTreeSet, sync::Arc};

use crate::id::{AccountId, FilterId, InstanceId, SessionId, TargetId, VpcId};

/// The part of one account and region that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Observed {
    /// The account of this installation.
    pub account: AccountId,
    /// The instances, also those without an interface.
    pub instances: Vec<Arc<Instance>>,
    /// The mirror sources: the network interfaces of these instances, and others with a session.
    pub sources: Vec<Source>,
    /// Every session on these sources, owned or foreign, and the sessions that fill the targets.
    pub sessions: Vec<Session>,
    /// Every session of the account, and every instance that the tag selects, was read.
    pub is_whole: bool,
    /// Every target this account can see.
    pub targets: Vec<Target>,
    /// Every filter of this account.
    pub filters: Vec<Filter>,
    /// What EC2 says does not exist.
    pub not_found: NotFound,
    /// What is known of instance types beside the lists.
    pub types: KnownTypes,
}

/// What EC2, asked for its id, says does not exist. What a list only does not show is not in here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NotFound {
    /// Targets.
    pub targets: BTreeSet<TargetId>,
    /// Filters.
    pub filters: BTreeSet<FilterId>,
    /// Instances.
    pub instances: BTreeSet<InstanceId>,
    /// Sessions.
    pub sessions: BTreeSet<SessionId>,
    /// VPCs: there is no network interface in them, so either they do not exist or there is nothing to
    /// mirror.
    pub vpcs: BTreeSet<VpcId>,
}

/// What EC2 has shown about instance types, now or earlier in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownTypes {
    /// Kinds of instance with a session on one of their interfaces, as
    /// [`kind`](crate::plan::eligibility::kind) names them.
    pub proven: BTreeSet<Arc<str>>,
    /// Types that EC2 refused as a source.
    pub refused: BTreeSet<Arc<str>>,
}

impl Observed {
    /// Adds an instance and its interfaces.
    pub fn add(&mut self, described: DescribedInstance) {
        self.instances.push(described.instance);
        self.sources.extend(described.sources);
    }

    /// The instances that EC2 shows completely. At first EC2 may show a pending or running instance
    /// without its interfaces.
    #[must_use]
    pub fn complete_instances(&self) -> BTreeSet<&InstanceId> {
        let with_source: BTreeSet<_> =
            self.sources.iter().filter_map(|source| source.instance()).map(|it| &it.id).collect();
        let is_complete = |instance: &&Arc<Instance>| {
            !instance.state.is_pending_or_running() || with_source.contains(&instance.id)
        };
        self.instances.iter().filter(is_complete).map(|instance| &instance.id).collect()
    }
}
