"""deploy.sh deploys the CloudFormation template in moto's fake of AWS, it works there, and remove.sh removes it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import moto_stacks
import pytest
import story
from conftest import ACCOUNT, REGION, TOP, zipped
from moto.cloudformation import parsing
from templates import resolve

TEMPLATE = "automirror.yaml"
# moto creates it without a physical id.
WITHOUT_ID = {"ConfigRulePermission"}
# Resources that exist only with other parameters.
NOT_ASKED_FOR = {
    "MessageRole",
    "AlarmSubscription",
    "AlarmBusRule",
    "ChangeBusRule",
    "ComplianceBusRule",
    "NothingArrivesAlarm",
}
# Event rules that send to the topic, and not to the queue.
MESSAGE_RULES = {"ComplianceMessageRule", "ChangeMessageRule"}
BUCKET = "zips"
FAILS = "#!/bin/sh\nexit 1\n"
# It answers, and does nothing.
IDLE = f"""#!{sys.executable}
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
name = urllib.request.urlopen(api + "next").headers["Lambda-Runtime-Aws-Request-Id"]
urllib.request.urlopen(api + name + "/response", data=b"{{}}")
"""
# It deletes one session at a time, as automirror deletes as many as it has time for.
ONE_AT_A_TIME = f"""#!{sys.executable}
import boto3, json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
with urllib.request.urlopen(api + "next") as answer:
    name, event = answer.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(answer.read())
assert event == {{"remove": True}}, event
ec2 = boto3.client("ec2")
pages = ec2.get_paginator("describe_traffic_mirror_sessions").paginate()
marks = [{{"Key": key, "Value": "automirror"}} for key in ("ManagedBy", "Installation")]
everything = [session for page in pages for session in page["TrafficMirrorSessions"]]
ours = [one["TrafficMirrorSessionId"] for one in everything if all(mark in one.get("Tags", []) for mark in marks)]
for one in ours[:1]:
    ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=one)
said = {{"summary": {{}}, "steps": [], "left": max(0, len(ours) - 1)}}
urllib.request.urlopen(api + name + "/response", data=json.dumps(said).encode())
"""


class Toolkit:
    """A copy of the scripts and templates, with zips that start the binaries of this build."""

    def __init__(self, aws, folder, zips):
        self.folder = folder
        self.environment = aws.environment() | {"HOME": str(folder), "AWS_PAGER": "", "PAUSE": "0"}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{self.environment['PATH']}"
        shutil.copytree(TOP / "cloudformation", folder / "cloudformation")
        (folder / "target/package").mkdir(parents=True)
        for name in ("automirror", "config-rule"):
            shutil.copy(zips / f"{name}.zip", self.package(name))

    def package(self, name, architecture="arm64"):
        return self.folder / f"target/package/{name}-{architecture}.zip"

    def run(self, script, *arguments, fails=False, says=None, **environment):
        command = [self.folder / "cloudformation" / script, *arguments]
        environment = self.environment | environment
        done = subprocess.run(command, env=environment, text=True, capture_output=True, input=says or "")
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def toolkit(aws, tmp_path, zips):
    aws.client("s3").create_bucket(Bucket=BUCKET)
    record(aws)
    return Toolkit(aws, tmp_path, zips)


def record(aws):
    """Starts the recorder of AWS Config."""
    config = aws.client("config")
    config.put_configuration_recorder(
        ConfigurationRecorder={
            "name": "default",
            "roleARN": f"arn:aws:iam::{ACCOUNT}:role/config",
            "recordingGroup": {"allSupported": True, "includeGlobalResourceTypes": True},
        }
    )
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": BUCKET})
    config.start_configuration_recorder(ConfigurationRecorderName="default")


def made(aws, stack):
    """Returns the physical ids of a stack's resources. The status that moto reports is not reliable."""
    listed = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    # A resource whose condition is false has no name.
    named = [resource for resource in listed if resource["LogicalResourceId"]]
    return {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in named}


def logical_ids():
    text = (TOP / "cloudformation" / TEMPLATE).read_text()
    return set(re.findall(r"^  (\w+):\n    Type: (?:AWS|Custom)::", text, re.M))


def assert_all_is_made(aws, stack="automirror", without=NOT_ASKED_FOR):
    ids = made(aws, stack)
    assert logical_ids() - ids.keys() == without
    assert {logical for logical, name in ids.items() if not name} == WITHOUT_ID & ids.keys()
    return ids


