"""Checks that the modules of each product crate are floors: no module imports a module on a floor
above it, and no two modules import each other, not even through a third.

    modules.py CRATE...

cargo-modules tells which module uses which. The floors of a crate, lowest first, are in FLOORS.
"""

import graphlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Each crate's floors, lowest first; modules within one floor are separated by spaces.
FLOORS = {
    "shared": ["id number text", "policy", "observed", "plan"],
    "shared-ec2": [
        "error client deadline log selector unique",
        "convert",
        "addressed described filter targets",
        "ask by_id pages",
        "call interfaces",
        "doors resources",
        "cache",
        "target_usage",
        "reader",
        "named sweep warm_up",
        "witness",
        "observe",
    ],
    "shared-elb": ["convert error", "pages", "read"],
    "automirror": [
        "event",
        "act memory",
        "answer by_hand",
        "intake reconcile",
        "group",
        "handler",
    ],
    "mirrorctl": [
        "arguments problem",
        "confirm function log output place settings signed trail",
        "map quota seen",
        "world",
        "read redact",
        "doctor",
        "view",
        "answer",
        "command",
    ],
    "capture": ["clock frame", "tally", "read"],
    "config-rule": [
        "resource",
        "evaluation event parameters standing",
        "news",
        "targets",
        "verdict",
        "look",
        "report summary",
        "judge",
        "change schedule",
        "handler",
    ],
}
# Only modules, and only which uses which.
ARGUMENTS = "--no-externs --no-fns --no-traits --no-types --no-sysroot --no-owns".split()
EDGE = re.compile(r'"(?P<user>[\w:]+)" -> "(?P<used>[\w:]+)"')


def uses(crate: str) -> dict[str, set[str]]:
    """Which modules each module of the crate uses, by their paths below the crate."""
    command = ["cargo", "modules", "dependencies", "--package", crate, "--lib", *ARGUMENTS]
    graph = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    edges: dict[str, set[str]] = {}
    for edge in EDGE.finditer(graph):
        user, used = (edge[name].partition("::")[2] for name in ("user", "used"))
        # The crate's root only lists its modules.
        if user and used:
            edges.setdefault(user, set()).add(used)
    if not edges:
        sys.exit(f"{crate}: cargo-modules names no module that uses another")
    return edges


def faults(crate: str) -> list[str]:
    edges = uses(crate)
    found = []
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        # The sorter goes from a module to what uses it.
        found.append("a circle: " + " uses ".join(reversed(error.args[1])))
    floors = {name: height for height, row in enumerate(FLOORS[crate]) for name in row.split()}
    for user, used_modules in sorted(edges.items()):
        for used in sorted(used_modules):
            (above, below) = (path.partition("::")[0] for path in (user, used))
            missing = [name for name in (above, below) if name not in floors]
            if missing:
                found.append(f"{missing[0]} is on no floor: add it to FLOORS in {__file__}")
            elif floors[below] > floors[above]:
                found.append(f"{user} uses {used}, which is on a floor above it")
    return found


def main(crates: list[str]) -> None:
    # cargo-modules uses one core, and about a minute and a gigabyte for the EC2 SDK.
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = [
            f"{crate}: {fault}"
            for crate, its in zip(crates, pool.map(faults, crates), strict=True)
            for fault in its
        ]
    if found:
        sys.exit("\n".join(found))


main(sys.argv[1:] or sorted(FLOORS))
