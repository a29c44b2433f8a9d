"""Checks that the local cloud speaks EC2 and AWS Config as AWS's own clients understand them.

Usage: check.py ENDPOINT TOKEN

Drives the cloud at the endpoint with boto3 and the AWS CLI, and stops with the first difference. It waits
for instances to run, so the cloud must tick by itself. The token is a result token of its Config rule
`mirroring`.
"""

import datetime
import json
import os
import shutil
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
REGION = "us-east-1"

checks = 0


def check(found, expected, what):
    global checks
    if found != expected:
        sys.exit(f"wire check: {what}: expected {expected!r}, got {found!r}")
    checks += 1


def client(endpoint, account=ACCOUNT, service="ec2", **more):
    # Without retries, so that an error is seen as it was sent.
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
        **more,
    )


def refused(call, code, status=400, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        check(error.response["Error"]["Code"], code, f"code of {error.operation_name}")
        check(error.response["ResponseMetadata"]["HTTPStatusCode"], status, f"status of {code}")
        check(bool(error.response["Error"]["Message"]), True, f"message of {code}")
    else:
        sys.exit(f"wire check: {call.__name__} should be refused with {code}")


def running(ec2, ids):
    for _ in range(50):
        found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": ids}])
        instances = [i for r in found["Reservations"] for i in r["Instances"]]
        if all(instance["State"]["Name"] == "running" for instance in instances):
            return instances
        time.sleep(0.1)
    sys.exit(f"wire check: {ids} do not run")


def tags(mapping):
    return [{"Key": key, "Value": value} for key, value in sorted(mapping.items())]


def specification(resource_type, mapping):
    return [{"ResourceType": resource_type, "Tags": tags(mapping)}]


# All that the local cloud says of an instance, in boto3's words.
INSTANCE = """
AmiLaunchIndex Architecture BlockDeviceMappings BootMode CapacityReservationSpecification
ClientToken CpuOptions CurrentInstanceBootMode EbsOptimized EnaSupport EnclaveOptions
HibernationOptions Hypervisor IamInstanceProfile ImageId InstanceId InstanceType KeyName
LaunchTime MaintenanceOptions MetadataOptions Monitoring NetworkInterfaces
NetworkPerformanceOptions Operator Placement PlatformDetails PrivateDnsName
PrivateDnsNameOptions PrivateIpAddress PublicDnsName RootDeviceName RootDeviceType
SecurityGroups SourceDestCheck State SubnetId Tags UsageOperation UsageOperationUpdateTime
VirtualizationType VpcId
""".split()


def check_instances(ec2):
    """Launches the source, the sensor and a crowd; answers with the source and the sensor."""
    subnets = {"DeviceIndex": 0}, {"DeviceIndex": 1, "InterfaceType": "interface"}
    launched = ec2.run_instances(
        ImageId="ami-1",
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=list(subnets),
        TagSpecifications=specification("instance", {"Mirror": "True", "Name": "a <b> & c"}),
        Placement={"AvailabilityZone": "us-east-1b"},
    )
    check(launched["OwnerId"], ACCOUNT, "owner of the reservation")
    source = launched["Instances"][0]
    check(source["State"], {"Code": 0, "Name": "pending"}, "state after the launch")
    check(source["Tags"], tags({"Mirror": "True", "Name": "a <b> & c"}), "tags of the instance")
    check(source["Placement"]["AvailabilityZone"], "us-east-1b", "zone of the instance")
    check(len(source["InstanceId"]), 19, "length of an instance id")
    source = running(ec2, [source["InstanceId"]])[0]
    check(source["LaunchTime"].year >= 2025, True, "launch time")
    check(
        [i["Attachment"]["DeviceIndex"] for i in source["NetworkInterfaces"]],
        [0, 1],
        "device indexes",
    )
    check(sorted(source), INSTANCE, "fields of an instance")
    primary = source["NetworkInterfaces"][0]
    check(
        sorted(primary),
        [
            "Attachment",
            "Description",
            "Groups",
            "InterfaceType",
            "Ipv6Addresses",
            "MacAddress",
            "NetworkInterfaceId",
            "Operator",
            "OwnerId",
            "PrivateDnsName",
            "PrivateIpAddress",
            "PrivateIpAddresses",
            "SourceDestCheck",
            "Status",
            "SubnetId",
            "VpcId",
        ],
        "fields of an interface of an instance",
    )
    check(
        sorted(primary["Attachment"]),
        ["AttachmentId", "DeleteOnTermination", "DeviceIndex", "NetworkCardIndex", "Status"],
        "fields of its attachment",
    )
    check(primary["Operator"], {"Managed": False}, "operator of the interface")
    sensor = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, InstanceType="c5.large")
    crowd = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=12, InstanceType="t3.nano")
    check(len(crowd["Instances"]), 12, "instances of one launch")

    pages = list(
        ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-type", "Values": ["t3.*"]}],
            PaginationConfig={"PageSize": 5},
        )
    )
    check([len(r["Instances"]) for p in pages for r in p["Reservations"]], [5, 5, 2], "pages")
    check("NextToken" in pages[-1], False, "token of the last page")
    refused(
        ec2.describe_instances,
        "InvalidNextToken",
        NextToken=pages[0]["NextToken"],
        MaxResults=5,
    )
    refused(ec2.describe_instances, "InvalidParameterValue", MaxResults=4)
    refused(
        ec2.describe_instances,
        "InvalidParameterCombination",
        MaxResults=5,
        InstanceIds=[source["InstanceId"]],
    )
    refused(ec2.describe_instances, "InvalidInstanceID.NotFound", InstanceIds=["i-gone"])
    refused(
        ec2.describe_instances,
        "InvalidParameterValue",
        Filters=[{"Name": "colour", "Values": ["red"]}],
    )
    refused(
        ec2.describe_instances,
        "FilterLimitExceeded",
        Filters=[{"Name": "instance-id", "Values": [f"i-{n}" for n in range(201)]}],
    )
    managed = ec2.describe_instances(
        IncludeManagedResources=True,
        Filters=[
            {"Name": "tag:Mirror", "Values": ["True"]},
            {
                "Name": "network-interface.network-interface-id",
                "Values": [primary["NetworkInterfaceId"]],
            },
        ],
    )
    check(len(managed["Reservations"]), 1, "instances by tag and by interface")
    return source, sensor["Instances"][0]


