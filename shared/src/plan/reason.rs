//! Why a step is what it is. Each reason has one entry here: what it means, its facts, a code for
//! machines that never changes, its level, and the sentence that people read.

use std::fmt;

use super::catalogue::reasons;
pub use super::catalogue::{Entry, Level};
use crate::{
    id::{AccountId, FilterId, SessionId, TargetId},
    number::SessionNumber,
    observed::InstanceState,
    policy::Precedence,
    text::{plain, quote},
};

reasons! {
    /// An owned session is there and right.
    AsWanted => "as-wanted", Mirrored, "mirrored as it should be";
    /// A foreign session does what an owned one would do.
    Covered => "covered", Mirrored, "a foreign session already mirrors it as it should be";

    /// It should be mirrored, can be, and is not yet.
    NotMirrored => "not-mirrored", Change, "should be mirrored and is not yet";
    /// An owned session differs from what it should be.
    Drifted => "drifted", Change, "the session differs from what it should be";
    /// The target of an owned session is being drained.
    Draining {
        /// That target.
        target: TargetId,
    } => "draining", Change, "the session leaves target {target}, which is being drained";
    /// A second owned session where one is enough.
    Duplicate => "duplicate", Change, "an owned session with a lower number does the same";

    /// Somebody asked for the removal of every owned session.
    Removed => "removed", Change, "all sessions of this installation are being removed";

    /// The selecting tag is absent or has another value.
    NotSelected {
        /// The key of the selecting tag.
        key: String,
        /// The value that selects.
        value: String,
    } => "not-selected", NotSelected, "the instance has no tag {key} with the value {value}",
        key = quote(key), value = quote(value);
    /// The selecting tag says `False`.
    OptedOut {
        /// The key of the selecting tag.
        key: String,
    } => "opted-out", NotSelected, "the tag {key} of the instance opts it out", key = quote(key);
    /// The instance is in a state in which it is not mirrored.
    NotRunning {
        /// That state.
        state: InstanceState,
    } => "not-running", NotSelected, "the instance is {state}", state = state.as_str();
    /// The instance or the interface is on its way out. Its packets may still flow.
    Leaving {
        /// What it is: `stopping`, `shutting-down` or `detaching`.
        state: &'static str,
    } => "leaving", NotSelected,
        "it is {state}: the sessions that it has stay until that is done, and it gets no new ones";
    /// Only primary interfaces are mirrored.
    NotPrimary {
        /// The setting or tag that says so.
        by: &'static str,
    } => "not-primary", NotSelected, "{by} limits mirroring to the primary interface";
    /// The instance has a sensor's interface; its other interfaces get no new session.
    IsSensor {
        /// The target behind which it is.
        target: TargetId,
    } => "is-sensor", NotSelected,
        "the instance is a sensor (an interface of it is behind target {target}), and no tag of it asks \
         for mirroring";
    /// The interface is in a VPC that the settings leave out.
    OtherVpc => "other-vpc", NotSelected, "its VPC is not among MIRROR_VPC_IDS";
    /// The interface is attached to nothing.
    Detached => "detached", NotSelected, "the interface is attached to nothing";
    /// EC2 says that the interface does not exist.
    InterfaceGone => "interface-gone", NotSelected,
        "EC2 says that the interface does not exist: it deletes the sessions on it itself";
    /// The interface is in use, by nothing that EC2 shows.
    InstanceNotVisible => "instance-not-visible", NotSelected,
        "the interface is in use, but by no instance that EC2 shows";

    /// The interface is not of type `interface`.
    InterfaceType {
        /// Its type.
        kind: String,
    } => "interface-type", Unsupported,
        "EC2 cannot mirror an interface of type {kind}, only of type `interface`",
        kind = quote(kind);
    /// An AWS service manages the interface.
    RequesterManaged {
        /// That service.
        requester: String,
    } => "requester-managed", Unsupported,
        "{requester} manages the interface, and EC2 cannot mirror such an interface",
        requester = quote(requester);
    /// The interface receives the packets of a target, so it cannot be a source.
    IsTarget {
        /// That target.
        target: TargetId,
    } => "is-target", Unsupported, "the interface is behind target {target}, so it cannot be a source";
    /// The subnet has no IPv4.
    Ipv6Only => "ipv6-only", Unsupported, "EC2 cannot mirror an interface in an IPv6-only subnet";
    /// EC2 cannot mirror this instance type.
    InstanceType {
        /// That type.
        instance_type: String,
    } => "instance-type", Unsupported,
        "EC2 cannot mirror instance type {instance_type} (add it to MIRROR_SUPPORTED_TYPES if it can)",
        instance_type = quote(instance_type);

    /// No list has the instance's family, and EC2 refuses it, or has not been asked yet.
    InstanceTypeUnknown {
        /// That type.
        instance_type: String,
    } => "instance-type-unknown", ActionNeeded,
        "nothing says whether EC2 can mirror instance type {instance_type}: automirror tries once a day \
         (set MIRROR_SUPPORTED_TYPES or MIRROR_UNSUPPORTED_TYPES)",
        instance_type = quote(instance_type);
    /// Somebody created a target of the source's interface, so EC2 refuses it as a source.
    MadeATarget {
        /// That target.
        target: TargetId,
        /// Its owner.
        owner: AccountId,
    } => "made-a-target", ActionNeeded,
        "target {target} of account {owner}, which is not allowed, was created on this interface, so EC2 \
         refuses it as a source: delete that target";
    /// What the settings name does not exist, so nothing is changed.
    SettingBroken {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    } => "setting-broken", ActionNeeded,
        "nothing that {setting} names was found ({value}): correct the setting, until then nothing is changed";
    /// A list leaves out a tag, and nothing confirms that it is absent.
    TagsUnconfirmed => "tags-unconfirmed", ActionNeeded,
        "EC2 shows the instance without a tag that would decide, and nothing confirms that it is absent: \
         nothing is changed";
    /// A session is on an interface that nothing shows.
    InterfaceUnknown => "interface-unknown", ActionNeeded,
        "EC2 shows a session on the interface and not the interface: nothing is changed";
    /// A tag of the instance cannot be read.
    TagUnreadable {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        accepted: String,
    } => "tag-unreadable", ActionNeeded, "tag {key} is {value}: accepted is {accepted}",
        value = quote(&plain(value));
    /// Two spellings of one tag name different things.
    TagConflict {
        /// Their key.
        key: &'static str,
    } => "tag-conflict", ActionNeeded, "two spellings of tag {key} differ: remove one of them";
    /// More targets than an interface can have sessions.
    TooManyTargets {
        /// How many the tag names.
        count: usize,
    } => "too-many-targets", ActionNeeded,
        "tag Mirror-Target names {count} targets, and an interface has at most 3 sessions";
    /// Not one filter for each target.
    FilterCount {
        /// How many filters there are.
        filters: usize,
        /// How many targets there are.
        targets: usize,
    } => "filter-count", ActionNeeded,
        "tag Mirror-Filter names {filters} filters and tag Mirror-Target {targets} targets: name one \
         filter for each target";
    /// Two sessions would share a filter, so the second would mirror nothing.
    SameFilterTwice {
        /// That filter.
        filter: FilterId,
    } => "same-filter-twice", ActionNeeded,
        "EC2 mirrors each packet once, so a second session with filter {filter} would mirror nothing: \
         give each target a filter of its own in tag Mirror-Filter",
        filter = plain(filter.as_str());
    /// The target is not one that the operator allows.
    TargetNotAllowed {
        /// That target.
        target: TargetId,
        /// Its owner, where EC2 shows it.
        owner: Option<AccountId>,
    } => "target-not-allowed", ActionNeeded, "target {target}{owner} is not allowed",
        target = plain(target.as_str()), owner = OfAccount(owner.as_ref());
    /// EC2 does not show the target.
    TargetUnknown {
        /// That target.
        target: TargetId,
    } => "target-unknown", ActionNeeded,
        "target {target} does not exist or is not shared with this account",
        target = plain(target.as_str());
    /// Nothing shows whether the target receives.
    TargetUnseen {
        /// That target.
        target: TargetId,
    } => "target-unseen", ActionNeeded,
        "nothing that EC2 shows tells whether target {target} receives packets";
    /// What receives the packets of the target is gone.
    TargetGone {
        /// That target.
        target: TargetId,
    } => "target-gone", ActionNeeded,
        "nothing receives the packets of target {target}: its interface is gone, or on no running instance";
    /// The instance behind the target is stopped.
    TargetStopped {
        /// That target.
        target: TargetId,
    } => "target-stopped", ActionNeeded, "the instance behind target {target} does not run";
    /// Nothing behind the target receives its packets. Only config-rule looks there, and only if it is told to.
    TargetUnhealthy {
        /// That target.
        target: TargetId,
        /// What is the matter there.
        why: String,
    } => "target-unhealthy", ActionNeeded, "nothing receives the packets of target {target}: {why}";
    /// The target takes no sessions.
    TargetDraining {
        /// That target.
        target: TargetId,
    } => "target-draining", ActionNeeded,
        "target {target} is being drained and takes no new sessions, and there is no other";
    /// No target is allowed, or there is none.
    NoTarget => "no-target", ActionNeeded, "there is no allowed target";
    /// The target that the instance asks for has no room.
    TargetFull {
        /// That target.
        target: TargetId,
    } => "target-full", ActionNeeded, "target {target} has no room for a source";
    /// No allowed target has room.
    TargetsFull {
        /// How many are allowed.
        count: usize,
    } => "targets-full", ActionNeeded, "none of the {count} allowed targets has room for a source";
    /// No filter is set, tagged or the only one.
    NoFilter {
        /// The value of the `ManagedBy` tag that would decide.
        owner: String,
        /// How many filters there are.
        count: usize,
    } => "no-filter", ActionNeeded,
        "no filter: MIRROR_FILTER_ID is not set, and of {count} filters not exactly one is tagged \
         ManagedBy={owner}";
    /// EC2 does not show the filter.
    FilterUnknown {
        /// That filter.
        filter: FilterId,
    } => "filter-unknown", ActionNeeded, "filter {filter} does not exist",
        filter = plain(filter.as_str());
    /// The filter accepts nothing, so nothing is mirrored.
    FilterEmpty {
        /// That filter.
        filter: FilterId,
    } => "filter-empty", ActionNeeded, "filter {filter} accepts no packets: give it rules";
    /// The filter accepts no packets of some kind that the interface has.
    FilterPartial {
        /// The filters of the interface's sessions.
        filters: String,
        /// Of which packets they accept none.
        missing: String,
    } => "filter-partial", ActionNeeded,
        "filter {filters} accepts no {missing} packets: give it rules, or accept this with \
         MIRROR_ACCEPTED_REASONS";
    /// The interface has its three sessions.
    NoFreeSlot {
        /// How many of them are foreign.
        foreign: usize,
    } => "no-free-slot", ActionNeeded,
        "the interface has no room for a session: at most 3 fit, and {foreign} are foreign";
    /// Foreign sessions leave no number on the side of them that `MIRROR_PRECEDENCE` asks for.
    NoFreeNumber {
        /// That side.
        precedence: Precedence,
    } => "no-free-number", ActionNeeded,
        "no session number is free {precedence} the foreign sessions",
        precedence = precedence.as_str();
    /// Another installation with the same owner has a session there: they would fight for ever.
    OtherInstallation {
        /// That session.
        session: SessionId,
        /// The name of that installation.
        installation: String,
    } => "other-installation", ActionNeeded,
        "session {session} has the owner of this installation and is of installation {installation}: it is \
         left alone (give each installation a MIRROR_OWNER of its own)",
        installation = quote(&plain(installation));
    /// A foreign session takes the packets first and sends them to a target that nobody allowed.
    Shadowed {
        /// That session.
        session: SessionId,
        /// Its number.
        number: SessionNumber,
        /// Where it sends the packets.
        target: TargetId,
        /// The owner of that target, where EC2 shows it.
        owner: Option<AccountId>,
    } => "shadowed", ActionNeeded,
        "foreign session {session} (number {number}) takes the packets first, to target \
         {target}{owner}, which is not allowed or does not receive",
        owner = OfAccount(owner.as_ref());
}

/// " of account …", or nothing.
struct OfAccount<'a>(Option<&'a AccountId>);

impl fmt::Display for OfAccount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(account) => write!(f, " of account {account}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