def assert_the_services_have_it(aws, ids):
    """Checks each resource through the API of its own service, by its physical id."""
    for prefix in ("", "ConfigRule", "Lifecycle"):
        assert_function(aws, {name: ids[prefix + name] for name in ("Function", "Role", "LogGroup")})
    assert_alarms(aws, ids, ids["Topic"])
    assert_queues(aws, ids)
    assert_rules(aws, ids, ids["Topic"])
    assert_filter(aws, ids["DefaultFilter"])
    assert_config_rule(aws, ids)
    assert_metrics(aws, ids)
    topic = aws.client("sns").get_topic_attributes(TopicArn=ids["Topic"])["Attributes"]
    assert [statement["Sid"] for statement in json.loads(topic["Policy"])["Statement"]] == [
        "DenyWithoutTls",
        "AllowAlarms",
        "AllowRules",
    ]


def assert_metrics(aws, ids):
    found = aws.client("logs").describe_metric_filters(logGroupName=ids["LogGroup"])["metricFilters"]
    named = {change["metricName"] for one in found for change in one["metricTransformations"]}
    assert {f"{name}Metric" for name in named} == {logical for logical in ids if logical.endswith("Metric")}


def assert_function(aws, ids):
    function = aws.client("lambda").get_function_configuration(FunctionName=ids["Function"])
    assert function["Role"].endswith(f":role/automirror/{ids['Role']}")
    assert function["LoggingConfig"]["LogGroup"] == ids["LogGroup"]
    (log,) = aws.client("logs").describe_log_groups(logGroupNamePrefix=ids["LogGroup"])["logGroups"]
    assert log["retentionInDays"] == 30
    assert len(aws.client("iam").list_role_policies(RoleName=ids["Role"])["PolicyNames"]) == 1


def assert_alarms(aws, ids, topic):
    names = {ids[logical] for logical in ids if logical.endswith("Alarm")}
    alarms = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in alarms} == names
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)


def queue_arn(url):
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[1]}"


def event_rules(ids):
    return {logical for logical in ids if logical.endswith("Rule")} - {"ConfigRule"}


def assert_queues(aws, ids):
    for logical, senders in [
        ("Queue", event_rules(ids) - MESSAGE_RULES),
        ("DeadLetterQueue", event_rules(ids)),
    ]:
        asked = aws.client("sqs").get_queue_attributes(QueueUrl=ids[logical], AttributeNames=["All"])["Attributes"]
        denied, *others, allowed = json.loads(asked["Policy"])["Statement"]
        assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        assert [other["Sid"] for other in others] == (["DenyAllButOurRules"] if logical == "Queue" else [])
        assert {arn.rsplit("/", 1)[1] for arn in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]} == {
            ids[rule] for rule in senders
        }
    mapping = aws.client("lambda").get_event_source_mapping(UUID=ids["EventSourceMapping"])
    assert mapping["EventSourceArn"] == queue_arn(ids["Queue"])
    assert mapping["FunctionArn"].endswith(f":{ids['Function']}")


def assert_rules(aws, ids, topic):
    for logical in event_rules(ids):
        (target,) = aws.client("events").list_targets_by_rule(Rule=ids[logical])["Targets"]
        wanted = topic if logical in MESSAGE_RULES else queue_arn(ids["Queue"])
        assert (target["Arn"], target["DeadLetterConfig"]["Arn"]) == (wanted, queue_arn(ids["DeadLetterQueue"]))


def assert_filter(aws, name):
    ec2 = aws.client("ec2")
    (found,) = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[name])["TrafficMirrorFilters"]
    blocks = [rule["SourceCidrBlock"] for way in ("Ingress", "Egress") for rule in found[f"{way}FilterRules"]]
    assert (found["NetworkServices"], sorted(blocks)) == (["amazon-dns"], ["0.0.0.0/0"] * 2 + ["::/0"] * 2)


def assert_config_rule(aws, ids):
    (rule,) = aws.client("config").describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"] == ids["ConfigRule"] == "automirror"
    function = ids["ConfigRuleFunction"]
    assert rule["Source"]["SourceIdentifier"].endswith(f":{function}")
    invocations = aws.client("lambda").get_function_event_invoke_config(FunctionName=function, Qualifier="$LATEST")
    assert invocations["DestinationConfig"]["OnFailure"]["Destination"] == queue_arn(ids["DeadLetterQueue"])
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=function)["Policy"])
    assert [statement["Principal"] for statement in policy["Statement"]] == [{"Service": "config.amazonaws.com"}]


def timeouts(aws, ids):
    function = aws.client("lambda").get_function_configuration(FunctionName=ids["Function"])
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=ids["Queue"], AttributeNames=["VisibilityTimeout"])
    return function["Timeout"], queue["Attributes"]["VisibilityTimeout"]


def ids_of(sessions):
    return {session["TrafficMirrorSessionId"] for session in sessions}


def sessions(aws):
    pages = aws.client("ec2").get_paginator("describe_traffic_mirror_sessions").paginate()
    return ids_of(session for page in pages for session in page["TrafficMirrorSessions"])


