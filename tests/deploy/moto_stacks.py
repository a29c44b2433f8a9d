"""Adds to CloudFormation in moto's server what our templates need and moto 5.2.1 lacks.

moto skips resources of unknown types and still reports that the stack is complete. This module creates such a
resource through the API of its own service, on the same server, from its resolved properties. It also changes moto:

- A reference to AWS::NoValue removes an item from a list, as it removes a property.
- A stack that a change set creates has outputs. An update keeps parameters that have their defaults.
- An update creates and deletes resources as their conditions say, and updates each resource whose resolved
  properties have changed.
- Resources are deleted in the order in which CloudFormation deletes them.
- A function has all the properties that the template gives it, and keeps its code if the template does. To invoke
  it, moto runs the program of its zip.
- A custom resource invokes its function also when it is updated and deleted, up to three times, and fails if the
  function answers so or does not answer.
- A stack has the status of an update while it is updated, and then the parameters of the new template only.
- A stack is DELETE_FAILED if a resource cannot be deleted, and keeps what is not deleted. 
"""

import copy
import io
import json
import re
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

import function
from conftest import HERE, Aws
from moto.awslambda.models import LambdaFunction
from moto.cloudformation import parsing, responses
from moto.cloudformation.models import CloudFormationBackend, cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse


class Type(NamedTuple):
    """How to create a resource from a new name and its properties, which returns its physical id, and to delete it."""

    service: str
    create: Callable[[Any, str, dict[str, Any]], str]
    delete: Callable[[Any, str, dict[str, Any]], Any]


def filter_created(ec2: Any, _: str, properties: dict[str, Any]) -> str:
    tags = {"ResourceType": "traffic-mirror-filter", "Tags": properties["Tags"]}
    made = ec2.create_traffic_mirror_filter(Description=properties["Description"], TagSpecifications=[tags])
    name = made["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    services = properties["NetworkServices"]
    ec2.modify_traffic_mirror_filter_network_services(TrafficMirrorFilterId=name, AddNetworkServices=services)
    return name


def filter_rule_created(ec2: Any, _: str, properties: dict[str, Any]) -> str:
    made = ec2.create_traffic_mirror_filter_rule(**properties)
    return made["TrafficMirrorFilterRule"]["TrafficMirrorFilterRuleId"]


def target_created(ec2: Any, _: str, properties: dict[str, Any]) -> str:
    tags = {"ResourceType": "traffic-mirror-target", "Tags": properties["Tags"]}
    place = {"Description": properties["Description"], "NetworkInterfaceId": properties["NetworkInterfaceId"]}
    made = ec2.create_traffic_mirror_target(**place, TagSpecifications=[tags])
    return made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]


def alarm_created(cloudwatch: Any, name: str, properties: dict[str, Any]) -> str:
    cloudwatch.put_metric_alarm(AlarmName=name, **properties)
    return name


def config_rule_created(config: Any, _: str, properties: dict[str, Any]) -> str:
    parameters = {name: json.dumps(properties[name]) for name in ("InputParameters",) if name in properties}
    config.put_config_rule(ConfigRule=properties | parameters)
    return properties["ConfigRuleName"]


def queue_policy_created(sqs: Any, name: str, properties: dict[str, Any]) -> str:
    for queue in properties["Queues"]:
        policy = json.dumps(properties["PolicyDocument"])
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    return name


def topic_policy_created(sns: Any, name: str, properties: dict[str, Any]) -> str:
    for topic in properties["Topics"]:
        policy = json.dumps(properties["PolicyDocument"])
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    return name


def metric_filter_created(logs: Any, name: str, properties: dict[str, Any]) -> str:
    changes = [
        {first_lower(key): value for key, value in change.items()} for change in properties["MetricTransformations"]
    ]
    logs.put_metric_filter(
        filterName=name,
        logGroupName=properties["LogGroupName"],
        filterPattern=properties["FilterPattern"],
        metricTransformations=changes,
    )
    return name


def first_lower(name: str) -> str:
    return name[0].lower() + name[1:]


def invocations_configured(client: Any, name: str, properties: dict[str, Any]) -> str:
    client.put_function_event_invoke_config(**properties)
    return name


def subscribed(sns: Any, _: str, properties: dict[str, Any]) -> str:
    return sns.subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"]


def goes_with_its_owner(*_: Any) -> None:
    pass


