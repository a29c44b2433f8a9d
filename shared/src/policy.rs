//! What the operator wants, parsed and checked once. A [`Policy`] that exists is valid.

pub mod key_pattern;
pub mod run;
pub mod setting;
pub mod tag;

use std::{collections::BTreeSet, ops::RangeInclusive};

use crate::{
    id::{AccountId, FilterId, TargetId, VpcId},
    number::{PacketLength, Vni},
};

use setting::{MAX_TAG_KEY, MAX_TAG_VALUE, SettingError, Settings};
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
    /// The allowed targets; empty means the targets this account owns, and those of `target_owners`.
    pub targets: BTreeSet<TargetId>,
    /// Other accounts whose shared targets are allowed.
    pub target_owners: BTreeSet<AccountId>,
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
    /// Instance families (`m8g`) and types (`m7i.metal-24xl`) to add to those that can be mirrored.
    pub supported_types: BTreeSet<String>,
    /// Instance families and types to leave out.
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

/// The packet lengths that a request may ask for.
const PACKET_LENGTHS: RangeInclusive<i32> = 1..=8_500;

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
            tag_key: settings.tag_text("MIRROR_TAG_KEY", "Mirror", MAX_TAG_KEY)?,
            tag_value: settings.tag_text("MIRROR_TAG_VALUE", "True", MAX_TAG_VALUE)?,
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
            vni: settings.number("MIRROR_VNI", Vni::RANGE)?,
            precedence: settings.one_of(
                "MIRROR_PRECEDENCE",
                &[("after", Precedence::After), ("before", Precedence::Before)],
            )?,
            keep_stopped: settings
                .one_of("MIRROR_KEEP_STOPPED", &[("false", false), ("true", true)])?,
            owner: settings.tag_text("MIRROR_OWNER", "automirror", MAX_TAG_VALUE)?,
            supported_types: settings.instance_types("MIRROR_SUPPORTED_TYPES")?,
            unsupported_types: settings.instance_types("MIRROR_UNSUPPORTED_TYPES")?,
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
            owner.is_some_and(|owner| owner == account || self.target_owners.contains(owner))
        } else {
            self.targets.contains(target)
        }
    }
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
            owner: "automirror".to_owned(),
            supported_types: BTreeSet::new(),
            unsupported_types: BTreeSet::new(),
        };
        assert_eq!(policy, expected);
    }

    #[test]
    fn the_longest_packet_that_can_be_asked_for_is_the_longest_that_is_accepted() {
        assert_eq!(*PACKET_LENGTHS.end(), PacketLength::MAX_REQUESTED.into());
    }

    #[test]
    fn an_empty_setting_is_not_set() {
        assert_eq!(parse(&[("MIRROR_FILTER_ID", ""), ("MIRROR_SCOPE", "  ")]), parse(&[]));
    }

    #[test]
    fn a_default_may_be_said_in_so_many_words() {
        let said = [("MIRROR_SCOPE", "tagged"), ("MIRROR_INTERFACES", "All")];
        assert_eq!(parse(&said), parse(&[]));
    }

    #[test]
    fn a_tag_may_be_as_long_as_ec2_takes_and_a_bad_setting_has_its_name() {
        let key = "k".repeat(MAX_TAG_KEY);
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
            packet_length: Some(PacketLength::MAX_REQUESTED),
            vni: 16_777_215.try_into().ok(),
            precedence: Precedence::Before,
            keep_stopped: true,
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

    #[test]
    fn the_decision_reads_four_tags_and_no_other() {
        let policy = Policy::parse(|_| None).unwrap();
        for key in ["mirror", "MIRROR-TARGET", "Mirror-Filter", "mirror-interfaces"] {
            assert!(policy.reads_tag(key), "{key}");
        }
        assert!(!policy.reads_tag("Owner") && !policy.reads_tag("Mirrored"));
    }

    #[test]
    fn whether_a_tag_is_read_does_not_depend_on_which_of_two_keys_has_other_letters() {
        let kelvin = "Trac\u{212a}";
        for (own, other) in [("Track", kelvin), (kelvin, "track")] {
            let setting = |name: &str| (name == "MIRROR_TAG_KEY").then(|| own.to_owned());
            assert!(Policy::parse(setting).unwrap().reads_tag(other), "{own} {other}");
        }
    }
}
