"""CloudWatch Logs Insights, as far as the saved queries and the dashboard use it. What is not known here is an error.

moto answers no query. The rules are those of the CloudWatch Logs user guide, "CloudWatch Logs Insights language query
syntax": fields of JSON are named by their path, and a boolean is 1 or 0.
"""

import json
import re


def field(line, path):
    found = line
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def holds(term, line):
    if found := re.fullmatch(r"not (.+)", term):
        return not holds(found[1], line)
    if found := re.fullmatch(r"ispresent\(([\w.]+)\)", term):
        return field(line, found[1]) is not None
    if found := re.fullmatch(r"([\w.]+) = (\d+)", term):
        return field(line, found[1]) == int(found[2])
    if found := re.fullmatch(r"([\w.]+) in (\[.*\])", term):
        return field(line, found[1]) in json.loads(found[2])
    if found := re.fullmatch(r"([\w.]+) like /(.*)/", term):
        return re.search(found[2], field(line, found[1]) or "") is not None
    raise ValueError(f"the term {term} is not known here")


def number(function, argument, lines):
    values = [value for one in lines if (value := field(one, argument)) is not None]
    match function:
        case "count" if argument == "*":
            return len(lines)
        case "count_distinct":
            return len(set(values))
        case "latest":
            # The lines are in the order of their time.
            return values[-1] if values else None
    raise ValueError(f"the function {function}({argument}) is not known here")


def grouped(arguments, lines):
    said, by = re.fullmatch(r"(.+) by ([\w.]+)", arguments).groups()
    columns = re.findall(r"(\w+)\(([\w.*]+)\) as (\w+)", said)
    assert ", ".join(f"{function}({argument}) as {name}" for function, argument, name in columns) == said, said
    keys = dict.fromkeys(field(one, by) for one in lines)
    groups = {key: [one for one in lines if field(one, by) == key] for key in keys}
    return [
        {by: key} | {name: number(function, argument, group) for function, argument, name in columns}
        for key, group in groups.items()
    ]


def answer(query, lines):
    """Returns the rows of a query of lines of JSON, which are in the order of their time."""
    rows = [json.loads(one) for one in lines]
    for command in query.split(" | "):
        verb, _, arguments = command.partition(" ")
        match verb:
            case "SOURCE":
                pass
            case "filter":
                rows = [one for one in rows if all(holds(term, one) for term in arguments.split(" and "))]
            case "sort" if arguments == "@timestamp desc":
                rows.reverse()
            case "sort":
                (name,) = re.fullmatch(r"(\w+) desc", arguments).groups()
                rows.sort(key=lambda row: row[name], reverse=True)
            case "limit":
                rows = rows[: int(arguments)]
            case "stats":
                rows = grouped(arguments, rows)
            case "display":
                names = [name for name in arguments.split(", ") if name != "@timestamp"]
                rows = [{name: field(one, name) for name in names} for one in rows]
            case _:
                raise ValueError(f"the command {command} is not known here")
    return rows
