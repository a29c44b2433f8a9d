"""Each alarm rings for its cause, does not ring for what heals itself, and closes when the cause is gone."""

import json

import alarms
import pytest
import story
from alarms import Point
from conftest import TOP
from function import run
from templates import resolve

RESOURCES = resolve("automirror.yaml", {"CodeBucket": "b"})["Resources"]
ALARMS = {
    logical.removesuffix("Alarm"): resource["Properties"]
    for logical, resource in RESOURCES.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
MINUTE = 60
QUARTER = 15 * MINUTE
NOTHING = {
    "wanted": 0,
    "mirrored": 0,
    "cannot": 0,
    "must_act": 0,
    "refused": 0,
    "withheld": 0,
    "held_back": 0,
    "broken_settings": 0,
    "unreadable": 0,
}


def line(trigger="sweep", complete=True, **counts):
    """Returns a line of automirror's log with the summary of an invocation."""
    summary = {"trigger": trigger, "sweep": trigger == "sweep", "complete": complete} | NOTHING | counts
    return json.dumps({"timestamp": "x", "level": "INFO", "fields": {"message": "summary", "summary": True, **summary}})


def quarters(*lines):
    """Returns the lines with their times: one in each quarter of an hour, and none where there is None."""
    return [(i * QUARTER + MINUTE, one) for i, one in enumerate(lines) if one]


def rings(name, lines, hours=4):
    """Returns the states of an alarm while automirror logs these lines, without repetitions."""
    told = alarms.states(ALARMS[name], alarms.points(RESOURCES, lines), hours * 4 * QUARTER)
    return [state for i, state in enumerate(told) if i == 0 or state != told[i - 1]]


def test_every_alarm_is_played_here():
    assert ALARMS.keys() == FROM_THE_LOG.keys() | FROM_AWS.keys() | {"Heartbeat", "Unreadable"}


def test_silence_rings_and_a_sweep_closes_it():
    sweeps = [line()] * 4
    assert rings("Heartbeat", quarters(*sweeps, *[None] * 6, *sweeps, *[line()] * 2)) == ["OK", "ALARM", "OK"]


@pytest.mark.parametrize("gap", [1, 2])
def test_one_or_two_sweeps_that_are_missing_do_not_ring(gap):
    sweeps = [line()] * 6
    assert rings("Heartbeat", quarters(*sweeps, *[None] * gap, *sweeps, *[line()] * 4)) == ["OK"]


@pytest.mark.parametrize(
    "sign", [line(complete=False), line("events"), line("direct")], ids=["a part of a sweep", "events", "a call"]
)
def test_only_a_completed_sweep_is_a_heartbeat(sign):
    assert rings("Heartbeat", quarters(*[line()] * 4, *[sign] * 12)) == ["OK", "ALARM"]


# The field of the summary whose value makes an alarm ring.
FROM_THE_LOG = {
    "MustAct": "must_act",
    "Refused": "refused",
    "HeldBack": "held_back",
    "BrokenSettings": "broken_settings",
}


@pytest.mark.parametrize("name, field", FROM_THE_LOG.items())
def test_a_lasting_problem_rings_and_its_end_closes_it(name, field):
    problem = line(**{field: 1})
    assert rings(name, quarters(line(), line(), problem, problem, problem, line(), line())) == ["OK", "ALARM", "OK"]


@pytest.mark.parametrize("name, field", FROM_THE_LOG.items())
def test_a_problem_that_the_next_sweep_heals_does_not_ring(name, field):
    lines = [(i * QUARTER + MINUTE, line()) for i in range(16)]
    lines += [(5 * QUARTER + 2 * MINUTE, line(**{field: 1})), (5 * QUARTER + 10 * MINUTE, line())]
    assert rings(name, lines) == ["OK"]


@pytest.mark.parametrize("name, field", FROM_THE_LOG.items())
def test_a_problem_stays_while_sweeps_are_rare(name, field):
    """The alarm does not close only because no sweep ran."""
    assert rings(name, quarters(line(), line(**{field: 2}), *[None] * 8, line())) == ["OK", "ALARM", "OK"]


@pytest.mark.parametrize("name, field", FROM_THE_LOG.items())
def test_what_detect_would_do_and_what_cannot_be_mirrored_do_not_ring(name, field):
    assert rings(name, quarters(*[line(wanted=9, mirrored=1, cannot=3, withheld=5)] * 16)) == ["OK"]


def test_a_message_that_cannot_be_read_rings_and_the_alarm_closes_by_itself():
    event = line("events", unreadable=2)
    lines = [(5 * QUARTER + MINUTE, event)]
    assert rings("Unreadable", lines) == ["OK", "ALARM", "OK"]
    assert rings("Unreadable", [(5 * QUARTER, line("events"))]) == ["OK"]


# Values of metrics of AWS, one for each period of five minutes: those that ring, and those that do not.
FROM_AWS = {
    "DeadLetters": ([0, 0, 1, 1, 0], [0, 0, 0]),
    "Errors": ([0, 2, 0, 0], [0, 0, 0]),
    "Throttles": ([0, 3, 0, 0], [0, 0, 0]),
    # A message that fails three times in a row heals itself: it is 1,083 seconds old then.
    "OldestMessage": ([10, 3700, 3700, 20], [10, 400, 800, 1083, 10]),
}


@pytest.mark.parametrize("name", FROM_AWS)
def test_a_metric_of_aws_rings_and_closes(name):
    alarm = ALARMS[name]
    period = int(alarm["Period"])

    def told(values):
        published = [Point(alarms.metric_of(alarm), i * period, value) for i, value in enumerate(values)]
        seen = alarms.states(alarm, published, len(values) * period)
        return [state for i, state in enumerate(seen) if i == 0 or state != seen[i - 1]]

    ringing, quiet = FROM_AWS[name]
    assert told(ringing) == ["OK", "ALARM", "OK"]
    assert told(quiet) == ["OK"]


def test_no_alarm_rings_on_an_idle_installation():
    sweeps = quarters(*[line(wanted=5, mirrored=5)] * 16)
    for name, alarm in ALARMS.items():
        told = alarms.states(alarm, alarms.points(RESOURCES, sweeps), 16 * QUARTER)
        assert set(told) == {"OK"}, name


def test_what_fails_eleven_times_is_a_dead_letter_until_it_is_purged(aws):
    """From the cause to the metric: a function that fails, as Lambda redelivers for it."""
    sqs = aws.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = RESOURCES["Queue"]["Properties"]["RedrivePolicy"]
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": redrive["maxReceiveCount"]}
    queue = sqs.create_queue(
        QueueName="events", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(policy)}
    )["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    received = [len(sqs.receive_message(QueueUrl=queue).get("Messages", [])) for _ in range(13)]
    assert received == [1] * 11 + [0, 0]

    def visible():
        asked = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    alarm = ALARMS["DeadLetters"]
    values = [0, visible()]
    sqs.purge_queue(QueueUrl=dead)
    values.append(visible())
    published = [Point(alarms.metric_of(alarm), i * 300, value) for i, value in enumerate(values)]
    assert alarms.states(alarm, published, 900) == ["OK", "ALARM", "OK"]
    for url in (queue, dead):
        sqs.delete_queue(QueueUrl=url)


def swept(aws, *targets):
    """Returns what the metrics show of a sweep by the real function, by name."""
    settings = {"MIRROR_TARGET_IDS": ",".join(targets)}
    kind, answer, log = run(aws, [TOP / "target/debug/automirror"], "automirror", settings, {"sweep": True})
    assert kind == "response", answer
    lines = [(0, one) for one in log.splitlines() if one.startswith("{")]
    return {point.metric[1]: point.value for point in alarms.points(RESOURCES, lines)}


def test_the_log_of_the_real_function_has_what_the_metrics_read(aws):
    sensor = story.launch(aws, {"Name": "sensor"})["NetworkInterfaces"][0]["NetworkInterfaceId"]
    made = aws.client("ec2").create_traffic_mirror_target(NetworkInterfaceId=sensor)
    target = made["TrafficMirrorTarget"]["TrafficMirrorTargetId"]
    aws.client("ec2").create_traffic_mirror_filter()
    story.launch(aws, {"Mirror": "True"})
    shown = swept(aws, target)
    assert shown.keys() == {
        logical.removesuffix("Metric") for logical in RESOURCES if logical.endswith("Metric")
    } - {"Unreadable"}
    # The sweep itself has used one of the ten places.
    assert shown["RoomOnTargets"] == 9


def test_without_a_target_of_known_limit_there_is_no_number_of_room(aws):
    assert swept(aws, story.make_target(aws)).keys().isdisjoint({"RoomOnTargets"})


def test_the_metric_that_no_alarm_reads_is_there_with_the_dashboard_only():
    read = {alarm["MetricName"] for alarm in ALARMS.values()}
    without = resolve("automirror.yaml", {"CodeBucket": "b", "CreateDashboard": "false"})["Resources"]
    assert "RoomOnTargetsMetric" in RESOURCES and "RoomOnTargetsMetric" not in without
    assert "RoomOnTargets" not in read


def test_each_alarm_says_what_to_do_and_the_guide_has_it():
    guide = (TOP / "docs/alarms.md").read_text()
    for name, alarm in ALARMS.items():
        said, _, where = alarm["AlarmDescription"].partition(" What to do is in ")
        assert said.endswith(".") and where == f"docs/alarms.md#{name.lower()}"
        assert f"\n## {name}\n" in guide, name


def test_the_alarms_and_metrics_of_one_installation_are_within_the_free_tier():
    """10 alarms and 10 metrics of one's own cost nothing in the first account (docs/cost.md has the rest)."""
    metrics = [logical for logical in RESOURCES if logical.endswith("Metric")]
    assert len(ALARMS) <= 10 and len(metrics) <= 10
