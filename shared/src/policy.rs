//! What the operator wants, parsed and checked once. A [`Policy`] that exists is valid.

pub mod key_pattern;
pub mod run;
pub mod setting;
pub mod tag;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, ops::RangeInclusive, str::FromStr};

use crate::{
    id::{AccountId, FilterId, TargetId, VpcId},
    number::{PacketLength, Vni},
};

use setting::{SettingError, Settings};
use tag::{FILTER_TAG, INTERFACES_TAG, TARGET_TAG, eq_ignore_case, is_false};

/// What the operator wants: everything that decides which sessions there should be.
///
/// How the functions act on the decision is in [`RunSettings`](run::RunSettings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The key of the tag that selects an instance.
    pub tag_key: String,
    /// The value of the tag that selects an instance.
    pub tag_value: String,
    /// Which instances are selected.
    pub scope: Scope,
    /// The VPCs whose instances are mirrored; empty means all.
    pub vpcs: BTreeSet<VpcId>,
    /// The allowed targets; empty means those of `target_owners`.
    pub targets: BTreeSet<TargetId>,
    /// The accounts whose targets are allowed.
    pub target_owners: TargetOwners,
    /// Targets that foreign sessions may lead to. No owned session gets one.
    pub trusted_targets: BTreeSet<TargetId>,
    /// The default filter.
    pub filter: Option<FilterId>,
    /// Which interfaces of an instance are mirrored.
    pub interfaces: Interfaces,
    /// Bytes mirrored of each packet; none is EC2's default.
    pub packet_length: Option<PacketLength>,
    /// The VXLAN network identifier; none lets EC2 choose.
    pub vni: Option<Vni>,
    /// Which session numbers owned sessions take beside foreign sessions.
    pub precedence: Precedence,
    /// Sessions on stopped instances stay. AWS bills them.
    pub keep_stopped: bool,
    /// The value of the `ManagedBy` tag on the sessions of this installation.
    pub owner: String,
    /// The value of the `Installation` tag on new sessions, which tells installations with one owner apart.
    /// Without it every session with the owner's tag is owned.
    pub installation: Option<String>,
    /// Instance families (`m8g`) and types (`m7i.metal-24xl`) to add to those that can be mirrored.
    pub supported_types: BTreeSet<String>,
    /// Instance families and types that EC2 cannot mirror, whatever the built-in list says.
    pub unsupported_types: BTreeSet<String>,
    /// Codes of reasons that do not count against compliance: some of [`ACCEPTABLE_REASONS`].
    pub accepted_reasons: BTreeSet<String>,
}

/// `MIRROR_TARGET_OWNERS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetOwners {
    /// The account of this installation is one of them.
    pub own: bool,
    /// Other accounts.
    pub others: BTreeSet<AccountId>,
}

/// The reasons that an operator may accept: a limit of EC2's, or a filter that was meant so. A reason
/// that can mean that somebody takes packets or blinds a source is not among them.
pub const ACCEPTABLE_REASONS: [&str; 7] = [
    "filter-partial",
    "instance-type",
    "instance-type-unknown",
    "interface-type",
    "requester-managed",
    "is-target",
    "ipv6-only",
];

/// `MIRROR_SCOPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only instances that carry the tag.
    Tagged,
    /// Every instance but those tagged `False`.
    All,
}

/// `MIRROR_INTERFACES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// Every interface.
    All,
    /// The one at device index 0 of network card 0.
    Primary,
}

/// `MIRROR_PRECEDENCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// A higher number than every foreign session: never takes packets from another owner's sensor.
    After,
    /// A lower number than every foreign session.
    Before,
}

impl Precedence {
    /// The word of the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Before => "before",
        }
    }
}

/// The key of the selecting tag where nobody sets another.
pub const DEFAULT_TAG_KEY: &str = "Mirror";

/// The packet lengths that a request may ask for.
const PACKET_LENGTHS: RangeInclusive<i32> = 1..=8_500;
/// A shorter copy of an IPv6 packet lacks its ports: 14 bytes of Ethernet, 40 of IPv6 and the first of
/// the transport (35 are enough for IPv4).
const SHORTEST_USEFUL_PACKET: u16 = 55;
/// The VXLAN network identifiers that a request may ask for.
const VNIS: RangeInclusive<i32> = 1..=16_777_215;

