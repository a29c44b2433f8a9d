"""The findings of linters that we accept, each with the reason. test_findings.py fails if the linters find others."""

from typing import NamedTuple


class Accepted(NamedTuple):
    tool: str
    finding: str
    reason: str
    # The file and the resource, or the role and the statement.
    where: tuple[str, ...]


TEMPLATE = "cloudformation/automirror.yaml"
AUTOMIRROR = (
    f"{TEMPLATE} AWS::Lambda::Function.Function",
    "terraform/modules/automirror/main.tf aws_lambda_function.this",
)
CONFIG_RULE = (
    f"{TEMPLATE} AWS::Lambda::Function.ConfigRuleFunction",
    "terraform/modules/config-rule/main.tf aws_lambda_function.this",
)
LIFECYCLE = (
    f"{TEMPLATE} AWS::Lambda::Function.LifecycleFunction",
    "terraform/modules/automirror/lifecycle.tf aws_lambda_function.lifecycle",
)
LOG_GROUPS = (
    "terraform/modules/automirror/main.tf aws_cloudwatch_log_group.this",
    "terraform/modules/config-rule/main.tf aws_cloudwatch_log_group.this",
    "terraform/modules/automirror/lifecycle.tf aws_cloudwatch_log_group.lifecycle",
)
EXAMPLE = "terraform/examples/complete/main.tf"
INSTANCES = (f"{EXAMPLE} aws_instance.sensor", f"{EXAMPLE} aws_instance.mirrored")
WAYS = ("cloudformation", "terraform")

ACCEPTED = (
    Accepted(
        "checkov",
        "CKV_AWS_116",
        "Lambda invokes automirror from its queue, which has a dead-letter queue. config-rule has a destination for what "
        "fails, which tells more than a dead-letter queue. CloudFormation and Terraform wait for the lifecycle function, "
        "and fail if it does.",
        AUTOMIRROR + CONFIG_RULE + LIFECYCLE,
    ),
    Accepted(
        "checkov",
        "CKV_AWS_115",
        "The event source mapping limits the concurrency of automirror, and only one invocation of the lifecycle function "
        "runs at a time. Reserved concurrency would take it from the account's other functions.",
        AUTOMIRROR + LIFECYCLE,
    ),
    Accepted(
        "checkov",
        "CKV_AWS_117",
        "The lifecycle function must reach S3, where CloudFormation expects its answer, and the APIs of EC2 and Lambda. "
        "A VPC may have no way there, and then the stack could not be deleted.",
        LIFECYCLE,
    ),
    Accepted(
        "checkov",
        "CKV_AWS_272",
        "The code of the lifecycle function is in the template and in the module, so it cannot be signed.",
        LIFECYCLE[1:],
    ),
    Accepted(
        "checkov",
        "CKV_AWS_50",
        "Tracing needs two permissions on all resources and costs money for each call. The log line of an invocation "
        "already says what took how long.",
        (AUTOMIRROR + CONFIG_RULE + LIFECYCLE)[1::2],
    ),
    Accepted(
        "checkov",
        "CKV_AWS_338",
        "The retention of the log is a parameter, 30 days by default. The operator decides whether to pay for a year.",
        LOG_GROUPS,
    ),
    Accepted("checkov", "CKV_AWS_135", "The instance types of the example are always EBS-optimized.", INSTANCES),
    Accepted("checkov", "CKV_AWS_126", "The example runs for minutes and needs no detailed monitoring.", INSTANCES),
    Accepted("checkov", "CKV2_AWS_41", "The instances of the example call no AWS API.", INSTANCES),
    Accepted(
        "checkov",
        "CKV_AWS_150",
        "The example is meant to be destroyed soon, so it has no deletion protection.",
        (f"{EXAMPLE} aws_lb.sensor",),
    ),
    Accepted(
        "checkov",
        "CKV_AWS_91",
        "A Network Load Balancer logs only TLS connections, and the example has none.",
        (f"{EXAMPLE} aws_lb.sensor",),
    ),
    Accepted(
        "checkov",
        "CKV_AWS_394",
        "The example works in any two Availability Zones, and accounts may see different ones.",
        (f"{EXAMPLE} aws_availability_zones.available",),
    ),
    Accepted(
        "checkov",
        "CKV2_AWS_11",
        "Flow logs show no mirrored packets, and the VPC of the example has no internet access.",
        (f"{EXAMPLE} aws_vpc.this",),
    ),
    Accepted(
        "cfn-lint",
        "W1031",
        "With the default of CodeBucketPrefix there is no name of a bucket, but then the condition does not choose it.",
        (f"{TEMPLATE} Function", f"{TEMPLATE} ConfigRuleFunction"),
    ),
    Accepted(
        "cfn-lint",
        "E3002",
        "The schema of cfn-lint accepts only IPv4 blocks in a filter rule. EC2 accepts IPv4 and IPv6.",
        (f"{TEMPLATE} DefaultFilterIngressIpv6", f"{TEMPLATE} DefaultFilterEgressIpv6"),
    ),
    Accepted(
        "parliament",
        "RESOURCE_MISMATCH",
        "parliament checks each statement by itself. The permissions to create a session (on interface, target, filter "
        "and session) are in four statements with different limits. Those to modify one are in three.",
        tuple(
            f"{way} automirror {sid}"
            for way in WAYS
            for sid in ("MirrorInterfaces", "UseAllowedTargets", "UseAllowedFilters", "CreateOwnSession")
        ),
    ),
    Accepted(
        "parliament",
        "RESOURCE_MISMATCH",
        "Only with subnets. The Lambda developer guide asks for this form, and our code has no permission to use it.",
        tuple(f"{way} {role} DisconnectFromVpc" for way in WAYS for role in ("automirror", "config-rule")),
    ),
)


def accepted(tool, folder):
    """Returns the accepted findings of a tool in a folder, as (finding, where)."""
    return sorted(
        (entry.finding, where)
        for entry in ACCEPTED
        for where in entry.where
        if entry.tool == tool and where.startswith(folder)
    )
