//! Why a step is what it is: a stable code for machines and a sentence for people.

use std::fmt;

use crate::{
    id::{AccountId, FilterId, SessionId, SessionNumber, TargetId},
    observed::InstanceState,
    policy::Precedence,
    text::quoted,
};

/// Why a step is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The session is there and right.
    AsWanted,
    /// A session of somebody else does what ours would do.
    Covered,
    /// Wanted, possible, and not there yet.
    NotMirrored,
    /// The session of ours differs from what is wanted.
    Drifted,
    /// A second session of ours where one is wanted.
    Duplicate,

    /// The selecting tag is absent or has another value.
    NotSelected {
        /// The key of the selecting tag.
        key: String,
        /// The value that selects.
        value: String,
    },
    /// The selecting tag says `False`.
    OptedOut {
        /// The key of the selecting tag.
        key: String,
    },
    /// The instance is in a state in which it sends no packets.
    NotRunning {
        /// That state.
        state: InstanceState,
    },
    /// Only primary interfaces are mirrored.
    NotPrimary,
    /// The interface is in a VPC that is not looked after.
    OtherVpc,
    /// The interface is attached to nothing.
    Detached,
    /// The interface was deleted.
    InterfaceGone,
    /// The interface is in use, but not by an instance that EC2 shows us.
    InstanceNotVisible,

    /// The interface is not of type `interface`.
    InterfaceType {
        /// Its type.
        kind: String,
    },
    /// A service manages the interface.
    RequesterManaged {
        /// That service.
        requester: String,
    },
    /// The interface stands behind a target, so it cannot be a source.
    IsTarget {
        /// That target.
        target: TargetId,
    },
    /// The subnet has no IPv4.
    Ipv6Only,
    /// The instance type cannot be mirrored.
    InstanceType {
        /// That type.
        instance_type: String,
    },

    /// A tag of the instance cannot be read.
    TagUnreadable {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        accepted: String,
    },
    /// Two spellings of one tag name different things.
    TagConflict {
        /// Their key.
        key: &'static str,
    },
    /// More targets than an interface can have sessions.
    TooManyTargets {
        /// How many are named.
        count: usize,
    },
    /// Not one filter for each target.
    FilterCount {
        /// How many filters there are.
        filters: usize,
        /// How many targets there are.
        targets: usize,
    },
    /// Two sessions would share a filter, so the second would get no packets.
    SameFilterTwice {
        /// That filter.
        filter: FilterId,
    },
    /// The target is not one the operator allows.
    TargetNotAllowed {
        /// That target.
        target: TargetId,
        /// Its owner, where EC2 shows it.
        owner: Option<AccountId>,
    },
    /// EC2 does not show the target.
    TargetUnknown {
        /// That target.
        target: TargetId,
    },
    /// No target is allowed, or there is none.
    NoTarget,
    /// The target the instance asks for has no room.
    TargetFull {
        /// That target.
        target: TargetId,
    },
    /// No allowed target has room.
    TargetsFull {
        /// How many are allowed.
        count: usize,
    },
    /// No filter is set, tagged or the only one.
    NoFilter {
        /// The value of the `ManagedBy` tag that would decide.
        owner: String,
        /// How many filters there are.
        count: usize,
    },
    /// EC2 does not show the filter.
    FilterUnknown {
        /// That filter.
        filter: FilterId,
    },
    /// The filter accepts nothing, so nothing is mirrored.
    FilterEmpty {
        /// That filter.
        filter: FilterId,
    },
    /// The interface has its three sessions.
    NoFreeSlot {
        /// How many of them are not ours.
        foreign: usize,
    },
    /// Foreign sessions leave no number on the wanted side of them.
    NoFreeNumber {
        /// That side.
        precedence: Precedence,
    },
    /// A foreign session takes the packets first and sends them to a target nobody allowed.
    Shadowed {
        /// That session.
        session: SessionId,
        /// Its number.
        number: SessionNumber,
        /// Where it sends the packets.
        target: TargetId,
        /// The owner of that target, where EC2 shows it.
        owner: Option<AccountId>,
    },
}

impl Reason {
    /// A code that does not change between versions.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AsWanted => "as-wanted",
            Self::Covered => "covered",
            Self::NotMirrored => "not-mirrored",
            Self::Drifted => "drifted",
            Self::Duplicate => "duplicate",
            Self::NotSelected { .. } => "not-selected",
            Self::OptedOut { .. } => "opted-out",
            Self::NotRunning { .. } => "not-running",
            Self::NotPrimary => "not-primary",
            Self::OtherVpc => "other-vpc",
            Self::Detached => "detached",
            Self::InterfaceGone => "interface-gone",
            Self::InstanceNotVisible => "instance-not-visible",
            Self::InterfaceType { .. } => "interface-type",
            Self::RequesterManaged { .. } => "requester-managed",
            Self::IsTarget { .. } => "is-target",
            Self::Ipv6Only => "ipv6-only",
            Self::InstanceType { .. } => "instance-type",
            Self::TagUnreadable { .. } => "tag-unreadable",
            Self::TagConflict { .. } => "tag-conflict",
            Self::TooManyTargets { .. } => "too-many-targets",
            Self::FilterCount { .. } => "filter-count",
            Self::SameFilterTwice { .. } => "same-filter-twice",
            Self::TargetNotAllowed { .. } => "target-not-allowed",
            Self::TargetUnknown { .. } => "target-unknown",
            Self::NoTarget => "no-target",
            Self::TargetFull { .. } => "target-full",
            Self::TargetsFull { .. } => "targets-full",
            Self::NoFilter { .. } => "no-filter",
            Self::FilterUnknown { .. } => "filter-unknown",
            Self::FilterEmpty { .. } => "filter-empty",
            Self::NoFreeSlot { .. } => "no-free-slot",
            Self::NoFreeNumber { .. } => "no-free-number",
            Self::Shadowed { .. } => "shadowed",
        }
    }
}

