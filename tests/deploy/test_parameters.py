"""The patterns of the template accept what the functions accept, and reject what would fail or widen something.

CloudFormation checks them with Java's regular expressions, and these tests with Python's. The patterns use only what
both have.
"""

import json
import re
import subprocess

import pytest
from conftest import TOP
from templates import template


def accepts(parameter, value):
    text = (TOP / "cloudformation/automirror.yaml").read_text()
    block = re.search(rf"^  {parameter}:\n    Type: String\n((?:    .*\n)+)", text, re.M)[1]
    pattern = re.search(r"^    AllowedPattern: '(.*)'$", block, re.M)[1]
    return re.fullmatch(pattern, value) is not None


HUNDRED = ",".join(f"tmt-{n:017x}" for n in range(100))
FORTY = ",".join(f"key{n}=x" for n in range(40))
ACCEPTED = [
    ("MirrorTagKey", "Mirror"),
    ("MirrorTagKey", "aws:autoscaling:groupName"),
    ("MirrorTargetOwners", ""),
    ("MirrorTargetOwners", "self"),
    ("MirrorTargetOwners", "123456789012"),
    ("MirrorTargetOwners", "self,123456789012"),
    ("MirrorTargetOwners", "123456789012,self,210987654321"),
    ("MirrorTargetIds", HUNDRED),
    ("MirrorTrustedTargets", HUNDRED),
    ("MirrorTrustedTargets", ""),
    ("MirrorTrustedTargets", "tmt-0123456789abcdef0"),
    ("MirrorTrustedTargets", "tmt-0123456789abcdef0,tmt-0123456789abcdef1"),
    ("MirrorSessionTags", ""),
    ("MirrorSessionTags", "CostCenter=42"),
    ("MirrorSessionTags", "Cost center=a b,Team=sec=ops,Empty=,k8s.io/x:y@z_-+=v"),
    ("MirrorSessionTags", "NameOfTeam=x,Names=y,aws=z,x=aws"),
    ("MirrorSessionTags", FORTY),
    ("MirrorSessionTags", f"{'k' * 128}={'v' * 256}"),
    ("MirrorAcceptedReasons", ""),
    ("MirrorAcceptedReasons", "is-target"),
    (
        "MirrorAcceptedReasons",
        "filter-partial,instance-type,instance-type-unknown,interface-type,requester-managed,is-target,ipv6-only",
    ),
]
# Parameters that are no settings of the functions.
ACCEPTED_BY_THE_TEMPLATE = [
    ("ConfigRuleName", "automirror"),
    ("ConfigRuleTargetHealth", ""),
    ("ConfigRuleTargetHealth", "1"),
    ("ConfigRuleTargetHealth", "1440"),
    ("ConfigRuleConcurrency", ""),
    ("ConfigRuleConcurrency", "5"),
    ("AlarmEmail", ""),
    ("AlarmEmail", "security+alarms@example.com"),
    ("SensorLoadBalancers", ""),
    ("SensorLoadBalancers", "net/sensors/0123456789abcdef"),
    ("SensorLoadBalancers", "net/East-1/0123456789abcdef,net/w/0123456789abcdee,net/n/0123456789abcded"),
    ("RolePath", "/"),
    ("RoleNamePrefix", ""),
    ("RoleNamePrefix", "sec-mirroring"),
    ("RolePath", "/team/automirror/"),
    ("PermissionsBoundaryArn", ""),
    ("PermissionsBoundaryArn", "team/boundary"),
    ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/team/boundary"),
    ("CodeBucket", "my-zips.example"),
    ("CodeBucketPrefix", "zips"),
    ("CodeKeyPrefix", ""),
    ("CodeKeyPrefix", "automirror/0.1.0/"),
    ("AutomirrorObjectVersion", ""),
    ("AutomirrorObjectVersion", "3sL4kqtJlcpXroDTDmJ_rmSpXd3dIbrHY-MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"),
    ("ConfigRuleObjectVersion", "null"),
]
REJECTED = [
    ("ConfigRuleName", ""),
    ("ConfigRuleName", "a rule"),
    ("ConfigRuleName", "r" * 65),
    ("ConfigRuleConcurrency", "0"),
    ("AlarmEmail", "nobody"),
    ("SensorLoadBalancers", "sensors"),
    ("SensorLoadBalancers", "app/sensors/0123456789abcdef"),
    ("SensorLoadBalancers", "net/sensors/0123456789abcde"),
    ("SensorLoadBalancers", "net/sensors/0123456789abcdef,"),
    ("SensorLoadBalancers", "net/a/0123456789abcdef, net/b/0123456789abcdef"),
    ("SensorLoadBalancers", ",".join(f"net/{name}/0123456789abcdef" for name in "abcd")),
    (
        "SensorLoadBalancers",
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/sensors/0123456789abcdef",
    ),
    ("RolePath", "automirror"),
    ("RoleNamePrefix", "a/b"),
    ("RoleNamePrefix", "r" * 38),
    ("RolePath", "/automirror"),
    ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:role/x"),
    ("CodeBucket", "Zips"),
    ("CodeKeyPrefix", "a b"),
    ("AutomirrorObjectVersion", "a b"),
    ("ConfigRuleObjectVersion", "v" * 1025),
    ("MirrorTagKey", ""),
    ("MirrorTagKey", " Mirror"),
    ("MirrorTagKey", "Mirror*"),
    ("MirrorTagKey", "mirror-TARGET"),
    ("MirrorTagKey", "k" * 129),
    ("MirrorTagValue", "aws:x"),
    ("MirrorTargetOwners", "*"),
    ("MirrorTargetOwners", "Self"),
    ("MirrorTargetOwners", "self,"),
    ("MirrorTargetOwners", "self,self"),
    ("MirrorTargetOwners", "self, 123456789012"),
    ("MirrorTargetOwners", "self123456789012"),
    ("MirrorTargetOwners", "12345678901"),
    ("MirrorTargetIds", f"{HUNDRED},tmt-0123456789abcdef0"),
    ("MirrorTrustedTargets", f"{HUNDRED},tmt-0123456789abcdef0"),
    ("MirrorTrustedTargets", "*"),
    ("MirrorTrustedTargets", "tmt-0123456789abcdef0,"),
    ("MirrorTrustedTargets", "eni-0123456789abcdef0"),
    ("MirrorSessionTags", "CostCenter"),
    ("MirrorSessionTags", "=42"),
    ("MirrorSessionTags", "a=1,"),
    ("MirrorSessionTags", "a=1, b=2"),
    ("MirrorSessionTags", "a=1,b"),
    ("MirrorSessionTags", "a =1"),
    ("MirrorSessionTags", "a= 1"),
    ("MirrorSessionTags", "*=1"),
    ("MirrorSessionTags", "${aws:username}=1"),
    ("MirrorSessionTags", "a=${aws:username}"),
    ("MirrorSessionTags", "aws:x=1"),
    ("MirrorSessionTags", "a=1,AWS:x=1"),
    ("MirrorSessionTags", "a=aws:1"),
    ("MirrorSessionTags", "managedby=me"),
    ("MirrorSessionTags", "a=1,Name=x"),
    ("MirrorSessionTags", "Invocation=1"),
    ("MirrorSessionTags", "Installation=1"),
    ("MirrorSessionTags", f"{FORTY},one=more"),
    ("MirrorSessionTags", f"{'k' * 129}=v"),
    ("MirrorSessionTags", f"k={'v' * 257}"),
    ("ConfigRuleTargetHealth", "0"),
    ("ConfigRuleTargetHealth", "1441"),
    ("ConfigRuleTargetHealth", "30 "),
    ("MirrorAcceptedReasons", "shadowed"),
    ("MirrorAcceptedReasons", "is-target,made-a-target"),
    ("MirrorAcceptedReasons", "is-target, ipv6-only"),
    ("MirrorAcceptedReasons", "is-targetipv6-only"),
]


