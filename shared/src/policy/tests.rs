//! How settings become a policy.

use std::collections::BTreeSet;

use super::*;
use setting::MAX_TAG_KEY;

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
        target_owners: TargetOwners { own: true, others: BTreeSet::new() },
        trusted_targets: BTreeSet::new(),
        filter: None,
        interfaces: Interfaces::All,
        packet_length: None,
        vni: None,
        precedence: Precedence::After,
        keep_stopped: false,
        owner: "automirror".to_owned(),
        installation: None,
        supported_types: BTreeSet::new(),
        unsupported_types: BTreeSet::new(),
        accepted_reasons: BTreeSet::new(),
    };
    assert_eq!(policy, expected);
}

#[test]
fn the_longest_packet_that_can_be_asked_for_is_the_longest_that_is_accepted() {
    assert_eq!(*PACKET_LENGTHS.end(), i32::from(PacketLength::MAX_REQUESTED));
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
        ("MIRROR_TRUSTED_TARGETS", "tmt-7"),
        ("MIRROR_FILTER_ID", " tmf-1 "),
        ("MIRROR_INTERFACES", "primary"),
        ("MIRROR_PACKET_LENGTH", "8500"),
        ("MIRROR_VNI", "16777215"),
        ("MIRROR_PRECEDENCE", "before"),
        ("MIRROR_KEEP_STOPPED", "true"),
        ("MIRROR_OWNER", "team-blue"),
        ("MIRROR_INSTALLATION", "stack"),
        ("MIRROR_SUPPORTED_TYPES", "M8g,m7i.metal-24xl"),
        ("MIRROR_UNSUPPORTED_TYPES", "t3"),
        ("MIRROR_ACCEPTED_REASONS", "Filter-Partial, instance-type"),
    ])
    .unwrap();
    let expected = Policy {
        tag_key: "Watch".to_owned(),
        tag_value: "yes".to_owned(),
        scope: Scope::All,
        vpcs: ["vpc-1", "vpc-2"].map(|id| id.parse().unwrap()).into(),
        targets: ["tmt-1", "tmt-2"].map(|id| id.parse().unwrap()).into(),
        target_owners: TargetOwners {
            own: false,
            others: ["123456789012".parse().unwrap()].into(),
        },
        trusted_targets: ["tmt-7".parse().unwrap()].into(),
        filter: "tmf-1".parse().ok(),
        interfaces: Interfaces::Primary,
        packet_length: Some(PacketLength::MAX_REQUESTED),
        vni: 16_777_215.try_into().ok(),
        precedence: Precedence::Before,
        keep_stopped: true,
        owner: "team-blue".to_owned(),
        installation: Some("stack".to_owned()),
        supported_types: ["m7i.metal-24xl", "m8g"].map(str::to_owned).into(),
        unsupported_types: ["t3".to_owned()].into(),
        accepted_reasons: ["filter-partial", "instance-type"].map(str::to_owned).into(),
    };
    assert_eq!(policy, expected);
}

#[test]
fn a_bad_value_is_named_with_what_is_accepted() {
    let long = "x".repeat(129);
    let cases = [
        ("MIRROR_TAG_KEY", long.as_str(), "at most 128 characters"),
        ("MIRROR_TAG_VALUE", "aws:x", "do not start with `aws:`"),
        ("MIRROR_OWNER", "AWS:x", "do not start with `aws:`"),
        ("MIRROR_INSTALLATION", "aws:x", "do not start with `aws:`"),
        ("MIRROR_TAG_KEY", "mirror-target", "any key but Mirror-Target, Mirror-Filter"),
        ("MIRROR_TAG_VALUE", "false", "any value but False"),
        ("MIRROR_SCOPE", "some", "`tagged` or `all`"),
        ("MIRROR_VPC_IDS", "vpc-1,subnet-2", "starts with `vpc-`"),
        ("MIRROR_TARGET_IDS", "tmf-1", "starts with `tmt-`"),
        ("MIRROR_TARGET_IDS", " , ", "a list, separated by commas, each not empty"),
        ("MIRROR_VPC_IDS", ",", "a list, separated by commas, each not empty"),
        ("MIRROR_TARGET_OWNERS", "12", "twelve digits, or `self`"),
        ("MIRROR_TRUSTED_TARGETS", "sensor", "starts with `tmt-`"),
        ("MIRROR_ACCEPTED_REASONS", "shadowed", "one of filter-partial, instance-type"),
        ("MIRROR_ACCEPTED_REASONS", "target-gone", "one of filter-partial"),
        ("MIRROR_ACCEPTED_REASONS", ",", "not empty"),
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
        parse(&[("MIRROR_TARGET_IDS", "tmt-1"), ("MIRROR_TARGET_OWNERS", "222222222222")]).unwrap();
    let (us, them) = ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
    let (listed, other) = ("tmt-1".parse().unwrap(), "tmt-2".parse().unwrap());
    assert!(policy.allows(&listed, Some(&them), &us));
    assert!(!policy.allows(&other, Some(&us), &us));
}

#[test]
fn without_a_list_the_targets_of_the_named_owners_are_allowed_or_else_ones_own() {
    let us = "111111111111".parse().unwrap();
    let target = "tmt-1".parse().unwrap();
    for (owners, allowed) in [
        ("", [true, false, false]),
        ("222222222222", [false, true, false]),
        ("222222222222,self", [true, true, false]),
        ("SELF", [true, false, false]),
        ("111111111111", [true, false, false]),
    ] {
        let policy = parse(&[("MIRROR_TARGET_OWNERS", owners)]).unwrap();
        let of = ["111111111111", "222222222222", "333333333333"];
        let found = of.map(|owner| policy.allows(&target, owner.parse().ok().as_ref(), &us));
        assert_eq!(found, allowed, "{owners}");
        assert!(!policy.allows(&target, None, &us));
    }
}

#[test]
fn a_trusted_target_may_receive_and_is_not_allowed() {
    let policy = parse(&[("MIRROR_TRUSTED_TARGETS", "tmt-1")]).unwrap();
    let (us, them) = ("111111111111".parse().unwrap(), "222222222222".parse().unwrap());
    let (trusted, other) = ("tmt-1".parse().unwrap(), "tmt-2".parse().unwrap());
    assert!(policy.trusts(&trusted, Some(&them), &us) && policy.trusts(&trusted, None, &us));
    assert!(!policy.allows(&trusted, Some(&them), &us));
    assert!(!policy.trusts(&other, Some(&them), &us) && policy.trusts(&other, Some(&us), &us));
}

#[test]
fn instances_can_be_selected_by_a_tag_that_aws_sets() {
    let policy = parse(&[("MIRROR_TAG_KEY", "aws:autoscaling:groupName")]).unwrap();
    assert!(policy.reads_tag("aws:autoscaling:groupName"));
}

#[test]
fn a_packet_length_that_cuts_off_ports_is_warned_about() {
    let warnings = |length| parse(&[("MIRROR_PACKET_LENGTH", length)]).unwrap().warnings();
    assert_eq!(warnings("54").len(), 1);
    assert!(warnings("54")[0].starts_with("MIRROR_PACKET_LENGTH is 54: "));
    assert_eq!((warnings("55").len(), warnings("").len()), (0, 0));
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
