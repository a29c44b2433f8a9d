#!/usr/bin/env python3
"""Builds what `make bench` measures beside the functions, in the way that these are built.

    yardsticks.py ARCHITECTURE
"""

import sys

from package import FUNCTIONS, build


def main(architecture: str) -> None:
    build(architecture, ["hello"])
    # Without the functions beside it, the EC2 SDK would get other features and be built anew.
    build(architecture, [*FUNCTIONS, "planner"])


if __name__ == "__main__":
    main(*sys.argv[1:])
