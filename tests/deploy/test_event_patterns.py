"""Tests that the patterns of the event rules match the right events, in the form in which AWS sends them.

The patterns are those of the template. test_parity.py tests that Terraform has the same.
"""

import copy
import json

import pytest
from conftest import ACCOUNT, REGION
from event_pattern import takes, weaker
from moto.events.models import EventPattern
from templates import template

CONFIG_RULE = "automirror-0a1b2c3d"
BUS = "arn:aws:events:eu-central-1:210987654321:event-bus/security"
RESOLVED = template(
    "automirror.yaml", "stack", {"ConfigRuleName": CONFIG_RULE, "CreateTopic": "true", "EventBusArn": BUS}
)
OUR_ROLE = RESOLVED["Outputs"]["RoleArn"]["Value"]
RULES = {
    logical: resource["Properties"]
    for logical, resource in RESOLVED["Resources"].items()
    if resource["Type"] == "AWS::Events::Rule"
}
PATTERNS = {logical: rule["EventPattern"] for logical, rule in RULES.items() if "EventPattern" in rule}
INSTANCE = "i-0123456789abcdef0"


def event(source, detail_type, detail, resources=()):
    return {
        "version": "0",
        "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": "2026-03-01T12:00:00Z",
        "region": REGION,
        "resources": list(resources),
        "detail": detail,
    }


def state(name):
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{INSTANCE}"
    return event("aws.ec2", "EC2 Instance State-change Notification", {"instance-id": INSTANCE, "state": name}, [arn])


def tags(*changed, **detail):
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{INSTANCE}"
    told = {
        "changed-tag-keys": list(changed),
        "tags": {"Name": "web"} | {key: "True" for key in changed},
        "service": "ec2",
        "resource-type": "instance",
        "version": 3.0,
        "tag-policy-compliant": "true",
        "version-timestamp": "1740830400000",
    }
    return event("aws.tag", "Tag Change on Resource", told | detail, [arn])


USER = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE",
    "arn": f"arn:aws:iam::{ACCOUNT}:user/alice",
    "accountId": ACCOUNT,
    "userName": "alice",
}


def role(arn, session):
    name = arn.rsplit("/", 1)[1]
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": arn,
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": "2026-03-01T11:59:00Z", "mfaAuthenticated": "false"},
        },
    }


OURS = role(OUR_ROLE, "stack-Function")
OTHER_ROLE = role(f"arn:aws:iam::{ACCOUNT}:role/admin", "stack-Function")


def call(name, identity=USER, **detail):
    request = {f"{name}Request": {"TrafficMirrorSessionId": "tms-0123456789abcdef0"}}
    if name.endswith("NetworkInterface"):
        request = {"networkInterfaceId": "eni-0123456789abcdef0", "instanceId": INSTANCE, "deviceIndex": 1}
    if name.endswith("MirrorTarget"):
        request = {f"{name}Request": {"NetworkInterfaceId": "eni-0123456789abcdef0"}}
    told = {
        "eventVersion": "1.08",
        "userIdentity": identity,
        "eventTime": "2026-03-01T12:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": request,
        "responseElements": {f"{name}Response": {"requestId": "6ea01f8a", "return": True}},
        "requestID": "6ea01f8a",
        "eventID": "0b3f8f53",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return event("aws.ec2", "AWS API Call via CloudTrail", told | detail)


def compliance(verdict, before=None, rule=CONFIG_RULE, **detail):
    told = {
        "resourceId": INSTANCE,
        "resourceType": "AWS::EC2::Instance",
        "awsAccountId": ACCOUNT,
        "awsRegion": REGION,
        "configRuleName": rule,
        "configRuleARN": f"arn:aws:config:{REGION}:{ACCOUNT}:config-rule/config-rule-abcdef",
        "messageType": "ComplianceChangeNotification",
        "recordVersion": "1.0",
        "notificationCreationTime": "2026-03-01T12:00:00.000Z",
        "newEvaluationResult": {
            "evaluationResultIdentifier": {
                "evaluationResultQualifier": {
                    "configRuleName": rule,
                    "resourceType": "AWS::EC2::Instance",
                    "resourceId": INSTANCE,
                },
                "orderingTimestamp": "2026-03-01T11:59:58.000Z",
            },
            "complianceType": verdict,
            "resultRecordedTime": "2026-03-01T11:59:59.000Z",
            "configRuleInvokedTime": "2026-03-01T11:59:59.000Z",
            "annotation": "eni-0123456789abcdef0: should be mirrored and is not yet",
        },
    }
    if before:
        told["oldEvaluationResult"] = told["newEvaluationResult"] | {"complianceType": before}
    return event("aws.config", "Config Rules Compliance Change", told | detail)


def alarm(name):
    detail = {"alarmName": name, "state": {"value": "ALARM"}, "previousState": {"value": "OK"}}
    arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"
    return event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [arn])


