//! What config-rule gets: each line is an event, an event's message, and a rule's parameters.

use std::collections::BTreeMap;

use config_rule::{event::Invocation, parameters::RuleSettings};
use serde_json::{Value, json};
use shared::{plan::verdict::Verdict, policy::Policy};

/// The parameters that go over settings.
const PARAMETERS: [(&str, &str); 10] = [
    ("tagKey", "MIRROR_TAG_KEY"),
    ("tagValue", "MIRROR_TAG_VALUE"),
    ("scope", "MIRROR_SCOPE"),
    ("vpcIds", "MIRROR_VPC_IDS"),
    ("targetIds", "MIRROR_TARGET_IDS"),
    ("targetOwners", "MIRROR_TARGET_OWNERS"),
    ("trustedTargets", "MIRROR_TRUSTED_TARGETS"),
    ("filterId", "MIRROR_FILTER_ID"),
    ("interfaces", "MIRROR_INTERFACES"),
    ("acceptedReasons", "MIRROR_ACCEPTED_REASONS"),
];

/// Every event is read or refused with a reason, and parameters go over the settings of their names.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for line in text.lines() {
        if let Ok(payload) = serde_json::from_str(line) {
            check_event(&payload);
        }
        check_event(&json!({
            "accountId": "111111111111", "configRuleName": "mirrored", "resultToken": "token",
            "version": "1.0", "eventLeftScope": false, "invokingEvent": line,
        }));
        check_parameters(line);
    }
}

fn check_event(payload: &Value) {
    let words = |error: anyhow::Error| format!("{error:#}");
    let parse = || Invocation::parse(payload.clone()).map_err(words);
    let invocation = parse();
    assert_eq!(invocation, parse(), "parsing twice gives the same");
    if let Ok(Invocation { rule, parameters, token, .. }) = invocation {
        assert!(!rule.is_empty() && !token.is_empty());
        check_parameters(&parameters.unwrap_or_default());
    }
}

fn check_parameters(text: &str) {
    let setting = |name: &str| match name {
        "MIRROR_SCOPE" => Some("all".to_owned()),
        "MIRROR_TARGET_IDS" => Some("tmt-1".to_owned()),
        _ => None,
    };
    let settings = RuleSettings::parse(Some(text), setting).ok();
    let parameters = if text.is_empty() { "{}" } else { text };
    // Of two parameters with one name the last counts.
    let parameters = serde_json::from_str::<BTreeMap<String, Value>>(parameters).ok();
    let texts = parameters.and_then(|parameters| {
        let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
        parameters.into_iter().map(text).collect::<Option<BTreeMap<_, _>>>()
    });
    let Some(parameters) = texts else {
        assert!(settings.is_none(), "not an object of texts");
        return;
    };
    let parameter =
        |name: &str| parameters.get(name).cloned().filter(|value| !value.trim().is_empty());
    let policy = Policy::parse(|name| {
        let named = PARAMETERS.iter().find(|(_, setting)| *setting == name);
        named.and_then(|(name, _)| parameter(name)).or_else(|| setting(name))
    });
    let unsupported = match parameter("unsupported").as_deref().map(str::trim) {
        None => Some(None),
        Some("NOT_APPLICABLE") => Some(Some(Verdict::NotApplicable)),
        Some("NON_COMPLIANT") => Some(Some(Verdict::NonCompliant)),
        Some(_) => None,
    };
    let is_known = |name: &str| {
        name == "unsupported" || PARAMETERS.iter().any(|(parameter, _)| *parameter == name)
    };
    let all_known = parameters.keys().all(|name| is_known(name));
    let expected = policy.ok().zip(unsupported).filter(|_| all_known);
    assert_eq!(settings.map(|it| (it.policy, it.unsupported)), expected);
}
