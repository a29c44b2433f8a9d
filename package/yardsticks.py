#!/usr/bin/env python3
"""Builds the programs that `make bench` compares the functions with, in the same way.

    yardsticks.py ARCHITECTURE
"""

import sys

from package import FUNCTIONS, build


def main(architecture: str) -> None:
    build(architecture, ["hello"])
    # Without the functions, the EC2 SDK would get other features and be built again.
    build(architecture, [*FUNCTIONS, "planner"])


if __name__ == "__main__":
    main(*sys.argv[1:])
