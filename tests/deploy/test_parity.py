"""The templates and the modules create the same resources from the same inputs."""

import json
import re

import parity
import pytest
from conftest import ACCOUNT, REGION, TOP
from templates import parameters, resolve, template

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d"
OPTIONS = {
    "mirror_tag_key": "Watch",
    "mirror_tag_value": "Yes",
    "mirror_scope": "all",
    "mirror_vpc_ids": ["vpc-11111111", "vpc-22222222"],
    "mirror_target_ids": ["tmt-11111111", "tmt-22222222"],
    "mirror_target_owners": ["210987654321"],
    "mirror_trusted_targets": ["tmt-33333333", "tmt-44444444"],
    "mirror_filter_id": "tmf-11111111",
    "mirror_interfaces": "primary",
    "mirror_packet_length": 128,
    "mirror_vni": 7,
    "mirror_precedence": "before",
    "mirror_keep_stopped": True,
    "mirror_mode": "detect",
    "mirror_rate_share": 50,
    "mirror_deletion_limit": 10,
    "mirror_owner": "blue",
    "mirror_supported_types": ["m9g"],
    "mirror_unsupported_types": ["t3", "m5.large"],
    "mirror_session_tags": {"CostCenter": "42", "Empty": "", "Team": "sec=ops"},
    "mirror_accepted_reasons": ["filter-partial", "ipv6-only"],
    "sweep_schedule": "rate(1 hour)",
    "heartbeat_periods": 12,
    "config_rule_name": "mirroring",
    "config_rule_interval": "Three_Hours",
    "unsupported_compliance": "NON_COMPLIANT",
    "config_rule_target_health": 30,
    "architecture": "x86_64",
    "memory_size": 512,
    "config_rule_memory_size": 1024,
    "config_rule_timeout": 120,
    "config_rule_concurrency": 5,
    "role_path": "/team/",
    "role_name_prefix": "sec-mirroring",
    "compliance_messages": "all",
    "event_bus_arn": "arn:aws:events:eu-central-1:210987654321:event-bus/security",
    "timeout": 120,
    "maximum_concurrency": 5,
    "log_level": "DEBUG",
    "log_retention_days": 90,
    "permissions_boundary_arn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "kms_key_arn": KEY,
    "alarm_topic_arn": f"arn:aws:sns:{REGION}:210987654321:given",
    "sensor_load_balancers": ["net/east/0123456789abcdef", "net/west/0123456789abcdee", "net/n-1/0123456789abcded"],
}
# Inputs that only Terraform, or only CloudFormation, needs.
TERRAFORM_ONLY = {
    "automirror_zip": "CloudFormation takes code from a bucket only",
    "config_rule_zip": "the same",
    "name": "CloudFormation derives names from the name of the stack",
    "tags": "a stack has tags of its own, which its resources get too",
    "create_filter": "Terraform must know at plan time whether it creates a filter",
    "create_compliance_messages": "Terraform must know at plan time whether there is a topic",
}


def as_parameter(value):
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={member}" for key, member in value.items())
    return parity.canonical(value)


def chosen(values):
    """Returns the inputs of Terraform that the template has too, as parameters."""
    known = parameters("automirror.yaml")
    named = {parity.camel(name): as_parameter(value) for name, value in values.items()}
    return {name: value for name, value in named.items() if name in known}


@pytest.fixture
def applied(terraform, zips):
    def apply(values):
        packages = {
            "automirror_zip": str(zips / "automirror.zip"),
            "config_rule_zip": str(zips / "config-rule.zip"),
            "name": parity.NAME,
        }
        terraform.set(packages | values)
        terraform.run("apply", "-no-color", "-input=false", "-auto-approve")
        return terraform.show()["values"]["root_module"]

    yield apply
    terraform.run("destroy", "-no-color", "-input=false", "-auto-approve")


def assert_parity(state, values):
    resolved = template("automirror.yaml", parity.NAME, {"CodeBucket": "zips"} | chosen(values))
    ours = parity.from_template(resolved, parity.NAME)
    theirs = parity.from_state(state)
    assert sorted(ours) == sorted(theirs)
    different = {logical: (ours[logical], theirs[logical]) for logical in ours if ours[logical] != theirs[logical]}
    assert not different, json.dumps(different, indent=1)


def test_by_default_both_make_the_same(applied):
    values = {"create_topic": True}
    assert_parity(applied(values), values)


def test_with_as_little_as_possible_both_make_the_same(applied):
    values = {"create_config_rule": False, "create_alarms": False, "create_dashboard": False, "mirror_mode": "detect"}
    assert_parity(applied(values), values)


def test_with_every_option_both_make_the_same(aws, applied):
    network = aws.client("ec2")
    (subnet, *_) = network.describe_subnets()["Subnets"]
    (group, *_) = network.describe_security_groups()["SecurityGroups"]
    values = OPTIONS | {"subnet_ids": [subnet["SubnetId"]], "security_group_ids": [group["GroupId"]]}
    assert_parity(applied(values), values)


# Inputs on which the permissions of automirror depend. The other ones are in OPTIONS.
PERMISSIONS = {
    "targets of other accounts": {"mirror_target_owners": ["210987654321", "109876543210"]},
    "targets of this account": {"mirror_target_owners": ["self"]},
    "targets of this account and of another": {"mirror_target_owners": ["self", "210987654321"]},
    "targets of this account among others": {"mirror_target_owners": ["210987654321", "self", "109876543210"]},
    "some VPCs": {"mirror_vpc_ids": ["vpc-11111111", "vpc-22222222"]},
    "detect": {"mirror_mode": "detect"},
    "one session tag": {"mirror_session_tags": {"Owner": "net"}},
    "as many session tags as possible": {"mirror_session_tags": {f"key{n:02}": f"value {n}" for n in range(40)}},
}