def check_tags(ec2, instance):
    ec2.create_tags(Resources=[instance], Tags=tags({"Mirror": "False", "Team": "net"}))
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "Name"}])
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    check(found["Tags"], tags({"Mirror": "False", "Team": "net"}), "tags after changes")
    refused(
        ec2.create_tags,
        "InvalidParameterValue",
        Resources=[instance],
        Tags=tags({"aws:mine": "1"}),
    )
    refused(
        ec2.create_tags, "InvalidInstanceID.NotFound", Resources=["i-gone"], Tags=tags({"a": ""})
    )
    many = {f"key {number}": "é" for number in range(6)}
    ec2.create_tags(Resources=[instance], Tags=tags(many))
    pages = ec2.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "resource-id", "Values": [instance]}], PaginationConfig={"PageSize": 5}
    )
    pages = list(pages)
    check([len(page["Tags"]) for page in pages], [5, 3], "pages of tags")
    wanted = [
        {"Key": key, "Value": value, "ResourceId": instance, "ResourceType": "instance"}
        for key, value in sorted({"Mirror": "False", "Team": "net", **many}.items())
    ]
    check([tag for page in pages for tag in page["Tags"]], wanted, "tags as a list")
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": key} for key in many])
    for name, value, count in [
        ("key", "Te?m", 1),
        ("value", "net", 1),
        ("resource-type", "instance", 2),
        ("tag:Mirror", "False", 1),
        ("tag:Mirror", "net", 0),
    ]:
        found = ec2.describe_tags(Filters=[{"Name": name, "Values": [value]}])["Tags"]
        check(len(found), count, f"tags by {name}")
    for code, values in [("InvalidParameterValue", ["a"]), ("FilterLimitExceeded", range(201))]:
        name = "tag-key" if code == "InvalidParameterValue" else "resource-id"
        filters = [{"Name": name, "Values": [str(value) for value in values]}]
        refused(ec2.describe_tags, code, Filters=filters)


