//! EC2 instances.

use std::sync::Arc;

use crate::id::InstanceId;

/// An EC2 instance. Its network interfaces are [`Source`](super::Source)s.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its state.
    pub state: InstanceState,
    /// Its type, such as `m5.large`.
    pub instance_type: Arc<str>,
    /// Its tags by key; the reader may leave out those that no decision reads.
    pub tags: Vec<Tag>,
    /// A second, independent read agrees on which tags there are (`DescribeTags`): `DescribeInstances`
    /// now and then leaves tags out. A tag that is shown is there; that one is absent is certain only
    /// where this is true.
    pub tags_confirmed: bool,
}

/// A tag as EC2 shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tag {
    /// The key, as written.
    pub key: Arc<str>,
    /// The value, as written.
    pub value: Arc<str>,
}

/// The state of an instance (EC2 API, `InstanceState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the names are EC2's")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl InstanceState {
    /// The word EC2 uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// Pending or running.
    #[must_use]
    pub const fn is_pending_or_running(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}
