"""organization.yaml, and the template in three accounts and two regions of moto's fake of AWS.

moto creates the stacks of a StackSet if it is told their accounts. It has no accounts that join, and no resource type for
a StackSet. So the StackSet is created through the API, from the resolved properties of organization.yaml.
"""

import json
import re
import subprocess

import pytest
import story
from conftest import TOP, Aws
from templates import parameters, resolve
from test_cloudformation import Toolkit, ids_of

ACCOUNTS = ["111111111111", "222222222222", "333333333333"]
REGIONS = ["eu-central-1", "us-east-1"]
GIVEN = {
    "TemplateUrl": "https://zips-eu-central-1.s3.eu-central-1.amazonaws.com/x/automirror.yaml",
    "CodeBucketPrefix": "zips",
    "CodeKeyPrefix": "x/",
    "OrganizationalUnitIds": "ou-1",
    "Regions": ",".join(REGIONS),
    "MirrorTargetOwners": "self",
}


def stack_set(**values):
    resolved = resolve("organization.yaml", GIVEN | values)
    return resolved["Resources"]["StackSet"]["Properties"]


def test_the_stack_set_hands_on_parameters_that_the_template_has():
    known = parameters("automirror.yaml")
    handed_on = {one["ParameterKey"] for one in stack_set()["Parameters"]}
    assert handed_on <= known.keys()
    # What is not handed on has a default that suits every account.
    assert known["ConfigRuleName"] == "automirror" and known["RolePath"] == "/automirror/"


def test_new_accounts_are_covered_and_the_first_mode_is_detect():
    properties = stack_set()
    assert properties["PermissionModel"] == "SERVICE_MANAGED"
    assert properties["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": "false"}
    assert {"ParameterKey": "MirrorMode", "ParameterValue": "detect"} in properties["Parameters"]
    (group,) = properties["StackInstancesGroup"]
    assert group["Regions"] == REGIONS


def test_role_names_are_chosen_by_cloudformation_or_are_the_same_in_every_account():
    given = [one["ParameterValue"] for one in stack_set()["Parameters"] if one["ParameterKey"] == "RoleNamePrefix"]
    assert given == [parameters("automirror.yaml")["RoleNamePrefix"]] == [""]
    handed_on = stack_set(RoleNamePrefix="sec-mirroring")["Parameters"]
    assert {"ParameterKey": "RoleNamePrefix", "ParameterValue": "sec-mirroring"} in handed_on

    def described(template):
        text = (TOP / "cloudformation" / template).read_text()
        return re.search(r"^  RoleNamePrefix:\n(?:    .*\n)+", text, re.M)[0]

    # What one accepts and the other does not would fail in each account.
    assert described("organization.yaml") == described("automirror.yaml")


@pytest.fixture
def published(aws, tmp_path, zips):
    toolkit = Toolkit(aws, tmp_path, zips)
    said = toolkit.run("publish.sh", "--organization", "o-a1b2c3d4e5", "zips", *REGIONS)
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def test_a_stack_set_covers_each_account_and_region_and_leaves_nothing(aws, published):
    for region in REGIONS:
        s3 = Aws(aws.address, region=region).client("s3")
        (allowed, _) = json.loads(s3.get_bucket_policy(Bucket=f"zips-{region}")["Policy"])["Statement"]
        assert allowed["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
        keys = {one["Key"] for one in s3.list_objects_v2(Bucket=f"zips-{region}")["Contents"]}
        names = ("automirror-arm64.zip", "config-rule-arm64.zip", "automirror.yaml")
        assert keys == {published["CodeKeyPrefix"] + name for name in names}
    places = [Aws(aws.address, account, region) for account in ACCOUNTS for region in REGIONS]
    # Each account has a target of its own here: moto cannot share one.
    for place in places:
        story.make_target(place)
        story.launch(place, {"Mirror": "True"})
    chosen = {key: value for key, value in published.items() if key.startswith("Code")}
    chosen["RoleNamePrefix"] = "sec-mirroring"
    properties = stack_set(MirrorMode="enforce", CreateConfigRule="false", **chosen)
    client = aws.client("cloudformation")
    client.create_stack_set(
        StackSetName="automirror",
        TemplateBody=(TOP / "cloudformation/automirror.yaml").read_text(),
        Parameters=properties["Parameters"],
        Capabilities=properties["Capabilities"],
    )
    client.create_stack_instances(StackSetName="automirror", Accounts=ACCOUNTS, Regions=REGIONS)
    for place in places:
        # The lifecycle function started a sweep in each of them.
        assert len(sessions(place)) == 1, (place.account, place.region)
        roles = place.client("iam").list_roles(PathPrefix="/automirror/")["Roles"]
        # Those of the account's other region are beside them.
        parts = ["", "lifecycle-"]
        assert {one["RoleName"] for one in roles} == {f"sec-mirroring-{part}{on}" for part in parts for on in REGIONS}
    client.delete_stack_instances(
        StackSetName="automirror", Accounts=ACCOUNTS, Regions=REGIONS, RetainStacks=False
    )
    for place in places:
        assert sessions(place) == set()
        assert place.client("lambda").list_functions()["Functions"] == []
    client.delete_stack_set(StackSetName="automirror")


def sessions(place):
    return ids_of(place.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"])


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "--organization must be an id"),
        (["--organization", "o-1", "zips", "us-east-1"], "--organization must be an id"),
        (["--organization", "o-a1b2c3d4e5", "zips"], "PREFIX or REGION is missing"),
        (["--organization", "o-a1b2c3d4e5", "--verbose"], "there is no option --verbose"),
    ],
)
def test_publish_says_what_is_wrong(arguments, said):
    done = subprocess.run([TOP / "cloudformation/publish.sh", *arguments], text=True, capture_output=True)
    assert done.returncode == 2 and said in done.stderr and "Publishes the packages" in done.stderr
