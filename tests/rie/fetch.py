#!/usr/bin/env python3
"""Fetches AWS's Lambda Runtime Interface Emulator into a folder, and prints its path.

    fetch.py FOLDER

The emulator comes from PyPI, inside the wheel of aws-sam-cli (requirements.txt pins it by hash).
A folder that has the emulator of that wheel is left as it is.
"""

import hashlib
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}


def fetch(folder: Path) -> Path:
    name = f"aws-lambda-rie-{MACHINES[platform.machine()]}"
    # The pin is part of the path: a new pin fetches anew.
    pin = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    emulator = folder / pin / name
    if emulator.exists():
        return emulator

    emulator.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        download = ["pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run(
            [sys.executable, "-m", *download, "--dest", scratch, "--requirement", REQUIREMENTS],
            check=True,
            stdout=sys.stderr,
        )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            unpacked = Path(archive.extract(f"samcli/local/rapid/{name}", scratch))
        unpacked.chmod(0o755)
        # Last, and in one step: a run that was cut short leaves nothing that looks complete.
        unpacked.rename(emulator)
    return emulator


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(fetch(Path(sys.argv[1]).resolve()))
