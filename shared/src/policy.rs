//! What the operator wants, parsed and checked once. A `Policy` that exists is valid.

use std::{collections::BTreeSet, ops::RangeInclusive};

use crate::{
    id::{AccountId, FilterId, TargetId, VpcId},
    observed::Session,
    settings::{SettingError, Settings},
    wish::{FILTER_TAG, INTERFACES_TAG, TARGET_TAG},
};

/// The operator's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The key of the tag that selects an instance.
    pub tag_key: String,
    /// The value of the tag that selects an instance.
    pub tag_value: String,
    /// Which instances are wanted at all.
    pub scope: Scope,
    /// The VPCs that are looked after; empty means all.
    pub vpcs: BTreeSet<VpcId>,
    /// The allowed targets; empty means those this account owns, and those of `target_owners`.
    pub targets: BTreeSet<TargetId>,
    /// Other accounts whose shared targets are allowed.
    pub target_owners: BTreeSet<AccountId>,
    /// The default filter.
    pub filter: Option<FilterId>,
    /// Which interfaces of an instance are mirrored.
    pub interfaces: Interfaces,
    /// Bytes kept of each packet, 1 to 8500; none is EC2's default.
    pub packet_length: Option<i32>,
    /// The VXLAN network identifier, 1 to 16777215; none lets EC2 choose.
    pub vni: Option<i32>,
    /// Which session numbers ours take beside foreign sessions.
    pub precedence: Precedence,
    /// Sessions on stopped instances stay. They are billed.
    pub keep_stopped: bool,
    /// Whether the plan is carried out.
    pub mode: Mode,
    /// Percent of EC2's rate of changes that one process takes, 1 to 100.
    pub rate_share: i32,
    /// The value of the `ManagedBy` tag on our sessions.
    pub owner: String,
    /// Families (`m8g`) and types (`m7i.metal-24xl`) to add to what can be mirrored.
    pub supported_types: BTreeSet<String>,
    /// Families and types that are not to be tried.
    pub unsupported_types: BTreeSet<String>,
}

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
    /// A higher number than every foreign session: never takes packets from somebody else's sensor.
    After,
    /// A lower number than every foreign session.
    Before,
}

/// `MIRROR_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Plan and act.
    Enforce,
    /// Plan and log, change nothing.
    Detect,
}

/// Bytes EC2 can keep of a packet (EC2 API, `CreateTrafficMirrorSession`).
const PACKET_LENGTHS: RangeInclusive<i32> = 1..=8500;
/// A VXLAN network identifier has 24 bits.
const VNIS: RangeInclusive<i32> = 1..=16_777_215;
const PERCENT: RangeInclusive<i32> = 1..=100;
/// What is left is for whoever else makes sessions, such as another process of the function.
const RATE_SHARE: i32 = 80;
/// The longest tag key and tag value EC2 accepts, in characters.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

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
            tag_key: settings.tag_text("MIRROR_TAG_KEY", "Mirror", LONGEST_KEY)?,
            tag_value: settings.tag_text("MIRROR_TAG_VALUE", "True", LONGEST_VALUE)?,
            scope: settings
                .one_of("MIRROR_SCOPE", &[("tagged", Scope::Tagged), ("all", Scope::All)])?,
            vpcs: settings.list("MIRROR_VPC_IDS")?,
            targets: settings.list("MIRROR_TARGET_IDS")?,
            target_owners: settings.list("MIRROR_TARGET_OWNERS")?,
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
            mode: settings
                .one_of("MIRROR_MODE", &[("enforce", Mode::Enforce), ("detect", Mode::Detect)])?,
            rate_share: settings.number("MIRROR_RATE_SHARE", PERCENT)?.unwrap_or(RATE_SHARE),
            owner: settings.tag_text("MIRROR_OWNER", "automirror", LONGEST_VALUE)?,
            supported_types: settings.instance_types("MIRROR_SUPPORTED_TYPES")?,
            unsupported_types: settings.instance_types("MIRROR_UNSUPPORTED_TYPES")?,
        };
        let other_tags = [TARGET_TAG, FILTER_TAG, INTERFACES_TAG];
        if other_tags.iter().any(|tag| tag.eq_ignore_ascii_case(&policy.tag_key)) {
            return Err(SettingError {
                name: "MIRROR_TAG_KEY",
                value: policy.tag_key,
                accepted: format!("any key but {}", other_tags.join(", ")),
            });
        }
        if is_false(&policy.tag_value) {
            return Err(SettingError {
                name: "MIRROR_TAG_VALUE",
                value: policy.tag_value,
                accepted: "any value but False, which opts an instance out".to_owned(),
            });
        }
        Ok(policy)
    }

    /// Whether sessions may lead to this target.
    ///
    /// `owner` is the target's owner where EC2 shows it, `account` the account we work for.
    #[must_use]
    pub fn allows(
        &self,
        target: &TargetId,
        owner: Option<&AccountId>,
        account: &AccountId,
    ) -> bool {
        if self.targets.is_empty() {
            owner.is_some_and(|owner| owner == account || self.target_owners.contains(owner))
        } else {
            self.targets.contains(target)
        }
    }

    /// Whether this installation, working for `account`, made the session. Another account's is
    /// never ours, whatever its tags: who shares a target sees the sessions of others on it.
    #[must_use]
    pub fn owns(&self, account: &AccountId, session: &Session) -> bool {
        session.account == *account && session.managed_by.as_ref() == Some(&self.owner)
    }
}

