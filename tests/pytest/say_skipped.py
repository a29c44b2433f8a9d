"""A pytest plugin: adds each reason why something was not tested to target/skipped, for the end of `make test`."""

import os
from pathlib import Path

SKIPPED = Path(__file__).parents[2] / "target" / "skipped"


def pytest_runtest_logreport(report):
    # With several processes, the one that they report to says it.
    if report.skipped and "PYTEST_XDIST_WORKER" not in os.environ:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        said = SKIPPED.read_text() if SKIPPED.exists() else ""
        if f"{reason}\n" not in said:
            SKIPPED.write_text(f"{said}{reason}\n")