@pytest.mark.parametrize("parameter, value", ACCEPTED + ACCEPTED_BY_THE_TEMPLATE)
def test_a_parameter_accepts(parameter, value):
    assert accepts(parameter, value)


@pytest.mark.parametrize("function", ["automirror", "config-rule"])
@pytest.mark.parametrize("parameter, value", ACCEPTED)
def test_a_function_starts_with_what_a_parameter_accepts(function, parameter, value):
    setting = re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper()
    nowhere = "127.0.0.1:9"
    environment = {
        setting: value,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": f"http://{nowhere}",
        "AWS_LAMBDA_RUNTIME_API": nowhere,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    }
    done = subprocess.run([TOP / "target/debug" / function], env=environment, text=True, capture_output=True, timeout=60)
    # It gets past its settings and ends because there is no Lambda.
    assert "the Lambda runtime stopped" in done.stdout + done.stderr


@pytest.mark.parametrize("parameter, value", REJECTED)
def test_a_parameter_rejects(parameter, value):
    assert not accepts(parameter, value)


# Lambda measures the variables of a function as JSON (Lambda developer guide, "Lambda quotas"). IAM does not count spaces
# (IAM user guide, "IAM and AWS STS quotas").
ENVIRONMENT, ROLE = 4096, 10_240


def sizes(**values):
    """Returns how large the variables of the function and the policy of its role are in a stack of a StackSet."""
    stack = "StackSet-automirror-0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d"
    resources = template("automirror.yaml", stack, {"AWS::Region": "ap-southeast-1"} | values)["Resources"]
    (policy,) = resources["Role"]["Properties"]["Policies"]
    variables = resources["Function"]["Properties"]["Environment"]["Variables"]
    return [len(json.dumps(one, separators=(",", ":"))) for one in (variables, policy["PolicyDocument"])]


def test_as_many_targets_as_the_pattern_takes_have_room_in_the_function_and_in_its_role():
    more = {
        "MirrorVpcIds": ",".join(f"vpc-{n:017x}" for n in range(10)),
        "MirrorSessionTags": "CostCenter=42,Team=network",
        "KmsKeyArn": "arn:aws:kms:ap-southeast-1:123456789012:key/0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d",
        "SubnetIds": "subnet-0123456789abcdef0",
        "SecurityGroupIds": "sg-0123456789abcdef0",
    }
    variables, policy = sizes(MirrorTargetIds=HUNDRED, **more)
    assert variables <= ENVIRONMENT and policy <= ROLE
    # What docs/limits.md says of both lists together, and why the pattern does not take more.
    fifty = ",".join(HUNDRED.split(",")[:50])
    assert sizes(MirrorTargetIds=HUNDRED, MirrorTrustedTargets=fifty)[0] <= ENVIRONMENT
    assert sizes(MirrorTargetIds=HUNDRED, MirrorTrustedTargets=HUNDRED)[0] > ENVIRONMENT
    assert sizes(MirrorTargetIds=f"{HUNDRED},{fifty}")[1] > ROLE


def test_with_alarms_the_log_keeps_the_summary():
    """The alarms read lines of the level INFO. Nothing else in these tests evaluates the rules of the template."""
    text = (TOP / "cloudformation/automirror.yaml").read_text()
    rule = text.split("  AlarmsNeedTheSummary:\n", 1)[1].split("  OneBucket:", 1)[0]
    assert '!Equals [!Ref CreateAlarms, "false"], !Contains [[TRACE, DEBUG, INFO], !Ref LogLevel]' in rule