impl Reason {
    /// Whether it says that EC2 cannot mirror the interface at all, whatever anybody configures.
    #[must_use]
    pub const fn is_impossible(&self) -> bool {
        matches!(
            self,
            Self::InterfaceType { .. }
                | Self::RequesterManaged { .. }
                | Self::IsTarget { .. }
                | Self::Ipv6Only
                | Self::InstanceType { .. }
        )
    }
}

impl fmt::Display for Reason {
    #[expect(clippy::too_many_lines, reason = "a table: one sentence for each reason")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsWanted => write!(f, "mirrored as wanted"),
            Self::Covered => write!(f, "a session of somebody else mirrors it as wanted"),
            Self::NotMirrored => write!(f, "wanted and not mirrored yet"),
            Self::Drifted => write!(f, "it differs from what is wanted"),
            Self::Duplicate => write!(f, "a session of ours with a lower number does its work"),
            Self::NotSelected { key, value } => {
                write!(
                    f,
                    "the instance has no tag {} with the value {}",
                    quoted(key),
                    quoted(value)
                )
            }
            Self::OptedOut { key } => {
                write!(f, "the instance is opted out by its tag {}", quoted(key))
            }
            Self::NotRunning { state } => write!(f, "the instance is {}", state.as_str()),
            Self::NotPrimary => write!(f, "only the primary interface is to be mirrored"),
            Self::OtherVpc => write!(f, "its VPC is not among MIRROR_VPC_IDS"),
            Self::Detached => write!(f, "the interface is attached to nothing"),
            Self::InterfaceGone => write!(f, "the interface was deleted"),
            Self::InstanceNotVisible => {
                write!(f, "the interface is in use, but by no instance that EC2 shows")
            }
            Self::InterfaceType { kind } => write!(
                f,
                "an interface of type {} cannot be mirrored, only one of type `interface`",
                quoted(kind)
            ),
            Self::RequesterManaged { requester } => write!(
                f,
                "the interface is managed by {}, and such an interface cannot be mirrored",
                quoted(requester)
            ),
            Self::IsTarget { target } => {
                write!(f, "the interface is behind target {target}, so it cannot be a source")
            }
            Self::Ipv6Only => write!(f, "an interface in an IPv6-only subnet cannot be mirrored"),
            Self::InstanceType { instance_type } => write!(
                f,
                "instance type {} cannot be mirrored (add it to MIRROR_SUPPORTED_TYPES if it can)",
                quoted(instance_type)
            ),
            Self::TagUnreadable { key, value, accepted } => {
                write!(f, "tag {key} is {}: accepted is {accepted}", quoted(value))
            }
            Self::TagConflict { key } => {
                write!(f, "two spellings of tag {key} differ: remove one of them")
            }
            Self::TooManyTargets { count } => write!(
                f,
                "tag Mirror-Target names {count} targets, and an interface has at most 3 sessions"
            ),
            Self::FilterCount { filters, targets } => write!(
                f,
                "{filters} in tag Mirror-Filter for {targets} in tag Mirror-Target: name one \
                 filter for each target"
            ),
            Self::SameFilterTwice { filter } => write!(
                f,
                "each packet is mirrored once, so a second session with filter {filter} would \
                 get none: give each target a filter of its own in tag Mirror-Filter"
            ),
            Self::TargetNotAllowed { target, owner } => {
                write!(f, "target {target}{} is not allowed", Owner(owner.as_ref()))
            }
            Self::TargetUnknown { target } => {
                write!(f, "target {target} does not exist or is not shared with this account")
            }
            Self::NoTarget => write!(f, "there is no allowed target"),
            Self::TargetFull { target } => write!(f, "target {target} has no room for a source"),
            Self::TargetsFull { count } => {
                write!(f, "no allowed target ({count} looked at) has room for a source")
            }
            Self::NoFilter { owner, count } => write!(
                f,
                "no filter: MIRROR_FILTER_ID is not set, and of {count} filters not exactly one \
                 is tagged ManagedBy={owner}"
            ),
            Self::FilterUnknown { filter } => write!(f, "filter {filter} does not exist"),
            Self::FilterEmpty { filter } => {
                write!(f, "filter {filter} accepts no packets: give it rules")
            }
            Self::NoFreeSlot { foreign } => write!(
                f,
                "the interface has no room for a session: at most 3 fit, {foreign} are not ours"
            ),
            Self::NoFreeNumber { precedence } => write!(
                f,
                "no session number is free {} the foreign sessions",
                match precedence {
                    Precedence::After => "after",
                    Precedence::Before => "before",
                }
            ),
            Self::Shadowed { session, number, target, owner } => write!(
                f,
                "foreign session {session} (number {number}) takes the packets first, to target \
                 {target}{}, which is not allowed",
                Owner(owner.as_ref())
            ),
        }
    }
}

/// " of account …", or nothing.
struct Owner<'a>(Option<&'a AccountId>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(account) => write!(f, " of account {account}"),
            None => Ok(()),
        }
    }
}
