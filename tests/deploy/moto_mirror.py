"""Runs moto's server, with what a deployment of automirror needs and moto 5.2.1 lacks.

    python moto_mirror.py -H 127.0.0.1 -p 5000

It adds, in the form of AWS's API models:

- traffic mirroring: filter rules and network services of filters, sessions, deletion, and ids that look like AWS's;
- instances by the id of an interface of theirs;
- the logging configuration and the KMS key of a function;
- the redrive allow policy of a queue, a redrive policy that is returned as it was set, and a queue policy that
  stays when another attribute is set;
- the start of an evaluation of a rule of AWS Config, which must exist;
- topics as targets of event rules, rules with a schedule and without a pattern, KMS keys of log groups, and saved
  queries.

It does not poll queues. moto would start a container for each message in a queue with an event source mapping. Here
messages stay in their queue until a test receives them. moto_stacks.py adds what CloudFormation needs.
"""

import json
import sys
import uuid
from typing import Any

import moto_stacks
from moto.awslambda.models import LambdaFunction
from moto.config.exceptions import NoSuchConfigRuleException
from moto.config.responses import ConfigResponse
from moto.core.responses import ActionResult
from moto.ec2 import utils
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance
from moto.ec2.models.traffic_mirrors import TrafficMirrorFilter
from moto.ec2.responses.traffic_mirrors import TrafficMirrors
from moto.events.models import Rule
from moto.events.utils import EventTemplateParser
from moto.logs import logs_backends
from moto.logs.responses import LogsResponse
from moto.server import main
from moto.sns import sns_backends
from moto.sqs.models import Queue

utils.EC2_RESOURCE_TO_PREFIX.update(
    {
        "traffic-mirror-filter": "tmf",
        "traffic-mirror-filter-rule": "tmfr",
        "traffic-mirror-session": "tms",
        "traffic-mirror-target": "tmt",
    }
)
# moto looks tags up by the type of a resource, which it derives from the id.
utils.EC2_PREFIX_TO_RESOURCE.update({v: k for k, v in utils.EC2_RESOURCE_TO_PREFIX.items()})

Instance.interface_ids = property(lambda instance: [nic.id for nic in instance.nics.values()])
utils.filter_dict_attribute_mapping["network-interface.network-interface-id"] = "interface_ids"

RULE_FIELDS = (
    "TrafficDirection",
    "RuleNumber",
    "RuleAction",
    "Protocol",
    "DestinationPortRange",
    "SourcePortRange",
    "DestinationCidrBlock",
    "SourceCidrBlock",
    "Description",
)
SESSION_FIELDS = (
    "TrafficMirrorTargetId",
    "TrafficMirrorFilterId",
    "SessionNumber",
    "PacketLength",
    "VirtualNetworkId",
    "Description",
)
NUMBERS = {"RuleNumber", "Protocol", "SessionNumber", "PacketLength", "VirtualNetworkId"}
PAGE = 2
# The names that ModifyTrafficMirrorFilterRule and ModifyTrafficMirrorSession use for fields to remove.
REMOVABLE = {
    "destination-port-range": "DestinationPortRange",
    "source-port-range": "SourcePortRange",
    "protocol": "Protocol",
    "packet-length": "PacketLength",
    "virtual-network-id": "VirtualNetworkId",
    "description": "Description",
}


def filter_of(response: TrafficMirrors, filter_id: str) -> TrafficMirrorFilter:
    try:
        found = response.ec2_backend.traffic_mirror_filters[filter_id]
    except KeyError:
        raise missing("Filter", filter_id) from None
    if not hasattr(found, "rules"):
        found.rules = {}
        found.services = []
    return found


def missing(kind: str, name: str) -> EC2ClientError:
    return EC2ClientError(
        f"InvalidTrafficMirror{kind}Id.NotFound", f"The traffic mirror {kind.lower()} '{name}' does not exist"
    )


