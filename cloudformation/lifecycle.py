"""Starts a sweep after a deployment. Deletes our sessions before what they depend on is deleted."""

import json
import os
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# A round begins only if this much time is left, in milliseconds.
ROUND = 60_000


def handler(event, context):
    action = event.get("RequestType") or event["tf"]["action"]
    try:
        said = removed(event, context) if action.lower() == "delete" else started()
    except TimeoutError:
        # Lambda repeats what CloudFormation started, twice. Terraform shows this error.
        raise
    except Exception as error:
        if "ResponseURL" not in event:
            raise
        answer(event, "FAILED", str(error))
    else:
        print(said)
        if "ResponseURL" in event:
            answer(event, "SUCCESS", said)
        return said


def started():
    said = invoked({"sweep": True}) or "a sweep is done"
    if rule := os.environ.get("RULE"):
        try:
            boto3.client("config").start_config_rules_evaluation(ConfigRuleNames=[rule])
        except ClientError as error:
            said += f", but no evaluation: {error}"
    return said


def removed(event, context):
    if "StackId" in event:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
        # This resource goes too if an update that adds it fails. The stack stays then.
        if stack["StackStatus"].startswith("UPDATE"):
            return "the sessions stay, as the stack does"
    while True:
        problem = invoked({"remove": True})
        left = list(ours(context))
        if not left:
            return "no session of ours is left"
        count = len(left) - (delete(left, context) if problem else 0)
        if context.get_remaining_time_in_millis() < ROUND:
            raise TimeoutError(f"{count} sessions are left. Delete again. {problem}")
        time.sleep(1)


def invoked(payload):
    """Returns what went wrong."""
    client = boto3.client("lambda", config=Config(read_timeout=880, retries={"total_max_attempts": 1}))
    try:
        result = client.invoke(FunctionName=os.environ["FUNCTION"], Payload=json.dumps(payload))
        if "FunctionError" in result:
            return "automirror failed: " + result["Payload"].read().decode()[:500]
    except (BotoCoreError, ClientError) as error:
        return f"automirror was not invoked: {error}"


def ours(context):
    """EC2 also shows sessions of other accounts that lead to targets of this one."""
    own = os.environ["INSTALLATION"]
    wanted = context.invoked_function_arn.split(":")[4], os.environ["OWNER"], own
    for page in boto3.client("ec2").get_paginator("describe_traffic_mirror_sessions").paginate():
        for session in page["TrafficMirrorSessions"]:
            tags = {tag["Key"]: tag["Value"] for tag in session.get("Tags", [])}
            # As in automirror, one without the tag Installation is of this one.
            if (session["OwnerId"], tags.get("ManagedBy"), tags.get("Installation", own)) == wanted:
                yield session["TrafficMirrorSessionId"]


def delete(sessions, context):
    """Does without automirror. Returns how many it deleted."""
    ec2 = boto3.client("ec2", config=Config(retries={"mode": "adaptive", "max_attempts": 10}))
    deleted, refusal = 0, None
    for name in sessions:
        if context.get_remaining_time_in_millis() < ROUND:
            return deleted
        try:
            ec2.delete_traffic_mirror_session(TrafficMirrorSessionId=name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if not code.endswith("NotFound"):
                refusal = error
                # What there is no permission for is refused for each of them.
                if code == "UnauthorizedOperation":
                    break
                continue
        deleted += 1
    # One that is refused keeps no other, and is tried again as long as others go.
    if refusal and not deleted:
        raise RuntimeError(f"{len(sessions)} sessions are left. {refusal}")
    return deleted


def answer(event, status, said):
    body = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    body |= {"PhysicalResourceId": event.get("PhysicalResourceId", "sessions"), "Status": status, "Reason": said[:999]}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
