"""Brings the resources of CloudFormation and of Terraform into one form, so that tests can compare them."""

import json
import re

from conftest import ACCOUNT, REGION

NAME = "zq"
# The suffix that Terraform's names have, for each resource of the template. The prefix is the input `name`.
SUFFIXES = {
    "AlarmBusRule": "-alarm-bus",
    "ApiCallRule": "-api-call",
    "BrokenSettingsAlarm": "-broken-settings",
    "ChangeBusRule": "-change-bus",
    "ChangeMessageRule": "-change-message",
    "ComplianceBusRule": "-compliance-bus",
    "ComplianceMessageRule": "-compliance-message",
    "ComplianceRule": "-compliance",
    "ConfigRuleFunction": "-config-rule",
    "ConfigRuleRole": f"-config-rule-{REGION}",
    "DeadLetterQueue": "-dead-letters",
    "DeadLettersAlarm": "-dead-letters",
    "ErrorsAlarm": "-errors",
    "Function": "",
    "HeartbeatAlarm": "-heartbeat",
    "HeldBackAlarm": "-held-back",
    "InstanceStateRule": "-instance-state",
    "LifecycleFunction": "-lifecycle",
    "LifecycleRole": f"-lifecycle-{REGION}",
    "MessageRole": f"-messages-{REGION}",
    "MustActAlarm": "-must-act",
    "NothingArrivesAlarm": "-nothing-arrives",
    "OldestMessageAlarm": "-oldest-message",
    "Queue": "",
    "RefusedAlarm": "-refused",
    "Role": f"-{REGION}",
    "SweepRule": "-sweep",
    "TagRule": "-tag",
    "ThrottlesAlarm": "-throttles",
    "Topic": "",
    "UnreadableAlarm": "-unreadable",
}
# The log groups, whose names are paths in Terraform.
LOG_GROUPS = {"LogGroup": "", "ConfigRuleLogGroup": "-config-rule", "LifecycleLogGroup": "-lifecycle"}
# What Terraform does in another way, and why that is the same.
OTHERWISE = {"Lifecycle": "Terraform's resource for an invocation passes the settings as one text"}


def camel(snake):
    return "".join(part.capitalize() for part in snake.split("_"))


def canonical(value):
    """Removes empty values and sorts lists. Replaces a list of one item by the item."""
    if isinstance(value, dict):
        members = {name: canonical(member) for name, member in sorted(value.items())}
        return {name: member for name, member in members.items() if member not in ("", {}, [])}
    if isinstance(value, list):
        items = sorted((canonical(item) for item in value), key=json.dumps)
        return items[0] if len(items) == 1 else items
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


# CloudFormation


def from_template(resolved, stack):
    """Returns the resources of a resolved template by logical id, with the names that Terraform uses."""
    known = {name: one for name, one in resolved["Resources"].items() if name not in OTHERWISE}
    for logical, one in known.items():
        if one["Type"] == "AWS::IAM::Role":
            one["Properties"].setdefault("RoleName", f"{stack}{SUFFIXES[logical]}")
    text = json.dumps(known)
    # An ARN has the name that CloudFormation chooses, also where the template gives one.
    for logical, one in known.items():
        if one["Type"] == "AWS::IAM::Role":
            text = re.sub(rf"{stack}-{logical}-[0-9A-F]{{12}}", one["Properties"]["RoleName"], text)
    for logical, suffix in LOG_GROUPS.items():
        text = re.sub(rf"{stack}-{logical}-[0-9A-F]{{12}}", f"/aws/lambda/{stack}{suffix}", text)
    text = re.sub(rf"{stack}-([A-Za-z0-9]+)-[0-9A-F]{{12}}", lambda found: stack + SUFFIXES[found[1]], text)
    text = re.sub(r"tmf-[0-9a-f]{17}", "the default filter", text)
    # The delimiter of Fn::Join cannot contain references, so the template has wildcards for partition and region.
    text = text.replace("arn:*:ec2:*:", f"arn:aws:ec2:{REGION}:")
    resources = {}
    for logical, resource in json.loads(text).items():
        properties = resource["Properties"]
        shape = SHAPES.get(resource["Type"])
        resources[logical] = canonical(shape(properties) if shape else properties)
    return resources


