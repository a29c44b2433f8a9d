"""The Terraform modules are valid, can be applied in moto's fake of AWS, work there, and can be destroyed."""

import json
import re

import parity
import pytest
import story
from conftest import ACCOUNT, TOP
from templates import parameters


def test_the_modules_are_valid(terraform):
    terraform.run("validate", "-no-color")


def test_the_modules_own_tests_pass(terraform):
    terraform.run("test", "-no-color")


@pytest.mark.parametrize("name", ["existing-target", "multi-region", "organization"])
def test_the_other_examples_are_valid(terraform, name):
    there = type(terraform)(story_free(terraform), terraform.folder / "examples" / name, terraform.plugins)
    there.init()
    there.run("validate", "-no-color")


def test_the_parameters_of_the_organization_example_exist():
    text = (TOP / "terraform/examples/organization/main.tf").read_text()
    named = re.findall(r"^    ([A-Z]\w+) += ", text, re.M)
    assert len(named) == 8 and set(named) <= parameters("automirror.yaml").keys()


def test_the_example_can_be_planned(terraform, zips):
    example = terraform.folder / "examples" / "complete"
    there = type(terraform)(story_free(terraform), example, terraform.plugins)
    there.init()
    variables = [
        f"-var=automirror_zip={zips / 'automirror.zip'}",
        f"-var=config_rule_zip={zips / 'config-rule.zip'}",
    ]
    planned = there.run("plan", "-no-color", "-input=false", *variables)
    assert "to add, 0 to change, 0 to destroy" in planned, planned


# What an account has once, in whichever region it is created.
WITHOUT_REGION = {"aws_iam_role": "name", "aws_cloudwatch_dashboard": "dashboard_name"}


def test_the_regions_of_an_account_do_not_get_in_each_others_way(terraform, zips):
    there = type(terraform)(story_free(terraform), terraform.folder / "examples/multi-region", terraform.plugins)
    there.init()
    targets = {"eu-central-1": "tmt-11111111", "eu-west-1": "tmt-22222222"}
    packages = {f"{name}_zip": str(zips / f"{name.replace('_', '-')}.zip") for name in ("automirror", "config_rule")}
    (there.folder / "test.auto.tfvars.json").write_text(json.dumps(packages | {"targets": targets}))
    modules = there.plan()["planned_values"]["root_module"]["child_modules"]
    assert {module["address"] for module in modules} == {"module.central", "module.west"}
    for module in modules:
        # Everything in it is of its own region.
        here, other = targets if module["address"] == "module.central" else reversed(targets)
        text = json.dumps(module)
        assert here in text and targets[here] in text and other not in text and targets[other] not in text
    for kind, name in WITHOUT_REGION.items():
        names = [
            values[name]
            for module in modules
            for address, values in parity.resources(module)
            if f".{kind}." in address
        ]
        assert len(names) >= 2 and len(names) == len(set(names)), names


def story_free(terraform):
    """Returns the same account, for use with another folder."""

    class Same:
        @staticmethod
        def environment():
            return terraform.environment

    return Same


def test_a_deployment_works_stays_as_it_is_and_leaves_nothing(terraform, aws, zips):
    target = story.make_target(aws)
    before = story.remains(aws)
    values = {
        "automirror_zip": str(zips / "automirror.zip"),
        "config_rule_zip": str(zips / "config-rule.zip"),
        "mirror_target_ids": [target],
        "mirror_session_tags": {"CostCenter": "42", "Team": "sec=ops"},
        "create_topic": True,
    }
    terraform.set(values)
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    # The exit code is 0 without changes, and 2 with changes.
    terraform.run("plan", "-no-color", "-input=false", "-detailed-exitcode")
    outputs = {name: output["value"] for name, output in terraform.show()["values"]["outputs"].items()}
    stack = {
        "function": outputs["automirror_function_name"],
        "queue": outputs["queue_url"],
        "queue_arn": outputs["queue_arn"],
        "filter": outputs["filter_id"],
        "target": target,
        "tags": {"ManagedBy": "automirror", "Installation": "automirror", "CostCenter": "42", "Team": "sec=ops"},
    }
    # What the first sweep said is an output, and an evaluation has begun: the rule was there already.
    assert outputs["sweep"]["problem"] is None and outputs["sweep"]["evaluation"] == "started"
    assert outputs["sweep"]["summary"]["broken_settings"] is False
    the_sweep_is_scheduled(aws, stack)
    story.an_event_makes_a_session(aws, stack)
    a_verdict_reaches_the_queue_and_the_topic(aws, stack, outputs)
    an_update_deletes_no_session(terraform, aws, stack, values)
    # There is a session when everything is destroyed. The filter could not be deleted before it.
    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")
    assert aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []
    assert story.remains(aws) == before


