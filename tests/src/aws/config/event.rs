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
    // Left out, not null, for a resource that is evaluated for the first time.
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