def sessions_of_others(aws, target):
    """Creates a session of another owner, and one of another installation with the same owner."""
    others = [{"ManagedBy": "automirror-2"}, {"ManagedBy": "automirror", "Installation": "blue"}]
    return {a_session_of_somebody_else(aws, target, tags) for tags in others}


def a_session_of_somebody_else(aws, target, tags):
    ec2 = aws.client("ec2")
    interface = story.launch(aws, {"Name": "theirs"})["NetworkInterfaces"][0]["NetworkInterfaceId"]
    theirs = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    made = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=interface,
        TrafficMirrorTargetId=target,
        TrafficMirrorFilterId=theirs,
        SessionNumber=1,
        TagSpecifications=[
            {"ResourceType": "traffic-mirror-session", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        ],
    )
    return made["TrafficMirrorSession"]["TrafficMirrorSessionId"]


def parts(aws, target):
    outputs = outputs_of(aws, "automirror")
    return {
        "function": outputs["FunctionName"],
        "queue": outputs["QueueUrl"],
        "queue_arn": queue_arn(outputs["QueueUrl"]),
        "filter": outputs["FilterId"],
        "target": target,
        "tags": {"ManagedBy": "automirror", "Installation": "automirror", "CostCenter": "42", "Team": "sec=ops"},
    }


def outputs_of(aws, stack):
    (found,) = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def test_one_command_deploys_and_updates_and_one_removes(aws, toolkit):
    target = story.make_target(aws)
    before = story.remains(aws)
    instance = story.launch(aws, {"Mirror": "True"})["InstanceId"]
    tags = "MirrorSessionTags=CostCenter=42,Team=sec=ops"
    said = toolkit.run("deploy.sh", BUCKET, f"MirrorTargetIds={target}", tags, "CreateTopic=true")
    ids = assert_all_is_made(aws)
    assert_the_services_have_it(aws, ids)
    # The instance was there before: the sweep after the deployment mirrors it.
    (first,) = sessions(aws)
    assert f"stack automirror in account {ACCOUNT}, region {REGION}" in said
    outputs = outputs_of(aws, "automirror")
    for name in ("Queue", "DeadLetterQueue"):
        assert outputs[f"{name}Arn"] == queue_arn(ids[name])
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert sorted(outputs["AlarmArns"].split(",")) == sorted(alarm["AlarmArn"] for alarm in alarms)
    assert "the first sweep: {" in said and ids["Function"] in said and "there is no CloudTrail trail" in said
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    aws.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=first)
    story.an_event_makes_a_session(aws, parts(aws, target))
    assert "is up to date" in toolkit.run("deploy.sh", BUCKET)
    an_update_changes_what_it_should(aws, toolkit, ids)
    removing_takes_our_sessions_first(aws, toolkit, target)
    remaining = story.remains(aws)
    assert len(remaining.pop("filters")) == len(before.pop("filters")) + 2, "the foreign filters"
    assert remaining == before
    assert toolkit.run("remove.sh").startswith("there is no stack automirror in account")


def an_update_changes_what_it_should(aws, toolkit, ids):
    assert timeouts(aws, ids) == (60, "361")
    toolkit.run("deploy.sh", BUCKET, "Timeout=120", "MirrorTagKey=Watch")
    again = assert_all_is_made(aws)
    # moto gives a changed rule a new name, so the resources that refer to it change too.
    assert {logical for logical in ids if ids[logical] != again[logical]} == {
        "TagRule",
        "QueuePolicy",
        "DeadLetterQueuePolicy",
        # moto replaces an alarm whose properties change.
        "OldestMessageAlarm",
    }
    assert_the_services_have_it(aws, again)
    assert timeouts(aws, again) == (120, "721")
    pattern = json.loads(aws.client("events").describe_rule(Name=again["TagRule"])["EventPattern"])
    assert {"equals-ignore-case": "Watch"} in pattern["detail"]["changed-tag-keys"]


def mirror(aws, count):
    """Launches instances and lets automirror mirror them."""
    for _ in range(count):
        story.launch(aws, {"watch": "true"})
    function = outputs_of(aws, "automirror")["FunctionName"]
    aws.client("lambda").invoke(FunctionName=function, Payload=b'{"sweep":true}')


def removing_takes_our_sessions_first(aws, toolkit, target):
    theirs = sessions_of_others(aws, target)
    mirror(aws, 3)
    assert len(sessions(aws) - theirs) == 3
    asked = toolkit.run("remove.sh", says="yes\n", fails=True)
    assert "3 mirror sessions with the tag ManagedBy=automirror" in asked and "nothing is removed" in asked
    assert len(sessions(aws)) == 5 and made(aws, "automirror")
    # These sessions and the foreign ones are on three pages.
    said = toolkit.run("remove.sh", says="automirror\n")
    assert "removed the stack automirror and 3 mirror sessions" in said
    assert sessions(aws) == theirs