def an_update_deletes_no_session(terraform, aws, stack, values):
    story.launch(aws, {"Mirror": "True"})
    # A changed setting starts a sweep, which finds the instance.
    terraform.set(values | {"log_level": "DEBUG", "mirror_rate_share": 90})
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    first = aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert len(first) == 1
    terraform.set(values)
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    assert aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == first


@pytest.fixture
def invocation(terraform, zips):
    """Returns what the lifecycle function would be invoked with, and what comes before it, in a plan."""

    def plan(values):
        packages = {f"{name}_zip": str(zips / f"{name.replace('_', '-')}.zip") for name in ("automirror", "config_rule")}
        terraform.set(packages | {"mirror_filter_id": "tmf-11111111"} | values)
        resources = parity.resources(terraform.plan()["planned_values"]["root_module"])
        (values,) = [values for address, values in resources if address.endswith(".aws_lambda_invocation.lifecycle")]
        return json.loads(values["input"])

    return plan


def test_new_code_and_settings_of_either_function_start_an_evaluation(invocation, zips, tmp_path):
    first = invocation({})
    other = tmp_path / "config-rule.zip"
    other.write_bytes((zips / "config-rule.zip").read_bytes() + b"\0")
    new_code = invocation({"config_rule_zip": str(other)})
    assert {name for name in first if first[name] != new_code[name]} == {"config_rule"}
    new_parameter = invocation({"unsupported_compliance": "NON_COMPLIANT"})
    assert {name for name in first if first[name] != new_parameter[name]} == {"config_rule"}
    bucket = {"automirror_zip": None, "config_rule_zip": None, "code_bucket": "zips"}
    old, new = (invocation(bucket | {"automirror_object_version": version}) for version in ("v1", "v2"))
    assert {name for name in old if old[name] != new[name]} == {"code"}


def test_the_evaluation_begins_after_the_rule_and_its_function(terraform):
    """terraform graph has a line for each dependency. A path of them leads from the invocation to both."""
    used = {}
    for user, used_one in re.findall(r'"(.+)" -> "(.+)"', terraform.run("graph", "-type=plan")):
        used.setdefault(user, set()).add(used_one)

    def reached(name, seen):
        for one in used.get(name, set()) - seen:
            seen.add(one)
            reached(one, seen)
        return seen

    (start,) = [name for name in used if "aws_lambda_invocation.lifecycle" in name and "(close)" not in name]
    text = "\n".join(reached(start, set()))
    assert "module.config_rule.aws_lambda_function.this" in text
    assert "module.config_rule.aws_config_config_rule.this" in text


@pytest.fixture
def instance(aws):
    """An instance that should be mirrored, until the test ends."""
    name = story.launch(aws, {"Mirror": "True"})["InstanceId"]
    yield name
    aws.client("ec2").terminate_instances(InstanceIds=[name])


def test_a_target_that_does_not_exist_is_an_output_of_the_apply(terraform, instance, zips):
    packages = {"automirror_zip": str(zips / "automirror.zip"), "create_config_rule": False}
    terraform.set(packages | {"mirror_target_ids": ["tmt-0123456789abcdef0"]})
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    sweep = terraform.show()["values"]["outputs"]["sweep"]["value"]
    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")
    assert sweep["summary"]["broken_settings"] is True
    assert any("MIRROR_TARGET_IDS" in step and "tmt-0123456789abcdef0" in step for step in sweep["steps"]), sweep


def test_sessions_that_are_left_in_the_mode_detect_keep_what_they_depend_on(terraform, aws, instance, zips):
    values = {"automirror_zip": str(zips / "automirror.zip"), "create_config_rule": False}
    values |= {"mirror_target_ids": [story.make_target(aws)]}
    for mode in ("enforce", "detect"):
        terraform.set(values | {"mirror_mode": mode})
        terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    left = aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert left
    with pytest.raises(AssertionError, match=f"{len(left)} sessions are left, and in the mode detect"):
        terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")
    # Unlike a stack, a module can be deployed again.
    terraform.set(values)
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")
    assert aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == []


