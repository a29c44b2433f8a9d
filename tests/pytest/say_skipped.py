"""A pytest plugin: adds each reason why something was not tested to target/skipped, for the end of `make test`."""

from pathlib import Path

SKIPPED = Path(__file__).parents[2] / "target" / "skipped"


def pytest_runtest_logreport(report):
    if report.skipped:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        said = SKIPPED.read_text() if SKIPPED.exists() else ""
        if f"{reason}\n" not in said:
            SKIPPED.write_text(f"{said}{reason}\n")