def check_interfaces(ec2, source):
    instance, zone = source["InstanceId"], source["Placement"]["AvailabilityZone"]
    made = ec2.create_network_interface(
        SubnetId=source["SubnetId"],
        Description="a <spare> one",
        TagSpecifications=specification("network-interface", {"Name": "spare"}),
    )["NetworkInterface"]
    check(made["Description"], "a <spare> one", "description of an interface")
    found = ec2.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["a <*> one"]}]
    )["NetworkInterfaces"]
    check(found, [made], "interfaces by their description")
    refused(
        ec2.create_network_interface,
        "InvalidParameterValue",
        SubnetId=source["SubnetId"],
        InterfaceType="network_load_balancer",
    )
    check(made["Status"], "available", "status of a new interface")
    check(made["TagSet"], tags({"Name": "spare"}), "tags of an interface")
    check(made["AvailabilityZone"], zone, "zone of an interface")
    check(made["RequesterManaged"], False, "whether a service made it")
    spare = made["NetworkInterfaceId"]
    attached = ec2.attach_network_interface(
        NetworkInterfaceId=spare, InstanceId=instance, DeviceIndex=2
    )
    found = ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance]}]
    )["NetworkInterfaces"]
    check(len(found), 3, "interfaces of the instance")
    attachment = next(i for i in found if i["NetworkInterfaceId"] == spare)["Attachment"]
    check(
        attachment,
        {
            "AttachmentId": attached["AttachmentId"],
            "DeleteOnTermination": False,
            "DeviceIndex": 2,
            "NetworkCardIndex": 0,
            "InstanceId": instance,
            "InstanceOwnerId": ACCOUNT,
            "Status": "attached",
        },
        "attachment of an interface",
    )
    refused(ec2.delete_network_interface, "InvalidParameterValue", NetworkInterfaceId=spare)
    ec2.detach_network_interface(AttachmentId=attached["AttachmentId"])
    ec2.delete_network_interface(NetworkInterfaceId=spare)
    refused(
        ec2.describe_network_interfaces,
        "InvalidNetworkInterfaceID.NotFound",
        NetworkInterfaceIds=[spare],
    )


def check_filters(ec2):
    made = ec2.create_traffic_mirror_filter(
        Description="all",
        TagSpecifications=specification("traffic-mirror-filter", {"Name": "all"}),
    )["TrafficMirrorFilter"]
    identifier = made["TrafficMirrorFilterId"]
    check(made["IngressFilterRules"], [], "rules of a new filter")
    rule = {
        "TrafficMirrorFilterId": identifier,
        "TrafficDirection": "egress",
        "RuleNumber": 10,
        "RuleAction": "accept",
        "Protocol": 17,
        "DestinationPortRange": {"FromPort": 53, "ToPort": 53},
        "SourceCidrBlock": "10.0.0.0/8",
        "DestinationCidrBlock": "0.0.0.0/0",
    }
    refused(ec2.create_traffic_mirror_filter_rule, "DryRunOperation", 412, DryRun=True, **rule)
    first = ec2.create_traffic_mirror_filter_rule(**rule)["TrafficMirrorFilterRule"]
    refused(
        ec2.create_traffic_mirror_filter_rule, "TrafficMirrorFilterRuleAlreadyExists", **rule
    )
    changed = ec2.modify_traffic_mirror_filter_network_services(
        TrafficMirrorFilterId=identifier, AddNetworkServices=["amazon-dns"]
    )["TrafficMirrorFilter"]
    check(changed["NetworkServices"], ["amazon-dns"], "network services")
    found = ec2.describe_traffic_mirror_filters(TrafficMirrorFilterIds=[identifier])
    found = found["TrafficMirrorFilters"][0]
    check(found["IngressFilterRules"], [], "ingress rules")
    rule["TrafficMirrorFilterRuleId"] = first["TrafficMirrorFilterRuleId"]
    check(found["EgressFilterRules"], [{**rule, "Tags": []}], "egress rules, inline")
    rules = ec2.describe_traffic_mirror_filter_rules(TrafficMirrorFilterId=identifier)
    check(rules["TrafficMirrorFilterRules"], [{**rule, "Tags": []}], "rules on their own")
    ec2.delete_traffic_mirror_filter_rule(
        TrafficMirrorFilterRuleId=rule["TrafficMirrorFilterRuleId"]
    )
    refused(
        ec2.delete_traffic_mirror_filter,
        "InvalidTrafficMirrorFilterId.NotFound",
        TrafficMirrorFilterId="tmf-gone",
    )
    return identifier