def fields(response: TrafficMirrors, names: tuple[str, ...]) -> dict[str, Any]:
    given = {name: response._get_param(name) for name in names}
    return {
        name: int(value) if name in NUMBERS else value for name, value in given.items() if value not in (None, "")
    }


def changed(response: TrafficMirrors, item: dict[str, Any], names: tuple[str, ...]) -> None:
    item.update(fields(response, names))
    for name in response._get_param("RemoveFields") or []:
        item.pop(REMOVABLE[name], None)


def tagged(response: TrafficMirrors, kind: str, name: str) -> None:
    tags = response._parse_tag_specification().get(f"traffic-mirror-{kind}", {})
    if tags:
        response.ec2_backend.create_tags([name], tags)


def tags_of(response: TrafficMirrors, name: str) -> list[dict[str, str]]:
    return response.ec2_backend.describe_tags(filters={"resource-id": [name]})


def selected(response: TrafficMirrors, items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Returns the items with the requested ids, which must exist, that match all filters."""
    key = f"TrafficMirror{kind}Id"
    ids = response._get_param(f"{key}s") or []
    for name in ids:
        if not any(item[key] == name for item in items):
            raise missing(kind, name)
    filters = {
        "".join(part.capitalize() for part in name.split("-")): values
        for name, values in response._filters_from_querystring().items()
    }
    return [
        item
        for item in items
        if (not ids or item[key] in ids)
        and all(str(item.get(name, "")) in values for name, values in filters.items())
    ]


# Filters and their rules


def rule_dict(rule: dict[str, Any], response: TrafficMirrors) -> dict[str, Any]:
    return rule | {"Tags": tags_of(response, rule["TrafficMirrorFilterRuleId"])}


def filter_dict(found: TrafficMirrorFilter, response: TrafficMirrors) -> dict[str, Any]:
    rules = [rule_dict(rule, response) for rule in found.rules.values()]
    return {
        "TrafficMirrorFilterId": found.id,
        "IngressFilterRules": [rule for rule in rules if rule["TrafficDirection"] == "ingress"],
        "EgressFilterRules": [rule for rule in rules if rule["TrafficDirection"] == "egress"],
        "NetworkServices": found.services,
        "Description": found.description,
        "Tags": tags_of(response, found.id),
    }


def describe_traffic_mirror_filters(self: TrafficMirrors) -> ActionResult:
    filters = [filter_of(self, name) for name in self.ec2_backend.traffic_mirror_filters]
    items = [filter_dict(item, self) for item in filters]
    return ActionResult({"TrafficMirrorFilters": selected(self, items, "Filter")})


def delete_traffic_mirror_filter(self: TrafficMirrors) -> ActionResult:
    name = self._get_param("TrafficMirrorFilterId")
    filter_of(self, name)
    in_use(self, "TrafficMirrorFilterId", name, "TrafficMirrorFilterInUse")
    del self.ec2_backend.traffic_mirror_filters[name]
    return ActionResult({"TrafficMirrorFilterId": name})


def modify_traffic_mirror_filter_network_services(self: TrafficMirrors) -> ActionResult:
    found = filter_of(self, self._get_param("TrafficMirrorFilterId"))
    added = self._get_param("AddNetworkServices") or []
    removed = self._get_param("RemoveNetworkServices") or []
    found.services = sorted((set(found.services) | set(added)) - set(removed))
    return ActionResult({"TrafficMirrorFilter": filter_dict(found, self)})


def create_traffic_mirror_filter_rule(self: TrafficMirrors) -> ActionResult:
    found = filter_of(self, self._get_param("TrafficMirrorFilterId"))
    rule = fields(self, RULE_FIELDS)
    place = (rule["TrafficDirection"], rule["RuleNumber"])
    if any((other["TrafficDirection"], other["RuleNumber"]) == place for other in found.rules.values()):
        raise EC2ClientError("TrafficMirrorFilterRuleAlreadyExists", f"Rule {place} exists already")
    name = utils.random_id(prefix="tmfr")
    found.rules[name] = rule | {"TrafficMirrorFilterRuleId": name, "TrafficMirrorFilterId": found.id}
    tagged(self, "filter-rule", name)
    return ActionResult({"TrafficMirrorFilterRule": rule_dict(found.rules[name], self)})


def all_rules(response: TrafficMirrors) -> dict[str, dict[str, Any]]:
    filters = [filter_of(response, name) for name in response.ec2_backend.traffic_mirror_filters]
    return {name: rule for found in filters for name, rule in found.rules.items()}


def rule_of(response: TrafficMirrors) -> dict[str, Any]:
    name = response._get_param("TrafficMirrorFilterRuleId")
    try:
        return all_rules(response)[name]
    except KeyError:
        raise missing("FilterRule", name) from None


def describe_traffic_mirror_filter_rules(self: TrafficMirrors) -> ActionResult:
    of_filter = self._get_param("TrafficMirrorFilterId")
    items = [
        rule_dict(rule, self)
        for rule in all_rules(self).values()
        if of_filter in (None, "", rule["TrafficMirrorFilterId"])
    ]
    return ActionResult({"TrafficMirrorFilterRules": selected(self, items, "FilterRule")})


def modify_traffic_mirror_filter_rule(self: TrafficMirrors) -> ActionResult:
    rule = rule_of(self)
    changed(self, rule, RULE_FIELDS)
    return ActionResult({"TrafficMirrorFilterRule": rule_dict(rule, self)})


def delete_traffic_mirror_filter_rule(self: TrafficMirrors) -> ActionResult:
    rule = rule_of(self)
    name = rule["TrafficMirrorFilterRuleId"]
    del filter_of(self, rule["TrafficMirrorFilterId"]).rules[name]
    return ActionResult({"TrafficMirrorFilterRuleId": name})


# Targets


def describe_traffic_mirror_targets(self: TrafficMirrors) -> ActionResult:
    items = [
        target.to_dict() | {"Tags": tags_of(self, target.id)}
        for target in self.ec2_backend.traffic_mirror_targets.values()
    ]
    return ActionResult({"TrafficMirrorTargets": selected(self, items, "Target")})


def delete_traffic_mirror_target(self: TrafficMirrors) -> ActionResult:
    name = self._get_param("TrafficMirrorTargetId")
    if name not in self.ec2_backend.traffic_mirror_targets:
        raise missing("Target", name)
    in_use(self, "TrafficMirrorTargetId", name, "TrafficMirrorTargetInUse")
    del self.ec2_backend.traffic_mirror_targets[name]
    return ActionResult({"TrafficMirrorTargetId": name})


# Sessions


def sessions_of(response: TrafficMirrors) -> dict[str, dict[str, Any]]:
    backend = response.ec2_backend
    if not hasattr(backend, "traffic_mirror_sessions"):
        backend.traffic_mirror_sessions = {}
    sessions = backend.traffic_mirror_sessions
    # EC2 deletes the sessions of an interface with the interface.
    for name in [name for name, item in sessions.items() if item["NetworkInterfaceId"] not in backend.enis]:
        del sessions[name]
    return sessions


def in_use(response: TrafficMirrors, key: str, name: str, code: str) -> None:
    users = [session for session, item in sessions_of(response).items() if item[key] == name]
    if users:
        raise EC2ClientError(code, f"Cannot delete {name}: it is in use by {', '.join(users)}")


def session_dict(session: dict[str, Any], response: TrafficMirrors) -> dict[str, Any]:
    return session | {"Tags": tags_of(response, session["TrafficMirrorSessionId"])}


def session_of(response: TrafficMirrors) -> dict[str, Any]:
    name = response._get_param("TrafficMirrorSessionId")
    try:
        return sessions_of(response)[name]
    except KeyError:
        raise missing("Session", name) from None


def create_traffic_mirror_session(self: TrafficMirrors) -> ActionResult:
    sessions = sessions_of(self)
    token = self._get_param("ClientToken")
    for session in sessions.values():
        if token and session["ClientToken"] == token:
            return ActionResult({"TrafficMirrorSession": session_dict(session, self), "ClientToken": token})
    interface = self._get_param("NetworkInterfaceId")
    if interface not in self.ec2_backend.enis:
        raise EC2ClientError("InvalidNetworkInterfaceID.NotFound", f"The interface '{interface}' does not exist")
    wanted = fields(self, SESSION_FIELDS)
    filter_of(self, wanted["TrafficMirrorFilterId"])
    if wanted["TrafficMirrorTargetId"] not in self.ec2_backend.traffic_mirror_targets:
        raise missing("Target", wanted["TrafficMirrorTargetId"])
    if sum(item["NetworkInterfaceId"] == interface for item in sessions.values()) >= 3:
        raise EC2ClientError("TrafficMirrorSessionsPerInterfaceLimitExceeded", f"{interface} has 3 sessions")
    name = utils.random_id(prefix="tms")
    sessions[name] = {
        "VirtualNetworkId": len(sessions) + 1,
        **wanted,
        "TrafficMirrorSessionId": name,
        "NetworkInterfaceId": interface,
        "OwnerId": self.current_account,
        "ClientToken": token,
    }
    tagged(self, "session", name)
    return ActionResult({"TrafficMirrorSession": session_dict(sessions[name], self), "ClientToken": token})


def describe_traffic_mirror_sessions(self: TrafficMirrors) -> ActionResult:
    """Returns small pages, so that a test fails if a program reads only the first page."""
    items = [session_dict(session, self) for session in sessions_of(self).values()]
    first = int(self._get_param("NextToken") or 0)
    rest = selected(self, items, "Session")[first:]
    token = {"NextToken": str(first + PAGE)} if len(rest) > PAGE else {}
    return ActionResult({"TrafficMirrorSessions": rest[:PAGE]} | token)


def modify_traffic_mirror_session(self: TrafficMirrors) -> ActionResult:
    session = session_of(self)
    changed(self, session, SESSION_FIELDS)
    return ActionResult({"TrafficMirrorSession": session_dict(session, self)})


def delete_traffic_mirror_session(self: TrafficMirrors) -> ActionResult:
    name = session_of(self)["TrafficMirrorSessionId"]
    del sessions_of(self)[name]
    return ActionResult({"TrafficMirrorSessionId": name})


ACTIONS = (
    describe_traffic_mirror_filters,
    delete_traffic_mirror_filter,
    modify_traffic_mirror_filter_network_services,
    create_traffic_mirror_filter_rule,
    describe_traffic_mirror_filter_rules,
    modify_traffic_mirror_filter_rule,
    delete_traffic_mirror_filter_rule,
    describe_traffic_mirror_targets,
    delete_traffic_mirror_target,
    create_traffic_mirror_session,
    describe_traffic_mirror_sessions,
    modify_traffic_mirror_session,
    delete_traffic_mirror_session,
)

# Lambda

FUNCTION_FIELDS = ("LoggingConfig", "KMSKeyArn")
plain_init = LambdaFunction.__init__
plain_configuration = LambdaFunction.get_configuration
plain_update = LambdaFunction.update_configuration


def function_init(
    self: LambdaFunction, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1
) -> None:
    plain_init(self, account_id, spec, region, version)
    self.more = {name: spec[name] for name in FUNCTION_FIELDS if spec.get(name)}


def function_configuration(self: LambdaFunction, on_create: bool = False) -> dict[str, Any]:
    return plain_configuration(self, on_create) | self.more


def function_update(self: LambdaFunction, updates: dict[str, Any]) -> dict[str, Any]:
    self.more |= {name: updates[name] for name in FUNCTION_FIELDS if name in updates}
    return plain_update(self, updates)


# SQS

plain_set_attributes = Queue._set_attributes
plain_attributes = Queue.attributes


def queue_set_attributes(self: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
    policy = getattr(self, "policy", None)
    plain_set_attributes(self, attributes, now)
    if "Policy" not in attributes:
        self.policy = policy


def queue_attributes(self: Queue) -> dict[str, Any]:
    attributes = plain_attributes.fget(self)
    if attributes.get("RedrivePolicy"):
        attributes["RedrivePolicy"] = json.dumps(json.loads(attributes["RedrivePolicy"]), separators=(",", ":"))
    return attributes


# EventBridge

plain_send = Rule.send_to_targets


def send_to_targets(self: Rule, original_event: Any, transform_input: bool = True) -> None:
    # In moto, a rule without a pattern matches every event. Such a rule has a schedule instead.
    if not self.event_pattern.get_pattern() or not self.event_pattern.matches_event(original_event):
        return
    topics = [target for target in self.targets if target["Arn"].split(":")[2] == "sns"]
    for target in topics:
        transformer = target.get("InputTransformer", {})
        message = EventTemplateParser.parse(
            input_template=transformer.get("InputTemplate"),
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=original_event,
        )
        text = message if isinstance(message, str) else json.dumps(message)
        sns_backends[self.account_id][self.region_name].publish(text, arn=target["Arn"])
    everything = self.targets
    self.targets = [target for target in everything if target not in topics]
    try:
        plain_send(self, original_event, transform_input)
    finally:
        self.targets = everything


# CloudWatch Logs


def group_of(response: LogsResponse) -> Any:
    return logs_backends[response.current_account][response.region].groups[response._get_param("logGroupName")]


def associate_kms_key(self: LogsResponse) -> str:
    group_of(self).kms_key_id = self._get_param("kmsKeyId")
    return ""


def disassociate_kms_key(self: LogsResponse) -> str:
    group_of(self).kms_key_id = None
    return ""


QUERY_FIELDS = ("name", "queryString", "logGroupNames")


def queries_of(response: LogsResponse) -> dict[str, Any]:
    backend = logs_backends[response.current_account][response.region]
    if not hasattr(backend, "queries_saved"):
        backend.queries_saved = {}
    return backend.queries_saved


def put_query_definition(self: LogsResponse) -> str:
    name = self._get_param("queryDefinitionId") or str(uuid.uuid4())
    known = {field: self._get_param(field) for field in QUERY_FIELDS}
    queries_of(self)[name] = known | {"queryDefinitionId": name}
    return json.dumps({"queryDefinitionId": name})


def describe_query_definitions(self: LogsResponse) -> str:
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [query for query in queries_of(self).values() if query["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def delete_query_definition(self: LogsResponse) -> str:
    return json.dumps({"success": queries_of(self).pop(self._get_param("queryDefinitionId"), None) is not None})


# AWS Config


def start_config_rules_evaluation(self: ConfigResponse) -> str:
    for name in self._get_param("ConfigRuleNames") or []:
        if name not in self.config_backend.config_rules:
            raise NoSuchConfigRuleException(name)
    return ""


def extend() -> None:
    for action in ACTIONS:
        setattr(TrafficMirrors, action.__name__, action)
    LambdaFunction.__init__ = function_init
    LambdaFunction.get_configuration = function_configuration
    LambdaFunction.update_configuration = function_update
    Rule.send_to_targets = send_to_targets
    ConfigResponse.start_config_rules_evaluation = start_config_rules_evaluation
    LogsResponse.associate_kms_key = associate_kms_key
    LogsResponse.disassociate_kms_key = disassociate_kms_key
    for action in (put_query_definition, describe_query_definitions, delete_query_definition):
        setattr(LogsResponse, action.__name__, action)
    Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    Queue.redrive_allow_policy = None
    Queue._set_attributes = queue_set_attributes
    Queue.attributes = property(queue_attributes)
    # moto does not poll a queue that has no event source mappings.
    Queue.lambda_event_source_mappings = property(lambda _: {}, lambda *_: None)


if __name__ == "__main__":
    extend()
    _, _, host, _, port = sys.argv
    moto_stacks.extend(f"http://{host}:{port}")
    main(sys.argv[1:])
