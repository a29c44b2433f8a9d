"""The dashboard shows what is there: metrics that somebody publishes, and tables with rows from the function's own log."""

import json
import re
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import story
from conftest import TOP, Aws
from function import run
from insights import answer
from templates import template

RESOURCES = template("automirror.yaml", "stack", {"CodeBucket": "b"})["Resources"]
BODY = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"])
WIDGETS = BODY["widgets"]
TABLES = {one["properties"]["title"]: one["properties"]["query"] for one in WIDGETS if one["type"] == "log"}
# Metrics of AWS that the graphs show (Lambda developer guide and SQS developer guide, "metrics").
OF_AWS = {
    "AWS/Lambda": {"Invocations", "Errors", "Throttles", "Duration"},
    "AWS/SQS": {"NumberOfMessagesSent", "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
}


def graphs():
    for widget in WIDGETS:
        for metric in widget["properties"].get("metrics", []):
            yield metric


def test_no_widget_covers_another():
    taken = {}
    for widget in WIDGETS:
        assert 0 <= widget["x"] and widget["x"] + widget["width"] <= 24
        for x in range(widget["x"], widget["x"] + widget["width"]):
            for y in range(widget["y"], widget["y"] + widget["height"]):
                assert (x, y) not in taken, f"{widget['properties']} covers {taken[x, y]}"
                taken[x, y] = widget["properties"]


def test_every_metric_that_is_shown_is_published():
    changes = [
        one["Properties"]["MetricTransformations"][0]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::Logs::MetricFilter"
    ]
    ours = {(change["MetricNamespace"], change["MetricName"]) for change in changes}
    named = {"FunctionName": set(), "QueueName": set()}
    for namespace, name, *more in graphs():
        if namespace in OF_AWS:
            assert name in OF_AWS[namespace], name
            named[more[0]].add(more[1])
        else:
            assert (namespace, name) in ours, name
    # Each of them is a resource of this stack: functions and queues get their names from its name.
    of_stack = {name: {re.fullmatch(r"stack-(\w+)-[0-9A-F]{12}", one)[1] for one in found} for name, found in named.items()}
    assert of_stack == {
        "FunctionName": {"Function", "ConfigRuleFunction"},
        "QueueName": {"Queue", "DeadLetterQueue"},
    }


def test_what_an_alarm_reads_is_shown_or_has_a_table():
    shown = {metric[1] for metric in graphs()}
    read = {one["Properties"]["MetricName"] for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Alarm"}
    # Whether a sweep was completed is in the table of the last sweep, and what is unreadable among the problems.
    assert read - shown == {"SweepsCompleted", "Unreadable"}


def test_every_table_is_a_saved_query_of_the_log_of_this_function():
    saved = {
        one["Properties"]["QueryString"] for one in RESOURCES.values() if one["Type"] == "AWS::Logs::QueryDefinition"
    }
    for title, query in TABLES.items():
        source, _, rest = query.partition(" | ")
        assert re.fullmatch(r"SOURCE 'stack-LogGroup-[0-9A-F]{12}'", source) and rest in saved, title


def test_the_text_names_the_version_the_installation_and_the_guide():
    (text,) = [one["properties"]["markdown"] for one in WIDGETS if one["type"] == "text"]
    version = re.search(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.M)[1]
    assert text == f"automirror {version}, installation stack. What to do when an alarm rings is in docs/alarms.md."


def test_a_lasting_problem_is_in_the_time_that_is_shown():
    # docs/events.md: what lasts is logged once and then once a day.
    assert BODY["start"] == "-P1D"


def log(aws, **settings):
    """Returns the lines that the real function logs in a sweep."""
    _, _, lines = run(aws, [TOP / "target/debug/automirror"], "automirror", settings, {"sweep": True})
    return [one for one in lines.splitlines() if one.startswith("{")]


REFUSAL = (
    "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>an explicit deny in a service control policy"
    "</Message></Error></Errors><RequestID>1</RequestID></Response>"
)


class Guarded(BaseHTTPRequestHandler):
    """moto's server behind a service control policy that lets nobody create sessions."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"Action=CreateTrafficMirrorSession" in body:
            return self.reply(403, REFUSAL.encode())
        asked = urllib.request.Request(self.server.behind + self.path, body, dict(self.headers))
        with urllib.request.urlopen(asked, timeout=60) as answered:
            self.reply(answered.status, answered.read())

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def guarded(aws):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    server.daemon_threads = True
    server.behind = aws.address
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Aws(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()


@pytest.fixture(scope="module")
def lines(aws, guarded):
    """The log of three sweeps: one without a target, one that EC2 refuses, and one that works."""
    for _ in range(2):
        story.launch(aws, {"Mirror": "True"})
    aws.client("ec2").create_traffic_mirror_filter()
    blocked = log(aws)
    target = story.make_target(aws)
    refused = log(guarded, MIRROR_TARGET_IDS=target)
    return blocked + refused + log(aws, MIRROR_TARGET_IDS=target)


def test_the_tables_show_what_the_function_logs(lines):
    (last,) = answer(TABLES["The last sweep"], lines)
    assert (last["fields.wanted"], last["fields.mirrored"]) == (2, 2)
    assert len(answer(TABLES["Changes"], lines)) == 2
    assert len(answer(TABLES["Problems"], lines)) >= 4


def test_what_blocks_is_shown_by_reason(lines):
    rows = answer(TABLES["Blocked by reason"], lines)
    # The filter has no rules, either.
    assert {row["fields.reason"]: row["interfaces"] for row in rows} == {"no-target": 2, "filter-empty": 2}
    (example,) = [row["example"] for row in rows if row["fields.reason"] == "no-target"]
    assert "there is no allowed target" in example


def test_what_ec2_refuses_is_shown_by_error(lines):
    (refusal,) = answer(TABLES["Refused by error of EC2"], lines)
    assert (refusal["fields.error_code"], refusal["interfaces"]) == ("UnauthorizedOperation", 2)
    # Each is tried again within the sweep.
    assert refusal["refusals"] >= 2
    assert "an explicit deny in a service control policy" in refusal["example"]
