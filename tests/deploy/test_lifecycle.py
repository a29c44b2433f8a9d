"""lifecycle.py deletes the sessions of its installation, and those only.

It runs here with the real boto3, in a time of its own: whatever sleeps ends at once, and EC2 in memory throttles by that
time. test_cloudformation.py and test_terraform.py run it in a deployment.
"""

import importlib.util
import io
import itertools
import json
import re
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from botocore.retries import bucket
from conftest import ACCOUNT, REGION, TOP

OURS = {"ManagedBy": "automirror", "Installation": "automirror"}
# Whose sessions EC2 shows besides: those of another account are on a target that is shared with it.
FOREIGN = [
    (ACCOUNT, {}),
    (ACCOUNT, {"ManagedBy": "automirror-2", "Installation": "automirror"}),
    (ACCOUNT, {"ManagedBy": "automirror", "Installation": "blue"}),
    (ACCOUNT, {"ManagedBy": "automirror", "Installation": ""}),
    (ACCOUNT, {"managedby": "automirror"}),
    ("210987654321", OURS),
]

class Raw(io.BytesIO):
    def stream(self, **_):
        yield self.read()


class Clock:
    """A time in which sleeping takes none, and each call the time that it takes in AWS."""

    def __init__(self):
        self.now = time.time()

    def sleep(self, seconds):
        # A time in seconds has no room for less.
        self.now += max(seconds, 0.001)


class Stage:
    """EC2 with sessions, Lambda with automirror, and the lifecycle function."""

    def __init__(self, clock, monkeypatch):
        self.clock = clock
        self.sessions = {}
        self.numbers = itertools.count(1)
        self.calls = {}
        self.refuses, self.says = {}, "no"
        self.bucket, self.refilled = 50.0, clock.now
        self.automirror = lambda: (200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage":"broken"}')
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "FUNCTION": "automirror",
            "OWNER": "automirror",
            "INSTALLATION": "automirror",
            "MODE": "enforce",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        # What limits the rate in botocore waits for a condition, with a time-out.
        condition = type("Condition", (threading.Condition,), {"wait": lambda _, seconds: clock.sleep(seconds)})
        monkeypatch.setattr(bucket, "threading", SimpleNamespace(Lock=threading.Lock, Condition=condition))
        session = boto3.Session()
        answers = {"ec2": self.ec2, "lambda": self.invoked, "cloudformation": self.stack, "config": self.evaluation}
        for service, answer in answers.items():
            session.events.register(f"before-send.{service}", answer)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        spec = importlib.util.spec_from_file_location("index", TOP / "cloudformation/lifecycle.py")
        self.index = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.index)

    def add(self, tags, account=ACCOUNT, count=1):
        for _ in range(count):
            self.sessions[f"tms-{next(self.numbers):017x}"] = (account, tags)

    def named(self, foreign=True):
        return {name for name, (account, tags) in self.sessions.items() if ((account, tags) in FOREIGN) == foreign}

    def invoked(self, request, **_):
        self.count("Invoke", 0.1)
        self.asked = json.loads(request.body)
        return AWSResponse(request.url, *(given := self.automirror())[:2], Raw(given[2]))

    def stack(self, request, **_):
        self.count("DescribeStacks", 0.1)
        begun = f"<DeletionTime>{self.begun}</DeletionTime>" if self.begun else ""
        known = f"<StackName>automirror</StackName><StackStatus>DELETE_IN_PROGRESS</StackStatus>{begun}"
        stacks = f"<Stacks><member>{known}<CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks>"
        body = f"<DescribeStacksResponse><DescribeStacksResult>{stacks}</DescribeStacksResult></DescribeStacksResponse>"
        return AWSResponse(request.url, 200, {}, Raw(body.encode()))

    def evaluation(self, request, **_):
        self.count("StartConfigRulesEvaluation", 0.1)
        return AWSResponse(request.url, 200, {}, Raw(b"{}"))

    def count(self, call, seconds):
        self.calls[call] = self.calls.get(call, 0) + 1
        self.clock.now += seconds

    def ec2(self, request, **_):
        asked = {name: value for name, (value,) in parse_qs(request.body).items()}
        self.count(asked["Action"], 0.05)
        status, text = getattr(self, asked["Action"])(asked)
        return AWSResponse(request.url, status, {}, Raw(text.encode()))

    def DescribeTrafficMirrorSessions(self, asked):
        first = int(asked.get("NextToken", 0))
        names = list(self.sessions)
        items = "".join(item(name, *self.sessions[name]) for name in names[first : first + 1000])
        token = f"<nextToken>{first + 1000}</nextToken>" if len(names) > first + 1000 else ""
        return 200, (
            "<DescribeTrafficMirrorSessionsResponse>"
            f"<trafficMirrorSessionSet>{items}</trafficMirrorSessionSet>{token}"
            "</DescribeTrafficMirrorSessionsResponse>"
        )

    def DeleteTrafficMirrorSession(self, asked):
        name = asked["TrafficMirrorSessionId"]
        if not self.has_token():
            return 503, failure("RequestLimitExceeded")
        if name in self.refuses:
            return 400, failure(self.refuses[name], self.says)
        if not self.sessions.pop(name, None):
            return 400, failure("InvalidTrafficMirrorSessionId.NotFound")
        return 200, "<DeleteTrafficMirrorSessionResponse/>"

    def has_token(self):
        """EC2's bucket for a call that changes something: 50 at once, and then 5 a second."""
        self.bucket = min(50.0, self.bucket + 5.0 * (self.clock.now - self.refilled))
        self.refilled = self.clock.now
        if self.bucket < 1:
            return False
        self.bucket -= 1
        return True

    def delete(self):
        """What Lambda and CloudFormation do: three attempts of 15 minutes, and an answer is awaited for an hour."""
        answers = []
        self.index.answer = lambda event, status, said: answers.append((status, said))
        event = {"RequestType": "Delete", "StackId": "the stack", "ResponseURL": "https://127.0.0.1/"}
        started, self.told = self.clock.now, []
        self.begun = datetime.fromtimestamp(started, UTC).isoformat()
        for pause in (60, 120, None):
            context = Context(self.clock)
            try:
                self.index.handler(event, context)
                break
            except TimeoutError as error:
                self.told.append((str(error), len(self.named(foreign=False))))
            finally:
                assert context.get_remaining_time_in_millis() > 0, "Lambda ended it"
            self.clock.now += pause
        self.took = self.clock.now - started
        return answers