/// The value of the selecting tag that opts an instance out.
pub(crate) fn is_false(value: &str) -> bool {
    value.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<Policy, String> {
        let lookup = |name: &str| {
            settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Policy::parse(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_gives_the_documented_defaults() {
        let policy = parse(&[]).unwrap();
        let expected = Policy {
            tag_key: "Mirror".to_owned(),
            tag_value: "True".to_owned(),
            scope: Scope::Tagged,
            vpcs: BTreeSet::new(),
            targets: BTreeSet::new(),
            target_owners: BTreeSet::new(),
            filter: None,
            interfaces: Interfaces::All,
            packet_length: None,
            vni: None,
            precedence: Precedence::After,
            keep_stopped: false,
            mode: Mode::Enforce,
            rate_share: 80,
            owner: "automirror".to_owned(),
            supported_types: BTreeSet::new(),
            unsupported_types: BTreeSet::new(),
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn an_empty_setting_is_not_set() {
        assert_eq!(parse(&[("MIRROR_FILTER_ID", ""), ("MIRROR_SCOPE", "  ")]), parse(&[]));
    }

    #[test]
    fn a_default_may_be_said_in_so_many_words() {
        let said = [("MIRROR_SCOPE", "tagged"), ("MIRROR_MODE", "Enforce")];
        assert_eq!(parse(&said), parse(&[]));
    }

    #[test]
    fn a_tag_may_be_as_long_as_ec2_takes_and_a_bad_setting_has_its_name() {
        let key = "k".repeat(LONGEST_KEY);
        assert_eq!(parse(&[("MIRROR_TAG_KEY", &key)]).unwrap().tag_key, key);
        let error = Policy::parse(|name| (name == "MIRROR_TAG_KEY").then(|| format!("{key}k")));
        assert_eq!(error.unwrap_err().name(), "MIRROR_TAG_KEY");
    }

    #[test]
    fn every_setting_is_read() {
        let policy = parse(&[
            ("MIRROR_TAG_KEY", "Watch"),
            ("MIRROR_TAG_VALUE", "yes"),
            ("MIRROR_SCOPE", "ALL"),
            ("MIRROR_VPC_IDS", "vpc-1, vpc-2"),
            ("MIRROR_TARGET_IDS", "tmt-1,tmt-2,"),
            ("MIRROR_TARGET_OWNERS", "123456789012"),
            ("MIRROR_FILTER_ID", " tmf-1 "),
            ("MIRROR_INTERFACES", "primary"),
            ("MIRROR_PACKET_LENGTH", "8500"),
            ("MIRROR_VNI", "16777215"),
            ("MIRROR_PRECEDENCE", "before"),
            ("MIRROR_KEEP_STOPPED", "true"),
            ("MIRROR_MODE", "detect"),
            ("MIRROR_RATE_SHARE", "25"),
            ("MIRROR_OWNER", "team-blue"),
            ("MIRROR_SUPPORTED_TYPES", "M8g,m7i.metal-24xl"),
            ("MIRROR_UNSUPPORTED_TYPES", "t3"),
        ])
        .unwrap();
        let expected = Policy {
            tag_key: "Watch".to_owned(),
            tag_value: "yes".to_owned(),
            scope: Scope::All,
            vpcs: ["vpc-1", "vpc-2"].map(|id| id.parse().unwrap()).into(),
            targets: ["tmt-1", "tmt-2"].map(|id| id.parse().unwrap()).into(),
            target_owners: ["123456789012".parse().unwrap()].into(),
            filter: "tmf-1".parse().ok(),
            interfaces: Interfaces::Primary,
            packet_length: Some(8500),
            vni: Some(16_777_215),
            precedence: Precedence::Before,
            keep_stopped: true,
            mode: Mode::Detect,
            rate_share: 25,
            owner: "team-blue".to_owned(),
            supported_types: ["m7i.metal-24xl", "m8g"].map(str::to_owned).into(),
            unsupported_types: ["t3".to_owned()].into(),
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_accepted() {
        let long = "x".repeat(129);
        let cases = [
            ("MIRROR_TAG_KEY", long.as_str(), "at most 128 characters"),
            ("MIRROR_TAG_KEY", "aws:x", "do not start with `aws:`"),
            ("MIRROR_TAG_KEY", "mirror-target", "any key but Mirror-Target, Mirror-Filter"),
            ("MIRROR_TAG_VALUE", "false", "any value but False"),
            ("MIRROR_SCOPE", "some", "`tagged` or `all`"),
            ("MIRROR_VPC_IDS", "vpc-1,subnet-2", "starts with `vpc-`"),
            ("MIRROR_TARGET_IDS", "tmf-1", "starts with `tmt-`"),
            ("MIRROR_TARGET_IDS", " , ", "a list, separated by commas, each not empty"),
            ("MIRROR_VPC_IDS", ",", "a list, separated by commas, each not empty"),
            ("MIRROR_TARGET_OWNERS", "12", "twelve digits"),
            ("MIRROR_FILTER_ID", "tmt-1", "starts with `tmf-`"),
            ("MIRROR_INTERFACES", "eth0", "`all` or `primary`"),
            ("MIRROR_PACKET_LENGTH", "8501", "from 1 to 8500"),
            ("MIRROR_PACKET_LENGTH", "many", "from 1 to 8500"),
            ("MIRROR_VNI", "16777216", "from 1 to 16777215"),
            ("MIRROR_VNI", "-1", "from 1 to 16777215"),
            ("MIRROR_PRECEDENCE", "first", "`after` or `before`"),
            ("MIRROR_KEEP_STOPPED", "yes", "`false` or `true`"),
            ("MIRROR_MODE", "dry", "`enforce` or `detect`"),
            ("MIRROR_RATE_SHARE", "0", "from 1 to 100"),
            ("MIRROR_RATE_SHARE", "101", "from 1 to 100"),
            ("MIRROR_OWNER", "a\nb", "at most 256 characters"),
            ("MIRROR_SUPPORTED_TYPES", "m8g.large.x", "an instance family"),
            ("MIRROR_UNSUPPORTED_TYPES", "m8g.", "an instance family"),
        ];
        for (name, value, accepted) in cases {
            let error = parse(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name} is ")), "{error}");
            assert!(error.contains(accepted), "{name}={value}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn listed_targets_are_allowed_whoever_owns_them_and_no_others() {
        let policy =
            parse(&[("MIRROR_TARGET_IDS", "tmt-1"), ("MIRROR_TARGET_OWNERS", "222222222222")])
                .unwrap();
        let (us, them) = ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
        let (listed, other) = ("tmt-1".parse().unwrap(), "tmt-2".parse().unwrap());
        assert!(policy.allows(&listed, Some(&them), &us));
        assert!(!policy.allows(&other, Some(&us), &us));
    }

    #[test]
    fn without_a_list_own_targets_and_those_of_listed_owners_are_allowed() {
        let policy = parse(&[("MIRROR_TARGET_OWNERS", "222222222222")]).unwrap();
        let us = "111111111111".parse().unwrap();
        let target = "tmt-1".parse().unwrap();
        for (owner, allowed) in
            [("111111111111", true), ("222222222222", true), ("333333333333", false)]
        {
            assert_eq!(policy.allows(&target, owner.parse().ok().as_ref(), &us), allowed);
        }
        assert!(!policy.allows(&target, None, &us));
    }
}
