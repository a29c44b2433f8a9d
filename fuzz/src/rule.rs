//! What config-rule gets: each line is an event, an event's message, and a rule's parameters.

use std::collections::BTreeMap;

use config_rule::{event::Invocation, parameters::Judgement};
use serde_json::{Value, json};
use shared::{policy::Policy, verdict::Unsupported};

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
    let read = || Invocation::read(payload.clone()).map_err(words);
    let invocation = read();
    assert_eq!(invocation, read(), "reading twice gives the same");
    match invocation {
        Ok(Invocation { rule, parameters, token, .. }) => {
            assert!(!rule.is_empty() && !token.is_empty());
            check_parameters(&parameters.unwrap_or_default());
        }
        Err(why) => assert!(!why.is_empty()),
    }
}

fn check_parameters(text: &str) {
    let setting = |name: &str| match name {
        "MIRROR_SCOPE" => Some("all".to_owned()),
        "MIRROR_TARGET_IDS" => Some("tmt-1".to_owned()),
        _ => None,
    };
    let Ok(Judgement { policy, unsupported }) = Judgement::parse(Some(text), setting) else {
        return;
    };
    let parameters: BTreeMap<String, String> =
        if text.is_empty() { BTreeMap::new() } else { serde_json::from_str(text).unwrap() };
    let parameter =
        |name: &str| parameters.get(name).cloned().filter(|value| !value.trim().is_empty());
    let merged = Policy::parse(|name| {
        let parameter = match name {
            "MIRROR_TAG_KEY" => parameter("tagKey"),
            "MIRROR_TAG_VALUE" => parameter("tagValue"),
            "MIRROR_SCOPE" => parameter("scope"),
            "MIRROR_VPC_IDS" => parameter("vpcIds"),
            "MIRROR_TARGET_IDS" => parameter("targetIds"),
            "MIRROR_TARGET_OWNERS" => parameter("targetOwners"),
            "MIRROR_FILTER_ID" => parameter("filterId"),
            "MIRROR_INTERFACES" => parameter("interfaces"),
            _ => None,
        };
        parameter.or_else(|| setting(name))
    });
    assert_eq!(Ok(policy), merged);
    let strict = parameter("unsupported").is_some_and(|value| value.trim() == "NON_COMPLIANT");
    assert_eq!(unsupported == Unsupported::NonCompliant, strict);
}
