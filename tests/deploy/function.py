"""Runs the real binary of a function for one invocation, with the environment of the deployed function."""

import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from conftest import TOP

PREFIX = "/2018-06-01/runtime/invocation/"
TIMEOUT = 60


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's Runtime API for one invocation. A request for a second one is never answered."""

    def __init__(self, aws, name, event, timeout):
        super().__init__(("127.0.0.1", 0), Calls)
        self.daemon_threads = True
        self.arn = f"arn:aws:lambda:{aws.region}:{aws.account}:function:{name}"
        self.events = [event]
        self.deadline = time.time() + timeout
        self.answered = threading.Event()
        self.answer = None


class Calls(BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.path == f"{PREFIX}next", self.path
        if not self.server.events:
            threading.Event().wait()
        body = json.dumps(self.server.events.pop()).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000001")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(self.server.deadline * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", self.server.arn)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.answer = (self.path.rsplit("/", 1)[1], json.loads(body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.answered.set()

    def log_message(self, *_):
        pass


def invoke(aws, binary, name, settings, event):
    """Returns the response of the function and its log. Fails if the function answers with an error."""
    kind, answer, log = run(aws, [TOP / "target" / "debug" / binary], name, settings, event)
    assert kind == "response", f"{answer} {log}"
    return answer, log


def run(aws, program, name, settings, event, timeout=TIMEOUT):
    """Runs a command. Returns whether it answers with `response` or `error`, the answer, and the log."""
    api = RuntimeApi(aws, name, event, timeout)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    environment = settings | aws.environment() | {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    threading.Thread(target=ended, args=(process, api), daemon=True).start()
    try:
        answered = api.answered.wait(timeout)
    finally:
        process.kill()
        log = process.communicate()[0].decode()
        api.shutdown()
    assert answered, log
    return *(api.answer or ("error", "it ended without an answer")), log


def ended(process, api):
    process.wait()
    api.answered.set()
