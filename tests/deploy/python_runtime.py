"""Runs a handler in Python for one invocation, as Lambda's runtime for Python does.

    python python_runtime.py FOLDER MODULE.HANDLER
"""

import importlib
import json
import os
import sys
import time
import traceback
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        # What a test wants to be left, for tests of a function that runs out of time.
        return int(os.environ.get("REMAINING_MS", self.deadline - int(time.time() * 1000)))


def post(name, what, value):
    request = urllib.request.Request(f"{API}{name}/{what}", json.dumps(value).encode(), method="POST")
    urllib.request.urlopen(request).close()


def main():
    sys.path.insert(0, sys.argv[1])
    module, _, handler = sys.argv[2].partition(".")
    with urllib.request.urlopen(f"{API}next") as answer:
        context, event = Context(answer.headers), json.loads(answer.read())
    try:
        result = getattr(importlib.import_module(module), handler)(event, context)
    except Exception as error:
        traceback.print_exc()
        post(context.aws_request_id, "error", {"errorType": type(error).__name__, "errorMessage": str(error)})
    else:
        post(context.aws_request_id, "response", result)


main()
