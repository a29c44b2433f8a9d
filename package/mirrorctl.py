#!/usr/bin/env python3
"""Builds mirrorctl for Linux, as a release publishes it, and checks it.

    mirrorctl.py ARCHITECTURE...

The architectures are arm64 and x86_64. The programs are target/package/mirrorctl-ARCHITECTURE. They run wherever glibc is
as new as in Amazon Linux 2023.

It is no part of package.py: in one command with the functions, these would get the features that mirrorctl needs of their
dependencies. So the EC2 SDK is built once more, which takes many minutes.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import package


def program(architecture: str) -> Path:
    return package.PACKAGES / f"mirrorctl-{architecture}"


def make(architecture: str) -> None:
    binary = package.build(architecture, ["mirrorctl"]) / "mirrorctl" / "bootstrap"
    package.check_binary(binary, architecture)
    shutil.copyfile(binary, program(architecture))
    program(architecture).chmod(0o755)


def main(asked: list[str]) -> str | None:
    """Returns an error message, or None if everything was built."""
    if not asked or set(asked) - set(package.TARGETS):
        return f"give the architectures: {' and '.join(package.TARGETS)}"
    for architecture in asked:
        # Otherwise the program of an earlier build would look like one of this build.
        program(architecture).unlink(missing_ok=True)
        if lack := package.missing(architecture):
            return f"not built for {architecture}: {lack}"
        try:
            make(architecture)
        except (package.Refused, subprocess.CalledProcessError) as failure:
            return str(failure)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
