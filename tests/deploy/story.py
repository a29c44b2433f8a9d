"""What a deployed stack must do: an event reaches its queue, and the function creates a session."""

import json

from conftest import ACCOUNT, REGION
from function import invoke


def put(aws, source, detail_type, detail, resources=()):
    entry = {
        "Source": source,
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": list(resources),
    }
    answer = aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer


def take(aws, queue):
    """Receives all messages of a queue, as Lambda does. Does not delete them."""
    messages = []
    while more := aws.client("sqs").receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"]
    ).get("Messages"):
        messages += more
    return messages


def drop(aws, queue, messages):
    for message in messages:
        aws.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def batch(queue_arn, messages):
    """Returns the event with which Lambda invokes a function for these messages."""
    records = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": queue_arn,
            "awsRegion": REGION,
        }
        for message in messages
    ]
    return {"Records": records}


def launch(aws, tags):
    image = aws.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    specification = {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
    launched = aws.client("ec2").run_instances(
        ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1, TagSpecifications=[specification]
    )
    return launched["Instances"][0]


def make_target(aws):
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/net/sensor/0123456789abcdef"
    made = aws.client("ec2").create_traffic_mirror_target(NetworkLoadBalancerArn=arn)
    return made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]


def an_event_makes_a_session(aws, stack):
    """`stack` has the function, the queue (its URL), its ARN, the filter, the target and the fixed tags of sessions."""
    ec2 = aws.client("ec2")
    function = aws.client("lambda").get_function_configuration(FunctionName=stack["function"])
    settings = function["Environment"]["Variables"]
    instance = launch(aws, {"Mirror": "True"})
    interface = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    name = instance["InstanceId"]
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{name}"
    drop(aws, stack["queue"], take(aws, stack["queue"]))

    for source, kind, detail in [
        ("aws.ec2", "EC2 Instance State-change Notification", {"instance-id": name, "state": "running"}),
        ("aws.tag", "Tag Change on Resource", tag_change("mIRROR")),
        ("aws.ec2", "AWS API Call via CloudTrail", call("AttachNetworkInterface", {"instanceId": name})),
    ]:
        put(aws, source, kind, detail, [arn])
    wrong = [
        ("aws.ec2", "EBS Volume Notification", {}),
        ("aws.tag", "Tag Change on Resource", tag_change("Owner")),
        ("aws.ec2", "AWS API Call via CloudTrail", call("RunInstances", {})),
        ("aws.ec2", "AWS API Call via CloudTrail", call("AttachNetworkInterface", {}) | {"errorCode": "Denied"}),
    ]
    for source, kind, detail in wrong:
        put(aws, source, kind, detail, [arn])
    messages = take(aws, stack["queue"])
    kinds = sorted(json.loads(message["Body"])["detail-type"] for message in messages)
    assert kinds == [
        "AWS API Call via CloudTrail",
        "EC2 Instance State-change Notification",
        "Tag Change on Resource",
    ], kinds

    event = batch(stack["queue_arn"], messages)
    answer, log = invoke(aws, "automirror", stack["function"], settings, event)
    assert answer == {"batchItemFailures": []}, log
    drop(aws, stack["queue"], messages)
    sessions = ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"]
    assert len(sessions) == 1, log
    (session,) = sessions
    made = {key: session[key] for key in (
        "NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId", "SessionNumber"
    )}
    assert made == {
        "NetworkInterfaceId": interface,
        "TrafficMirrorTargetId": stack["target"],
        "TrafficMirrorFilterId": stack["filter"],
        "SessionNumber": 1,
    }
    tags = {tag["Key"]: tag["Value"] for tag in session["Tags"]}
    del tags["Invocation"]
    assert tags == stack["tags"] | {"Name": name}

    # Without the tag, automirror deletes the session. Otherwise the filter could not be deleted with the stack.
    ec2.delete_tags(Resources=[name], Tags=[{"Key": "Mirror"}])
    put(aws, "aws.tag", "Tag Change on Resource", tag_change("Mirror"), [arn])
    messages = take(aws, stack["queue"])
    answer, log = invoke(aws, "automirror", stack["function"], settings, batch(stack["queue_arn"], messages))
    drop(aws, stack["queue"], messages)
    assert ec2.describe_traffic_mirror_sessions()["TrafficMirrorSessions"] == [], log


def tag_change(key):
    return {
        "changed-tag-keys": [key],
        "tags": {key: "True"},
        "service": "ec2",
        "resource-type": "instance",
        "version": 3.0,
    }


def call(name, parameters):
    return {
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "requestParameters": parameters,
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
    }


def remains(aws):
    """Returns the resources in the account, by kind."""
    return {
        "queues": aws.client("sqs").list_queues().get("QueueUrls", []),
        "rules": aws.client("events").list_rules()["Rules"],
        "functions": aws.client("lambda").list_functions()["Functions"],
        "sources": aws.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": aws.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "topics": aws.client("sns").list_topics()["Topics"],
        "filters": aws.client("ec2").describe_traffic_mirror_filters()["TrafficMirrorFilters"],
        "config rules": aws.client("config").describe_config_rules()["ConfigRules"],
    }