def terminate_all(aws):
    """Terminates all instances, and with them goes each session."""
    reservations = aws.client("ec2").describe_instances()["Reservations"]
    ids = [instance["InstanceId"] for one in reservations for instance in one["Instances"]]
    if ids:
        aws.client("ec2").terminate_instances(InstanceIds=ids)
    for name in sessions(aws):
        aws.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=name)


@pytest.fixture
def mirroring(aws, toolkit):
    """A stack with three sessions, and sessions of others."""
    terminate_all(aws)
    target = story.make_target(aws)
    for name in ("automirror", "config-rule"):
        aws.client("s3").upload_file(str(toolkit.package(name)), BUCKET, f"{name}-arm64.zip")
    values = {"CodeBucket": BUCKET, "MirrorTargetIds": target, "MirrorTagKey": "Watch"}
    create_stack(aws, "automirror", TOP / "cloudformation" / TEMPLATE, values)
    theirs = sessions_of_others(aws, target)
    mirror(aws, 3)
    assert len(sessions(aws)) == 5
    yield theirs
    aws.client("cloudformation").delete_stack(StackName="automirror")
    for name in theirs:
        aws.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=name)


def replace_function(aws, bootstrap):
    function = outputs_of(aws, "automirror")["FunctionName"]
    aws.client("lambda").update_function_code(FunctionName=function, ZipFile=zipped(bootstrap))


def deleted(aws):
    """Deletes the stack. Fails with the reason if CloudFormation could not."""
    client = aws.client("cloudformation")
    client.delete_stack(StackName="automirror")
    stacks = client.list_stacks(StackStatusFilter=["DELETE_FAILED"])["StackSummaries"]
    if stacks:
        events = client.describe_stack_events(StackName="automirror")["StackEvents"]
        raise AssertionError([event.get("ResourceStatusReason") for event in events])


# Deleting the stack, in whatever way. The console's button and a StackSet call DeleteStack too.


@pytest.mark.parametrize("bootstrap", [None, FAILS, ONE_AT_A_TIME], ids=["automirror", "broken", "one at a time"])
def test_deleting_the_stack_deletes_our_sessions_only(aws, mirroring, bootstrap):
    if bootstrap:
        replace_function(aws, bootstrap)
    deleted(aws)
    assert sessions(aws) == mirroring
    assert story.remains(aws)["functions"] == []


def test_sessions_go_also_if_automirror_is_throttled(aws, mirroring):
    function = outputs_of(aws, "automirror")["FunctionName"]
    aws.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    lifecycle = made(aws, "automirror")["LifecycleFunction"]
    settings = aws.client("lambda").get_function_configuration(FunctionName=lifecycle)["Environment"]["Variables"]
    # Nobody can invoke a function that does not exist, as nobody can invoke one that is throttled.
    aws.client("lambda").update_function_configuration(
        FunctionName=lifecycle, Environment={"Variables": settings | {"FUNCTION": "throttled"}}
    )
    deleted(aws)
    assert sessions(aws) == mirroring


def test_a_stack_whose_sessions_cannot_be_deleted_in_time_stays_and_can_be_deleted_again(aws, toolkit, mirroring):
    replace_function(aws, IDLE)
    lifecycle = made(aws, "automirror")["LifecycleFunction"]
    client = aws.client("lambda")
    settings = client.get_function_configuration(FunctionName=lifecycle)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=lifecycle, Environment={"Variables": settings | {"REMAINING_MS": "1000"}}
    )
    said = toolkit.run("remove.sh", "--yes", fails=True)
    assert "3 sessions are left. Delete again." in said and "3 sessions of this installation are left" in said
    assert len(sessions(aws)) == 5
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="automirror")["Stacks"]
    assert stack["StackStatus"] == "DELETE_FAILED"
    client.update_function_configuration(FunctionName=lifecycle, Environment={"Variables": settings})
    replace_function_of(aws, lifecycle)
    toolkit.run("remove.sh", "--yes")
    assert sessions(aws) == mirroring


def replace_function_of(aws, lifecycle):
    """Lets automirror work again. The stack has no outputs any more that tell its name."""
    settings = aws.client("lambda").get_function_configuration(FunctionName=lifecycle)["Environment"]["Variables"]
    aws.client("lambda").update_function_code(FunctionName=settings["FUNCTION"], ZipFile=zipped(FAILS))


def test_in_the_mode_detect_a_stack_with_sessions_stays_and_says_the_way_out(aws, toolkit, mirroring):
    """From enforce to detect, as docs/upgrading.md says. Then nobody may delete the sessions that are left."""
    toolkit.run("deploy.sh", BUCKET, "MirrorMode=detect")
    said = toolkit.run("remove.sh", "--yes", fails=True)
    assert "3 sessions of this installation are left, and with MirrorMode=detect no role may delete them" in said
    assert "mirrorctl remove --region us-east-1" in said and "BUCKET MirrorMode=enforce" in said
    # Nothing has gone: the stack still works, and can be updated as the message says.
    assert made(aws, "automirror")["EventSourceMapping"] and len(sessions(aws)) == 5
    toolkit.run("deploy.sh", BUCKET, "MirrorMode=enforce")
    toolkit.run("remove.sh", "--yes")
    assert sessions(aws) == mirroring


