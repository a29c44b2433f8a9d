//! The rule's parameters: the settings of the function under other names, for this rule only.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};
use serde_json::Value;
use shared::{plan::verdict::Verdict, policy::Policy};

/// A parameter and the setting that it overrides.
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

/// The parameters that are no settings.
const UNSUPPORTED: &str = "unsupported";
const TARGET_HEALTH: &str = "targetHealth";

/// The longest grace time, in minutes: a day.
const MAX_GRACE: i64 = 1440;

/// What a rule evaluates by.
pub struct RuleSettings {
    /// What the operator wants, with the rule's parameters.
    pub policy: Policy,
    /// The verdict on interfaces that EC2 cannot mirror. None: `NON_COMPLIANT` where the instance's own tag
    /// asks for mirroring and none of its interfaces can be mirrored, else `NOT_APPLICABLE`.
    pub unsupported: Option<Verdict>,
    /// Whether to look at what stands behind targets: for how many seconds nothing may receive there before an
    /// instance is not compliant for that. None: nobody looks.
    pub target_health: Option<i64>,
}

impl RuleSettings {
    /// Parses a rule's parameters, a JSON object of strings; each overrides one setting.
    ///
    /// # Errors
    /// The first parameter or setting that cannot be used.
    pub fn parse(
        parameters: Option<&str>,
        setting: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let parameters = texts(parameters)?;
        let known = || PARAMETERS.iter().map(|(name, _)| *name).chain([UNSUPPORTED, TARGET_HEALTH]);
        if let Some(unknown) = parameters.keys().find(|name| known().all(|known| known != *name)) {
            let known: Vec<_> = known().collect();
            bail!("unknown rule parameter {unknown:?}: known are {}", known.join(", "));
        }
        let parameter = |setting: &str| {
            let (name, _) = PARAMETERS.iter().find(|(_, name)| *name == setting)?;
            let value = parameters.get(*name).filter(|value| !value.trim().is_empty())?;
            Some((*name, value))
        };
        let lookup =
            |name: &str| parameter(name).map(|(_, value)| value.clone()).or_else(|| setting(name));
        let policy = Policy::parse(lookup).map_err(|error| match parameter(error.name()) {
            Some((name, _)) => anyhow!("rule parameter {name}: {error}"),
            None => anyhow!(error),
        })?;
        let unsupported = match parameters.get(UNSUPPORTED).map(|value| value.trim()) {
            None | Some("") => None,
            Some("NOT_APPLICABLE") => Some(Verdict::NotApplicable),
            Some("NON_COMPLIANT") => Some(Verdict::NonCompliant),
            Some(value) => bail!(
                "rule parameter {UNSUPPORTED} is {value:?}: accepted is `NOT_APPLICABLE` or \
                 `NON_COMPLIANT`"
            ),
        };
        let target_health = grace(parameters.get(TARGET_HEALTH).map_or("", |value| value.trim()))?;
        Ok(Self { policy, unsupported, target_health })
    }
}

/// A grace time in minutes, as seconds; none where it is empty.
fn grace(value: &str) -> anyhow::Result<Option<i64>> {
    if value.is_empty() {
        return Ok(None);
    }
    match value.parse() {
        Ok(minutes @ 1..=MAX_GRACE) => Ok(Some(minutes * 60)),
        _ => bail!(
            "rule parameter {TARGET_HEALTH} is {value:?}: accepted is a whole number of minutes from 1 to \
             {MAX_GRACE}, or nothing"
        ),
    }
}

fn texts(parameters: Option<&str>) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(text) = parameters.filter(|text| !text.is_empty()) else {
        return Ok(BTreeMap::new());
    };
    let parameters: BTreeMap<String, Value> = serde_json::from_str(text)
        .map_err(|error| anyhow!("`ruleParameters` is not a JSON object: {error}"))?;
    let texts = parameters.into_iter().map(|(name, value)| match value {
        Value::String(value) => Ok((name, value)),
        value => bail!("rule parameter {name:?} is {value}: accepted is a text"),
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use shared::policy::{Interfaces, Scope};

    use super::*;

    fn parse(parameters: &str) -> anyhow::Result<RuleSettings> {
        let setting = |name: &str| match name {
            "MIRROR_SCOPE" => Some("all".to_owned()),
            "MIRROR_OWNER" => Some("blue".to_owned()),
            _ => None,
        };
        RuleSettings::parse(Some(parameters), setting)
    }

    #[test]
    fn a_parameter_overrides_its_setting_and_the_others_stay() {
        let settings = parse(
            r#"{"tagKey":"Watch","tagValue":"yes","scope":"tagged","vpcIds":"vpc-1",
                "targetIds":"tmt-1","targetOwners":"123456789012","trustedTargets":"tmt-2",
                "filterId":"tmf-1","interfaces":"primary","acceptedReasons":"filter-partial",
                "unsupported":"NON_COMPLIANT","targetHealth":"30"}"#,
        )
        .unwrap();
        let policy = settings.policy;
        assert_eq!((policy.tag_key.as_str(), policy.tag_value.as_str()), ("Watch", "yes"));
        assert_eq!((policy.scope, policy.interfaces), (Scope::Tagged, Interfaces::Primary));
        assert_eq!(
            (policy.vpcs.len(), policy.targets.len(), policy.trusted_targets.len()),
            (1, 1, 1)
        );
        assert_eq!((policy.target_owners.others.len(), policy.accepted_reasons.len()), (1, 1));
        assert_eq!(policy.filter, "tmf-1".parse().ok());
        assert_eq!(policy.owner, "blue");
        assert_eq!(settings.unsupported, Some(Verdict::NonCompliant));
        assert_eq!(settings.target_health, Some(1800));

        let settings = parse(r#"{"scope":""}"#).unwrap();
        assert_eq!(settings.policy.scope, Scope::All);
        assert_eq!(settings.unsupported, None);
        assert_eq!(settings.target_health, None);
        for (text, expected) in [("", None), (" 1 ", Some(60)), ("1440", Some(86_400))] {
            let settings = parse(&format!(r#"{{"targetHealth":"{text}"}}"#)).unwrap();
            assert_eq!(settings.target_health, expected);
        }
        let settings = parse(r#"{"unsupported":"NOT_APPLICABLE"}"#).unwrap();
        assert_eq!(settings.unsupported, Some(Verdict::NotApplicable));
    }

    #[test]
    fn a_bad_parameter_is_named_with_what_is_accepted() {
        for (parameters, expected) in [
            ("[]", "`ruleParameters` is not a JSON object"),
            (r#"{"tag":"x"}"#, "unknown rule parameter \"tag\": known are tagKey, tagValue"),
            (r#"{"scope":"some"}"#, "rule parameter scope: MIRROR_SCOPE is `some`"),
            (r#"{"scope":7}"#, "rule parameter \"scope\" is 7: accepted is a text"),
            (
                r#"{"targetHealth":"0"}"#,
                "rule parameter targetHealth is \"0\": accepted is a whole",
            ),
            (r#"{"targetHealth":"1441"}"#, "minutes from 1 to 1440"),
            (r#"{"targetHealth":"true"}"#, "minutes from 1 to 1440"),
            (r#"{"unsupported":"ok"}"#, "accepted is `NOT_APPLICABLE` or `NON_COMPLIANT`"),
        ] {
            let Err(error) = parse(parameters) else { panic!("{parameters}") };
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
