//! The resources that the rule evaluates.

use serde_json::Value;
use shared::id::{InstanceId, InterfaceId, SessionId, TargetId};
use shared_ec2::selector::Selector;

/// AWS Config's name for instances.
pub(crate) const INSTANCE: &str = "AWS::EC2::Instance";
/// AWS Config's name for sessions.
pub(crate) const SESSION: &str = "AWS::EC2::TrafficMirrorSession";

/// AWS Config's name for targets. The rule evaluates them only with its parameter `targetHealth`.
pub(crate) const TARGET: &str = "AWS::EC2::TrafficMirrorTarget";

/// A resource that the rule evaluates.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// An instance.
    Instance(InstanceId),
    /// A session, with the interface it was on, where the configuration item shows it.
    Session(SessionId, Option<InterfaceId>),
    /// A target.
    Target(TargetId),
}

impl Resource {
    pub(crate) fn key(&self) -> ResourceKey {
        match self {
            Self::Instance(id) => ResourceKey::instance(id),
            Self::Session(id, _) => ResourceKey::session(id),
            Self::Target(id) => ResourceKey::target(id),
        }
    }
}

/// A resource as AWS Config names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceKey {
    pub(crate) resource_type: String,
    pub(crate) id: String,
}

impl ResourceKey {
    pub(crate) fn instance(id: &InstanceId) -> Self {
        Self { resource_type: INSTANCE.to_owned(), id: id.to_string() }
    }

    pub(crate) fn session(id: &SessionId) -> Self {
        Self { resource_type: SESSION.to_owned(), id: id.to_string() }
    }

    pub(crate) fn target(id: &TargetId) -> Self {
        Self { resource_type: TARGET.to_owned(), id: id.to_string() }
    }

    /// What to read to evaluate it.
    pub(crate) fn selector(&self) -> Option<Selector> {
        match self.resource_type.as_str() {
            INSTANCE => self.id.parse().ok().map(Selector::Instance),
            SESSION => self.id.parse().ok().map(Selector::Session),
            TARGET => self.id.parse().ok().map(Selector::Target),
            _ => None,
        }
    }
}

/// The interface in a session's configuration.
pub(crate) fn interface(configuration: &Value) -> Option<InterfaceId> {
    configuration.get("NetworkInterfaceId")?.as_str()?.parse().ok()
}
