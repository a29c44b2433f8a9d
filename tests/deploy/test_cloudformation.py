"""deploy.sh deploys the CloudFormation templates in moto's fake of AWS, they work there, and remove.sh removes them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import moto_stacks
import pytest
import story
from awscli.customizations.cloudformation.yamlhelper import yaml_dump, yaml_parse
from conftest import ACCOUNT, REGION, TOP, zipped
from moto.cloudformation import parsing

# moto creates it without a physical id.
WITHOUT_ID = {"Permission"}
TEMPLATES = {"automirror": "automirror.yaml", "automirror-config-rule": "config-rule.yaml"}
# The stack of the AWS Config rule creates the topic.
NOT_ASKED_FOR = {"automirror": {"Topic", "TopicPolicy"}}
BUCKET = "zips"
FAILS = "#!/bin/sh\nexit 1\n"
IDLE = f"""#!{sys.executable}
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
name = urllib.request.urlopen(api + "next").headers["Lambda-Runtime-Aws-Request-Id"]
urllib.request.urlopen(api + name + "/response", data=b"{{}}")
"""
# While there are three sessions, it deletes one and reports that it ran out of time. After that it runs automirror.
PARTLY = f"""#!{sys.executable}
import boto3, os, urllib.request
ec2 = boto3.client("ec2")
pages = ec2.get_paginator("describe_traffic_mirror_sessions").paginate()
sessions = [session for page in pages for session in page["TrafficMirrorSessions"]]
mark = {{"Key": "ManagedBy", "Value": "automirror"}}
ours = [session["TrafficMirrorSessionId"] for session in sessions if mark in session.get("Tags", [])]
if len(ours) < 3:
    os.execv("{TOP}/target/debug/automirror", ["automirror"])
ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=ours[0])
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
name = urllib.request.urlopen(api + "next").headers["Lambda-Runtime-Aws-Request-Id"]
urllib.request.urlopen(api + name + "/error", data=b'{{"errorType": "Unfinished", "errorMessage": "2 steps"}}')
"""


class Toolkit:
    """A copy of the scripts and templates, with zips that start the binaries of this build."""

    def __init__(self, aws, folder, zips):
        self.folder = folder
        self.environment = aws.environment() | {"HOME": str(folder), "AWS_PAGER": ""}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{self.environment['PATH']}"
        shutil.copytree(TOP / "cloudformation", folder / "cloudformation")
        (folder / "target/package").mkdir(parents=True)
        for name in ("automirror", "config-rule"):
            shutil.copy(zips / f"{name}.zip", self.package(name))

    def package(self, name):
        return self.folder / f"target/package/{name}-arm64.zip"

    def run(self, script, *arguments, fails=False, **environment):
        command = [self.folder / "cloudformation" / script, *arguments]
        environment = self.environment | environment
        done = subprocess.run(command, env=environment, text=True, capture_output=True)
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def toolkit(aws, tmp_path, zips):
    aws.client("s3").create_bucket(Bucket=BUCKET)
    return Toolkit(aws, tmp_path, zips)


def made(aws, stack):
    """Returns the physical ids of a stack's resources. The status that moto reports is not reliable."""
    listed = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    # A resource whose condition is false has no name.
    named = [resource for resource in listed if resource["LogicalResourceId"]]
    return {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in named}


def logical_ids(path):
    text = (TOP / "cloudformation" / path).read_text()
    return set(re.findall(r"^  (\w+):\n    Type: AWS::", text, re.M))


def assert_all_is_made(aws):
    for stack, path in TEMPLATES.items():
        ids = made(aws, stack)
        assert logical_ids(path) - ids.keys() == NOT_ASKED_FOR.get(stack, set())
        assert {logical for logical, name in ids.items() if not name} == WITHOUT_ID & logical_ids(path)


def assert_the_services_have_it(aws, ids, rule_ids):
    """Checks each resource through the API of its own service, by its physical id."""
    for own in (ids, rule_ids):
        assert_function(aws, own)
        assert_alarms(aws, own, rule_ids["Topic"])
    assert_queues(aws, ids)
    assert_rules(aws, ids, rule_ids["Topic"])
    assert_filter(aws, ids["DefaultFilter"])
    assert_config_rule(aws, rule_ids)
    topic = aws.client("sns").get_topic_attributes(TopicArn=rule_ids["Topic"])["Attributes"]
    assert [statement["Sid"] for statement in json.loads(topic["Policy"])["Statement"]] == [
        "DenyWithoutTls",
        "AllowAlarms",
        "AllowRules",
    ]


def assert_function(aws, ids):
    function = aws.client("lambda").get_function_configuration(FunctionName=ids["Function"])
    assert function["Role"].endswith(f":role/{ids['Role']}")
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
    return {logical for logical in ids if logical.endswith("Rule")}


