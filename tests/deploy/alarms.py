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


def metric_of(metric):
    dimension = "".join(one["Value"] for one in metric.get("Dimensions", []))
    return (metric["Namespace"], metric["MetricName"], dimension)


def metrics_of(alarm):
    """Returns the metrics that an alarm reads."""
    queries = alarm.get("Metrics", [])
    return [metric_of(one["MetricStat"]["Metric"]) for one in queries if "MetricStat" in one] or [metric_of(alarm)]


def period_of(alarm):
    queries = alarm.get("Metrics", [])
    # All metrics of an alarm have the same period.
    (period,) = {int(one["MetricStat"]["Period"]) for one in queries if "MetricStat" in one} or {int(alarm["Period"])}
    return period


def watched(alarm, published, start, end):
    """Returns the value that an alarm watches in a period, and None if there is none."""

    def value(metric, statistic):
        values = [one.value for one in published if one.metric == metric_of(metric) and start <= one.time < end]
        return STATISTICS[statistic](values) if values else None

    if "Metrics" not in alarm:
        return value(alarm, alarm["Statistic"])
    (expression,) = [one["Expression"] for one in alarm["Metrics"] if one["ReturnData"]]
    stats = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one}
    return calculated(expression, {name: value(one["Metric"], one["Stat"]) for name, one in stats.items()})


def calculated(expression, values):
    """Returns what an expression is for values that may be None ("Using metric math", "Using IF expressions")."""
    found = re.fullmatch(r"IF\((\w+), (\w+(?: \+ \w+)*), (\d+)\)", expression)
    if not found:
        raise ValueError(f"the expression {expression} is not known here")
    condition, terms = values[found[1]], [values[name] for name in found[2].split(" + ")]
    if condition is None:
        return None
    return sum(one or 0 for one in terms) if condition else float(found[3])


def states(alarm, published, until, further=0):
    """Returns the state of an alarm at the end of each period, from the start to a time.

    To evaluate an alarm, CloudWatch looks at so many further periods, and takes the newest values that it finds. It
    does not say how many. This counts only where missing data is ignored in several periods.
    """
    period, needed = period_of(alarm), int(alarm["EvaluationPeriods"])
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    state, told = "INSUFFICIENT_DATA", []

    def breached(start):
        value = watched(alarm, published, start, start + period)
        return None if value is None else breaches(value, float(alarm["Threshold"]))

    for end in range(period, until + 1, period):
        window = [breached(start) for start in range(end - needed * period, end, period)]
        match alarm["TreatMissingData"]:
            case "breaching":
                window = [True if one is None else one for one in window]
            case "notBreaching":
                window = [False if one is None else one for one in window]
            case "ignore" if needed > 1:
                seen = [breached(start) for start in range(end - (needed + further) * period, end, period)]
                seen = [one for one in seen if one is not None][-needed:]
                # One value within the threshold is enough for OK.
                window = seen if len(seen) == needed or False in seen else [None]
            case "ignore":
                pass
            case other:
                raise ValueError(f"{other} is not known here")
        if None not in window:
            state = "ALARM" if all(window) else "OK"
        told.append(state)
    return told