def check_targets(ec2, interface):
    made = ec2.create_traffic_mirror_target(NetworkInterfaceId=interface)["TrafficMirrorTarget"]
    check(
        made,
        {
            "TrafficMirrorTargetId": made["TrafficMirrorTargetId"],
            "NetworkInterfaceId": interface,
            "Type": "network-interface",
            "OwnerId": ACCOUNT,
            "Tags": [],
        },
        "target on an interface",
    )
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/sensors/1"
    balancer = ec2.create_traffic_mirror_target(
        NetworkLoadBalancerArn=arn, Description="sensors"
    )["TrafficMirrorTarget"]
    check(balancer["Type"], "network-load-balancer", "type of a target")
    found = ec2.describe_traffic_mirror_targets(
        Filters=[{"Name": "network-load-balancer-arn", "Values": [arn]}]
    )["TrafficMirrorTargets"]
    check(found, [balancer], "target by its balancer")
    gateway = ec2.create_traffic_mirror_target(GatewayLoadBalancerEndpointId="vpce-1")
    gateway = gateway["TrafficMirrorTarget"]
    check(gateway["GatewayLoadBalancerEndpointId"], "vpce-1", "endpoint of a target")
    ec2.delete_traffic_mirror_target(TrafficMirrorTargetId=gateway["TrafficMirrorTargetId"])
    pages = ec2.get_paginator("describe_traffic_mirror_targets").paginate()
    check(len(pages.build_full_result()["TrafficMirrorTargets"]), 2, "targets")
    return made["TrafficMirrorTargetId"], balancer["TrafficMirrorTargetId"]