def but(sample, **fields):
    """Returns the sample with other values for fields of its envelope."""
    return copy.deepcopy(sample) | {name.replace("_", "-"): value for name, value in fields.items()}


SCHEDULED = event("aws.events", "Scheduled Event", {}, [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/stack-SweepRule"])
API_CALLS = (
    "AttachNetworkInterface",
    "DetachNetworkInterface",
    "CreateTrafficMirrorSession",
    "ModifyTrafficMirrorSession",
    "DeleteTrafficMirrorSession",
    "CreateTrafficMirrorTarget",
)
# Calls that decide which packets go where, and that automirror never makes.
CHANGES = (
    "CreateTrafficMirrorFilterRule",
    "DeleteTrafficMirrorFilter",
    "DeleteTrafficMirrorFilterRule",
    "DeleteTrafficMirrorTarget",
    "ModifyTrafficMirrorFilterNetworkServices",
    "ModifyTrafficMirrorFilterRule",
)
STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
FAILED = {"errorCode": "Client.UnauthorizedOperation", "errorMessage": "not authorized", "responseElements": None}

def messages(name):
    return {"ChangeMessageRule", "ChangeBusRule"} if name == "CreateTrafficMirrorTarget" else set()


# Events, each with the rules that must match it. No other rule may match. Most events that no rule matches differ in
# only one field from an event that a rule matches.
SAMPLES = {
    **{f"an instance is {name}": (state(name), {"InstanceStateRule"}) for name in STATES},
    "a state from an application": (but(state("running"), source="my.application"), set()),
    "a Spot interruption": (but(state("running"), detail_type="EC2 Spot Instance Interruption Warning"), set()),
    # Tags
    **{
        f"the tag {key} changes": (tags(key), {"TagRule"})
        for key in ("Mirror", "mirror", "MIRROR", "mIrRoR", "Mirror-Target", "mirror-target", "MIRROR-FILTER")
        + ("Mirror-Filter", "Mirror-Interfaces", "mirror-interfaces")
    },
    "one of automirror's tags among others": (tags("Owner", "mirror", "Name"), {"TagRule"}),
    "our tag goes": (tags("Mirror", tags={"Name": "web"}), {"TagRule"}),
    "another tag": (tags("Owner"), set()),
    "a tag that begins like automirror's": (tags("Mirrored"), set()),
    "a tag that ends like automirror's": (tags("X-Mirror-Target"), set()),
    "our tag stays as it is": (tags("Owner", tags={"Mirror": "True", "Owner": "web"}), set()),
    "our tag on a volume": (tags("Mirror", **{"resource-type": "volume"}), set()),
    "our tag on another service's instance": (tags("Mirror", service="opsworks"), set()),
    "tags from an application": (but(tags("Mirror"), source="my.application"), set()),
    "another kind of event about tags": (but(tags("Mirror"), detail_type="Tag Policy Compliance Change"), set()),
    # API calls
    **{f"{name} by a user": (call(name), {"ApiCallRule"} | messages(name)) for name in API_CALLS},
    **{f"{name} by another role": (call(name, OTHER_ROLE), {"ApiCallRule"} | messages(name)) for name in API_CALLS},
    **{f"{name} by our role": (call(name, OURS), messages(name)) for name in API_CALLS},
    **{f"{name} that failed": (call(name, **FAILED), set()) for name in API_CALLS},
    **{f"{name} by a user": (call(name), {"ChangeMessageRule", "ChangeBusRule"}) for name in CHANGES},
    **{f"{name} that failed": (call(name, **FAILED), set()) for name in CHANGES},
    "a call of our role that failed": (call("CreateTrafficMirrorSession", OURS, **FAILED), set()),
    "a session is made by the account's root": (
        call("CreateTrafficMirrorSession", {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"}),
        {"ApiCallRule"},
    ),
    "a role whose name begins like automirror's": (
        call("DeleteTrafficMirrorSession", role(f"{OUR_ROLE}-2", "stack-Function")),
        {"ApiCallRule"},
    ),
    "a look at sessions": (call("DescribeTrafficMirrorSessions", readOnly=True), set()),
    "a filter is made": (call("CreateTrafficMirrorFilter"), set()),
    "a look at filters": (call("DescribeTrafficMirrorFilters", readOnly=True), set()),
    "a filter's change from an application": (but(call("DeleteTrafficMirrorFilter"), source="my.application"), set()),
    "a filter's change by a service": (
        but(call("DeleteTrafficMirrorFilter"), detail_type="AWS Service Event via CloudTrail"),
        set(),
    ),
    "a filter's change in another service": (call("DeleteTrafficMirrorFilter", eventSource="x.amazonaws.com"), set()),
    "an instance is launched": (call("RunInstances"), set()),
    "an event of a service": (
        but(call("DeleteTrafficMirrorSession"), detail_type="AWS Service Event via CloudTrail"),
        set(),
    ),
    "a call from an application": (but(call("DeleteTrafficMirrorSession"), source="my.application"), set()),
    "a call of another service": (call("AttachNetworkInterface", eventSource="outposts.amazonaws.com"), set()),
    # Compliance changes
    "an instance is not mirrored": (compliance("NON_COMPLIANT"), {"ComplianceRule", "ComplianceMessageRule", "ComplianceBusRule"}),
    "a session leads elsewhere": (
        compliance("NON_COMPLIANT", resourceType="AWS::EC2::TrafficMirrorSession", resourceId="tms-0123456789abcdef0"),
        {"ComplianceRule", "ComplianceMessageRule", "ComplianceBusRule"},
    ),
    "an instance is mirrored again": (compliance("COMPLIANT", "NON_COMPLIANT"), {"ComplianceMessageRule", "ComplianceBusRule"}),
    "an instance need not be mirrored any more": (
        compliance("NOT_APPLICABLE", "NON_COMPLIANT"),
        {"ComplianceMessageRule", "ComplianceBusRule"},
    ),
    # These would be mails about instances that are as they should be.
    "an instance is mirrored from the start": (compliance("COMPLIANT"), set()),
    "an instance need not be mirrored": (compliance("NOT_APPLICABLE"), set()),
    "a mirrored instance need not be mirrored any more": (compliance("NOT_APPLICABLE", "COMPLIANT"), set()),
    "another rule's instance is mirrored again": (compliance("COMPLIANT", "NON_COMPLIANT", "required-tags"), set()),
    "another rule's verdict": (compliance("NON_COMPLIANT", rule="required-tags"), set()),
    "a rule whose name begins like config-rule's": (compliance("NON_COMPLIANT", rule=f"{CONFIG_RULE}-2"), set()),
    "another message about our rule": (compliance("NON_COMPLIANT", messageType="ComplianceSummary"), set()),
    "another event about our rule": (
        but(compliance("NON_COMPLIANT"), detail_type="Config Rules Re-evaluation Status"),
        set(),
    ),
    "a verdict from an application": (but(compliance("NON_COMPLIANT"), source="my.application"), set()),
    # Alarms
    "an alarm of ours rings": (alarm("stack-HeartbeatAlarm-1A2B3C"), {"AlarmBusRule"}),
    "an alarm of somebody else rings": (alarm("other-HeartbeatAlarm"), set()),
    "an alarm of ours is changed": (
        but(alarm("stack-HeartbeatAlarm"), detail_type="CloudWatch Alarm Configuration Change"),
        set(),
    ),
    "an alarm from an application": (but(alarm("stack-HeartbeatAlarm"), source="my.application"), set()),
    # The schedule sends this event to its own target, so no pattern may match it.
    "the schedule": (SCHEDULED, set()),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_an_event_is_taken_by_just_the_rules_that_are_for_it(name):
    sample, takers = SAMPLES[name]
    assert {logical for logical, pattern in PATTERNS.items() if takes(pattern, sample)} == takers


@pytest.mark.parametrize("logical", PATTERNS)
def test_no_pattern_could_do_without_one_of_its_clauses(logical):
    expected = [logical in takers for _, takers in SAMPLES.values()]
    for pattern in weaker(PATTERNS[logical]):
        taken = [takes(pattern, sample) for sample, _ in SAMPLES.values()]
        assert taken != expected, f"no sample shows the difference: {json.dumps(pattern)}"


def test_moto_that_brings_the_events_in_other_tests_agrees():
    for name, (sample, takers) in SAMPLES.items():
        taken = {key for key, pattern in PATTERNS.items() if EventPattern(None, pattern).matches_event(sample)}
        assert taken == takers, name


@pytest.mark.parametrize("key", ["aws:autoscaling:groupName", "AWS:AutoScaling:GroupName"])
def test_a_tag_that_aws_sets_can_select(key):
    resolved = template("automirror.yaml", "stack", {"MirrorTagKey": "aws:autoscaling:groupName"})
    pattern = resolved["Resources"]["TagRule"]["Properties"]["EventPattern"]
    for sample, taken in [
        (tags(key), True),
        (tags("Mirror-Target"), True),
        (tags("aws:autoscaling:groupNames"), False),
        (tags("Mirror"), False),
    ]:
        assert takes(pattern, sample) == EventPattern(None, pattern).matches_event(sample) == taken


def test_each_change_of_compliance_can_be_sent():
    values = {"ComplianceMessages": "all", "CreateTopic": "true", "ConfigRuleName": CONFIG_RULE}
    resolved = template("automirror.yaml", "stack", values)
    pattern = resolved["Resources"]["ComplianceMessageRule"]["Properties"]["EventPattern"]
    assert takes(pattern, compliance("COMPLIANT")) and not takes(pattern, compliance("COMPLIANT", rule="another"))


def test_a_bus_without_a_topic_gets_everything_that_a_topic_would():
    resolved = template("automirror.yaml", "stack", {"EventBusArn": BUS})["Resources"]
    sent = {
        logical.removesuffix("BusRule")
        for logical, one in resolved.items()
        if one["Type"] == "AWS::Events::Rule" and BUS in [target["Arn"] for target in one["Properties"]["Targets"]]
    }
    messages = {logical.removesuffix("MessageRule") for logical in PATTERNS if logical.endswith("MessageRule")}
    assert sent == messages | {"Alarm"} == {"Alarm", "Change", "Compliance"}
    (statement,) = [
        one
        for one in resolved["DeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Sid"] == "AllowOurRules"
    ]
    # What could not be delivered must not be lost.
    assert sum("BusRule" in arn for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == len(sent)


def test_only_the_sweep_has_a_schedule():
    schedules = {logical: rule["ScheduleExpression"] for logical, rule in RULES.items() if logical not in PATTERNS}
    assert schedules == {"SweepRule": "rate(15 minutes)"}


@pytest.mark.parametrize(
    "condition", [{"suffix": "a"}, {"anything-but": {"prefix": "a"}}, {"equals-ignore-case": "a", "exists": True}]
)
def test_an_unknown_operator_is_an_error(condition):
    with pytest.raises(ValueError):
        takes({"source": [condition]}, {"source": "a"})
