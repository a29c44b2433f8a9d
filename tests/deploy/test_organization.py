"""organization.yaml, and the template in three accounts and two regions of moto's fake of AWS.

moto creates the stacks of a StackSet if it is told their accounts. It has no accounts that join, and no resource type for
a StackSet. So the StackSet is created through the API, from the resolved properties of organization.yaml.
"""

import json
import re
import subprocess

import pytest
import story
from botocore.loaders import Loader
from conftest import TOP, Aws
from templates import parameters, resolve
from test_cloudformation import Toolkit, ids_of
from test_scripts import UPLOADED, Stage

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


# Every stack of a StackSet gets the same values. These parameters would be wrong in all accounts or regions but one.
NOT_HANDED_ON = {
    "MirrorVpcIds": "a VPC is of one account and region",
    "MirrorFilterId": "a filter is of one account and region, and AWS shares none. Each stack creates its own",
    "CodeBucket": "a bucket is of one region. CodeBucketPrefix names one for each",
    "CreateTopic": "a topic in each account and region, to which nobody subscribes. EventBusArn brings all to one place",
    "AlarmEmail": "somebody would have to confirm a mail for each account and region. EventBusArn needs none",
    "CodeSigningConfigArn": "a code signing configuration is of one account and region",
    "SubnetIds": "subnets are of one account and region",
    "SecurityGroupIds": "security groups are of one account and region",
    "SensorLoadBalancers": "a load balancer is of one account and region",
    "AutomirrorObjectVersion": "a version is of one bucket, and each region has its own",
    "ConfigRuleObjectVersion": "a version is of one bucket, and each region has its own",
}
# What differs in organization.yaml, and why.
OTHERWISE = {
    "CodeBucketPrefix": "has no default: CodeBucket is not there instead",
    "CodeKeyPrefix": "has no default: publish.sh prints it",
    "MirrorMode": "begins with detect",
    "CreateDashboard": "begins with false: AWS bills all but three of the organization",
    "PermissionsBoundaryArn": "is PermissionsBoundaryName: the ARN names an account",
}


def described(path, parameter):
    """Returns what a template says of a parameter, without its description."""
    text = (TOP / "cloudformation" / path).read_text()
    block = re.search(rf"^  {parameter}:\n((?:    .*\n)+)", text, re.M)[1]
    return re.sub(r"^    Description: .*\n", "", block, flags=re.M)


def test_each_parameter_of_the_template_is_handed_on_or_has_a_reason_not_to_be():
    keys = [one["ParameterKey"] for one in stack_set()["Parameters"]]
    assert len(keys) == len(set(keys)) and not set(keys) & NOT_HANDED_ON.keys()
    assert set(keys) | NOT_HANDED_ON.keys() == parameters("automirror.yaml").keys()


def test_what_is_handed_on_is_the_parameter_of_the_same_name():
    text = (TOP / "cloudformation/organization.yaml").read_text()
    pairs = re.findall(r"- ParameterKey: (\w+)\n +ParameterValue: !Ref (\w+)\n", text)
    assert len(pairs) == text.count("ParameterKey:")
    assert {key: name for key, name in pairs if key != name} == {"PermissionsBoundaryArn": "PermissionsBoundaryName"}


def test_organization_yaml_takes_just_what_each_account_takes():
    """What one accepts and the other does not would fail in each account."""
    handed_on = {one["ParameterKey"] for one in stack_set()["Parameters"]}
    for name in handed_on - OTHERWISE.keys():
        assert described("organization.yaml", name) == described("automirror.yaml", name), name
    assert OTHERWISE.keys() <= handed_on


def test_an_organization_without_a_target_is_refused():
    text = (TOP / "cloudformation/organization.yaml").read_text()
    rule = text.split("\nRules:\n", 1)[1].split("  AlarmsNeedTheSummary:\n", 1)
    assert '!Not [!Equals [!Ref MirrorTargetOwners, ""]], !Not [!Equals [!Ref MirrorTargetIds, ""]]' in rule[0]
    ours = (TOP / "cloudformation/automirror.yaml").read_text().split("  AlarmsNeedTheSummary:\n", 1)[1]
    assert rule[1].split("\nResources:", 1)[0].rstrip() == ours.split("  OneBucket:", 1)[0].rstrip()


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
    assert published["Architecture"] == "arm64"
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


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def publish(stage, *regions, arn="arn:aws:iam::111122223333:user/alice", code=0):
    answers = [
        {"call": ["s3api head-bucket"], "out": ""},
        UPLOADED,
        {"call": ["sts get-caller-identity"], "out": f"{arn}\n"},
        {"call": ["put-public-access-block"], "out": ""},
        {"call": ["put-bucket-policy"], "out": ""},
    ]
    command = ("publish.sh", "--organization", "o-a1b2c3d4e5", "zips", *regions)
    return stage.run(*command, answers=answers, code=code)


@pytest.mark.parametrize(
    "there, printed", [(["arm64"], "arm64"), (["x86_64"], "x86_64"), (["arm64", "x86_64"], "arm64")]
)
def test_publish_prints_an_architecture_that_it_uploaded(stage, there, printed):
    stage.packages(*there)
    said = publish(stage, "eu-west-1")
    assert re.findall("^Architecture=(.*)$", said, re.M) == [printed]
    uploaded = {name for name in re.findall(r"(\S+\.zip) ", " ".join(stage.calls()))}
    assert {name.rsplit("/", 1)[1] for name in uploaded} == {
        f"{function}-{one}.zip" for function in ("automirror", "config-rule") for one in there
    }
    assert ("Architecture=x86_64 works as well" in said) == (len(there) == 2)


def test_publish_needs_both_functions_for_one_architecture(stage):
    stage.packages("arm64", "x86_64")
    for name in ("automirror-arm64.zip", "config-rule-x86_64.zip"):
        (stage.folder / "target/package" / name).unlink()
    said = publish(stage, "eu-west-1", code=1)
    assert "make package ARCHITECTURES=arm64" in said and stage.calls() == []


def test_the_url_of_the_template_has_the_suffix_of_its_partition(stage):
    for partition in Loader().load_data("partitions")["partitions"]:
        region = next(name for name in partition["regions"] if not name.endswith("-global"))
        said = publish(stage, region, arn=f"arn:{partition['id']}:iam::111122223333:user/alice")
        assert f"TemplateUrl=https://zips-{region}.s3.{region}.{partition['outputs']['dnsSuffix']}/automirror/" in said
    said = publish(stage, "x-1", arn="arn:aws-moon:iam::111122223333:user/alice", code=1)
    assert "the partition aws-moon is not known" in said
    assert not any("s3" in call for call in stage.calls())


def sessions(place):
    return ids_of(place.client("ec2").describe_traffic_mirror_sessions()["TrafficMirrorSessions"])


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "--organization must be an id"),
        (["--organization", "o-1", "zips", "us-east-1"], "--organization must be an id"),
        (["--organization", "o-a1b2c3d4e5", "zips"], "PREFIX or REGION is missing"),
        (["--organization", "o-a1b2c3d4e5", "--verbose"], "there is no option --verbose"),
        (["--organization"], "--organization needs a value"),
        (["--organization", "o-a1b2c3d4e5", "Zips", "us-east-1"], "Zips is not the beginning of the name of a bucket"),
    ],
)
def test_publish_says_what_is_wrong(arguments, said):
    done = subprocess.run([TOP / "cloudformation/publish.sh", *arguments], text=True, capture_output=True)
    assert done.returncode == 2 and said in done.stderr and "Publishes the packages" in done.stderr