def without(*names):
    return lambda properties: {name: value for name, value in properties.items() if name not in names}


def dashboard_shape(properties):
    return {"DashboardBody": json.loads(properties["DashboardBody"])}


def role_shape(properties):
    (policy,) = properties["Policies"]
    # Only a stack can be asked whether it is deleted.
    statements = policy["PolicyDocument"]["Statement"]
    policy["PolicyDocument"]["Statement"] = [one for one in statements if one["Sid"] != "ReadStack"]
    for statement in policy["PolicyDocument"]["Statement"]:
        for condition in statement.get("Condition", {}).values():
            if "aws:TagKeys" in condition:
                # The template also has the values of the tags in this list, as keys that EC2 never accepts.
                condition["aws:TagKeys"] = [key for key in condition["aws:TagKeys"] if not key.startswith("aws:")]
    return properties | {"Policies": policy}


def function_shape(properties):
    tags = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
    # Without a reservation, the provider says -1.
    reserved = {"ReservedConcurrentExecutions": properties.get("ReservedConcurrentExecutions", -1)}
    return {name: value for name, value in properties.items() if name != "Code"} | {"Tags": tags} | reserved


def function_name(properties):
    return properties["FunctionName"].rsplit(":", 1)[-1]


# Properties that the two write in different forms, and references that only one of them has.
SHAPES = {
    "AWS::CloudWatch::Dashboard": dashboard_shape,
    "AWS::EC2::TrafficMirrorFilterRule": without("TrafficMirrorFilterId"),
    "AWS::IAM::Role": role_shape,
    "AWS::Lambda::EventInvokeConfig": lambda properties: properties | {"FunctionName": function_name(properties)},
    "AWS::Lambda::Function": function_shape,
    "AWS::Logs::MetricFilter": without("FilterName"),
    "AWS::SNS::Subscription": without("TopicArn"),
    "AWS::SNS::TopicPolicy": without("Topics"),
    "AWS::SQS::Queue": lambda properties: {"VisibilityTimeout": 30} | properties,
    "AWS::SQS::QueuePolicy": without("Queues"),
}


# Terraform


def resources(state):
    """Yields each resource of a module and of its child modules: the address without indices, and the values."""
    for resource in state.get("resources", []):
        if resource["mode"] == "managed":
            yield resource["address"].replace("[0]", ""), resource["values"]
    for module in state.get("child_modules", []):
        yield from resources(module)


def from_state(state):
    """Returns the resources of the root module, by the logical ids that the template uses."""
    text = json.dumps(dict(resources(state)))
    text = re.sub(r"tmf-[0-9a-f]{17}", "the default filter", text)
    everything = json.loads(text)
    made = {}
    for module, prefix in [("automirror", ""), ("config_rule", "ConfigRule")]:
        start = f"module.{module}."
        of_module = {
            address.removeprefix(start): values for address, values in everything.items() if address.startswith(start)
        }
        for address, values in of_module.items():
            for logical, properties in translated(address, values, of_module):
                logical = logical if logical == "ConfigRule" else prefix + logical
                assert logical not in made, logical
                made[logical] = canonical(properties)
    return made


# The first part of the logical ids of a role, a function and their log group, by their name in Terraform.
PARTS = {"this": "", "lifecycle": "Lifecycle", "messages": "Message"}