@pytest.mark.parametrize("name", PERMISSIONS)
def test_the_permissions_of_automirror_are_the_same(terraform, zips, name):
    values = PERMISSIONS[name]
    packages = {name: str(zips / "automirror.zip") for name in ("automirror_zip", "config_rule_zip")}
    terraform.set(packages | {"name": parity.NAME} | values)
    ours = parity.from_template(template("automirror.yaml", parity.NAME, chosen(values)), parity.NAME)
    plan = terraform.plan()
    policy = next(
        values["policy"]
        for address, values in parity.resources(plan["planned_values"]["root_module"])
        if address == "module.automirror.aws_iam_role_policy.this"
    )
    assert ours["Role"]["Policies"]["PolicyDocument"] == parity.canonical(json.loads(policy))


def test_the_session_tags_are_the_only_further_keys_in_the_template():
    def tag_keys(session_tags):
        resolved = template("automirror.yaml", parity.NAME, {"MirrorSessionTags": session_tags})
        (policy,) = resolved["Resources"]["Role"]["Properties"]["Policies"]
        statements = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}
        return statements["TagNewSession"]["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"]

    assert tag_keys("") == ["ManagedBy", "Name", "Invocation", "Installation"]
    # EC2 accepts no key that begins with aws:, so the values allow nothing.
    assert tag_keys("CostCenter=42,Team=sec=ops,Empty=,Cost center=a b") == (
        ["ManagedBy", "Name", "Invocation", "Installation"]
        + ["CostCenter", "aws:42", "Team", "aws:sec", "aws:ops", "Empty", "aws:", "Cost center", "aws:a b"]
    )


def test_the_plan_with_defaults_is_kept_for_the_judge_of_rights(terraform, zips):
    terraform.set({"automirror_zip": str(zips / "automirror.zip"), "config_rule_zip": str(zips / "config-rule.zip")})
    kept = TOP / "target/deploy/plans/default.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    plan = terraform.plan()
    kept.write_text(json.dumps(plan))
    assert {resource["type"] for resource in plan["resource_changes"]} >= {"aws_iam_role_policy"}


def test_in_other_partitions_nothing_names_the_usual_one():
    stack = f"arn:aws-cn:cloudformation:cn-north-1:{ACCOUNT}:stack/stack/0a1b2c3d"
    place = {"AWS::Partition": "aws-cn", "AWS::Region": "cn-north-1", "AWS::StackId": stack}
    options = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    for values in ({}, options):
        resolved = resolve("automirror.yaml", place | chosen(values) | {"CreateTopic": "true"})
        text = json.dumps(resolved["Resources"])
        assert "arn:aws-cn:" in text and "arn:aws:" not in text


def test_in_other_partitions_terraform_names_no_other(aws, terraform, zips):
    terraform.set(
        {
            "automirror_zip": str(zips / "automirror.zip"),
            "config_rule_zip": str(zips / "config-rule.zip"),
            "create_topic": True,
        }
    )
    plan = terraform.plan(region="cn-north-1")
    text = json.dumps(plan["planned_values"])
    assert "arn:aws-cn:" in text and "arn:aws:" not in text


# Inputs


def variables(folder):
    """Returns the inputs of a module as text, without descriptions, which differ between the modules."""
    text = (TOP / folder / "variables.tf").read_text()
    blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.M | re.S)
    assert len(blocks) == text.count('variable "')
    return {name: re.sub(r"^  description .*\n", "", body, flags=re.M) for name, body in blocks}


def default(block):
    found = re.search(r"^  default += (.*)$", block, re.M)
    return parity.canonical(json.loads(found[1])) if found else None


def test_the_inputs_and_their_defaults_are_the_same():
    terraform = {name: default(block) for name, block in variables("terraform").items()}
    ours = parameters("automirror.yaml")
    cloudformation = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in ours.items()}
    assert terraform.keys() - cloudformation.keys() == TERRAFORM_ONLY.keys()
    assert cloudformation.keys() <= terraform.keys()
    for name in terraform.keys() & cloudformation.keys():
        assert (terraform[name] or "") == cloudformation[name], name


# The name of the stack is its value.
WITHOUT_INPUT = {"MIRROR_INSTALLATION"}


@pytest.mark.parametrize("function", ["Function", "ConfigRuleFunction"])
def test_every_setting_is_an_input(function):
    # The tests of the code check that this table lists all settings.
    settings = set(re.findall(r"`(MIRROR_[A-Z_]+)`", (TOP / "docs/settings.md").read_text()))
    resolved = resolve("automirror.yaml", {})["Resources"][function]["Properties"]
    assert set(resolved["Environment"]["Variables"]) == settings
    inputs = {parity.camel(setting.lower()) for setting in settings - WITHOUT_INPUT}
    assert inputs <= set(parameters("automirror.yaml"))


def test_an_input_is_the_same_in_every_module():
    root = variables("terraform")
    differ = {
        "automirror": {"zip", "object_version", "config_rule_name", "config_rule_revision"},
        "config-rule": {"zip", "object_version", "name", "installation", "dead_letter_queue_arn"},
    }
    for module, own in differ.items():
        for name, block in variables(f"terraform/modules/{module}").items():
            assert (name in own) == (root.get(name) != block), f"{module}: {name}"