def test_a_stack_that_was_deleted_in_the_mode_detect_can_be_deleted_once_the_sessions_are(aws, toolkit, mirroring):
    toolkit.run("deploy.sh", BUCKET, "MirrorMode=detect")
    with pytest.raises(AssertionError, match="3 sessions are left, and in the mode detect .*mirrorctl remove"):
        deleted(aws)
    assert len(sessions(aws)) == 5
    assert "remove.sh --name automirror" in toolkit.run("deploy.sh", BUCKET, "MirrorMode=enforce", fails=True)
    said = toolkit.run("remove.sh", "--yes", fails=True)
    assert "mirrorctl remove --region us-east-1" in said and "MirrorMode=enforce" not in said
    # What mirrorctl does with the permissions of whoever calls it.
    for name in sessions(aws) - mirroring:
        aws.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=name)
    toolkit.run("remove.sh", "--yes")
    assert sessions(aws) == mirroring and story.remains(aws)["functions"] == []


def test_an_update_that_is_rolled_back_deletes_no_session(aws, mirroring):
    """CloudFormation then deletes what the update added, which may be the custom resource."""
    ids = made(aws, "automirror")
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="automirror")["Stacks"]
    event = {
        "RequestType": "Delete",
        "StackId": stack["StackId"],
        "LogicalResourceId": "Lifecycle",
        "RequestId": "1",
        "PhysicalResourceId": "sessions",
        "ResponseURL": f"{aws.address}/moto-api/data.json",
    }
    assert stack["StackStatus"].startswith("CREATE")
    aws.client("cloudformation").update_stack(
        StackName="automirror",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": one["ParameterKey"], "UsePreviousValue": True}
            for one in stack["Parameters"]
            if one["ParameterKey"] != "LogLevel"
        ]
        + [{"ParameterKey": "LogLevel", "ParameterValue": "DEBUG"}],
    )
    aws.client("lambda").invoke(FunctionName=ids["LifecycleFunction"], Payload=json.dumps(event))
    assert len(sessions(aws)) == 5


# Upgrading from the layout with two templates


def test_the_two_templates_of_before_become_one_without_losing_a_session(aws, toolkit, tmp_path):
    terminate_all(aws)
    target = story.make_target(aws)
    deploy_as_before(aws, toolkit, target)
    inbox = "security@example.com"
    old_topic = outputs_of(aws, "automirror-config-rule")["TopicArn"]
    aws.client("sns").subscribe(TopicArn=old_topic, Protocol="email", Endpoint=inbox)
    mirror(aws, 2)
    before = sessions(aws)
    assert len(before) == 2
    ids = made(aws, "automirror")
    said = toolkit.run("deploy.sh", BUCKET)
    assert sessions(aws) == before, said
    assert f"subscribed {inbox} to the new topic" in said and "deleted the stack automirror-config-rule" in said
    again = assert_all_is_made(aws)
    for logical in ("Function", "Queue", "DeadLetterQueue", "DefaultFilter", "LogGroup"):
        assert again[logical] == ids[logical], logical
    (rule,) = aws.client("config").describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"] == "automirror"
    (one,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=again["Topic"])["Subscriptions"]
    assert one["Endpoint"] == inbox
    settings = aws.client("lambda").get_function_configuration(FunctionName=again["ConfigRuleFunction"])
    assert settings["Environment"]["Variables"]["MIRROR_TAG_KEY"] == "Watch"
    said = toolkit.run("remove.sh", "--yes")
    assert "removed the stack automirror and 2 mirror sessions" in said
    assert sessions(aws) == set()


def deploy_as_before(aws, toolkit, target):
    """Deploys the two templates of version 0.1.0, with the topic in the stack of the rule."""
    for name in ("automirror", "config-rule"):
        aws.client("s3").upload_file(str(toolkit.package(name)), BUCKET, f"{name}.zip")
    common = {"MirrorTargetIds": target, "MirrorTagKey": "Watch"}
    templates = TOP / "tests/deploy/two_templates"
    rule_values = common | {"CreateTopic": "true"}
    rule = create_stack(aws, "automirror-config-rule", templates / "config-rule.yaml", rule_values)
    given = {"AlarmTopicArn": rule["TopicArn"], "ConfigRuleName": rule["ConfigRuleName"]}
    create_stack(aws, "automirror", templates / "automirror.yaml", common | given)