def translated(address, values, everything):
    kind, _, rest = address.partition(".")
    key = re.sub(r'^.*\["(.*)"\]$', r"\1", rest)
    match kind:
        case "aws_cloudwatch_dashboard":
            yield "Dashboard", {"DashboardBody": json.loads(values["dashboard_body"])}
        case "aws_cloudwatch_event_rule":
            yield camel(key) + "Rule", rule(values, everything)
        case "aws_cloudwatch_event_target" | "aws_iam_role_policy" | "aws_lambda_invocation":
            pass  # `rule` and `role` include the first two. `OTHERWISE` names the last.
        case "aws_cloudwatch_log_group":
            part = {"RetentionInDays": values["retention_in_days"], "KmsKeyId": values["kms_key_id"]}
            yield PARTS[rest] + "LogGroup", part
        case "aws_cloudwatch_log_metric_filter":
            yield f"{key}Metric", metric_filter(values)
        case "aws_cloudwatch_query_definition":
            yield f"{camel(key)}Query", take(values, "name", "query_string", "log_group_names")
        case "aws_cloudwatch_metric_alarm":
            yield camel(key) + "Alarm", alarm(values)
        case "aws_config_config_rule":
            yield "ConfigRule", config_rule(values)
        case "aws_ec2_traffic_mirror_filter":
            tags = [{"Key": key, "Value": value} for key, value in values["tags"].items()]
            chosen = take(values, "description", "network_services")
            yield "DefaultFilter", chosen | {"Tags": tags}
        case "aws_ec2_traffic_mirror_filter_rule":
            direction, family = key.split("_")
            # The provider returns 0 if no protocol is set.
            known = {name: value or None for name, value in values.items()}
            fields = [name for name in known if name not in ("arn", "id", "traffic_mirror_filter_id")]
            yield f"DefaultFilter{camel(direction)}{camel(family)}", take(known, *fields)
        case "aws_iam_role":
            yield PARTS[rest] + "Role", role(values, everything[f"aws_iam_role_policy.{rest}"])
        case "aws_lambda_event_source_mapping":
            yield "EventSourceMapping", mapping(values)
        case "aws_lambda_function":
            yield PARTS[rest] + "Function", function(values)
        case "aws_lambda_function_event_invoke_config":
            yield "Invocations", invocations(values)
        case "aws_lambda_permission":
            chosen = take(values, "action", "principal", "source_account", "source_arn")
            yield "Permission", chosen | {"FunctionName": function_arn(values["function_name"])}
        case "aws_sns_topic":
            yield "Topic", take(values, "kms_master_key_id")
            yield "TopicPolicy", {"PolicyDocument": json.loads(values["policy"])}
        case "aws_sns_topic_subscription":
            yield "AlarmSubscription", take(values, "protocol", "endpoint")
        case "aws_sqs_queue":
            logical = "Queue" if rest == "this" else "DeadLetterQueue"
            yield logical, queue(values)
            yield f"{logical}Policy", {"PolicyDocument": json.loads(values["policy"])}
        case _:
            raise AssertionError(f"{address} has no counterpart")


def take(values, *names):
    return {camel(name): values[name] for name in names}


def function_arn(name):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def rule(values, everything):
    targets = [
        {
            "Id": target["target_id"],
            "Arn": target["arn"],
            "InputTransformer": [
                {"InputPathsMap": one["input_paths"], "InputTemplate": one["input_template"]}
                for one in target["input_transformer"]
            ],
            "RetryPolicy": [
                take(one, "maximum_retry_attempts")
                | {"MaximumEventAgeInSeconds": one["maximum_event_age_in_seconds"]}
                for one in target["retry_policy"]
            ],
            "DeadLetterConfig": [take(one, "arn") for one in target["dead_letter_config"]],
        }
        | take(target, "input", "input_path", "role_arn")
        for address, target in everything.items()
        if address.startswith("aws_cloudwatch_event_target.") and target["rule"] == values["name"]
    ]
    assert values["state"] in (None, "ENABLED"), values
    return take(values, "description", "schedule_expression", "role_arn") | {
        "EventPattern": json.loads(values["event_pattern"] or "{}"),
        "Targets": targets,
    }


