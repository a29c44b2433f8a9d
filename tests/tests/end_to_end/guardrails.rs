//! The policies that do not belong to a role: of the queue, and those in `docs/guardrails`.

use std::path::Path;

use local_cloud::{
    aws::cloudformation::Template,
    aws::iam::{Authorization, Decision, Policy},
};
use serde_json::Value;

/// The policy of the queue, and the ARN of the queue.
fn queue_policy() -> (Policy, String) {
    let stack = Template::of_repository("automirror.yaml").unwrap().resolve(&[]).unwrap();
    let document = &stack.resources["QueuePolicy"]["Properties"]["PolicyDocument"];
    let queue = document["Statement"][0]["Resource"].as_str().unwrap().to_owned();
    (Policy::of_resource(document).unwrap(), queue)
}

fn send(queue: &str) -> Authorization {
    Authorization::new("sqs:SendMessage", queue).with("aws:SecureTransport", "true")
}

/// The event rules whose messages the policy allows, as the template creates them.
fn our_rules() -> Vec<String> {
    let stack = Template::of_repository("automirror.yaml").unwrap().resolve(&[]).unwrap();
    let statements = &stack.resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"];
    let ours = statements.as_array().unwrap().iter().find(|one| one["Sid"] == "AllowOurRules");
    let sources = &ours.unwrap()["Condition"]["ArnEquals"]["aws:SourceArn"];
    sources.as_array().unwrap().iter().map(|arn| arn.as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_our_rules_write_to_the_queue() {
    let (policy, queue) = queue_policy();
    let rules = our_rules();
    assert_eq!(rules.len(), 5);
    for rule in &rules {
        let asked =
            send(&queue).with("aws:SourceArn", rule).with("aws:SourceAccount", "111122223333");
        assert_eq!(policy.decide(&asked), Decision::Allowed(vec!["AllowOurRules".to_owned()]));
    }
}

/// An IAM policy may allow `sqs:SendMessage` on everything, so the queue must deny, not only not allow.
#[test]
fn everybody_else_is_denied_in_the_own_account_too() {
    let (policy, queue) = queue_policy();
    let denied = Decision::Denied(Some("DenyAllButOurRules".to_owned()));
    let other = "arn:aws:events:us-east-1:111122223333:rule/of-somebody-else";
    for asked in [
        send(&queue),
        send(&queue).with("aws:PrincipalArn", "arn:aws:iam::111122223333:role/application"),
        send(&queue).with("aws:SourceArn", other).with("aws:SourceAccount", "111122223333"),
    ] {
        assert_eq!(policy.decide(&asked), denied, "{asked:?}");
    }
}

/// Reading stays possible for Lambda, which has the permission from the role.
#[test]
fn the_queue_denies_no_reading() {
    let (policy, queue) = queue_policy();
    for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
        let asked = Authorization::new(action, &queue).with("aws:SecureTransport", "true");
        assert_eq!(policy.decide(&asked), Decision::Denied(None), "{action}");
    }
}

fn guardrail(name: &str) -> Value {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(top.join("docs/guardrails").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

const SESSION: &str = "arn:aws:ec2:us-east-1:111122223333:traffic-mirror-session/tms-1";
const FILTER: &str = "arn:aws:ec2:us-east-1:111122223333:traffic-mirror-filter/tmf-1";
const ROLE: &str = "arn:aws:iam::111122223333:role/automirror/stack-Role-1";
const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/application";

/// Whether the service control policy denies a call. It allows nothing itself.
fn scp_denies(principal: &str, action: &str, resource: &str) -> bool {
    let policy = Policy::parse(&guardrail("scp.json")).unwrap();
    let asked = Authorization::new(action, resource).with("aws:PrincipalArn", principal);
    matches!(policy.decide(&asked), Decision::Denied(Some(_)))
}

#[test]
fn the_service_control_policy_leaves_sessions_to_automirror() {
    let person = "arn:aws:iam::111122223333:role/NETWORK-SECURITY";
    for action in ["Create", "Modify", "Delete"] {
        let action = format!("ec2:{action}TrafficMirrorSession");
        assert!(!scp_denies(ROLE, &action, SESSION));
        assert!(!scp_denies(person, &action, SESSION));
        assert!(scp_denies(OTHER_ROLE, &action, SESSION));
        assert!(scp_denies("arn:aws:iam::111122223333:user/alice", &action, SESSION));
        assert!(scp_denies("arn:aws:iam::111122223333:role/automirror", &action, SESSION));
    }
    for action in ["ec2:CreateTags", "ec2:DeleteTags"] {
        assert!(!scp_denies(ROLE, action, SESSION) && scp_denies(OTHER_ROLE, action, SESSION));
        let instance = "arn:aws:ec2:us-east-1:111122223333:instance/i-1";
        assert!(!scp_denies(OTHER_ROLE, action, instance), "tagging instances is not touched");
    }
}

#[test]
fn the_service_control_policy_keeps_filters_targets_and_roles() {
    let stack_set = "arn:aws:iam::111122223333:role/stacksets-exec-1a2b3c";
    for (action, resource) in [
        ("ec2:ModifyTrafficMirrorFilterRule", FILTER),
        ("ec2:DeleteTrafficMirrorFilter", FILTER),
        (
            "ec2:CreateTrafficMirrorTarget",
            "arn:aws:ec2:us-east-1:111122223333:traffic-mirror-target/*",
        ),
        ("iam:PutRolePolicy", ROLE),
        ("iam:PassRole", ROLE),
    ] {
        assert!(scp_denies(OTHER_ROLE, action, resource), "{action}");
        assert!(scp_denies(ROLE, action, resource), "automirror itself needs no {action}");
        assert!(!scp_denies(stack_set, action, resource), "{action}");
    }
    assert!(!scp_denies(OTHER_ROLE, "ec2:DescribeTrafficMirrorFilters", "*"));
    assert!(!scp_denies(OTHER_ROLE, "iam:PutRolePolicy", OTHER_ROLE));
}

/// With what is written in capitals as whoever pastes it replaces it.
fn pasted(name: &str) -> Value {
    let text = guardrail(name).to_string();
    let text = text.replace("REGION", "us-east-1").replace("ACCOUNT", "111122223333");
    serde_json::from_str(&text.replace("BUCKET", "zips")).unwrap()
}

#[test]
fn a_deployer_changes_nothing_but_the_stack_and_the_bucket() {
    let policy = Policy::parse(&pasted("deployer.json")).unwrap();
    let allows = |action: &str, resource: &str| {
        let asked = Authorization::new(action, resource)
            .with("iam:PassedToService", "cloudformation.amazonaws.com");
        matches!(policy.decide(&asked), Decision::Allowed(_))
    };
    let stack = "arn:aws:cloudformation:us-east-1:111122223333:stack/automirror/1";
    assert!(allows("cloudformation:CreateChangeSet", stack));
    assert!(allows("s3:PutObject", "arn:aws:s3:::zips/automirror/automirror-arm64.zip"));
    assert!(!allows("s3:PutObject", "arn:aws:s3:::zips/other/automirror-arm64.zip"));
    assert!(!allows("ec2:DeleteTrafficMirrorSession", SESSION));
    assert!(!allows("iam:CreateRole", ROLE));
    assert!(!allows("iam:PassRole", ROLE));
    assert_eq!(policy.unbounded_changes().next(), None);
}

#[test]
fn the_role_for_cloudformation_creates_roles_in_our_path_only() {
    let policy = Policy::parse(&pasted("cloudformation-role.json")).unwrap();
    let allows = |action: &str, resource: &str| {
        matches!(policy.decide(&Authorization::new(action, resource)), Decision::Allowed(_))
    };
    assert!(allows("iam:PutRolePolicy", ROLE) && !allows("iam:PutRolePolicy", OTHER_ROLE));
    assert!(allows("iam:PassRole", ROLE) && !allows("iam:PassRole", OTHER_ROLE));
    assert!(allows("ec2:DeleteTrafficMirrorFilter", FILTER));
    assert!(!allows("ec2:DeleteTrafficMirrorSession", SESSION));
    let function = "arn:aws:lambda:us-east-1:111122223333:function:automirror-Function-1";
    let other = "arn:aws:lambda:us-east-1:111122223333:function:payments";
    assert!(allows("lambda:UpdateFunctionCode", function));
    assert!(!allows("lambda:UpdateFunctionCode", other));
}

#[test]
fn the_key_is_for_this_account_and_its_logs_only() {
    let policy = Policy::of_resource(&pasted("kms-key.json")).unwrap();
    let allows = |key: &str, value: &str| {
        let asked = Authorization::new("kms:GenerateDataKey", "*").with(key, value);
        matches!(policy.decide(&asked), Decision::Allowed(_))
    };
    let context = "kms:EncryptionContext:aws:logs:arn";
    let group = |name: &str| format!("arn:aws:logs:us-east-1:111122223333:log-group:{name}");
    assert!(allows(context, &group("automirror-LogGroup-1")));
    assert!(allows(context, &group("/aws/lambda/automirror-config-rule")));
    assert!(!allows(context, &group("payments")));
    assert!(allows("aws:SourceAccount", "111122223333"));
    assert!(!allows("aws:SourceAccount", "444455556666"));
    assert!(!allows("aws:SourceArn", "anything"), "a caller that names no account gets nothing");
}
