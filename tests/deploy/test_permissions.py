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
    names = re.findall(r"\.describe_(\w+)\(\)", source)
    return {"ec2:Describe" + "".join(part.capitalize() for part in name.split("_")) for name in names}


@pytest.mark.parametrize("role", ["automirror", "config-rule"])
def test_what_the_code_reads_is_what_the_role_may_read(role):
    (policy,) = template(f"{role}.yaml", "stack", {})["Resources"]["Role"]["Properties"]["Policies"]
    (statement,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "ReadEc2"]
    assert set(statement["Action"]) == read_calls()
    assert (statement["Resource"], statement["Condition"]) == ("*", {"StringEquals": {"ec2:Region": "us-east-1"}})
