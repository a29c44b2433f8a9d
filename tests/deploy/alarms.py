"""CloudWatch's metric filters and alarms, as far as the template uses them. What is not known here is an error.

moto keeps metric filters and alarms and evaluates neither. The rules are those of the CloudWatch user guide, "Using
Amazon CloudWatch alarms" and "Filter pattern syntax for metric filters".
"""

import json
import re
from typing import NamedTuple

STATISTICS = {"Sum": sum, "Maximum": max, "Minimum": min}
COMPARISONS = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


class Point(NamedTuple):
    """A value of a metric at a time, in seconds."""

    metric: tuple[str, str, str]
    time: int
    value: float


def selected(selector, line):
    """Returns what a selector such as $.a.b finds in a line of JSON. Names with dots cannot be selected."""
    found = line
    for name in selector.removeprefix("$.").split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def matches(pattern, line):
    inner = re.fullmatch(r"\{ (.*) \}", pattern)[1]
    for clause in inner.split(" && "):
        clause = clause.removeprefix("(").removesuffix(")")
        if found := re.fullmatch(r"(\$\S+) IS TRUE", clause):
            if selected(found[1], line) is not True:
                return False
        elif found := re.fullmatch(r"(\$\S+) > (\d+)", clause):
            value = selected(found[1], line)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > int(found[2]):
                return False
        else:
            raise ValueError(f"the clause {clause} is not known here")
    return True


def points(resources, lines):
    """Returns what the metric filters of a stack publish for lines of the log, each with its time."""
    published = []
    for resource in resources.values():
        if resource["Type"] != "AWS::Logs::MetricFilter":
            continue
        properties = resource["Properties"]
        (change,) = properties["MetricTransformations"]
        metric = (change["MetricNamespace"], change["MetricName"], "")
        for time, text in lines:
            line = json.loads(text)
            if matches(properties["FilterPattern"], line):
                value = change["MetricValue"]
                # CloudWatch publishes nothing if the field does not exist.
                value = selected(value, line) if value.startswith("$") else float(value)
                if value is not None:
                    published.append(Point(metric, time, float(value)))
    return published


def metric_of(alarm):
    dimension = "".join(one["Value"] for one in alarm.get("Dimensions", []))
    return (alarm["Namespace"], alarm["MetricName"], dimension)


def states(alarm, published, until):
    """Returns the state of an alarm at the end of each period, from the start to a time."""
    period, needed = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
    statistic = STATISTICS[alarm["Statistic"]]
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    state, told = "INSUFFICIENT_DATA", []
    for end in range(period, until + 1, period):
        window = []
        for start in range(end - needed * period, end, period):
            values = [
                one.value for one in published if one.metric == metric_of(alarm) and start <= one.time < start + period
            ]
            window.append(breaches(statistic(values), float(alarm["Threshold"])) if values else None)
        match alarm["TreatMissingData"]:
            case "breaching":
                window = [True if one is None else one for one in window]
            case "notBreaching":
                window = [False if one is None else one for one in window]
            case "ignore":
                assert needed == 1, "with more periods, CloudWatch also looks at older data"
            case other:
                raise ValueError(f"{other} is not known here")
        if None not in window:
            state = "ALARM" if all(window) else "OK"
        told.append(state)
    return told
