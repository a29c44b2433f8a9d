//! EC2's resources and rules: instances, network interfaces, and traffic mirror sessions, targets and filters.
//!
//! Plain data under plain methods: no I/O and no clock, so the same calls always make the same
//! world. A method takes the caller, enforces AWS's rules with AWS's error codes, and leaves the
//! events it caused in an outbox (`World::take_events`).

mod attachment;
mod balancer;
mod caller;
mod client_token;
mod cloudtrail;
mod copies;
mod create_session;
mod delivery;
mod describe;
mod event;
mod filter;
mod instance;
mod instance_types;
mod interface;
mod lifecycle;
mod load_balancer;
mod metrics;
mod modify_session;
mod network;
mod packets;
mod query;
mod refusal;
mod session;
mod source;
#[cfg(test)]
mod stage;
mod subnet;
mod tag;
mod tag_list;
mod target;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::Value;

pub use caller::{Caller, DEFAULT_ACCOUNT};
pub use copies::Copied;
pub use create_session::CreateSession;
pub use delivery::{Delivery, Flow, Versions};
pub use describe::{Column, Resource};
pub(crate) use event::timestamp;
pub use filter::{CreateRule, Direction, Filter, PortRange, Rule};
pub use instance::{Instance, LaunchInterface, RunInstances, State};
pub use interface::{Attachment, CreateInterface, Interface};
pub use lifecycle::StateChange;
pub use load_balancer::{Listener, LoadBalancer, TargetGroup};
pub use metrics::Traffic;
pub use modify_session::{Field, ModifySession};
pub use network::{
    AclEntry, DEFAULT_GROUP, GroupRule, NetworkAcl, Peer, Route, RouteTable, SecurityGroup,
    VpcEndpoint,
};
pub use query::{Condition, Page, Query};
pub use refusal::Refusal;
pub use session::Session;
pub use subnet::{DEFAULT_VPC, IPV6_ONLY, OTHER_VPC, SECOND_VPC, Subnet, ZONE_A, ZONE_B, ZONE_C};
pub use tag::Tags;
pub use tag_list::{TagPage, TagRow};
pub use target::{Endpoint, Target};

use client_token::Replays;
use session::Sessions;

/// What becomes of resources of an operator, and of the parameter `IncludeManagedResources`, which is new in 2026.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Managed {
    /// They are shown.
    Shown,
    /// They are left out unless the query asks for them.
    Hidden,
    /// They are shown, and EC2 does not know the parameter.
    NoParameter,
}

/// Everything there is in one region, of every account.
#[derive(Clone, Debug)]
pub struct World {
    pub region: String,
    /// Unix time. The server sets it before each request, unless told not to; tests may set it as
    /// they like.
    pub now: u64,
    /// The most rows a page may have, whatever was asked for: AWS may return fewer than
    /// `MaxResults` too.
    pub max_page: Option<usize>,
    /// The code for a session number that is taken on the interface, or `None` to allow it: AWS does not
    /// document which.
    pub duplicate_number: Option<String>,
    /// Whether a client token is still answered with its session when that is gone: AWS does not document
    /// it.
    pub token_outlives_session: bool,
    /// Whether a client token that comes with other tags is refused: AWS does not document that either.
    pub token_is_for_tags: bool,
    /// What every token is answered with, as if it had been used for this session.
    pub remembered_answer: Option<Session>,
    /// Sessions that one account may have.
    pub session_limit: usize,
    /// What becomes of resources of an operator.
    pub managed: Managed,
    /// Who sends what.
    pub traffic: Traffic,
    subnets: BTreeMap<String, Subnet>,
    instances: BTreeMap<String, Instance>,
    /// The instances that the next tick moves on, so that a tick does not look at all of them.
    moving: BTreeSet<String>,
    interfaces: BTreeMap<String, Interface>,
    sessions: Sessions,
    targets: BTreeMap<String, Target>,
    /// The targets that deliver to an interface: those interfaces cannot be sources.
    targets_on: HashMap<String, BTreeSet<String>>,
    filters: BTreeMap<String, Filter>,
    rules: BTreeMap<String, Rule>,
    groups: BTreeMap<String, SecurityGroup>,
    acls: BTreeMap<String, NetworkAcl>,
    route_tables: BTreeMap<String, RouteTable>,
    endpoints: BTreeMap<String, VpcEndpoint>,
    load_balancers: BTreeMap<String, LoadBalancer>,
    /// The balancers and endpoints that are no more: nothing tells a target.
    gone_endpoints: BTreeSet<String>,
    replays: Replays,
    events: Vec<Value>,
    /// The calls that changed something or were to, oldest first, each with its time.
    trail: VecDeque<(u64, Value)>,
    made: u64,
    frozen: Option<Box<World>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            // 2026-01-01T00:00:00Z
            now: 1_767_225_600,
            max_page: None,
            duplicate_number: Some("InvalidParameterValue".to_owned()),
            token_outlives_session: true,
            token_is_for_tags: true,
            remembered_answer: None,
            session_limit: 10_000,
            managed: Managed::Shown,
            subnets: subnet::all(),
            instances: BTreeMap::new(),
            moving: BTreeSet::new(),
            interfaces: BTreeMap::new(),
            sessions: Sessions::default(),
            targets: BTreeMap::new(),
            targets_on: HashMap::new(),
            filters: BTreeMap::new(),
            rules: BTreeMap::new(),
            groups: network::groups(),
            acls: network::acls(),
            route_tables: network::route_tables(),
            endpoints: BTreeMap::new(),
            load_balancers: BTreeMap::new(),
            gone_endpoints: BTreeSet::new(),
            traffic: Traffic::default(),
            replays: Replays::default(),
            events: Vec::new(),
            trail: VecDeque::new(),
            made: 0,
            frozen: None,
        }
    }
}

impl World {
    /// Keeps a copy of the world as it is now, for stale reads to answer from.
    pub fn freeze(&mut self) {
        let now = self.copy();
        self.freeze_at(now);
    }

    /// Stale reads answer from this earlier copy.
    pub(crate) fn freeze_at(&mut self, earlier: Self) {
        self.frozen = Some(Box::new(earlier));
    }

    /// The copy that [`World::freeze`] kept, if it was called.
    pub fn frozen(&self) -> Option<&World> {
        self.frozen.as_deref()
    }

    /// The EventBridge events since the last call, oldest first.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// The calls that CloudTrail has recorded, newest first.
    pub(crate) fn trail(&self) -> impl Iterator<Item = &(u64, Value)> {
        self.trail.iter().rev()
    }

    /// The same resources without the outbox, the trail and the frozen copy: what a dry run is played on.
    pub(crate) fn copy(&mut self) -> Self {
        let (events, frozen) = (std::mem::take(&mut self.events), self.frozen.take());
        let trail = std::mem::take(&mut self.trail);
        let copy = self.clone();
        (self.events, self.trail, self.frozen) = (events, trail, frozen);
        copy
    }

    /// An id of AWS's form that was never given before.
    fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-{:017x}", self.next_number())
    }

    fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}
