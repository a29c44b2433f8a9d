"""What the linters find and we accept, with the reason. test_findings.py fails where this list and they differ."""

from typing import NamedTuple


class Accepted(NamedTuple):
    tool: str
    finding: str
    reason: str
    # File and resource, or role and statement.
    where: tuple[str, ...]


TEMPLATES = ("cloudformation/automirror.yaml", "cloudformation/config-rule.yaml")
MODULES = ("module.automirror.module.automirror", "module.automirror.module.config_rule")
FUNCTIONS = (
    *(f"{template} AWS::Lambda::Function.Function" for template in TEMPLATES),
    f"terraform/modules/automirror/main.tf {MODULES[0]}.aws_lambda_function.this",
    f"terraform/modules/config-rule/main.tf {MODULES[1]}.aws_lambda_function.this",
)
LOG_GROUPS = (
    f"terraform/modules/automirror/main.tf {MODULES[0]}.aws_cloudwatch_log_group.this",
    f"terraform/modules/config-rule/main.tf {MODULES[1]}.aws_cloudwatch_log_group.this",
)
EXAMPLE = "terraform/examples/complete/main.tf"
INSTANCES = (f"{EXAMPLE} aws_instance.sensor", f"{EXAMPLE} aws_instance.mirrored")
WAYS = ("cloudformation", "terraform")

ACCEPTED = (
    Accepted(
        "checkov",
        "CKV_AWS_116",
        "A dead-letter queue of a function is for calls that nobody waits for. automirror is called through its queue, "
        "which has one; AWS Config judges again by itself, and the alarm tells of errors.",
        FUNCTIONS,
    ),
    Accepted(
        "checkov",
        "CKV_AWS_115",
        "The event source mapping limits how often automirror runs at once; reserving concurrency would take it from "
        "the account's other functions.",
        FUNCTIONS,
    ),
    Accepted(
        "checkov",
        "CKV_AWS_50",
        "Tracing asks for two rights on everything and costs by the call; each invocation's log line says what took "
        "how long.",
        FUNCTIONS[2:],
    ),
    Accepted(
        "checkov",
        "CKV_AWS_338",
        "How long a log is kept is a parameter, 30 days by default: keeping it for a year is for the operator to pay.",
        LOG_GROUPS,
    ),
    Accepted("checkov", "CKV_AWS_135", "The types of the example are always optimised for EBS.", INSTANCES),
    Accepted("checkov", "CKV_AWS_126", "An example that stands for minutes needs no detailed monitoring.", INSTANCES),
    Accepted("checkov", "CKV2_AWS_41", "The instances of the example call nothing of AWS.", INSTANCES),
    Accepted(
        "checkov",
        "CKV_AWS_150",
        "The example is there to be destroyed after a look.",
        (f"{EXAMPLE} aws_lb.sensor",),
    ),
    Accepted(
        "checkov",
        "CKV_AWS_91",
        "A Network Load Balancer logs TLS connections only; there are none.",
        (f"{EXAMPLE} aws_lb.sensor",),
    ),
    Accepted(
        "checkov",
        "CKV_AWS_394",
        "Any two zones do for the example, and an account that sees others gets others.",
        (f"{EXAMPLE} aws_availability_zones.available",),
    ),
    Accepted(
        "checkov",
        "CKV2_AWS_11",
        "Flow logs show no mirrored packets, and the VPC of the example has no way out.",
        (f"{EXAMPLE} aws_vpc.this",),
    ),
    Accepted(
        "cfn-lint",
        "W3002",
        "The code is a local file: the templates are for `aws cloudformation package`.",
        tuple(f"{template} Function" for template in TEMPLATES),
    ),
    Accepted(
        "cfn-lint",
        "E3002",
        "Its schema takes the blocks of a filter rule for IPv4 only; EC2 takes both.",
        (f"{TEMPLATES[0]} DefaultFilterIngressIpv6", f"{TEMPLATES[0]} DefaultFilterEgressIpv6"),
    ),
    Accepted(
        "parliament",
        "RESOURCE_MISMATCH",
        "It judges statements one at a time. What a create needs (a right on interface, target, filter and session) is "
        "in four, each with its own limits; what a change needs is in three.",
        tuple(
            f"{way} automirror {sid}"
            for way in WAYS
            for sid in ("MirrorInterfaces", "UseAllowedTargets", "UseAllowedFilters", "CreateOwnSession")
        ),
    ),
    Accepted(
        "parliament",
        "RESOURCE_MISMATCH",
        "With subnets only: Lambda's guide asks for this form, and our code may not use it.",
        tuple(f"{way} {role} DisconnectFromVpc" for way in WAYS for role in ("automirror", "config-rule")),
    ),
)


def accepted(tool, folder):
    """The findings of a tool in a folder, as (finding, where)."""
    return sorted(
        (entry.finding, where)
        for entry in ACCEPTED
        for where in entry.where
        if entry.tool == tool and where.startswith(folder)
    )
