#!/usr/bin/env python3
"""Builds the functions as packages for Lambda's runtime provided.al2023, and checks them.

    package.py [ARCHITECTURE...]

The architectures are arm64 and x86_64. Without one, all are built that the Rust toolchain can build,
and it is said what is missing for the others. The packages are target/package/FUNCTION-ARCHITECTURE.zip.

The same source, Rust, requirements.txt and zlib give the same bytes on every machine.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
PACKAGES = TARGET / "package"
FUNCTIONS = ["automirror", "config-rule"]
# Lambda's names, with Rust's and ELF's.
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}
# What Amazon Linux 2023 has: https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
GLIBC = (2, 34)
MAX_ZIP_SIZE = 5_000_000
# The first date that a zip can hold.
DATE = (1980, 1, 1, 0, 0, 0)
EXECUTABLE_FILE = 0o100755


class Refused(Exception):
    """A package that must not be deployed."""


def package(function: str, architecture: str) -> Path:
    return PACKAGES / f"{function}-{architecture}.zip"


def missing(architecture: str) -> str | None:
    """What keeps this machine from building for the architecture, and how to get it."""
    target = TARGETS[architecture]
    where = ["rustc", "--print", "target-libdir", "--target", target]
    folder = subprocess.check_output(where, cwd=ROOT, text=True).strip()
    if any(Path(folder).glob("libstd-*")):
        return None
    return f"Rust's standard library for {target} is not installed: rustup target add {target}"


def build(architecture: str, crates: list[str]) -> Path:
    """The folder with the crates' binaries, as CRATE/bootstrap."""
    folder = PACKAGES / architecture
    # One run for all crates, so that the EC2 SDK is built once. The profile of Cargo.toml counts,
    # not cargo-lambda's idea of it; nor its zip, which has the time of the build in it.
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
        # The first random number would take 40 ms of CPU, in which AWS-LC, before it asks the kernel,
        # makes a seed of its own from the processor's jitter. The kernel's is what TLS needs.
        "AWS_LC_SYS_NO_JITTER_ENTROPY": "1",
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(nothing_of_this_machine()),
    }


def nothing_of_this_machine() -> list[str]:
    """Flags that keep this machine's folders out of the binaries: panics name their source."""
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=ROOT, check=True)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")).absolute()
    prefixes = [(home, "/cargo"), (ROOT, "/automirror")]
    # A registry's folder is named after its address, which may be that of a mirror.
    prefixes += [(registry, "/crates") for registry in sorted(home.glob("registry/src/*"))]
    # Of several prefixes that fit, rustc takes the last.
    return [f"--remap-path-prefix={folder}={name}" for folder, name in prefixes]


def write_zip(binary: Path, path: Path) -> None:
    bootstrap = zipfile.ZipInfo("bootstrap", DATE)
    bootstrap.create_system = 3  # Unix: the mode counts.
    bootstrap.external_attr = EXECUTABLE_FILE << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(bootstrap, binary.read_bytes(), zipfile.ZIP_DEFLATED, 9)


def check_binary(binary: Path, architecture: str, glibc: tuple[int, ...] = GLIBC) -> None:
    """That the binary runs on Amazon Linux 2023 on this processor."""
    with binary.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != MACHINES[architecture]:
            raise Refused(f"{binary} is for {elf['e_machine']}, not for {MACHINES[architecture]}")
        needed = needed_versions(elf)
    if not needed:
        raise Refused(f"{binary} does not say which versions of glibc it needs")
    # A name without a number, such as GLIBC_ABI_DT_RELR, asks for something newer or private.
    allowed = {name for name in needed if (number := glibc_version(name)) and number <= glibc}
    if needed != allowed:
        wanted = ", ".join(sorted(needed - allowed))
        raise Refused(f"{binary} needs {wanted}; the newest there is GLIBC_{glibc[0]}.{glibc[1]}")


def needed_versions(elf: ELFFile) -> set[str]:
    """The versions of libraries' symbols that the binary asks for, such as GLIBC_2.34."""
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
    """Returns what went wrong, if something did."""
    if unknown := set(asked) - set(TARGETS):
        return f"{' '.join(unknown)}: no such architecture; there are {' and '.join(TARGETS)}"
    built = []
    for architecture in asked or TARGETS:
        # A package of an earlier build would look like one of this.
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