def alarm(values):
    names = ["namespace", "metric_name", "statistic", "evaluation_periods", "threshold"]
    names += ["comparison_operator", "treat_missing_data", "alarm_description", "alarm_actions"]
    return take(values, *names) | {
        "OKActions": values["ok_actions"],
        # With queries, each has a period, and the provider returns 0.
        "Period": values["period"] or None,
        "Dimensions": dimensions(values),
        "Metrics": [query(one) for one in values["metric_query"]],
    }


def dimensions(values):
    return [{"Name": name, "Value": value} for name, value in (values["dimensions"] or {}).items()]


def query(values):
    stats = [
        {
            "Metric": take(one, "namespace", "metric_name") | {"Dimensions": dimensions(one)},
            "Stat": one["stat"],
            "Period": one["period"],
        }
        for one in values["metric"]
    ]
    return take(values, "id", "expression", "return_data") | {"MetricStat": stats}


def metric_filter(values):
    changes = [
        {"MetricNamespace": one["namespace"], "MetricName": one["name"], "MetricValue": one["value"]}
        for one in values["metric_transformation"]
    ]
    return take(values, "log_group_name") | {"FilterPattern": values["pattern"], "MetricTransformations": changes}


def invocations(values):
    (destinations,) = values["destination_config"]
    (failure,) = destinations["on_failure"]
    return take(values, "function_name", "qualifier", "maximum_retry_attempts") | {
        "MaximumEventAgeInSeconds": values["maximum_event_age_in_seconds"],
        "DestinationConfig": {"OnFailure": take(failure, "destination")},
    }


def config_rule(values):
    (source,) = values["source"]
    (scope,) = values["scope"]
    details = [
        take(detail, "event_source", "message_type", "maximum_execution_frequency")
        for detail in source["source_detail"]
    ]
    return {
        "ConfigRuleName": values["name"],
        "Description": values["description"],
        "InputParameters": json.loads(values["input_parameters"] or "{}"),
        "Scope": take(scope, "compliance_resource_types"),
        "Source": take(source, "owner", "source_identifier") | {"SourceDetails": details},
    }


def role(values, policy):
    return take(values, "path") | {
        "RoleName": values["name"],
        "Description": values["description"],
        "AssumeRolePolicyDocument": json.loads(values["assume_role_policy"]),
        "PermissionsBoundary": values["permissions_boundary"],
        "Policies": {"PolicyName": policy["name"], "PolicyDocument": json.loads(policy["policy"])},
    }


def mapping(values):
    (scaling,) = values["scaling_config"]
    names = ["event_source_arn", "batch_size", "maximum_batching_window_in_seconds", "function_response_types"]
    return take(values, *names) | {
        "FunctionName": values["function_arn"],
        "ScalingConfig": take(scaling, "maximum_concurrency"),
    }


def function(values):
    names = ["description", "runtime", "handler", "architectures", "memory_size", "timeout", "role"]
    names += ["kms_key_arn", "code_signing_config_arn", "reserved_concurrent_executions", "tags"]
    vpc = [take(one, "subnet_ids", "security_group_ids") for one in values["vpc_config"]]
    logging = [take(one, "log_group", "log_format", "application_log_level") for one in values["logging_config"]]
    (environment,) = values["environment"]
    return take(values, *names) | {
        "Environment": {"Variables": environment["variables"]},
        "LoggingConfig": logging,
        "VpcConfig": vpc,
    }


def queue(values):
    redrive = json.loads(values["redrive_policy"] or "{}")
    return {
        "VisibilityTimeout": values["visibility_timeout_seconds"],
        "MessageRetentionPeriod": values["message_retention_seconds"],
        "SqsManagedSseEnabled": values["sqs_managed_sse_enabled"] if not values["kms_master_key_id"] else None,
        "KmsMasterKeyId": values["kms_master_key_id"],
        "RedrivePolicy": redrive,
    }