# The resource types that moto lacks.
TYPES = {
    "AWS::CloudWatch::Alarm": Type(
        "cloudwatch", alarm_created, lambda cloudwatch, name, _: cloudwatch.delete_alarms(AlarmNames=[name])
    ),
    "AWS::Config::ConfigRule": Type(
        "config", config_rule_created, lambda config, name, _: config.delete_config_rule(ConfigRuleName=name)
    ),
    "AWS::EC2::TrafficMirrorFilter": Type(
        "ec2",
        filter_created,
        lambda ec2, name, _: ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=name),
    ),
    "AWS::EC2::TrafficMirrorFilterRule": Type(
        "ec2",
        filter_rule_created,
        lambda ec2, name, _: ec2.delete_traffic_mirror_filter_rule(TrafficMirrorFilterRuleId=name),
    ),
    "AWS::EC2::TrafficMirrorTarget": Type(
        "ec2",
        target_created,
        lambda ec2, name, _: ec2.delete_traffic_mirror_target(TrafficMirrorTargetId=name),
    ),
    "AWS::Lambda::EventInvokeConfig": Type(
        "lambda",
        invocations_configured,
        lambda client, _, properties: client.delete_function_event_invoke_config(
            FunctionName=properties["FunctionName"], Qualifier=properties["Qualifier"]
        ),
    ),
    "AWS::Logs::MetricFilter": Type(
        "logs",
        metric_filter_created,
        lambda logs, name, properties: logs.delete_metric_filter(
            logGroupName=properties["LogGroupName"], filterName=name
        ),
    ),
    "AWS::Logs::QueryDefinition": Type(
        "logs",
        lambda logs, _, properties: logs.put_query_definition(
            **{first_lower(key): value for key, value in properties.items()}
        )["queryDefinitionId"],
        lambda logs, name, _: logs.delete_query_definition(queryDefinitionId=name),
    ),
    "AWS::SNS::Subscription": Type(
        "sns", subscribed, lambda sns, name, _: sns.unsubscribe(SubscriptionArn=name)
    ),
    "AWS::SNS::TopicPolicy": Type("sns", topic_policy_created, goes_with_its_owner),
    "AWS::SQS::QueuePolicy": Type("sqs", queue_policy_created, goes_with_its_owner),
}


class Resource:
    """A resource of a type that moto lacks, with the methods that moto calls."""

    kind: Type

    def __init__(self, name: str, properties: dict[str, Any], account: str, region: str):
        self.place = (account, region)
        self.properties = properties
        self.physical_resource_id = self.kind.create(self.client(), name, properties)

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **_: Any
    ) -> "Resource":
        return cls(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "Resource",
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> "Resource":
        original_resource.delete(account_id, region_name)
        return cls(new_resource_name, cloudformation_json["Properties"], account_id, region_name)

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> str:
        """Only ARNs of alarms are asked for."""
        assert (self.kind.service, attribute) == ("cloudwatch", "Arn"), attribute
        account, region = self.place
        return f"arn:aws:cloudwatch:{region}:{account}:alarm:{self.physical_resource_id}"

    def client(self) -> Any:
        return Aws(ADDRESS, *self.place).client(self.kind.service)

    def delete(self, _account: str, _region: str) -> None:
        self.kind.delete(self.client(), self.physical_resource_id, self.properties)


# Custom resources


class Answers(BaseHTTPRequestHandler):
    """Takes the answer of a function, which CloudFormation takes in S3."""

    def do_PUT(self):
        self.server.answer = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class CustomResource:
    """Lambda invokes the function for CloudFormation, twice more if it ends with an error."""

    def __init__(self, names: dict[str, str], properties: dict[str, Any], account: str, region: str):
        self.names, self.properties, self.place = names, properties, (account, region)
        self.ask("Create")

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **names: str
    ) -> "CustomResource":
        names = {"StackId": names["StackId"], "LogicalResourceId": names["LogicalId"]}
        return cls(names, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: "CustomResource", cloudformation_json: dict[str, Any], **_: Any
    ) -> "CustomResource":
        original_resource.properties = cloudformation_json["Properties"]
        original_resource.ask("Update")
        return original_resource

    def delete(self, _account: str, _region: str) -> None:
        self.ask("Delete")

    def is_created(self) -> bool:
        return True

    def ask(self, kind: str) -> None:
        inbox = HTTPServer(("127.0.0.1", 0), Answers)
        inbox.answer = None
        threading.Thread(target=inbox.serve_forever, daemon=True).start()
        event = self.names | {
            "RequestType": kind,
            "RequestId": "00000000-0000-4000-8000-000000000002",
            "ResponseURL": f"http://127.0.0.1:{inbox.server_port}/",
            "ResourceProperties": self.properties,
        }
        if kind != "Create":
            event["PhysicalResourceId"] = self.physical_resource_id
        client = Aws(ADDRESS, *self.place).client("lambda")
        for _ in range(3):
            answer = client.invoke(FunctionName=self.properties["ServiceToken"], Payload=json.dumps(event))
            if "FunctionError" not in answer:
                break
        inbox.shutdown()
        if inbox.answer is None:
            raise RuntimeError(f"{self.names['LogicalResourceId']} did not answer: {answer['Payload'].read()}")
        if inbox.answer["Status"] != "SUCCESS":
            raise RuntimeError(inbox.answer["Reason"])
        for name in ("StackId", "LogicalResourceId", "RequestId"):
            assert inbox.answer[name] == event[name]
        self.physical_resource_id = inbox.answer["PhysicalResourceId"]


