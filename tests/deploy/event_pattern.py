"""Tells whether an event matches an EventBridge pattern. It knows the operators of our patterns, others are errors.

In moto, an operator that moto does not know matches every event. So moto alone cannot test our patterns.
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
    """Tells whether a field's value, or one of its values, meets a condition. Without the field, only `exists` can."""
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
        case "prefix" if isinstance(operand, str):
            return any(isinstance(one, str) and one.startswith(operand) for one in values(value))
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
    """Yields the pattern without one clause, or without one alternative of a clause, for each of them."""
    for key, wanted in pattern.items():
        rest = {name: clause for name, clause in pattern.items() if name != key}
        yield rest
        if isinstance(wanted, dict):
            yield from ({**pattern, key: inner} for inner in weaker(wanted) if inner)
        elif len(wanted) > 1:
            for i in range(len(wanted)):
                yield {**pattern, key: wanted[:i] + wanted[i + 1 :]}