def check_sessions(ec2, source, target, balancer, mirror_filter):
    interface = source["NetworkInterfaces"][0]["NetworkInterfaceId"]
    request = {
        "NetworkInterfaceId": interface,
        "TrafficMirrorTargetId": target,
        "TrafficMirrorFilterId": mirror_filter,
        "SessionNumber": 7,
    }
    create = ec2.create_traffic_mirror_session
    refused(create, "DryRunOperation", 412, DryRun=True, **request)
    first = create(
        **request,
        PacketLength=100,
        VirtualNetworkId=4242,
        Description="Created by hand",
        TagSpecifications=specification("traffic-mirror-session", {"ManagedBy": "me"}),
        ClientToken="once",
    )
    check(first["ClientToken"], "once", "client token")
    session = first["TrafficMirrorSession"]
    identifier = session["TrafficMirrorSessionId"]
    check(
        session,
        {
            **request,
            "TrafficMirrorSessionId": identifier,
            "OwnerId": ACCOUNT,
            "PacketLength": 100,
            "VirtualNetworkId": 4242,
            "Description": "Created by hand",
            "Tags": tags({"ManagedBy": "me"}),
        },
        "a session",
    )
    refused(create, "IdempotentParameterMismatch", **request, ClientToken="once")
    refused(create, "InvalidParameterValue", **request)
    refused(create, "InvalidParameterValue", **{**request, "SessionNumber": 0})
    refused(create, "InvalidParameterValue", **{**request, "SessionNumber": 8, "PacketLength": 8501})
    for name, gone, code in [
        ("NetworkInterfaceId", "eni-gone", "InvalidNetworkInterfaceID.NotFound"),
        ("TrafficMirrorTargetId", "tmt-gone", "InvalidTrafficMirrorTargetId.NotFound"),
        ("TrafficMirrorFilterId", "tmf-gone", "InvalidTrafficMirrorFilterId.NotFound"),
    ]:
        refused(create, code, **{**request, name: gone})

    changed = ec2.modify_traffic_mirror_session(
        TrafficMirrorSessionId=identifier,
        TrafficMirrorTargetId=balancer,
        SessionNumber=3,
        RemoveFields=["packet-length", "description"],
    )["TrafficMirrorSession"]
    check(changed["PacketLength"], 8500, "packet length to a balancer")
    check("Description" in changed, False, "description after its removal")
    check(changed["SessionNumber"], 3, "session number")
    for number in [4, 5]:
        create(**{**request, "SessionNumber": number})
    full = "TrafficMirrorSessionsPerInterfaceLimitExceeded"
    refused(create, full, **{**request, "SessionNumber": 6})

    describe = ec2.describe_traffic_mirror_sessions
    for name, value, count in [
        ("network-interface-id", interface, 3),
        ("traffic-mirror-target-id", balancer, 1),
        ("traffic-mirror-filter-id", mirror_filter, 3),
        ("traffic-mirror-session-id", identifier, 1),
        ("session-number", "4", 1),
        ("packet-length", "8500", 1),
        ("virtual-network-id", "4242", 1),
        ("owner-id", ACCOUNT, 3),
        ("description", "Created*", 0),
    ]:
        found = describe(Filters=[{"Name": name, "Values": [value]}])["TrafficMirrorSessions"]
        check(len(found), count, f"sessions by {name}")
    check_ids(ec2, source, target, mirror_filter, identifier)
    refused(describe, "InvalidParameterValue", Filters=[{"Name": "tag:a", "Values": ["b"]}])
    refused(describe, "DryRunOperation", 412, DryRun=True)
    full = ec2.get_paginator("describe_traffic_mirror_sessions").paginate(
        PaginationConfig={"PageSize": 5}
    )
    check(len(full.build_full_result()["TrafficMirrorSessions"]), 3, "sessions, paginated")

    refused(
        ec2.delete_traffic_mirror_target,
        "TrafficMirrorTargetInUse",
        TrafficMirrorTargetId=balancer,
    )
    refused(
        ec2.delete_traffic_mirror_filter,
        "TrafficMirrorFilterInUse",
        TrafficMirrorFilterId=mirror_filter,
    )
    gone = ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=identifier)
    check(gone["TrafficMirrorSessionId"], identifier, "answer to the deletion")
    refused(
        ec2.delete_traffic_mirror_session,
        "InvalidTrafficMirrorSessionId.NotFound",
        TrafficMirrorSessionId=identifier,
    )
    refused(
        describe,
        "InvalidTrafficMirrorSessionId.NotFound",
        TrafficMirrorSessionIds=[identifier],
    )


def check_ids(ec2, source, target, mirror_filter, session):
    """Of each kind that is asked for by id, the known one alone and with an unknown one."""
    interface = source["NetworkInterfaces"][0]["NetworkInterfaceId"]
    for call, name, known, code in [
        (ec2.describe_instances, "InstanceIds", source["InstanceId"], "InvalidInstanceID"),
        (
            ec2.describe_network_interfaces,
            "NetworkInterfaceIds",
            interface,
            "InvalidNetworkInterfaceID",
        ),
        (
            ec2.describe_traffic_mirror_sessions,
            "TrafficMirrorSessionIds",
            session,
            "InvalidTrafficMirrorSessionId",
        ),
        (
            ec2.describe_traffic_mirror_targets,
            "TrafficMirrorTargetIds",
            target,
            "InvalidTrafficMirrorTargetId",
        ),
        (
            ec2.describe_traffic_mirror_filters,
            "TrafficMirrorFilterIds",
            mirror_filter,
            "InvalidTrafficMirrorFilterId",
        ),
    ]:
        check(known in json.dumps(call(**{name: [known]}), default=str), True, f"{name}, known")
        unknown = known.split("-")[0] + "-0ffffffffffffffff"
        refused(call, f"{code}.NotFound", **{name: [known, unknown]})


def check_callers(endpoint, ec2):
    other = client(endpoint, account="444455556666", aws_session_token="assumed-role/r/s")
    check(other.describe_instances()["Reservations"], [], "instances of another account")
    refused(other.describe_vpcs, "InvalidAction")
    unsigned = client(endpoint)
    unsigned.meta.events.register("before-send.ec2.*", lambda request, **_: unsign(request))
    refused(unsigned.describe_instances, "MissingAuthenticationToken", 403)
    # A token is for the query and the account that it was given to.
    token = ec2.describe_instances(MaxResults=5)["NextToken"]
    refused(other.describe_instances, "InvalidNextToken", NextToken=token, MaxResults=5)