def assert_queues(aws, ids):
    for logical, senders in [
        ("Queue", event_rules(ids) - {"ComplianceMessageRule"}),
        ("DeadLetterQueue", event_rules(ids)),
    ]:
        asked = aws.client("sqs").get_queue_attributes(QueueUrl=ids[logical], AttributeNames=["All"])["Attributes"]
        denied, allowed = json.loads(asked["Policy"])["Statement"]
        assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
        assert {arn.rsplit("/", 1)[1] for arn in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]} == {
            ids[rule] for rule in senders
        }
    mapping = aws.client("lambda").get_event_source_mapping(UUID=ids["EventSourceMapping"])
    assert mapping["EventSourceArn"] == queue_arn(ids["Queue"])
    assert mapping["FunctionArn"].endswith(f":{ids['Function']}")


def assert_rules(aws, ids, topic):
    for logical in event_rules(ids):
        (target,) = aws.client("events").list_targets_by_rule(Rule=ids[logical])["Targets"]
        wanted = topic if logical == "ComplianceMessageRule" else queue_arn(ids["Queue"])
        assert (target["Arn"], target["DeadLetterConfig"]["Arn"]) == (wanted, queue_arn(ids["DeadLetterQueue"]))


def assert_filter(aws, name):
    ec2 = aws.client("ec2")
    (found,) = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[name])["TrafficMirrorFilters"]
    blocks = [rule["SourceCidrBlock"] for way in ("Ingress", "Egress") for rule in found[f"{way}FilterRules"]]
    assert (found["NetworkServices"], sorted(blocks)) == (["amazon-dns"], ["0.0.0.0/0"] * 2 + ["::/0"] * 2)


def assert_config_rule(aws, ids):
    (rule,) = aws.client("config").describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"] == ids["ConfigRule"]
    assert rule["Source"]["SourceIdentifier"].endswith(f":{ids['Function']}")
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=ids["Function"])["Policy"])
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


def a_session_of_somebody_else(aws, target):
    ec2 = aws.client("ec2")
    interface = story.launch(aws, {"Name": "theirs"})["NetworkInterfaces"][0]["NetworkInterfaceId"]
    theirs = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    made = ec2.create_traffic_mirror_session(
        NetworkInterfaceId=interface,
        TrafficMirrorTargetId=target,
        TrafficMirrorFilterId=theirs,
        SessionNumber=1,
        TagSpecifications=[
            {"ResourceType": "traffic-mirror-session", "Tags": [{"Key": "ManagedBy", "Value": "automirror-2"}]}
        ],
    )
    return made["TrafficMirrorSession"]["TrafficMirrorSessionId"]


def deployed(aws):
    return made(aws, "automirror"), made(aws, "automirror-config-rule")


def parts(aws, target):
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in aws.client("cloudformation").describe_stacks(StackName="automirror")["Stacks"][0]["Outputs"]
    }
    return {
        "function": outputs["FunctionName"],
        "queue": outputs["QueueUrl"],
        "queue_arn": queue_arn(outputs["QueueUrl"]),
        "filter": outputs["FilterId"],
        "target": target,
        "tags": {"ManagedBy": "automirror", "CostCenter": "42", "Team": "sec=ops"},
    }


def test_one_command_deploys_and_updates_and_one_removes(aws, toolkit):
    target = story.make_target(aws)
    before = story.remains(aws)
    tags = "MirrorSessionTags=CostCenter=42,Team=sec=ops"
    toolkit.run("deploy.sh", BUCKET, f"MirrorTargetIds={target}", tags, "CreateTopic=true")
    assert_all_is_made(aws)
    ids, rule_ids = deployed(aws)
    assert_the_services_have_it(aws, ids, rule_ids)
    story.an_event_makes_a_session(aws, parts(aws, target))
    assert toolkit.run("deploy.sh", BUCKET).count("is up to date") == 2
    an_update_changes_what_it_should(aws, toolkit, ids, rule_ids)
    removing_takes_our_sessions_first(aws, toolkit, ids["Function"], target)
    remaining = story.remains(aws)
    assert len(remaining.pop("filters")) == len(before.pop("filters")) + 1, "the foreign filter"
    assert remaining == before
    assert toolkit.run("remove.sh") == ""


def an_update_changes_what_it_should(aws, toolkit, ids, rule_ids):
    assert timeouts(aws, ids) == (60, "360")
    toolkit.run("deploy.sh", BUCKET, "Timeout=120", "MirrorTagKey=Watch")
    assert_all_is_made(aws)
    assert deployed(aws)[1] == rule_ids
    again = made(aws, "automirror")
    # moto gives a changed rule a new name, so the resources that refer to it change too.
    assert {logical for logical in ids if ids[logical] != again[logical]} == {
        "TagRule",
        "QueuePolicy",
        "DeadLetterQueuePolicy",
    }
    assert_the_services_have_it(aws, again, rule_ids)
    assert timeouts(aws, again) == (120, "720")
    pattern = json.loads(aws.client("events").describe_rule(Name=again["TagRule"])["EventPattern"])
    assert {"equals-ignore-case": "Watch"} in pattern["detail"]["changed-tag-keys"]