# Functions

FUNCTION_FIELDS = {"LoggingConfig": "LoggingConfig", "KmsKeyArn": "KMSKeyArn"}
plain_created = LambdaFunction.create_from_cloudformation_json.__func__


def function_created(cls: Any, name: str, resource: dict[str, Any], *rest: Any, **more: Any) -> LambdaFunction:
    # moto replaces code that is in the template by a zip.
    properties = copy.deepcopy(resource["Properties"])
    return with_all_properties(plain_created(cls, name, resource, *rest, **more), properties)


def function_updated(
    _: Any, original_resource: LambdaFunction, cloudformation_json: dict[str, Any], **__: Any
) -> LambdaFunction:
    properties = cloudformation_json["Properties"]
    original_resource.update_configuration(properties)
    if properties["Code"] != original_resource.code_of_template:
        original_resource.update_function_code(properties["Code"])
    return with_all_properties(original_resource, properties)


def with_all_properties(made: LambdaFunction, properties: dict[str, Any]) -> LambdaFunction:
    made.code_of_template = properties["Code"]
    made.architectures = properties["Architectures"]
    made.more = {ours: properties[theirs] for theirs, ours in FUNCTION_FIELDS.items() if theirs in properties}
    # moto passes a parameter of the type Number as a number. Environment variables must be text.
    made.environment_vars = {name: str(value) for name, value in properties["Environment"]["Variables"].items()}
    # Unlike moto, Lambda does not reserve what is not asked for.
    if (reserved := properties.get("ReservedConcurrentExecutions")) is not None:
        made.reserved_concurrency = int(reserved)
    return made


