"""The roles have the permissions that the code needs to read EC2, and no others.

The end-to-end tests check all permissions, with the template. test_parity.py tests that Terraform has the same.
"""

import re

import pytest
from conftest import TOP
from templates import template


def read_calls():
    """Returns the actions of EC2 that the code calls to read. Only two files read EC2, which architecture.rs
    checks.
    """
    source = "".join((TOP / "shared/ec2/src" / name).read_text() for name in ("call.rs", "interfaces.rs"))
    # The regions are asked for by mirrorctl only, with the permissions of whoever calls it.
    names = set(re.findall(r"\.describe_(\w+)\(\)", source)) - {"regions"}
    return {"ec2:Describe" + "".join(part.capitalize() for part in name.split("_")) for name in names}


def statements(role, given=()):
    (policy,) = template("automirror.yaml", "stack", dict(given))["Resources"][role]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


@pytest.mark.parametrize("role", ["Role", "ConfigRuleRole"])
def test_what_the_code_reads_is_what_the_role_may_read(role):
    (statement,) = [one for one in statements(role) if one["Sid"] == "ReadEc2"]
    assert set(statement["Action"]) == read_calls()
    assert (statement["Resource"], statement["Condition"]) == ("*", {"StringEquals": {"ec2:Region": "us-east-1"}})


def test_only_a_rule_that_looks_behind_targets_may():
    sids = {"ReadSecurityGroups", "ReadLoadBalancers"}
    assert not sids & {one["Sid"] for one in statements("ConfigRuleRole")}
    chosen = statements("ConfigRuleRole", {"ConfigRuleTargetHealth": "30"})
    groups, balancers = (one for one in chosen if one["Sid"] in sids)
    assert groups["Action"] == "ec2:DescribeSecurityGroups"
    # Those of shared-elb that doctor alone calls are not among them.
    source = (TOP / "shared/elb/src/read.rs").read_text()
    called = set(re.findall(r"elasticloadbalancing:\w+", source))
    assert set(balancers["Action"]) == {one for one in called if "Attributes" not in one and "TargetGroups" not in one}
    assert not sids & {one["Sid"] for one in statements("Role", {"ConfigRuleTargetHealth": "30"})}


# The action that each call of lifecycle.py needs.
LIFECYCLE_CALLS = {
    "delete_traffic_mirror_session": "ec2:DeleteTrafficMirrorSession",
    "describe_stacks": "cloudformation:DescribeStacks",
    "describe_traffic_mirror_sessions": "ec2:DescribeTrafficMirrorSessions",
    "invoke": "lambda:InvokeFunction",
    "start_config_rules_evaluation": "config:StartConfigRulesEvaluation",
}


def test_the_lifecycle_function_has_the_permissions_for_its_calls_and_no_others():
    code = (TOP / "cloudformation/lifecycle.py").read_text()
    calls = set(re.findall(r'\)\.(\w+)\(\w+=|\b(?:client|ec2)\.(\w+)\(|get_paginator\("(\w+)"\)', code))
    named = {name for groups in calls for name in groups if name and name != "client"}
    assert named == LIFECYCLE_CALLS.keys()
    granted = {statement["Action"] for statement in statements("LifecycleRole") if statement["Sid"] != "WriteLog"}
    assert granted == set(LIFECYCLE_CALLS.values())
    for statement in statements("LifecycleRole"):
        if statement["Action"] not in ("ec2:DescribeTrafficMirrorSessions",):
            assert statement["Resource"] != "*", statement
