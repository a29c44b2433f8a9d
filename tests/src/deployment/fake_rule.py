#!/usr/bin/env python3
"""A rule's function for the tests: every resource is NON_COMPLIANT until it is gone, and one that
is tagged Fail ends the process."""

import datetime
import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
CONFIG = os.environ["AWS_ENDPOINT_URL_CONFIG_SERVICE"]
SIGNATURE = f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/config/aws4_request"


def post(url, body, headers={}):
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)).close()


def judge(item, token):
    if "Fail" in item["tags"]:
        os._exit(3)
    time = datetime.datetime.fromisoformat(item["configurationItemCaptureTime"])
    is_gone = item["configurationItemStatus"] == "ResourceDeleted"
    evaluation = {
        "ComplianceResourceType": item["resourceType"],
        "ComplianceResourceId": item["resourceId"],
        "ComplianceType": "NOT_APPLICABLE" if is_gone else "NON_COMPLIANT",
        "OrderingTimestamp": time.timestamp(),
    }
    body = {"Evaluations": [evaluation], "ResultToken": token}
    target = {"X-Amz-Target": "StarlingDoveService.PutEvaluations", "Authorization": SIGNATURE}
    post(CONFIG, json.dumps(body).encode(), target)


while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        event = json.load(response)
    message = json.loads(event["invokingEvent"])
    if "configurationItem" in message:
        judge(message["configurationItem"], event["resultToken"])
    post(f"{API}/invocation/{request_id}/response", b"null")