def removing_takes_our_sessions_first(aws, toolkit, function, target):
    theirs = a_session_of_somebody_else(aws, target)
    for _ in range(3):
        story.launch(aws, {"watch": "true"})
    aws.client("lambda").invoke(FunctionName=function, Payload=b'{"sweep":true}')
    assert len(sessions(aws) - {theirs}) == 3
    for bootstrap, said in [(FAILS, "automirror failed (Handled)"), (IDLE, "deletes no more of them")]:
        aws.client("lambda").update_function_code(FunctionName=function, ZipFile=zipped(bootstrap))
        assert said in toolkit.run("remove.sh", fails=True)
        assert len(sessions(aws)) == 4 and all(deployed(aws))
    aws.client("lambda").update_function_code(FunctionName=function, ZipFile=zipped(PARTLY))
    # These sessions and the foreign one are on two pages.
    assert toolkit.run("remove.sh") == "3 sessions of ours are left\n2 sessions of ours are left\n"
    assert sessions(aws) == {theirs}


def test_the_rule_can_be_left_out_and_a_filter_given_later(aws, toolkit):
    alone = {"NAME": "blue", "CONFIG_RULE": "no"}
    before = story.remains(aws)["functions"]
    known = logical_ids("automirror.yaml")
    of_filter = {logical for logical in known if logical.startswith("DefaultFilter")}
    toolkit.run("deploy.sh", BUCKET, "MirrorOwner=blue", "CreateTopic=true", **alone)
    ids = made(aws, "blue")
    assert known - ids.keys() == {"ComplianceRule", "ComplianceMessageRule"}
    own = ids["DefaultFilter"]
    given = aws.client("ec2").create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    toolkit.run("deploy.sh", BUCKET, f"MirrorFilterId={given}", **alone)
    assert ids.keys() - made(aws, "blue").keys() == of_filter
    function = aws.client("lambda").get_function_configuration(FunctionName=ids["Function"])
    assert function["Environment"]["Variables"]["MIRROR_FILTER_ID"] == given
    filters = aws.client("ec2").describe_traffic_mirror_filters()["TrafficMirrorFilters"]
    assert own not in {found["TrafficMirrorFilterId"] for found in filters}
    a_rule_that_comes_later_is_told_the_same(aws, toolkit, ids["Topic"], given)
    toolkit.run("remove.sh", NAME="blue")
    assert story.remains(aws)["functions"] == before


def a_rule_that_comes_later_is_told_the_same(aws, toolkit, topic, given):
    toolkit.run("deploy.sh", BUCKET, NAME="blue")
    rule_ids = made(aws, "blue-config-rule")
    function = aws.client("lambda").get_function_configuration(FunctionName=rule_ids["Function"])
    settings = function["Environment"]["Variables"]
    assert (settings["MIRROR_OWNER"], settings["MIRROR_FILTER_ID"]) == ("blue", given)
    again = made(aws, "blue")
    assert again["Topic"] == topic and again["ComplianceRule"]
    for ids in (rule_ids, again):
        assert_alarms(aws, ids, topic)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "which bucket takes the zips?"),
        ([BUCKET, "MirrorOwner"], "MirrorOwner is not PARAMETER=VALUE"),
        ([BUCKET, "MirorOwner=x"], "there is no parameter MirorOwner"),
        ([BUCKET, "Architecture=x86_64"], "automirror-x86_64.zip: run make package"),
    ],
)
def test_what_cannot_be_deployed_is_said(toolkit, arguments, said):
    assert said in toolkit.run("deploy.sh", *arguments, fails=True, CONFIG_RULE="no")


def test_what_moto_lacks_is_just_what_is_added_to_it():
    text = "".join((TOP / "cloudformation" / path).read_text() for path in TEMPLATES.values())
    types = set(re.findall(r"^    Type: (AWS::\w+::\w+)$", text, re.M))
    assert types - parsing.get_model_map().keys() == moto_stacks.TYPES.keys()


@pytest.mark.parametrize("path", TEMPLATES.values())
def test_a_template_fits_into_a_request(path):
    """CloudFormation accepts 51,200 bytes there. `package` writes the template anew, with the place of the zip."""
    packaged = yaml_dump(yaml_parse((TOP / "cloudformation" / path).read_text()))
    place = "S3Bucket: S3Key: " + 63 * "b" + 200 * "k"
    assert len(packaged.encode()) + len(place) <= 51_200
