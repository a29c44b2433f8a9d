"""Each alarm rings for its cause, does not ring for what heals itself, and closes when the cause is gone."""

import json

import alarms
import pytest
import story
from alarms import Point
from conftest import TOP
from function import run
from templates import resolve


def alarms_of(resources):
    return {
        logical.removesuffix("Alarm"): resource["Properties"]
        for logical, resource in resources.items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


def resources_with(**values):
    return resolve("automirror.yaml", {"CodeBucket": "b"} | values)["Resources"]


BALANCERS = ["net/east/0123456789abcdef", "net/west/0123456789abcdee", "net/north/0123456789abcded"]
DEFAULT = resources_with()
RESOURCES = resources_with(SensorLoadBalancers=BALANCERS[0])
ALARMS = alarms_of(RESOURCES)
MINUTE = 60
QUARTER = 15 * MINUTE
HOUR = 4 * QUARTER
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
    assert ALARMS.keys() == FROM_THE_LOG.keys() | FROM_AWS.keys() | {"Heartbeat", "Unreadable", "NothingArrives"}


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


def arrived(*amounts, balancer=BALANCERS[0], metric="ProcessedBytes_UDP"):
    """Returns what a load balancer publishes: bytes in each hour, and nothing where there are none."""
    known = ("AWS/NetworkELB", metric, balancer)
    return [Point(known, hour * HOUR + MINUTE, amount) for hour, amount in enumerate(amounts) if amount is not None]


def swept_hourly(*counts):
    """Returns what four sweeps an hour publish of so many sessions, and nothing for the hours with None."""
    lines = [line(wanted=count, mirrored=count) if count is not None else None for count in counts for _ in range(4)]
    return alarms.points(RESOURCES, quarters(*lines))


def told(published, hours, resources=RESOURCES, further=0):
    """Returns the states of the alarm NothingArrives, without repetitions."""
    seen = alarms.states(alarms_of(resources)["NothingArrives"], published, hours * HOUR, further)
    return [state for i, state in enumerate(seen) if i == 0 or state != seen[i - 1]]


# How many further periods CloudWatch looks at is not known, so no story may depend on it.
further = pytest.mark.parametrize("further", [0, 1, 2, 7])
# What a load balancer publishes in an hour in which nothing arrives. AWS says nothing, and the alarm takes both.
nothing = pytest.mark.parametrize("none", [None, 0], ids=["no value", "zero"])


@further
@nothing
def test_sessions_from_which_nothing_arrives_ring_and_bytes_close_it(none, further):
    published = swept_hourly(*[2] * 8) + arrived(900, 900, none, none, none, none, 900, 900)
    assert told(published, 8, further=further) == ["OK", "ALARM", "OK"]


@further
@nothing
def test_two_hours_without_bytes_do_not_ring(none, further):
    published = swept_hourly(*[2] * 6) + arrived(900, none, none, 900, none, none)
    assert told(published, 6, further=further) == ["OK"]


@further
@nothing
def test_without_sessions_nothing_must_arrive(none, further):
    assert told(swept_hourly(*[0] * 8) + arrived(*[none] * 8), 8, further=further) == ["OK"]


@further
def test_the_end_of_the_sessions_closes_it(further):
    assert told(swept_hourly(2, 2, 2, 2, 0, 0), 6, further=further) == ["INSUFFICIENT_DATA", "ALARM", "OK"]


@further
def test_an_hour_in_which_the_first_session_is_created_does_not_count(further):
    first = quarters(*[line()] * 5, *[line(mirrored=2)] * 15)
    published = alarms.points(RESOURCES, first) + arrived(None, None, None, None, 900)
    assert told(published, 5, further=further) == ["OK"]


@further
def test_bytes_that_arrive_never_ring(further):
    assert told(swept_hourly(*[2] * 8) + arrived(*[1] * 8), 8, further=further) == ["OK"]


@further
def test_hours_without_sweeps_neither_ring_nor_close_it(further):
    silent = [None] * 9
    assert told(swept_hourly(2, 2, 2, *silent), 12, further=further) == ["INSUFFICIENT_DATA", "ALARM"]
    assert told(swept_hourly(2, 2, 2, *silent) + arrived(9, 9, 9), 12, further=further) == ["OK"]
    # The load balancer alone says nothing: it gets no bytes, or bytes of others.
    assert told(arrived(*[900] * 12), 12, further=further) == ["INSUFFICIENT_DATA"]


def test_bytes_of_another_load_balancer_or_protocol_do_not_count():
    published = swept_hourly(*[2] * 4)
    published += arrived(*[900] * 4, balancer=BALANCERS[1]) + arrived(*[900] * 4, metric="ProcessedBytes_TCP")
    assert told(published, 4) == ["INSUFFICIENT_DATA", "ALARM"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_load_balancer_that_gets_something_is_enough(count):
    names = BALANCERS[:count]
    resources = resources_with(SensorLoadBalancers=",".join(names))
    mirrored = ("automirror/stack", "Mirrored", "")
    bytes_of = [("AWS/NetworkELB", "ProcessedBytes_UDP", name) for name in names]
    assert alarms.metrics_of(alarms_of(resources)["NothingArrives"]) == [mirrored, *bytes_of]
    sweeps = swept_hourly(*[2] * 4)
    for name in names:
        assert told(sweeps + arrived(*[900] * 4, balancer=name), 4, resources) == ["OK"], name
    assert told(sweeps, 4, resources) == ["INSUFFICIENT_DATA", "ALARM"]


def test_without_load_balancers_nothing_else_changes():
    assert {logical: one for logical, one in RESOURCES.items() if logical != "NothingArrivesAlarm"} == DEFAULT
    without = resources_with(SensorLoadBalancers=BALANCERS[0], CreateAlarms="false")
    assert without == resources_with(CreateAlarms="false")


def test_no_alarm_rings_on_an_idle_installation():
    sweeps = quarters(*[line(wanted=5, mirrored=5)] * 16)
    published = alarms.points(RESOURCES, sweeps) + arrived(*[900] * 4)
    for name, alarm in ALARMS.items():
        told = alarms.states(alarm, published, 16 * QUARTER)
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


def test_a_session_of_the_real_function_rings_until_bytes_arrive_or_it_is_gone(aws):
    """From the cause to the metric, and back: a sweep that creates a session, and one that deletes it."""
    ec2, target = aws.client("ec2"), story.make_target(aws)
    made = ec2.create_traffic_mirror_filter()["TrafficMirrorFilter"]["TrafficMirrorFilterId"]
    instance = story.launch(aws, {"Mirror": "True"})["InstanceId"]
    mirrored = swept(aws, target)["Mirrored"]
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "Mirror"}])
    after = swept(aws, target)["Mirrored"]
    ec2.delete_traffic_mirror_filter(TrafficMirrorFilterId=made)
    lost, gone = swept_hourly(*[mirrored] * 6), swept_hourly(*[mirrored] * 4, after, after)
    assert told(lost, 6) == ["INSUFFICIENT_DATA", "ALARM"]
    assert told(lost + arrived(None, None, None, None, 900, 900), 6) == ["INSUFFICIENT_DATA", "ALARM", "OK"]
    assert told(gone, 6) == ["INSUFFICIENT_DATA", "ALARM", "OK"]


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
    read = {name for alarm in ALARMS.values() for _, name, _ in alarms.metrics_of(alarm)}
    without = resources_with(CreateDashboard="false")
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
    metrics = [logical for logical in DEFAULT if logical.endswith("Metric")]
    assert len(alarms_of(DEFAULT)) <= 10 and len(metrics) <= 10
