//! The EventBridge event that a change of a verdict causes.

use serde_json::{Value, json};

use super::{Rule, Verdict};
use crate::aws::ec2::World;

pub(super) fn tell_change(
    world: &mut World,
    account: &str,
    rule: &Rule,
    old: Option<&Verdict>,
    new: &Verdict,
) {
    let mut detail = json!({
        "resourceId": new.key.id,
        "awsRegion": world.region,
        "awsAccountId": account,
        "configRuleName": rule.name,
        "recordVersion": "1.0",
        "configRuleARN": rule.arn,
        "messageType": "ComplianceChangeNotification",
        "newEvaluationResult": result(rule, new),
        "notificationCreationTime": new.recorded.to_string(),
        "resourceType": new.key.resource_type,
    });
    // Left out, not null, for a resource that is judged for the first time.
    if let Some(old) = old {
        detail["oldEvaluationResult"] = result(rule, old);
    }
    world.tell(account, "aws.config", "Config Rules Compliance Change", &[], detail);
}

fn result(rule: &Rule, verdict: &Verdict) -> Value {
    let mut result = json!({
        "evaluationResultIdentifier": {
            "evaluationResultQualifier": {
                "configRuleName": rule.name,
                "resourceType": verdict.key.resource_type,
                "resourceId": verdict.key.id,
                "evaluationMode": "DETECTIVE",
            },
            "orderingTimestamp": verdict.ordering.to_string(),
        },
        "complianceType": verdict.compliance.name(),
        "resultRecordedTime": verdict.recorded.to_string(),
        "configRuleInvokedTime": verdict.invoked.to_string(),
    });
    if let Some(annotation) = &verdict.annotation {
        result["annotation"] = json!(annotation);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Compliance, Config, PutRule, ResourceKey, Time};
    use super::*;

    #[test]
    fn a_change_is_told_as_aws_tells_it() {
        let (mut world, mut config) = (World::default(), Config::default());
        config.put_rule(&PutRule::new("mirroring")).unwrap();
        let rule = config.rule("mirroring").unwrap();
        let new = Verdict {
            key: ResourceKey::instance("i-1"),
            compliance: Compliance::NonCompliant,
            annotation: Some("not mirrored".to_owned()),
            ordering: Time(1),
            recorded: Time(3),
            invoked: Time(2),
        };
        let old = Verdict { compliance: Compliance::Compliant, annotation: None, ..new.clone() };
        tell_change(&mut world, "111122223333", rule, None, &new);
        tell_change(&mut world, "111122223333", rule, Some(&old), &new);
        let [first, second] = <[Value; 2]>::try_from(world.take_events()).unwrap();
        assert_eq!(first["source"], "aws.config");
        assert_eq!(first["detail-type"], "Config Rules Compliance Change");
        assert!(first["detail"].get("oldEvaluationResult").is_none());
        let qualifier = json!({
            "configRuleName": "mirroring",
            "resourceType": "AWS::EC2::Instance",
            "resourceId": "i-1",
            "evaluationMode": "DETECTIVE",
        });
        let identifier = json!({
            "evaluationResultQualifier": qualifier,
            "orderingTimestamp": "1970-01-01T00:00:00.001Z",
        });
        assert_eq!(
            second["detail"],
            json!({
                "resourceId": "i-1",
                "awsRegion": "us-east-1",
                "awsAccountId": "111122223333",
                "configRuleName": "mirroring",
                "recordVersion": "1.0",
                "configRuleARN": rule.arn,
                "messageType": "ComplianceChangeNotification",
                "newEvaluationResult": {
                    "evaluationResultIdentifier": identifier,
                    "complianceType": "NON_COMPLIANT",
                    "resultRecordedTime": "1970-01-01T00:00:00.003Z",
                    "configRuleInvokedTime": "1970-01-01T00:00:00.002Z",
                    "annotation": "not mirrored",
                },
                "oldEvaluationResult": {
                    "evaluationResultIdentifier": identifier,
                    "complianceType": "COMPLIANT",
                    "resultRecordedTime": "1970-01-01T00:00:00.003Z",
                    "configRuleInvokedTime": "1970-01-01T00:00:00.002Z",
                },
                "notificationCreationTime": "1970-01-01T00:00:00.003Z",
                "resourceType": "AWS::EC2::Instance",
            })
        );
    }
}