impl Policy {
    /// Reads every setting through `lookup`, which gives a setting's value by its name.
    ///
    /// A setting that is empty or only white space counts as not set: templates pass empty strings.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let settings = Settings { lookup };
        let policy = Self {
            tag_key: settings.tag_key("MIRROR_TAG_KEY", DEFAULT_TAG_KEY)?,
            tag_value: settings.tag_value("MIRROR_TAG_VALUE", "True")?,
            scope: settings
                .one_of("MIRROR_SCOPE", &[("tagged", Scope::Tagged), ("all", Scope::All)])?,
            vpcs: settings.list("MIRROR_VPC_IDS")?,
            targets: settings.list("MIRROR_TARGET_IDS")?,
            target_owners: target_owners(&settings)?,
            trusted_targets: settings.list("MIRROR_TRUSTED_TARGETS")?,
            filter: settings.parsed("MIRROR_FILTER_ID")?,
            interfaces: settings.one_of(
                "MIRROR_INTERFACES",
                &[("all", Interfaces::All), ("primary", Interfaces::Primary)],
            )?,
            packet_length: settings.number("MIRROR_PACKET_LENGTH", PACKET_LENGTHS)?,
            vni: settings.number("MIRROR_VNI", VNIS)?,
            precedence: settings.one_of(
                "MIRROR_PRECEDENCE",
                &[("after", Precedence::After), ("before", Precedence::Before)],
            )?,
            keep_stopped: settings
                .one_of("MIRROR_KEEP_STOPPED", &[("false", false), ("true", true)])?,
            owner: settings.tag_value("MIRROR_OWNER", "automirror")?,
            installation: settings.optional_tag_value("MIRROR_INSTALLATION")?,
            supported_types: settings.instance_types("MIRROR_SUPPORTED_TYPES")?,
            unsupported_types: settings.instance_types("MIRROR_UNSUPPORTED_TYPES")?,
            accepted_reasons: accepted_reasons(&settings)?,
        };
        policy.check_tag()?;
        Ok(policy)
    }

    /// The selecting tag must not be one of the other tags, nor mean its opposite.
    fn check_tag(&self) -> Result<(), SettingError> {
        let other_tags = [TARGET_TAG, FILTER_TAG, INTERFACES_TAG];
        if other_tags.iter().any(|tag| tag.eq_ignore_ascii_case(&self.tag_key)) {
            return Err(SettingError {
                name: "MIRROR_TAG_KEY",
                value: self.tag_key.clone(),
                accepted: format!("any key but {}", other_tags.join(", ")),
            });
        }
        if is_false(&self.tag_value) {
            return Err(SettingError {
                name: "MIRROR_TAG_VALUE",
                value: self.tag_value.clone(),
                accepted: "any value but False, which opts an instance out".to_owned(),
            });
        }
        Ok(())
    }

    /// Whether the decision reads tags with this key.
    #[must_use]
    pub fn reads_tag(&self, key: &str) -> bool {
        let tags = [&self.tag_key, TARGET_TAG, FILTER_TAG, INTERFACES_TAG];
        tags.iter().any(|tag| eq_ignore_case(tag, key))
    }

    /// Whether sessions may lead to this target.
    ///
    /// `owner` is the target's owner where EC2 shows it, `account` the account of this installation.
    #[must_use]
    pub fn allows(
        &self,
        target: &TargetId,
        owner: Option<&AccountId>,
        account: &AccountId,
    ) -> bool {
        if self.targets.is_empty() {
            let TargetOwners { own, others } = &self.target_owners;
            owner.is_some_and(|owner| (*own && owner == account) || others.contains(owner))
        } else {
            self.targets.contains(target)
        }
    }

    /// Whether foreign sessions may lead to this target: it is allowed or trusted.
    #[must_use]
    pub fn trusts(
        &self,
        target: &TargetId,
        owner: Option<&AccountId>,
        account: &AccountId,
    ) -> bool {
        self.trusted_targets.contains(target) || self.allows(target, owner, account)
    }

    /// What is valid and probably not meant, in words for the operator.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let short = self.packet_length.filter(|it| it.get() < SHORTEST_USEFUL_PACKET);
        let short = short.map(|length| {
            format!(
                "MIRROR_PACKET_LENGTH is {length}: a copy of less than {SHORTEST_USEFUL_PACKET} bytes \
                 lacks the ports of an IPv6 packet, and one of less than 35 those of an IPv4 packet"
            )
        });
        short.into_iter().collect()
    }
}

/// The word for this account in `MIRROR_TARGET_OWNERS`.
const SELF: &str = "self";

fn target_owners(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
) -> Result<TargetOwners, SettingError> {
    let owners: BTreeSet<TargetOwner> = settings.list("MIRROR_TARGET_OWNERS")?;
    let own = owners.is_empty() || owners.contains(&TargetOwner::Own);
    let others = owners.into_iter().filter_map(|owner| match owner {
        TargetOwner::Own => None,
        TargetOwner::Other(account) => Some(account),
    });
    Ok(TargetOwners { own, others: others.collect() })
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum TargetOwner {
    Own,
    Other(AccountId),
}

impl FromStr for TargetOwner {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case(SELF) {
            return Ok(Self::Own);
        }
        text.parse().map(Self::Other).map_err(|_| "an account id of twelve digits, or `self`")
    }
}

fn accepted_reasons(
    settings: &Settings<impl Fn(&str) -> Option<String>>,
) -> Result<BTreeSet<String>, SettingError> {
    let reasons: BTreeSet<AcceptedReason> = settings.list("MIRROR_ACCEPTED_REASONS")?;
    Ok(reasons.into_iter().map(|AcceptedReason(code)| code.to_owned()).collect())
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct AcceptedReason(&'static str);

impl FromStr for AcceptedReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = ACCEPTABLE_REASONS.into_iter().find(|code| code.eq_ignore_ascii_case(text));
        code.map(Self).ok_or_else(|| format!("one of {}", ACCEPTABLE_REASONS.join(", ")))
    }
}