def create_stack(aws, stack, path, values):
    """Creates or updates the stack. moto takes a template of any size in the request."""
    client = aws.client("cloudformation")
    there = {one["StackName"] for one in client.describe_stacks()["Stacks"]}
    (client.update_stack if stack in there else client.create_stack)(
        StackName=stack,
        TemplateBody=path.read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
    )
    return outputs_of(aws, stack)


# Going back to the version before

KEPT = ("Function", "Queue", "DeadLetterQueue", "DefaultFilter", "LogGroup")


def test_going_back_from_one_template_to_two_loses_no_session(aws, toolkit):
    """The calls are those of the older deploy.sh: the stack of the rule, and then the update of the other one."""
    terminate_all(aws)
    target = story.make_target(aws)
    toolkit.run("deploy.sh", BUCKET, f"MirrorTargetIds={target}", "MirrorTagKey=Watch")
    mirror(aws, 2)
    before, ids = sessions(aws), made(aws, "automirror")
    assert len(before) == 2
    deploy_as_before(aws, toolkit, target)
    assert sessions(aws) == before
    back = made(aws, "automirror")
    assert {logical: back[logical] for logical in KEPT} == {logical: ids[logical] for logical in KEPT}
    assert not {logical for logical in back if logical.startswith("Lifecycle")}
    functions = {one["FunctionName"] for one in aws.client("lambda").list_functions()["Functions"]}
    assert ids["LifecycleFunction"] not in functions and back["Function"] in functions
    # What is there goes on to work: the third instance is mirrored, and the other two stay so.
    mirror(aws, 1)
    assert len(sessions(aws)) == 3 and before < sessions(aws)
    # And forward again.
    three = sessions(aws)
    toolkit.run("deploy.sh", BUCKET)
    assert sessions(aws) == three and made(aws, "automirror")["Function"] == ids["Function"]
    toolkit.run("remove.sh", "--yes")
    assert sessions(aws) == set()


@pytest.fixture
def older(aws, tmp_path, zips):
    """The folder of a version before, which does not have every parameter and resource of this one."""
    older = Toolkit(aws, tmp_path / "older", zips)
    template = older.folder / "cloudformation" / TEMPLATE
    text = template.read_text()
    for gone in (r"  RoleNamePrefix:\n(    .*\n)+", r"  RoomOnTargetsMetric:\n(    .*\n)+\n", r"  DetectQuery:\n(    .*\n)+\n"):
        text, count = re.subn(f"^{gone}", "", text, flags=re.M)
        assert count == 1, gone
    for gone in (r"          - RoleNamePrefix\n", r"      RoleNamePrefix:\n        .*\n", r"      RoleName: .*\n"):
        text, count = re.subn(f"^{gone}", "", text, flags=re.M)
        assert count, gone
    text = text.replace("  HasRoleNames: !Not [!Equals [!Ref RoleNamePrefix, \"\"]]\n", "")
    text = text.replace("Version: 0.1.0", "Version: 0.0.9")
    assert "RoleName" not in text
    template.write_text(text)
    return older


def test_going_back_to_the_version_before_loses_no_session_and_no_setting(aws, toolkit, older):
    terminate_all(aws)
    target = story.make_target(aws)
    given = [f"MirrorTargetIds={target}", "MirrorTagKey=Watch", "Timeout=120", "RoleNamePrefix=sec"]
    toolkit.run("deploy.sh", BUCKET, *given)
    mirror(aws, 2)
    before, ids = sessions(aws), made(aws, "automirror")
    assert len(before) == 2 and ids["Role"] == f"sec-{REGION}"
    said = older.run("deploy.sh", BUCKET)
    assert sessions(aws) == before, said
    back = made(aws, "automirror")
    assert {logical: back[logical] for logical in KEPT} == {logical: ids[logical] for logical in KEPT}
    assert ids.keys() - back.keys() == {"RoomOnTargetsMetric", "DetectQuery"}
    function = aws.client("lambda").get_function_configuration(FunctionName=back["Function"])
    assert "version 0.0.9" in function["Description"] and function["Timeout"] == 120
    assert function["Environment"]["Variables"]["MIRROR_TAG_KEY"] == "Watch"
    # The parameter that the older template does not have is gone. moto renames no role.
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="automirror")["Stacks"]
    assert "RoleNamePrefix" not in {one["ParameterKey"] for one in stack["Parameters"]}
    # The older version removes what the newer one has made, too.
    older.run("remove.sh", "--yes")
    assert sessions(aws) == set() and story.remains(aws)["functions"] == []