@pytest.fixture
def module(terraform):
    """Returns the modules as texts, by path. What a test makes of them is undone, and what it created is destroyed."""
    texts = {path: path.read_text() for path in terraform.folder.glob("modules/automirror/*.tf")}
    yield texts
    for path, text in texts.items():
        path.write_text(text)
    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")


@pytest.mark.parametrize("follows_the_guide", [True, False])
def test_going_back_to_a_module_without_lifecycle_keeps_the_sessions_as_the_guide_says(
    terraform, aws, zips, module, follows_the_guide
):
    (said,) = re.findall(r"`terraform state rm module\.automirror\.(\S+)`", (TOP / "docs/upgrading.md").read_text())
    terraform.set(
        {
            "automirror_zip": str(zips / "automirror.zip"),
            "create_config_rule": False,
            "mirror_target_ids": [story.make_target(aws)],
        }
    )
    story.launch(aws, {"Mirror": "True"})
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    before = aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert before
    function = terraform.show()["values"]["outputs"]["automirror_function_name"]["value"]
    if follows_the_guide:
        # The guide names a module that is called automirror. Here it is the root module.
        terraform.run("state", "rm", said)
    for path, text in module.items():
        text = re.sub(r'^resource "aws_lambda_invocation" "lifecycle" \{\n(.*\n)*?\}\n', "", text, flags=re.M)
        text = text.replace("depends_on = [aws_lambda_invocation.lifecycle]", "")
        path.write_text(text.replace("aws_lambda_invocation.lifecycle.result", '"null"'))
    terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
    left = aws.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert left == (before if follows_the_guide else [])
    assert aws.client("lambda").get_function(FunctionName=function)
    for session in left:
        aws.client("ec2").delete_traffic_mirror_session(TrafficMirrorSessionId=session["TrafficMirrorSessionId"])


def the_sweep_is_scheduled(aws, stack):
    events = aws.client("events")
    rules = [rule for rule in events.list_rules()["Rules"] if rule.get("ScheduleExpression")]
    (sweep,) = rules
    assert (sweep["ScheduleExpression"], sweep["State"]) == ("rate(15 minutes)", "ENABLED")
    (to,) = events.list_targets_by_rule(Rule=sweep["Name"])["Targets"]
    assert to["Arn"] == stack["queue_arn"]


def a_verdict_reaches_the_queue_and_the_topic(aws, stack, outputs):
    sqs, sns = aws.client("sqs"), aws.client("sns")
    inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:inbox"
    sns.subscribe(TopicArn=outputs["topic_arn"], Protocol="sqs", Endpoint=arn)
    for rule, verdict, before in [
        (outputs["config_rule_name"], "NON_COMPLIANT", "COMPLIANT"),
        (outputs["config_rule_name"], "COMPLIANT", "NON_COMPLIANT"),
        (outputs["config_rule_name"], "NOT_APPLICABLE", "COMPLIANT"),
        ("another-rule", "NON_COMPLIANT", "COMPLIANT"),
    ]:
        detail = {
            "resourceId": "i-0123456789abcdef0",
            "resourceType": "AWS::EC2::Instance",
            "awsAccountId": ACCOUNT,
            "awsRegion": "us-east-1",
            "configRuleName": rule,
            "messageType": "ComplianceChangeNotification",
            "newEvaluationResult": {"complianceType": verdict, "annotation": "because"},
            "oldEvaluationResult": {"complianceType": before},
        }
        story.put(aws, "aws.config", "Config Rules Compliance Change", detail)
    messages = story.take(aws, stack["queue"])
    assert ["NON_COMPLIANT" in message["Body"] for message in messages] == [True]
    letters = sorted(message["Body"] for message in story.take(aws, inbox))
    sentence = "i-0123456789abcdef0 in account 123456789012, region us-east-1, is {}: because"
    assert len(letters) == 2, letters
    for letter, verdict in zip(letters, ["COMPLIANT", "NON_COMPLIANT"]):
        assert sentence.format(verdict) in letter, letter
    sqs.delete_queue(QueueUrl=inbox)
