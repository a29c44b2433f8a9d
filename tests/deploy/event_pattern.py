"""Whether EventBridge's pattern takes an event, for the operators that ours use. Any other is an error.

moto takes an operator that it does not know for one that matches, so it cannot be the judge of patterns.
"""

ABSENT = object()


def takes(pattern, event):
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(takes(alternative, event) for alternative in wanted):
                return False
        elif isinstance(wanted, dict):
            inner = event.get(key, {})
            if not takes(wanted, inner if isinstance(inner, dict) else {}):
                return False
        elif not any(fits(condition, event.get(key, ABSENT)) for condition in wanted):
            return False
    return True


def fits(condition, value):
    """Whether a field's value, or one of its values, is as a condition says. Nothing but `exists` fits no field."""
    if isinstance(value, dict):
        raise ValueError(f"{condition} is said of an object, not of a value")
    if not isinstance(condition, dict):
        return any(type(one) is type(condition) and one == condition for one in values(value))
    ((operator, operand),) = condition.items()
    match operator:
        case "exists":
            return (value is not ABSENT) == operand
        case "equals-ignore-case":
            return any(isinstance(one, str) and one.lower() == operand.lower() for one in values(value))
        case "anything-but" if isinstance(operand, list) and all(isinstance(one, str) for one in operand):
            if isinstance(value, list):
                raise ValueError("what anything-but means for a list is not known here")
            return value is not ABSENT and value not in operand
        case _:
            raise ValueError(f"the operator {operator} is not known here, with {operand}")


def values(value):
    if value is ABSENT:
        return []
    return value if isinstance(value, list) else [value]


def weaker(pattern):
    """The pattern without one of its clauses, or without one of a clause's alternatives, each in turn."""
    for key, wanted in pattern.items():
        rest = {name: clause for name, clause in pattern.items() if name != key}
        yield rest
        if isinstance(wanted, dict):
            yield from ({**pattern, key: inner} for inner in weaker(wanted) if inner)
        elif len(wanted) > 1:
            for i in range(len(wanted)):
                yield {**pattern, key: wanted[:i] + wanted[i + 1 :]}
