#!/usr/bin/env python3
"""Builds the zips of the functions for Lambda's runtime provided.al2023, and checks them.

    package.py [ARCHITECTURE...]

The architectures are arm64 and x86_64. Without an argument, the script builds for each that the
Rust toolchain supports, and prints what is missing for the others. The zips are
target/package/FUNCTION-ARCHITECTURE.zip.

The same source, Rust and requirements.txt give the same bytes on every machine.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import zopfli.zlib
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
PACKAGES = TARGET / "package"
FUNCTIONS = ["automirror", "config-rule"]
# The architectures as Lambda names them, with the names that Rust and ELF use.
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}
# The version in Amazon Linux 2023: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = (2, 34)
MAX_ZIP_SIZE = 5_000_000
# The earliest date that a zip can contain.
DATE = (1980, 1, 1, 0, 0, 0)
EXECUTABLE_FILE = 0o100755


class Refused(Exception):
    """A package that must not be deployed."""


def package(function: str, architecture: str) -> Path:
    return PACKAGES / f"{function}-{architecture}.zip"


def missing(architecture: str) -> str | None:
    """Returns what this machine lacks to build for the architecture, and how to install it."""
    target = TARGETS[architecture]
    where = ["rustc", "--print", "target-libdir", "--target", target]
    folder = subprocess.check_output(where, cwd=ROOT, text=True).strip()
    if any(Path(folder).glob("libstd-*")):
        return None
    return f"Rust's standard library for {target} is not installed: rustup target add {target}"


def build(architecture: str, crates: list[str]) -> Path:
    """Builds the crates and returns the folder with their binaries, CRATE/bootstrap."""
    folder = PACKAGES / architecture
    # One command builds all crates, so that the EC2 SDK is built once. --disable-optimizations
    # keeps the profile of Cargo.toml. cargo-lambda's own zip is not used, because it contains the
    # time of the build.
    command = ["cargo-lambda", "lambda", "build", "--release", "--locked"]
    command += ["--disable-optimizations", "--lambda-dir", str(folder)]
    command += ["--target", f"{TARGETS[architecture]}.{GLIBC[0]}.{GLIBC[1]}"]
    command += [word for crate in crates for word in ("--package", crate)]
    subprocess.run(command, cwd=ROOT, env=build_environment(), check=True)
    return folder


def build_environment() -> dict[str, str]:
    tools = Path(sys.executable).parent
    return os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "CARGO_ZIGBUILD_PYTHON_PATH": sys.executable,
        "CARGO_TARGET_DIR": str(TARGET),
        # Otherwise AWS-LC seeds itself from CPU jitter before it asks the kernel, and the first
        # random number takes 40 ms of CPU time. The kernel's random numbers are enough for TLS.
        "AWS_LC_SYS_NO_JITTER_ENTROPY": "1",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(nothing_of_this_machine()),
    }


def nothing_of_this_machine() -> list[str]:
    """Returns flags that keep this machine's folders out of the binaries: panics name files."""
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=ROOT, check=True)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")).absolute()
    prefixes = [(home, "/cargo"), (ROOT, "/automirror")]
    # cargo names the folder of a registry after its address, which differs if a mirror is used.
    prefixes += [(registry, "/crates") for registry in sorted(home.glob("registry/src/*"))]
    # If several prefixes match, rustc uses the last.
    return [f"--remap-path-prefix={folder}={name}" for folder, name in prefixes]


def write_zip(binary: Path, path: Path) -> None:
    bootstrap = zipfile.ZipInfo("bootstrap", DATE)
    bootstrap.create_system = 3  # Unix, so that the file mode is kept.
    bootstrap.external_attr = EXECUTABLE_FILE << 16
    bootstrap.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w") as archive, archive.open(bootstrap, "w") as entry:
        # zipfile takes no other compressor by any public way; check_zip reads back what came of it.
        entry._compressor = Zopfli()
        entry.write(binary.read_bytes())


class Zopfli:
    """Deflates as zlib's compressor does, only smaller."""

    def __init__(self) -> None:
        self.data = b""

    def compress(self, data: bytes) -> bytes:
        self.data += data
        return b""

    def flush(self) -> bytes:
        # Without zlib's two bytes in front and its checksum behind, it is what a zip holds.
        return zopfli.zlib.compress(self.data, numiterations=5)[2:-4]


def check_binary(binary: Path, architecture: str, glibc: tuple[int, ...] = GLIBC) -> None:
    """Checks that the binary runs on Amazon Linux 2023 with this architecture."""
    with binary.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != MACHINES[architecture]:
            raise Refused(f"{binary} is for {elf['e_machine']}, not for {MACHINES[architecture]}")
        needed = needed_versions(elf)
    if not needed:
        raise Refused(f"{binary} does not say which versions of glibc it needs")
    # A name without a number, such as GLIBC_ABI_DT_RELR, stands for a newer or private feature.
    allowed = {name for name in needed if (number := glibc_version(name)) and number <= glibc}
    if needed != allowed:
        wanted = ", ".join(sorted(needed - allowed))
        raise Refused(f"{binary} needs {wanted}; the newest there is GLIBC_{glibc[0]}.{glibc[1]}")


def needed_versions(elf: ELFFile) -> set[str]:
    """Returns the symbol versions that the binary needs, such as GLIBC_2.34."""
    sections = [
        section for section in elf.iter_sections() if isinstance(section, GNUVerNeedSection)
    ]
    return {
        version.name
        for section in sections
        for _, versions in section.iter_versions()
        for version in versions
    }


def glibc_version(name: str) -> tuple[int, ...] | None:
    library, _, number = name.partition("_")
    parts = number.split(".")
    return tuple(map(int, parts)) if library == "GLIBC" and all(map(str.isdigit, parts)) else None


def check_zip(path: Path, max_size: int = MAX_ZIP_SIZE) -> None:
    if path.stat().st_size >= max_size:
        raise Refused(f"{path} has {path.stat().st_size} bytes; it must have less than {max_size}")
    with zipfile.ZipFile(path) as archive:
        entries = [(entry.filename, entry.external_attr >> 16) for entry in archive.infolist()]
        if broken := archive.testzip():
            raise Refused(f"{path}: {broken} cannot be unpacked")
    if entries != [("bootstrap", EXECUTABLE_FILE)]:
        raise Refused(f"{path} must hold one executable file named bootstrap, not {entries}")


def make(architecture: str) -> None:
    binaries = build(architecture, FUNCTIONS)
    for function in FUNCTIONS:
        binary, path = binaries / function / "bootstrap", package(function, architecture)
        check_binary(binary, architecture)
        unchecked = path.with_suffix(".unchecked")
        write_zip(binary, unchecked)
        check_zip(unchecked)
        unchecked.rename(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes  sha256 {digest}")


def main(asked: list[str]) -> str | None:
    """Returns an error message, or None if everything was built."""
    if unknown := set(asked) - set(TARGETS):
        return f"{' '.join(unknown)}: no such architecture; there are {' and '.join(TARGETS)}"
    built = []
    for architecture in asked or TARGETS:
        # Otherwise the zip of an earlier build would look like one of this build.
        for function in FUNCTIONS:
            package(function, architecture).unlink(missing_ok=True)
        if lack := missing(architecture):
            print(f"not built for {architecture}: {lack}", file=sys.stderr)
            continue
        try:
            make(architecture)
        except (Refused, subprocess.CalledProcessError) as failure:
            return str(failure)
        built.append(architecture)
    if not built or asked and built != asked:
        return "not everything that was asked for was built"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
