#!/usr/bin/env python3
"""A runtime client for the tests: it does what the event says."""

import json
import os
import sys
import time
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path, body):
    urllib.request.urlopen(f"{API}/{path}", data=body).close()


def work(request_id, payload):
    event = json.loads(payload)
    for line in event.get("print", []):
        print(line, flush=True)
    for line in event.get("complain", []):
        print(line, file=sys.stderr, flush=True)
    match "batch" if "Records" in event else event["do"]:
        case "batch":
            post(f"invocation/{request_id}/response", b"null")
        case "echo":
            post(f"invocation/{request_id}/response", payload)
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
while True:
    with urllib.request.urlopen(f"{API}/invocation/next") as response:
        work(response.headers["Lambda-Runtime-Aws-Request-Id"], response.read())