class Context:
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:automirror-lifecycle"

    def __init__(self, clock):
        self.clock, self.deadline = clock, clock.now + 900

    def get_remaining_time_in_millis(self):
        return int((self.deadline - self.clock.now) * 1000)


def item(name, account, tags):
    said = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    known = f"<trafficMirrorSessionId>{name}</trafficMirrorSessionId><ownerId>{account}</ownerId>"
    return f"<item>{known}<tagSet>{said}</tagSet></item>"


def failure(code, says="no"):
    return f"<Response><Errors><Error><Code>{code}</Code><Message>{says}</Message></Error></Errors></Response>"


@pytest.fixture
def stage(monkeypatch):
    clock = Clock()
    stage = Stage(clock, monkeypatch)
    monkeypatch.setattr(time, "time", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    for account, tags in FOREIGN:
        stage.add(tags, account)
    return stage


def test_a_session_is_ours_by_account_owner_and_installation(stage):
    foreign = stage.named()
    stage.add(OURS)
    # One without the tag Installation is from before there was one.
    stage.add({"ManagedBy": "automirror", "Name": "i-1"})
    assert stage.delete() == [("SUCCESS", "no session of ours is left")]
    assert set(stage.sessions) == foreign and len(foreign) == len(FOREIGN)
    assert stage.calls["DeleteTrafficMirrorSession"] == 2


def test_whose_a_session_is_has_the_same_names_as_in_automirror():
    code = (TOP / "cloudformation/lifecycle.py").read_text()
    rust = (TOP / "shared/ec2/src/convert.rs").read_text()
    named = set(re.findall(r'tags\.get\("(\w+)"', code))
    assert named == {re.search(rf'const {tag}: &str = "(\w+)"', rust)[1] for tag in ("OWNER_TAG", "INSTALLATION_TAG")}


# Ten thousand sessions, which is more than one attempt has time for


def working(stage):
    """automirror deletes 270 sessions in a minute (MIRROR_RATE_SHARE is 80 %), and then says how many are left."""

    def invoked():
        ours = stage.named(foreign=False)
        for name in sorted(ours)[:270]:
            del stage.sessions[name]
        stage.clock.now += 60
        return 200, {}, json.dumps({"summary": {}, "steps": [], "left": max(0, len(ours) - 270)}).encode()

    return invoked


def throttled(stage):
    return lambda: (429, {"x-amzn-errortype": "TooManyRequestsException"}, b'{"Reason":"no concurrency"}')


def broken(stage):
    return stage.automirror


@pytest.mark.parametrize("automirror", [working, broken])
def test_ten_thousand_sessions_go_while_cloudformation_waits(stage, automirror):
    foreign = stage.named()
    stage.add(OURS, count=10_000)
    stage.automirror = automirror(stage)
    assert stage.delete() == [("SUCCESS", "no session of ours is left")]
    assert set(stage.sessions) == foreign
    # CloudFormation waits for an hour. Each attempt says what is left, and Lambda makes three.
    assert stage.took < 3500
    assert len(stage.told) == 2
    for said, left in stage.told:
        assert said.startswith(f"{left} sessions are left. Delete again. ") and 0 < left < 7000
    # EC2 shows a thousand at once, so this is ten lists for each attempt, or one list for each answer of automirror.
    assert stage.calls["DescribeTrafficMirrorSessions"] <= 230
    # One in ten calls is throttled and made again.
    assert stage.calls.get("DeleteTrafficMirrorSession", 0) < 11_500


def test_sessions_go_also_if_automirror_is_throttled(stage):
    foreign = stage.named()
    stage.add(OURS, count=100)
    stage.automirror = throttled(stage)
    assert stage.delete() == [("SUCCESS", "no session of ours is left")]
    # The SDK does not invoke it again: the next round does.
    assert set(stage.sessions) == foreign and stage.calls["Invoke"] == 2


# Where automirror deletes nothing


def refused(stage):
    """automirror answers, as it does where EC2 refuses each deletion or has no time for any."""

    def invoked():
        stage.clock.now += 5
        count = len(stage.named(foreign=False))
        return 200, {}, json.dumps({"summary": {"refused": count}, "steps": [], "left": count}).encode()

    return invoked


def silent(stage):
    """automirror deletes one session, slowly, and answers the next call only when its caller has gone."""
    is_slow = itertools.cycle([False, True])

    def invoked():
        if next(is_slow):
            stage.clock.now += stage.patience
            raise ReadTimeoutError(endpoint_url="lambda")
        stage.clock.now += 800
        del stage.sessions[min(stage.named(foreign=False))]
        return 200, {}, json.dumps({"summary": {}, "steps": [], "left": 9}).encode()

    return invoked


@pytest.fixture
def patient(stage, monkeypatch):
    """The stage that knows how long the function waits for automirror."""

    def config(**given):
        stage.patience = given.get("read_timeout", 0)
        return Config(**given)

    monkeypatch.setattr(stage.index, "Config", config)
    return stage


def test_sessions_go_also_if_ec2_refuses_them_to_automirror(stage):
    foreign = stage.named()
    stage.add(OURS, count=3)
    stage.automirror = refused(stage)
    assert stage.delete() == [("SUCCESS", "no session of ours is left")]
    assert set(stage.sessions) == foreign and stage.calls["Invoke"] == 2 and stage.took < 60


def test_what_ec2_refuses_to_both_is_answered_at_once_with_what_to_do(stage):
    stage.add(OURS, count=3)
    stage.automirror = refused(stage)
    stage.refuses = dict.fromkeys(stage.named(foreign=False), "UnauthorizedOperation")
    stage.says = "explicit deny in a service control policy. Encoded authorization failure message: " + "x" * 2000
    ((status, said),) = stage.delete()
    assert status == "FAILED" and stage.took < 60 and stage.calls["Invoke"] == 1
    assert said.startswith("3 sessions are left. An error occurred (UnauthorizedOperation)")
    assert "explicit deny in a service control policy" in said and "EC2 refused it 3" in said
    assert said.endswith("Delete them with your own permissions (mirrorctl remove), then delete again.")
    # CloudFormation shows no more.
    assert len(said) < 999


def test_in_the_mode_detect_nothing_is_tried_and_the_answer_says_what_to_do(stage, monkeypatch):
    monkeypatch.setenv("MODE", "detect")
    stage.add(OURS, count=3)
    ((status, said),) = stage.delete()
    assert status == "FAILED" and "Invoke" not in stage.calls and stage.took < 5
    assert said.startswith("3 sessions are left, and in the mode detect no role may delete them. Delete them with")
    assert "mirrorctl remove" in said


def test_in_the_mode_detect_a_stack_without_sessions_goes(stage, monkeypatch):
    monkeypatch.setenv("MODE", "detect")
    assert stage.delete() == [("SUCCESS", "no session of ours is left")]


def test_an_answer_goes_out_before_the_last_attempt_ends(patient):
    """automirror hangs, and EC2 throttles whoever else deletes a session."""
    patient.automirror = silent(patient)
    patient.add(OURS, count=6)
    patient.refuses = dict.fromkeys(patient.named(foreign=False), "RequestLimitExceeded")
    ((status, said),) = patient.delete()
    assert status == "FAILED" and said.startswith("3 sessions are left. ") and patient.took < 3600


def test_the_last_attempt_says_what_is_left(stage):
    """More sessions than three attempts have time for."""
    stage.add(OURS, count=13_000)
    stage.automirror = working(stage)
    ((status, said),) = stage.delete()
    left = len(stage.named(foreign=False))
    assert status == "FAILED" and said.startswith(f"{left} sessions are left. Delete again. ") and left > 0
    assert len(stage.told) == 2 and stage.took < 3500


# A deployment


def deploy(stage):
    return stage.index.handler({"tf": {"action": "create"}}, Context(stage.clock))


def test_a_deployment_tells_what_the_sweep_found_and_whether_an_evaluation_began(stage, monkeypatch):
    monkeypatch.setenv("RULE", "automirror")
    steps = [{"text": f"i-{n}: block"} for n in range(30)]
    said = {"summary": {"wanted": 30, "broken_settings": True}, "steps": steps, "left": 0}
    stage.automirror = lambda: (200, {}, json.dumps(said).encode())
    assert deploy(stage) == {
        "problem": None,
        "summary": said["summary"],
        "steps": [step["text"] for step in steps[:10]],
        "evaluation": "started",
    }
    assert stage.asked == {"sweep": True} and stage.calls["StartConfigRulesEvaluation"] == 1


def test_a_sweep_that_fails_is_told_and_fails_no_deployment(stage):
    done = deploy(stage)
    assert done["problem"] == 'automirror failed: {"errorMessage":"broken"}'
    assert (done["summary"], done["steps"], done["evaluation"]) == (None, [], "there is no rule")


# What EC2 refuses


def test_a_session_that_ec2_refuses_to_delete_keeps_no_other(stage):
    foreign = stage.named()
    stage.add(OURS, count=100)
    odd = min(stage.named(foreign=False))
    stage.refuses = {odd: "InternalFailure"}
    ((status, said),) = stage.delete()
    assert set(stage.sessions) == foreign | {odd}
    assert status == "FAILED" and said.startswith("1 sessions are left. An error occurred (InternalFailure)")


def test_without_permission_one_call_is_enough_to_know(stage):
    stage.add(OURS, count=100)
    everything = set(stage.sessions)
    stage.refuses = dict.fromkeys(stage.named(foreign=False), "UnauthorizedOperation")
    ((status, said),) = stage.delete()
    assert set(stage.sessions) == everything and stage.calls["DeleteTrafficMirrorSession"] == 1
    assert status == "FAILED" and said.startswith("100 sessions are left. An error occurred (UnauthorizedOperation)")