def run_function(self: LambdaFunction, event: dict[str, Any]) -> tuple[str, bool, str]:
    """Runs the function without a container, which moto would use."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(self.code_bytes)) as package:
            package.extractall(folder)
        program = [Path(folder) / "bootstrap"]
        if self.run_time.startswith("python"):
            program = [sys.executable, HERE / "python_runtime.py", folder, self.handler]
        else:
            program[0].chmod(0o755)
        aws = Aws(ADDRESS, self.account_id, self.region)
        kind, answer, log = function.run(
            aws, program, self.function_name, self.environment_vars, event, int(self.timeout)
        )
    return json.dumps(answer), kind != "response", log


# References, updates and change sets

plain_clean = parsing.clean_json


def clean_json(value: Any, resources: Any) -> Any:
    cleaned = plain_clean(value, resources)
    return [item for item in cleaned if item is not None] if isinstance(cleaned, list) else cleaned


def resolved(resource: dict[str, Any], resources: parsing.ResourceMap) -> Any:
    """Returns what a resource is made of. Metadata and dependencies can change without an update of the resource."""
    return clean_json({key: resource[key] for key in ("Type", "Properties") if key in resource}, resources)


def update(self: parsing.ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    stack = cloudformation_backends[self._account_id][self._region_name].stacks[self["AWS::StackId"]]
    stack.status = "UPDATE_IN_PROGRESS"
    made = {name: self._resource_json_map[name] for name in self._resource_json_map if self._parsed_resources.get(name)}
    done = {name: resolved(resource, self) for name, resource in made.items()}
    self._template = template
    self._resource_json_map = template["Resources"]
    self.input_parameters = parameters or {}
    self.load_mapping()
    # A parameter that the new template does not have is gone.
    self.resolved_parameters = {}
    self.load_parameters()
    self.load_conditions()
    wanted = {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or self.lazy_condition_map[resource["Condition"]]
    }
    # If a resource is replaced, the resources that refer to it change too.
    while changed := [name for name in wanted if resolved(wanted[name], self) != done.get(name)]:
        for name in changed:
            if name in made:
                updated(self, name, wanted[name])
            else:
                assert self[name], name
            done[name] = resolved(wanted[name], self)
    # What the new template does not have is deleted last.
    stack.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    deleted(self, [name for name in made if name not in wanted], made)


plain_create_stack = CloudFormationBackend.create_stack


def create_stack(self: CloudFormationBackend, name: str, *rest: Any, **more: Any) -> Any:
    """A stack of a StackSet has a name with hyphens, where moto has a colon, with which queues cannot be named."""
    return plain_create_stack(self, name.replace(":", "-"), *rest, **more)


plain_delete_stack = CloudFormationBackend.delete_stack


def delete_stack(self: CloudFormationBackend, name_or_stack_id: str) -> None:
    for stack in list(self.stacks.values()):
        if name_or_stack_id in (stack.name, stack.stack_id):
            stack.status = "DELETE_IN_PROGRESS"
            try:
                stack.resource_map.delete()
            except Exception as error:
                stack.status = "DELETE_FAILED"
                stack._add_stack_event("DELETE_FAILED", str(error))
                return
            # Nothing is left to delete.
            plain_delete_stack(self, stack.stack_id)


def deleted(resources: parsing.ResourceMap, names: list[str], made: dict[str, Any]) -> None:
    """Deletes a resource after all that refer to it or depend on it, and among those the newest first."""
    left = [name for name in resources._parsed_resources if name in names]
    while left:
        users = {used for name in left for used in uses(made[name])}
        name = next(name for name in reversed(left) if name not in users)
        resources._delete_resource(resources._parsed_resources[name], made[name])
        del resources._parsed_resources[name]
        left.remove(name)


def uses(resource: dict[str, Any]) -> set[str]:
    """Returns the logical ids that a resource of a template refers to or depends on."""
    depends = resource.get("DependsOn", [])
    found = set([depends] if isinstance(depends, str) else depends)

    def collect(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                collect(item)
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key == "Ref":
                    found.add(inner)
                elif key == "Fn::GetAtt":
                    found.add(inner.split(".")[0] if isinstance(inner, str) else inner[0])
                elif key == "Fn::Sub":
                    text = inner if isinstance(inner, str) else inner[0]
                    found.update(name.split(".")[0] for name in re.findall(r"\$\{([\w.]+)\}", text))
                    collect(inner)
                else:
                    collect(inner)

    collect(resource)
    return found


def delete(self: parsing.ResourceMap) -> None:
    deleted(self, list(self._resource_json_map), self._resource_json_map)


def updated(resources: parsing.ResourceMap, name: str, resource: dict[str, Any]) -> None:
    account, region = resources._account_id, resources._region_name
    made = parsing.parse_and_update_resource(name, resource, resources, account, region)
    assert made, f"moto cannot update a resource of the type {resource['Type']}"
    resources._parsed_resources[name] = made


plain_parameters = CloudFormationBackend._resolve_update_parameters


def update_parameters(self: CloudFormationBackend, instance: Any, incoming_params: list[Any]) -> dict[str, Any]:
    instance.parameters = instance.stack_parameters | instance.parameters
    return plain_parameters(self, instance, incoming_params)


plain_validate = CloudFormationResponse._validate_different_update


def validate_different_update(self: CloudFormationResponse, *given: Any) -> None:
    """CloudFormation rejects an update without changes, but creates a change set without changes, and reports that."""
    if self._get_action() == "UpdateStack":
        plain_validate(self, *given)


plain_execute = CloudFormationBackend.execute_change_set


def execute_change_set(self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = self.describe_change_set(change_set_name)
    plain_execute(self, change_set_name, stack_name)
    stack = change_set.stack
    stack.template_dict = change_set.template_dict
    stack.parameters = stack.stack_parameters
    stack.output_map = stack._create_output_map()


def template_from_s3(template_url: str, account_id: str, partition: str) -> str:
    """moto expects the name of the bucket in the name of the host, which is one address here."""
    bucket, _, key = urlparse(template_url).path.lstrip("/").partition("/")
    return Aws(ADDRESS).client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()


def extend(address: str) -> None:
    global ADDRESS
    ADDRESS = address
    responses.get_stack_from_s3_url = template_from_s3
    LambdaFunction._invoke_lambda = run_function
    parsing.clean_json = clean_json
    parsing.ResourceMap.update = update
    parsing.ResourceMap.delete = delete
    CloudFormationResponse._validate_different_update = validate_different_update
    CloudFormationBackend.execute_change_set = execute_change_set
    CloudFormationBackend.create_stack = create_stack
    CloudFormationBackend.delete_stack = delete_stack
    parsing.CustomModel = CustomResource
    CloudFormationBackend._resolve_update_parameters = update_parameters
    LambdaFunction.create_from_cloudformation_json = classmethod(function_created)
    LambdaFunction.update_from_cloudformation_json = classmethod(function_updated)
    plain_map = parsing.get_model_map()
    assert not TYPES.keys() & plain_map.keys(), "moto has learned a type"
    models = plain_map | {name: type(name, (Resource,), {"kind": kind}) for name, kind in TYPES.items()}
    parsing.get_model_map = lambda: models