def unsign(request):
    del request.headers["Authorization"]


def check_lifecycle(ec2, source):
    instance = source["InstanceId"]
    refused(
        ec2.modify_instance_attribute,
        "IncorrectInstanceState",
        InstanceId=instance,
        InstanceType={"Value": "m8g.large"},
    )
    stopping = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    check(
        stopping,
        [
            {
                "InstanceId": instance,
                "CurrentState": {"Code": 64, "Name": "stopping"},
                "PreviousState": {"Code": 16, "Name": "running"},
            }
        ],
        "answer to stopping",
    )
    ec2.get_waiter("instance_stopped").wait(
        InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "m8g.large"})
    ec2.start_instances(InstanceIds=[instance])
    check(running(ec2, [instance])[0]["InstanceType"], "m8g.large", "type after the change")
    refused(ec2.terminate_instances, "DryRunOperation", 412, InstanceIds=[instance], DryRun=True)
    ec2.terminate_instances(InstanceIds=[instance])
    ec2.get_waiter("instance_terminated").wait(
        InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    check(found["NetworkInterfaces"], [], "interfaces of a terminated instance")
    check("VpcId" in found or "SubnetId" in found, False, "network of a terminated instance")
    left = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    check(left, [], "sessions after the termination")


def check_evaluations(config, instance, token):
    put = config.put_evaluations
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

    def evaluation(number, **changes):
        return {
            "ComplianceResourceType": "AWS::EC2::Instance",
            "ComplianceResourceId": instance if number == 0 else f"i-{number}",
            "ComplianceType": "NON_COMPLIANT",
            "OrderingTimestamp": moment,
            **changes,
        }

    first = evaluation(0, Annotation="é" * 256)
    answer = put(Evaluations=[first], ResultToken="TESTMODE", TestMode=True)
    check(answer["FailedEvaluations"], [], "failed evaluations of a test")
    details = config.get_compliance_details_by_config_rule
    check(details(ConfigRuleName="mirroring")["EvaluationResults"], [], "results after a test")
    refused(put, "InvalidResultTokenException", ResultToken="", TestMode=True)
    refused(put, "InvalidResultTokenException", Evaluations=[first], ResultToken="TESTMODE")
    for wrong in [
        [evaluation(number) for number in range(101)],
        [evaluation(0, Annotation="é" * 257)],
        [evaluation(0, ComplianceType="INSUFFICIENT_DATA")],
    ]:
        refused(put, "InvalidParameterValueException", Evaluations=wrong, ResultToken=token)
    gone = evaluation(12, ComplianceType="NOT_APPLICABLE")
    full = [first, *(evaluation(number) for number in range(1, 12)), gone]
    put(Evaluations=full, ResultToken=token)

    page = details(ConfigRuleName="mirroring")
    check(len(page["EvaluationResults"]), 10, "results on a page")
    pages = config.get_paginator("get_compliance_details_by_config_rule")
    results = pages.paginate(ConfigRuleName="mirroring").build_full_result()["EvaluationResults"]
    check(len(results), 12, "results on all pages")
    result = next(r for r in results if "Annotation" in r)
    check(
        result,
        {
            "EvaluationResultIdentifier": {
                "EvaluationResultQualifier": {
                    "ConfigRuleName": "mirroring",
                    "ResourceType": "AWS::EC2::Instance",
                    "ResourceId": instance,
                    "EvaluationMode": "DETECTIVE",
                },
                "OrderingTimestamp": moment,
            },
            "ComplianceType": "NON_COMPLIANT",
            "ResultRecordedTime": result["ResultRecordedTime"],
            "ConfigRuleInvokedTime": result["ConfigRuleInvokedTime"],
            "Annotation": "é" * 256,
        },
        "a result",
    )
    check(result["ResultRecordedTime"] > result["ConfigRuleInvokedTime"], True, "its times")
    found = details(ConfigRuleName="mirroring", ComplianceTypes=["NOT_APPLICABLE"], Limit=100)
    check(len(found["EvaluationResults"]), 1, "results that do not apply")
    for code, parameters in [
        ("NoSuchConfigRuleException", {"ConfigRuleName": "gone"}),
        ("InvalidParameterValueException", {"ConfigRuleName": "mirroring", "Limit": 101}),
        ("InvalidParameterValueException", {"ConfigRuleName": "x" * 65}),
        ("InvalidNextTokenException", {"ConfigRuleName": "mirroring", "NextToken": "x"}),
    ]:
        refused(details, code, **parameters)
    check_details_of_a_resource(config, result)
    refused(config.list_stored_queries, "UnknownOperationException")


def check_details_of_a_resource(config, result):
    details = config.get_compliance_details_by_resource
    resource = {"ResourceType": "AWS::EC2::Instance", "ResourceId": "i-12"}
    check(details(**resource)["EvaluationResults"], [], "results that apply to a resource")
    found = details(**resource, ComplianceTypes=["NOT_APPLICABLE"])["EvaluationResults"]
    check([it["ComplianceType"] for it in found], ["NOT_APPLICABLE"], "results on a resource")
    qualifier = result["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
    resource = {name: qualifier[name] for name in ("ResourceType", "ResourceId")}
    pages = config.get_paginator("get_compliance_details_by_resource").paginate(**resource)
    check(pages.build_full_result()["EvaluationResults"], [result], "the same result")
    unknown = {**resource, "ResourceId": "i-gone"}
    check(details(**unknown)["EvaluationResults"], [], "results on what no rule has evaluated")
    refused(details, "InvalidParameterValueException", ResourceId="i-12")


def check_command_line(endpoint, target):
    # Rather the one that was installed with this Python than another.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    program = shutil.which("aws", path=path)
    check(program is not None, True, "presence of the command line")

    def aws(*arguments):
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_MAX_ATTEMPTS": "1",
        }
        for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN"]:
            environment.pop(name, None)
        command = [program, *arguments, "--endpoint-url", endpoint, "--region", REGION]
        return subprocess.run(
            [*command, "--output", "json"], env=environment, capture_output=True, text=True
        )

    sessions = aws("ec2", "describe-traffic-mirror-sessions")
    check(sessions.returncode, 0, f"exit code of the command line ({sessions.stderr.strip()})")
    check("TrafficMirrorSessions" in json.loads(sessions.stdout), True, "its output")
    targets = aws("ec2", "describe-traffic-mirror-targets", "--traffic-mirror-target-ids", target)
    found = json.loads(targets.stdout)["TrafficMirrorTargets"][0]
    check(found["TrafficMirrorTargetId"], target, "target by the command line")
    gone = aws("ec2", "delete-traffic-mirror-session", "--traffic-mirror-session-id", "tms-gone")
    check("InvalidTrafficMirrorSessionId.NotFound" in gone.stderr, True, "its error")
    unknown = aws("ec2", "describe-vpcs")
    check("InvalidAction" in unknown.stderr, True, "its error for an unknown action")
    name = ["--config-rule-name", "mirroring"]
    details = aws("configservice", "get-compliance-details-by-config-rule", *name)
    check(len(json.loads(details.stdout)["EvaluationResults"]), 12, "results, paginated")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check.py ENDPOINT TOKEN")
    endpoint, token = sys.argv[1:]
    ec2 = client(endpoint)
    source, sensor = check_instances(ec2)
    check_tags(ec2, source["InstanceId"])
    check_interfaces(ec2, source)
    mirror_filter = check_filters(ec2)
    sensor_interface = sensor["NetworkInterfaces"][0]["NetworkInterfaceId"]
    target, balancer = check_targets(ec2, sensor_interface)
    check_sessions(ec2, source, target, balancer, mirror_filter)
    check_callers(endpoint, ec2)
    config = client(endpoint, service="config")
    check_evaluations(config, source["InstanceId"], token)
    check_command_line(endpoint, target)
    check_lifecycle(ec2, source)
    print(f"wire check: {checks} checks passed")


if __name__ == "__main__":
    main()
