//! A policy of a role, a resource or an organization, and what it says to a request.
//!
//! Own code, because what there is (`iam-rs`) refuses the ARNs of Lambda's log streams and requests for
//! `*`, and takes no wildcards in `ArnEquals`. What is not known here is an error, never false.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::Value;
use wildmatch::WildMatch;

use super::Authorization;
use super::condition::Condition;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    sid: String,
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// By any of the statements with these `Sid`s.
    Allowed(Vec<String>),
    /// By the statement with this `Sid`, or because none allows it.
    Denied(Option<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    statement: Vec<StatementJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatementJson {
    sid: String,
    effect: Effect,
    action: OneOrMany,
    resource: OneOrMany,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Policy {
    /// A policy document. Statements must have a `Sid`.
    pub fn parse(document: &Value) -> anyhow::Result<Self> {
        let document =
            Document::deserialize(document).context("not a policy that is known here")?;
        ensure!(document.version == "2012-10-17", "the version {} is not known", document.version);
        let statements = document.statement.into_iter().map(|statement| {
            let sid = statement.sid.clone();
            Statement::parse(statement).with_context(|| format!("in the statement {sid}"))
        });
        Ok(Self { statements: statements.collect::<anyhow::Result<_>>()? })
    }

    /// A policy of a resource, whose statements name principals. They are not checked: in the policies of this
    /// repository, conditions tell callers apart.
    pub fn of_resource(document: &Value) -> anyhow::Result<Self> {
        let mut document = document.clone();
        let statements = document.get_mut("Statement").and_then(Value::as_array_mut);
        for statement in statements.into_iter().flatten().filter_map(Value::as_object_mut) {
            ensure!(statement.remove("Principal").is_some(), "a statement names no principal");
        }
        Self::parse(&document)
    }

    /// A statement that denies wins over all that allow.
    pub fn decide(&self, asked: &Authorization) -> Decision {
        let sids = |effect| {
            let statements = self.statements.iter().filter(move |it| it.effect == effect);
            statements.filter(|it| it.concerns(asked)).map(|it| it.sid.clone())
        };
        let allowed: Vec<_> = sids(Effect::Allow).collect();
        match sids(Effect::Deny).next() {
            None if !allowed.is_empty() => Decision::Allowed(allowed),
            denied => Decision::Denied(denied),
        }
    }

    /// Whether the action is allowed on anything, on whatever condition.
    pub fn grants_somehow(&self, action: &str) -> bool {
        let mut allowing = self.statements.iter().filter(|it| it.effect == Effect::Allow);
        allowing.any(|statement| statement.has_action(action))
    }

    /// Each action that is allowed: `Sid`, action, resources.
    pub fn grants(&self) -> impl Iterator<Item = (&str, &str, &[String])> {
        let allowing = self.statements.iter().filter(|it| it.effect == Effect::Allow);
        allowing.flat_map(|it| {
            it.actions.iter().map(|action| (it.sid.as_str(), action.as_str(), &it.resources[..]))
        })
    }

    /// What may change anything there is: `Sid` and action.
    pub fn unbounded_changes(&self) -> impl Iterator<Item = (&str, &str)> {
        let unbounded = self.grants().filter(|(_, action, resources)| {
            resources.iter().any(|resource| resource == "*") && changes_a_resource(action)
        });
        unbounded.map(|(sid, action, _)| (sid, action))
    }
}

/// Whether it is neither a reading action nor one that knows no resources.
fn changes_a_resource(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    let reads = ["Describe", "Get", "List"].iter().any(|prefix| name.starts_with(prefix));
    !reads && action != "config:PutEvaluations"
}

impl Statement {
    fn parse(json: StatementJson) -> anyhow::Result<Self> {
        let resources = json.resource.into_vec();
        for resource in &resources {
            let is_arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
            ensure!(resource == "*" || is_arn, "{resource} is no ARN");
            ensure!(!resource.contains("${"), "variables are not known");
        }
        let mut conditions = Vec::new();
        for (operator, keys) in json.condition {
            for (key, values) in keys {
                conditions.push(Condition::parse(&operator, &key, values.into_vec())?);
            }
        }
        let (sid, effect, actions) = (json.sid, json.effect, json.action.into_vec());
        Ok(Self { sid, effect, actions, resources, conditions })
    }

    fn concerns(&self, asked: &Authorization) -> bool {
        self.has_action(&asked.action)
            && self.resources.iter().any(|resource| arn_matches(resource, &asked.resource))
            && self.conditions.iter().all(|condition| condition.holds(&asked.context))
    }

    /// Actions are the same in any case.
    fn has_action(&self, action: &str) -> bool {
        self.actions
            .iter()
            .any(|pattern| WildMatch::new(&pattern.to_lowercase()).matches(&action.to_lowercase()))
    }
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

/// A wildcard stays within its part of the ARN; only the last part may have colons of its own.
pub(super) fn arn_matches(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    patterns.clone().count() == parts.clone().count()
        && patterns.zip(parts).all(|(pattern, part)| WildMatch::new(pattern).matches(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TARGET: &str = "arn:aws:ec2:us-east-1:444455556666:traffic-mirror-target/tmt-1";
    const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:automirror";

    fn policy(statements: &Value) -> anyhow::Result<Policy> {
        Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}))
    }

    fn statement(effect: &str, action: &Value, resource: &Value, condition: &Value) -> Value {
        json!({"Sid": effect, "Effect": effect, "Action": action, "Resource": resource, "Condition": condition})
    }

    fn allows(statements: &[Value], asked: &Authorization) -> bool {
        matches!(policy(&json!(statements)).unwrap().decide(asked), Decision::Allowed(_))
    }

    #[test]
    fn wildcards_in_arns_stay_in_their_part() {
        let stream = "arn:aws:logs:us-east-1:1:log-group:g:log-stream:2026/01/01/[$LATEST]0";
        for (pattern, arn, is_allowed) in [
            ("*", TARGET, true),
            ("arn:*:ec2:*:*:traffic-mirror-target/tmt-1", TARGET, true),
            ("arn:*:ec2:*:*:traffic-mirror-target/tmt-", TARGET, false),
            ("arn:*:ec2:*:*:traffic-mirror-target/*", TARGET, true),
            ("arn:*:ec2:*:111122223333:traffic-mirror-target/*", TARGET, false),
            ("arn:aws:ec2:us-east-1:444455556666:*/*", TARGET, true),
            ("arn:aws:ec2:eu-*:444455556666:*/*", TARGET, false),
            ("arn:aws:ec2:us-east-?:444455556666:*/tmt-?", TARGET, true),
            ("arn:aws:ec2:us-east-1:444455556666:traffic-mirror-target/TMT-1", TARGET, false),
            ("arn:aws:ec2:*:traffic-mirror-target:tmt-1:x", TARGET, false),
            ("arn:aws:logs:us-east-1:1:log-group:g:log-stream:*", stream, true),
            ("arn:aws:logs:us-east-1:1:log-group:g:*", stream, true),
            ("arn:aws:logs:us-east-1:1:log-group:f:*", stream, false),
            // An action that knows no resources needs `*`.
            ("arn:aws:ec2:us-east-1:444455556666:*", "*", false),
        ] {
            let statement = statement("Allow", &json!("ec2:X"), &json!([pattern]), &json!({}));
            let asked = Authorization::new("ec2:X", arn);
            assert_eq!(allows(&[statement], &asked), is_allowed, "{pattern} {arn}");
        }
    }

    #[test]
    fn conditions_are_as_awss_guide_says() {
        for (condition, given, is_allowed) in [
            // The value is one of those listed; a key that is absent is none of them.
            (json!({"StringEquals": {"a:Key": "x"}}), &["x"][..], true),
            (json!({"StringEquals": {"a:Key": ["y", "x"]}}), &["x"], true),
            (json!({"StringEquals": {"A:KEY": "x"}}), &["x"], true),
            (json!({"StringEquals": {"a:Key": "X"}}), &["x"], false),
            (json!({"StringEquals": {"a:Key": "*"}}), &["x"], false),
            (json!({"StringEquals": {"a:Key": "x"}}), &[], false),
            (json!({"StringEquals": {"a:Key": []}}), &["x"], false),
            (json!({"StringLike": {"a:Key": "x?z*"}}), &["xyz"], true),
            (json!({"StringLike": {"a:Key": "x?z*"}}), &["xz"], false),
            (json!({"StringLike": {"a:Key": "*"}}), &[], false),
            (json!({"ArnLike": {"a:Key": "arn:aws:lambda:*:*:function:*"}}), &[FUNCTION], true),
            (json!({"ArnEquals": {"a:Key": "arn:aws:lambda:*:*:function:*"}}), &[FUNCTION], true),
            (json!({"ArnEquals": {"a:Key": FUNCTION}}), &[FUNCTION], true),
            (json!({"ArnLike": {"a:Key": "arn:aws:*:function:automirror"}}), &[FUNCTION], false),
            (json!({"ArnLike": {"a:Key": FUNCTION}}), &[], false),
            (json!({"Bool": {"a:Key": "false"}}), &["false"], true),
            (json!({"Bool": {"a:Key": "false"}}), &["true"], false),
            (json!({"Bool": {"a:Key": "false"}}), &[], false),
            (json!({"Null": {"a:Key": "true"}}), &[], true),
            (json!({"Null": {"a:Key": "true"}}), &["x"], false),
            (json!({"Null": {"a:Key": "false"}}), &["x"], true),
            (json!({"Null": {"a:Key": "false"}}), &[], false),
            // True of no values at all.
            (json!({"ForAllValues:StringEquals": {"a:Key": ["x", "y"]}}), &[], true),
            (json!({"ForAllValues:StringEquals": {"a:Key": ["x", "y"]}}), &["y", "x"], true),
            (json!({"ForAllValues:StringEquals": {"a:Key": ["x", "y"]}}), &["x", "z"], false),
            (json!({"ForAllValues:StringLike": {"a:Key": ["x*"]}}), &["x1", "x2"], true),
            // All operators and all keys must hold.
            (json!({"StringEquals": {"a:Key": "x", "a:Other": "x"}}), &["x"], false),
            (json!({"StringEquals": {"a:Key": "x"}, "Null": {"a:Key": "true"}}), &["x"], false),
            (json!({"StringEquals": {"a:Key": "x"}, "Null": {"a:Other": "true"}}), &["x"], true),
        ] {
            let statement = statement("Allow", &json!("*"), &json!("*"), &condition);
            let asked = Authorization::new("ec2:X", TARGET);
            let asked = given.iter().fold(asked, |asked, value| asked.with("a:Key", value));
            assert_eq!(allows(&[statement], &asked), is_allowed, "{condition} {given:?}");
        }
    }

    #[test]
    fn a_denial_wins_where_it_applies_and_nothing_is_allowed_by_itself() {
        let allow = statement("Allow", &json!("*"), &json!("*"), &json!({}));
        let condition = json!({"ArnEquals": {"lambda:SourceFunctionArn": FUNCTION}});
        let deny = statement("Deny", &json!("ec2:X"), &json!("*"), &condition);
        let policy = policy(&json!([allow, deny])).unwrap();
        let asked = Authorization::new("ec2:X", TARGET);
        assert_eq!(policy.decide(&asked), Decision::Allowed(vec!["Allow".to_owned()]));
        let from_code = asked.clone().with("lambda:SourceFunctionArn", FUNCTION);
        assert_eq!(policy.decide(&from_code), Decision::Denied(Some("Deny".to_owned())));
        assert!(!allows(&[], &asked));
        assert!(!allows(&[deny], &asked));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let good = statement("Allow", &json!("a:B"), &json!("*"), &json!({}));
        assert!(policy(&json!([good])).is_ok());
        for (name, value) in [
            ("Effect", json!("Maybe")),
            ("NotAction", json!("a:B")),
            ("Principal", json!("*")),
            ("Resource", json!("tmt-1")),
            ("Resource", json!("arn:aws:ec2:*:${aws:username}:x")),
            ("Condition", json!({"StringSounds": {"a:Key": "x"}})),
            ("Condition", json!({"StringNotEquals": {"a:Key": "x"}})),
            ("Condition", json!({"StringEqualsIfExists": {"a:Key": "x"}})),
            ("Condition", json!({"ForAnyValue:StringEquals": {"a:Key": "x"}})),
            ("Condition", json!({"ForAllValues:Null": {"a:Key": "true"}})),
            ("Condition", json!({"Null": {"a:Key": "yes"}})),
            ("Condition", json!({"StringEquals": {"a:Key": "${aws:username}"}})),
            ("Sid", json!(null)),
        ] {
            let mut bad = good.clone();
            bad[name] = value.clone();
            assert!(policy(&json!([bad])).is_err(), "{name}: {value}");
        }
        assert!(Policy::parse(&json!({"Version": "2008-10-17", "Statement": []})).is_err());
    }
}