def test_the_rule_can_be_left_out_and_added_later(aws, toolkit):
    known = logical_ids()
    of_rule = {logical for logical in known if logical.startswith("ConfigRule")}
    of_rule |= {"ComplianceRule", "ComplianceMessageRule"}
    of_filter = {logical for logical in known if logical.startswith("DefaultFilter")}
    blue = ("--name", "blue")
    toolkit.run("deploy.sh", *blue, BUCKET, "CreateConfigRule=false", "AlarmEmail=blue@example.com")
    ids = assert_all_is_made(aws, "blue", NOT_ASKED_FOR - {"AlarmSubscription"} | of_rule)
    (subscription,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=ids["Topic"])["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "blue@example.com")
    outputs = outputs_of(aws, "blue")
    # A second installation in an account has an owner and a rule of its own without being told so.
    assert outputs["MirrorOwner"] == "blue"
    own = ids["DefaultFilter"]
    given = aws.client("ec2").create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    toolkit.run("deploy.sh", *blue, BUCKET, f"MirrorFilterId={given}", "CreateConfigRule=true")
    again = made(aws, "blue")
    assert again.keys() == ids.keys() - of_filter | of_rule
    for function in ("Function", "ConfigRuleFunction"):
        settings = aws.client("lambda").get_function_configuration(FunctionName=again[function])
        variables = settings["Environment"]["Variables"]
        assert (variables["MIRROR_FILTER_ID"], variables["MIRROR_OWNER"]) == (given, "blue")
    assert outputs_of(aws, "blue")["ConfigRuleName"] == "blue"
    filters = aws.client("ec2").describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    assert own not in {found["TrafficMirrorFilterId"] for found in filters}
    toolkit.run("remove.sh", *blue, "--yes")
    assert story.remains(aws)["functions"] == []


def test_dashboard_and_alarms_can_be_left_out(aws, toolkit):
    toolkit.run("deploy.sh", BUCKET, "CreateAlarms=false", "CreateDashboard=false", "CreateConfigRule=false")
    ids = made(aws, "automirror")
    assert not {logical for logical in ids if re.search("Alarm|Metric|Dashboard|Topic|Message", logical)}
    toolkit.run("remove.sh", "--yes")


def test_the_alarm_of_the_load_balancers_comes_and_goes_with_them(aws, toolkit):
    names = ["net/east/0123456789abcdef", "net/west/0123456789abcdee"]
    toolkit.run("deploy.sh", BUCKET, "CreateConfigRule=false", f"SensorLoadBalancers={','.join(names)}")
    name = made(aws, "automirror")["NothingArrivesAlarm"]
    (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    read = [one["MetricStat"]["Metric"]["Dimensions"] for one in alarm["Metrics"] if one["Id"].startswith("bytes")]
    assert read == [[{"Name": "LoadBalancer", "Value": balancer}] for balancer in names]
    toolkit.run("deploy.sh", BUCKET, "SensorLoadBalancers=")
    assert "NothingArrivesAlarm" not in made(aws, "automirror")
    assert aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    toolkit.run("remove.sh", "--yes")


# What Lambda itself needs to connect a function to a VPC, in every mode.
INTERFACES = {
    f"ec2:{action}"
    for action in (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "UnassignPrivateIpAddresses",
    )
}


def statements(resources):
    roles = [resource for resource in resources.values() if resource["Type"] == "AWS::IAM::Role"]
    policies = [policy for role in roles for policy in role["Properties"]["Policies"]]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def actions(statement):
    return {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])


def test_detect_in_a_vpc_has_lambdas_permissions_for_its_interfaces_only():
    values = {"MirrorMode": "detect", "CodeBucket": "b", "SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1"}
    found = statements(resolve(TEMPLATE, values)["Resources"])
    ec2 = {action for one in found for action in actions(one) if action.startswith("ec2:")}
    assert {action for action in ec2 if not action.startswith("ec2:Describe")} == INTERFACES
    # The functions' own code cannot use them.
    lambdas = [one for one in found if actions(one) & INTERFACES]
    assert lambdas and all(one["Condition"]["Null"] == {"lambda:SourceFunctionArn": "true"} for one in lambdas)


def test_detect_deploys_no_permission_to_change_anything():
    resources = resolve(TEMPLATE, {"MirrorMode": "detect", "CodeBucket": "b"})["Resources"]
    roles = [resource for resource in resources.values() if resource["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 3
    ec2 = {action for one in statements(resources) for action in actions(one) if action.startswith("ec2:")}
    assert ec2 and all(action.startswith("ec2:Describe") for action in ec2)
    enforcing = resolve(TEMPLATE, {"CodeBucket": "b"})["Resources"]["Role"]["Properties"]["Policies"]
    assert "ec2:DeleteTrafficMirrorSession" in json.dumps(enforcing)


def test_what_moto_lacks_is_just_what_is_added_to_it():
    texts = [(TOP / "cloudformation" / name).read_text() for name in (TEMPLATE, "examples/sensor.yaml")]
    types = {kind for text in texts for kind in re.findall(r"^    Type: (AWS::\w+::\w+)$", text, re.M)}
    assert types - parsing.get_model_map().keys() == moto_stacks.TYPES.keys()


def test_the_template_is_within_the_limits_of_cloudformation():
    """A template in S3 has at most 1 MB, 200 parameters and 500 resources. A request has room for 51,200 bytes only."""
    text = (TOP / "cloudformation" / TEMPLATE).read_text()
    assert 51_200 < len(text.encode()) < 1_000_000, "if it fits into a request, the scripts and docs can be simpler"
    assert len(logical_ids()) < 500
    assert len(resolve(TEMPLATE, {"CodeBucket": "b"})["Parameters"]) < 200


def test_both_functions_have_the_same_settings():
    resources = resolve(TEMPLATE, {"CodeBucket": "b"})["Resources"]
    ours, theirs = (
        resources[name]["Properties"]["Environment"]["Variables"] for name in ("Function", "ConfigRuleFunction")
    )
    assert ours == theirs
    assert ours["MIRROR_FILTER_ID"].startswith("tmf-")
    assert ours == resources["Lifecycle"]["Properties"]["Settings"]


def test_the_code_of_the_lifecycle_function_is_the_same_everywhere():
    code = (TOP / "cloudformation/lifecycle.py").read_text()
    resources = resolve(TEMPLATE, {"CodeBucket": "b"})["Resources"]
    assert resources["LifecycleFunction"]["Properties"]["Code"]["ZipFile"] == code
    sys.path.insert(0, str(TOP / "package"))
    import lifecycle

    packed = lifecycle.packed(code.encode())
    assert lifecycle.ZIP.read_bytes() == packed
    # AWS's limit for code in a template, once it is a zip.
    assert len(packed) < 4_000_000


def test_the_version_is_the_one_of_the_release():
    version = re.search(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.M)[1]
    assert resolve(TEMPLATE, {"CodeBucket": "b"})["Outputs"]["Version"]["Value"] == version
    for module in ("automirror", "config-rule"):
        text = (TOP / f"terraform/modules/{module}/main.tf").read_text()
        assert f'version = "{version}"' in text


@pytest.mark.parametrize(
    "values, bucket",
    [({"CodeBucket": "zips"}, "zips"), ({"CodeBucketPrefix": "zips", "AWS::Region": "eu-west-1"}, "zips-eu-west-1")],
)
def test_the_zips_come_from_a_bucket_of_the_region(values, bucket):
    resources = resolve(TEMPLATE, values | {"CodeKeyPrefix": "v1/", "Architecture": "x86_64"})["Resources"]
    for function, zip_ in [("Function", "automirror"), ("ConfigRuleFunction", "config-rule")]:
        code = resources[function]["Properties"]["Code"]
        assert code == {"S3Bucket": bucket, "S3Key": f"v1/{zip_}-x86_64.zip"}


def test_a_zip_is_the_object_version_that_is_given():
    values = {"CodeBucket": "zips", "AutomirrorObjectVersion": "v_1", "ConfigRuleObjectVersion": "v_2"}
    resources = resolve(TEMPLATE, values)["Resources"]
    for function, version in [("Function", "v_1"), ("ConfigRuleFunction", "v_2")]:
        assert resources[function]["Properties"]["Code"]["S3ObjectVersion"] == version
    # New code starts a sweep and an evaluation.
    assert resources["Lifecycle"]["Properties"]["Code"].endswith("v_1v_2")


def test_a_permissions_boundary_is_an_arn_or_a_name():
    arn = f"arn:aws:iam::{ACCOUNT}:policy/team/boundary"
    for given in (arn, "team/boundary"):
        place = {"AWS::AccountId": ACCOUNT, "CodeBucket": "b", "PermissionsBoundaryArn": given}
        resources = resolve(TEMPLATE, place)["Resources"]
        roles = [resource for resource in resources.values() if resource["Type"] == "AWS::IAM::Role"]
        assert {role["Properties"]["PermissionsBoundary"] for role in roles} == {arn}


@pytest.mark.parametrize("account, has_role", [(ACCOUNT, False), ("210987654321", True)])
def test_a_topic_of_another_account_gets_messages_with_a_role(account, has_role):
    topic = f"arn:aws:sns:{REGION}:{account}:alarms"
    values = {"AWS::AccountId": ACCOUNT, "AlarmTopicArn": topic, "CodeBucket": "b"}
    resources = resolve(TEMPLATE, values)["Resources"]
    for rule in MESSAGE_RULES:
        (target,) = resources[rule]["Properties"]["Targets"]
        assert ("RoleArn" in target) == has_role and target["Arn"] == topic
    assert ("MessageRole" in resources) == has_role
    if has_role:
        (policy,) = resources["MessageRole"]["Properties"]["Policies"]
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == ("sns:Publish", topic)
