//! Settings: each line is a variable, `NAME=value`.

use shared::{
    id::{AccountId, TargetId, VpcId},
    number::PacketLength,
    policy::{
        Interfaces, Policy, Scope, TargetOwners,
        run::{Mode, RunSettings},
        setting::{NAMES, SettingError, check_names},
    },
};

/// The longest line said about a setting: it quotes 64 characters of its value and of its name.
const LONGEST: usize = 600;

/// What is accepted is within its documented ranges and can be written down again; what is not is
/// refused in one line.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let set = crate::pairs(text);
    let lookup = |name: &str| set.get(name).map(|value| (*value).to_owned());
    let parse = || Ok((Policy::parse(lookup)?, RunSettings::parse(lookup)?));
    let parsed: Result<_, SettingError> = parse();
    assert_eq!(parsed, parse(), "parsing twice gives the same");
    match parsed {
        Ok((policy, run)) => {
            check_ranges(&policy);
            assert!((1..=100).contains(&run.rate_share));
            let is_set = |name| set.get(name).is_some_and(|value| !value.trim().is_empty());
            assert_eq!(policy.vpcs.is_empty(), !is_set("MIRROR_VPC_IDS"));
            assert_eq!(policy.targets.is_empty(), !is_set("MIRROR_TARGET_IDS"));
            assert_eq!(policy.filter.is_none(), !is_set("MIRROR_FILTER_ID"));
            let written = written(&policy, &run);
            let lookup = |name: &str| written.iter().find(|it| it.0 == name).map(|it| it.1.clone());
            assert_eq!(Policy::parse(lookup), Ok(policy), "written down and parsed again");
            assert_eq!(RunSettings::parse(lookup), Ok(run), "written down and parsed again");
        }
        Err(error) => crate::assert_fit(&error.to_string(), LONGEST),
    }
    match check_names(set.keys().map(|name| (*name).to_owned())) {
        Ok(()) => {
            assert!(set.keys().all(|name| NAMES.contains(name) || !name.starts_with("MIRROR_")));
        }
        Err(error) => crate::assert_fit(&error.to_string(), LONGEST),
    }
}

fn check_ranges(policy: &Policy) {
    for (text, longest) in [(&policy.tag_key, 128), (&policy.tag_value, 256), (&policy.owner, 256)]
    {
        assert!((1..=longest).contains(&text.chars().count()), "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    for text in [&policy.tag_value, &policy.owner] {
        assert!(!text.to_ascii_lowercase().starts_with("aws:"), "{text:?}");
    }
    for other in ["Mirror-Target", "Mirror-Filter", "Mirror-Interfaces"] {
        assert!(!policy.tag_key.eq_ignore_ascii_case(other));
    }
    assert!(!policy.tag_value.eq_ignore_ascii_case("false"));
    assert!(policy.packet_length.is_none_or(|bytes| bytes <= PacketLength::MAX_REQUESTED));
    for kind in policy.supported_types.iter().chain(&policy.unsupported_types) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        assert!(!kind.is_empty() && kind.bytes().all(plain), "{kind}");
    }
}

fn written(policy: &Policy, run: &RunSettings) -> [(&'static str, String); 20] {
    let list = |items: Vec<&str>| items.join(",");
    let packet_length = policy.packet_length.map(|it| it.to_string());
    let vni = policy.vni.map(|it| it.to_string());
    let vpcs = policy.vpcs.iter().map(VpcId::as_str).collect();
    let targets = policy.targets.iter().map(TargetId::as_str).collect();
    let TargetOwners { own, others } = &policy.target_owners;
    let own = own.then_some("self");
    let owners = own.into_iter().chain(others.iter().map(AccountId::as_str)).collect();
    let trusted = policy.trusted_targets.iter().map(TargetId::as_str).collect();
    let tags: Vec<_> =
        run.session_tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let accepted = policy.accepted_reasons.iter().map(String::as_str).collect();
    let supported = policy.supported_types.iter().map(String::as_str).collect();
    let unsupported = policy.unsupported_types.iter().map(String::as_str).collect();
    let scope = if policy.scope == Scope::All { "all" } else { "tagged" };
    let interfaces = if policy.interfaces == Interfaces::All { "all" } else { "primary" };
    let mode = if run.mode == Mode::Detect { "detect" } else { "enforce" };
    [
        ("MIRROR_TAG_KEY", policy.tag_key.clone()),
        ("MIRROR_TAG_VALUE", policy.tag_value.clone()),
        ("MIRROR_SCOPE", scope.to_owned()),
        ("MIRROR_VPC_IDS", list(vpcs)),
        ("MIRROR_TARGET_IDS", list(targets)),
        ("MIRROR_TARGET_OWNERS", list(owners)),
        ("MIRROR_TRUSTED_TARGETS", list(trusted)),
        ("MIRROR_FILTER_ID", policy.filter.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("MIRROR_INTERFACES", interfaces.to_owned()),
        ("MIRROR_PACKET_LENGTH", packet_length.unwrap_or_default()),
        ("MIRROR_VNI", vni.unwrap_or_default()),
        ("MIRROR_PRECEDENCE", policy.precedence.as_str().to_owned()),
        ("MIRROR_KEEP_STOPPED", policy.keep_stopped.to_string()),
        ("MIRROR_MODE", mode.to_owned()),
        ("MIRROR_RATE_SHARE", run.rate_share.to_string()),
        ("MIRROR_OWNER", policy.owner.clone()),
        ("MIRROR_SUPPORTED_TYPES", list(supported)),
        ("MIRROR_UNSUPPORTED_TYPES", list(unsupported)),
        ("MIRROR_SESSION_TAGS", tags.join(",")),
        ("MIRROR_ACCEPTED_REASONS", list(accepted)),
    ]
}
