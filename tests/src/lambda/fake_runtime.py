#!/usr/bin/env python3
"""A runtime client for the tests: it does what the event says, or what START says."""

import json
import os
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path, body):
    urllib.request.urlopen(f"{API}/{path}", data=body).close()


def work(request_id, headers, payload):
    event = json.loads(payload)
    for line in event.get("print", []):
        print(line, flush=True)
    for line in event.get("complain", []):
        print(line, file=sys.stderr, flush=True)
    match "batch" if "Records" in event else event["do"]:
        case "batch":
            bodies = [json.loads(record["body"]) for record in event["Records"]]
            print(f"batch of {len(bodies)}", flush=True)
            if any(body.get("do") == "crash" for body in bodies):
                os._exit(3)
            post(f"invocation/{request_id}/response", b"null")
        case "echo":
            post(f"invocation/{request_id}/response", payload)
        case "headers":
            post(f"invocation/{request_id}/response", json.dumps(dict(headers)).encode())
        case "answer":
            post(f"invocation/{request_id}/response", event["body"].encode())
        case "fail":
            error = {"errorType": "Oops", "errorMessage": event["message"], "stackTrace": []}
            post(f"invocation/{request_id}/error", json.dumps(error).encode())
        case "answer another":
            try:
                post("invocation/00000000-0000-4000-8000-ffffffffffff/response", b"{}")
            except urllib.error.HTTPError as refusal:
                post(f"invocation/{request_id}/response", str(refusal.code).encode())
        case "crash":
            sys.stdout.write("half a line")
            sys.stdout.flush()
            os._exit(3)
        case "answer and exit":
            post(f"invocation/{request_id}/response", b'"last words"')
            os._exit(0)
        case "hang":
            time.sleep(3600)


print("starting", flush=True)
match os.environ.get("START"):
    case "exit":
        sys.exit(7)
    case "report":
        post("init/error", b'{"errorType": "Runtime.NoSetting", "errorMessage": "MIRROR_TARGET"}')
        sys.exit(1)

while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        work(headers["lambda-runtime-aws-request-id"], headers, response.read())
