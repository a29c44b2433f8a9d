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
# Lambda makes three attempts, one and two minutes apart (Lambda developer guide), and CloudFormation waits for an hour.
# The third attempt begins later than this many seconds after the stack's deletion.
LAST = 1_800
WAY_OUT = "Delete them with your own permissions (mirrorctl remove), then delete again."


def handler(event, context):
    action = event.get("RequestType") or event["tf"]["action"]
    try:
        said = removed(event, context) if action.lower() == "delete" else started(context)
    except Exception as error:
        # Lambda repeats what CloudFormation started if the time was up. Terraform shows each error.
        if "ResponseURL" not in event or isinstance(error, TimeoutError):
            raise
        answer(event, "FAILED", str(error))
    else:
        print(json.dumps(said))
        if "ResponseURL" in event:
            answer(event, "SUCCESS", str(said))
        return said


def started(context):
    """Returns what the sweep has found and done, for the log and for Terraform's output."""
    said, problem = invoked({"sweep": True}, context)
    done = {"problem": problem, "summary": None, "steps": [], "evaluation": "there is no rule"}
    if said:
        steps = said.get("steps", [])
        done |= {"summary": said.get("summary"), "steps": [step["text"] for step in steps[:10]]}
    if rule := os.environ.get("RULE"):
        try:
            boto3.client("config").start_config_rules_evaluation(ConfigRuleNames=[rule])
            done["evaluation"] = "started"
        except ClientError as error:
            done["evaluation"] = f"not started: {error}"
    return done


def removed(event, context):
    last = True
    if "StackId" in event:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
        # This resource goes too if an update that adds it fails. The stack stays then.
        if stack["StackStatus"].startswith("UPDATE"):
            return "the sessions stay, as the stack does"
        begun = stack.get("DeletionTime")
        last = not begun or time.time() - begun.timestamp() > LAST
    left = ours(context)
    if left and os.environ["MODE"] == "detect":
        raise RuntimeError(f"{len(left)} sessions are left, and in the mode detect no role may delete them. {WAY_OUT}")
    while left:
        said, problem = invoked({"remove": True}, context)
        before, left = len(left), ours(context)
        if not problem and len(left) >= before:
            refused = said.get("summary", {}).get("refused", 0)
            problem = f"automirror deleted none, and EC2 refused it {refused}."
        count = len(left) - (delete(left, context, problem) if problem else 0)
        if left and context.get_remaining_time_in_millis() < ROUND:
            # Nobody answers CloudFormation after the last attempt.
            raise (RuntimeError if last else TimeoutError)(f"{count} sessions are left. Delete again. {problem or ''}")
        time.sleep(1)
    return "no session of ours is left"


def invoked(payload, context):
    """Returns automirror's answer, or what went wrong."""
    # Time must be left to answer CloudFormation.
    patience = max(1, (context.get_remaining_time_in_millis() - ROUND / 2) / 1000)
    config = Config(connect_timeout=10, read_timeout=patience, retries={"total_max_attempts": 1})
    client = boto3.client("lambda", config=config)
    try:
        result = client.invoke(FunctionName=os.environ["FUNCTION"], Payload=json.dumps(payload))
        said = result["Payload"].read().decode()
    except (BotoCoreError, ClientError) as error:
        return None, f"automirror was not invoked: {error}"
    if "FunctionError" in result:
        return None, f"automirror failed: {said[:300]}"
    return json.loads(said), None


def ours(context):
    """EC2 also shows sessions of other accounts that lead to targets of this one."""
    own = os.environ["INSTALLATION"]
    wanted = context.invoked_function_arn.split(":")[4], os.environ["OWNER"], own
    found = []
    for page in boto3.client("ec2").get_paginator("describe_traffic_mirror_sessions").paginate():
        for session in page["TrafficMirrorSessions"]:
            tags = {tag["Key"]: tag["Value"] for tag in session.get("Tags", [])}
            # As in automirror, one without the tag Installation is of this one.
            if (session["OwnerId"], tags.get("ManagedBy"), tags.get("Installation", own)) == wanted:
                found.append(session["TrafficMirrorSessionId"])
    return found


def delete(sessions, context, problem):
    """Does without automirror. Returns how many it deleted."""
    ec2 = boto3.client("ec2", config=Config(retries={"mode": "adaptive", "max_attempts": 5}))
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
        # EC2 can say more than CloudFormation shows, which must show the way out.
        raise RuntimeError(f"{len(sessions)} sessions are left. {str(refusal)[:400]} {problem[:400]} {WAY_OUT}")
    return deleted


def answer(event, status, said):
    body = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    body |= {"PhysicalResourceId": event.get("PhysicalResourceId", "sessions"), "Status": status, "Reason": said[:999]}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()
