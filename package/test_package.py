"""Tests that the zips from `make package` suit Lambda, and that package.py refuses others."""

import os
import platform
import queue
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import package

# The architectures as Lambda names them, with the names that Python uses.
HOSTS = {"arm64": "aarch64", "x86_64": "x86_64"}

LACKS = {architecture: package.missing(architecture) for architecture in package.TARGETS}
BUILT = [architecture for architecture, lack in LACKS.items() if lack is None]

each_package = pytest.mark.parametrize(
    "function, architecture",
    [(function, architecture) for architecture in BUILT for function in package.FUNCTIONS],
)


@pytest.mark.parametrize("architecture", package.TARGETS)
def test_each_architecture_is_built(architecture):
    if lack := LACKS[architecture]:
        pytest.skip(f"the zips for {architecture} were neither built nor tested: {lack}")
    assert all(package.package(function, architecture).is_file() for function in package.FUNCTIONS)


@pytest.fixture
def packaged(function, architecture):
    """The zip that `make package` built."""
    return package.package(function, architecture)


@pytest.fixture
def bootstrap(packaged, tmp_path):
    """The binary that Lambda unpacks from the zip."""
    with zipfile.ZipFile(packaged) as archive:
        path = Path(archive.extract("bootstrap", tmp_path))
        path.chmod(archive.getinfo("bootstrap").external_attr >> 16)
    return path


@each_package
def test_the_zip_holds_one_executable_file_and_is_small(packaged):
    package.check_zip(packaged)
    with zipfile.ZipFile(packaged) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes == {"bootstrap": 0o755}
    assert packaged.stat().st_size < 5_000_000


@each_package
def test_the_binary_runs_on_amazon_linux_2023(bootstrap, architecture):
    package.check_binary(bootstrap, architecture)


@each_package
def test_the_same_binary_gives_the_same_zip(packaged, bootstrap, tmp_path):
    bootstrap.chmod(0o600)
    os.utime(bootstrap, (1_700_000_000, 1_700_000_000))
    again = tmp_path / "again.zip"
    package.write_zip(bootstrap, again)
    assert again.read_bytes() == packaged.read_bytes()


@each_package
def test_nothing_of_the_machine_is_in_the_binary(bootstrap):
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")).absolute()
    binary = bootstrap.read_bytes()
    found = [folder for folder in (package.ROOT, cargo_home) if os.fsencode(folder) in binary]
    assert not found


@each_package
def test_the_binary_starts_and_asks_lambda_for_an_event(bootstrap, architecture, runtime_api):
    if platform.system() != "Linux" or platform.machine() != HOSTS[architecture]:
        pytest.skip(
            f"the binary was not started: it needs a Linux machine with {HOSTS[architecture]}"
        )
    environment = {
        "AWS_LAMBDA_RUNTIME_API": runtime_api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    process = subprocess.Popen([bootstrap], env=environment, cwd=bootstrap.parent)
    # If the process ends early, the test fails at once and does not wait.
    threading.Thread(target=lambda: runtime_api.seen.put(f"it ended: {process.wait()}")).start()
    try:
        assert runtime_api.seen.get(timeout=60) == "GET /2018-06-01/runtime/invocation/next"
    finally:
        process.kill()


@pytest.fixture
def runtime_api():
    """A fake of Lambda's Runtime API that records the request and answers with the error 503."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.put(self.requestline.removesuffix(" HTTP/1.1"))
            self.send_error(503)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = queue.Queue()
        server.address = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


CALLS = {"strlcpy": 'strlcpy(a, "a", 2)', "strlen": "strlen(a)"}


def compiled(folder, target, *flags, symbol="strlcpy"):
    """Compiles a program that calls `strlcpy`, which glibc has since version 2.38, or an older function."""
    source, binary = folder / "main.c", folder / "main"
    call = CALLS[symbol]
    source.write_text(
        f"#include <string.h>\nint main(void) {{ char a[2] = {{0}}; return {call} != 1; }}\n"
    )
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        target,
        *flags,
        str(source),
        "-o",
        str(binary),
    ]
    subprocess.run(command, check=True)
    return binary


def test_a_symbol_newer_than_the_machine_has_is_refused(tmp_path):
    binary = compiled(tmp_path, "x86_64-linux-gnu.2.38")
    package.check_binary(binary, "x86_64", glibc=(2, 38))
    with pytest.raises(
        package.Refused, match=r"needs .*GLIBC_2\.38; the newest there is GLIBC_2\.34"
    ):
        package.check_binary(binary, "x86_64")


@each_package
def test_the_limit_is_the_functions_own(bootstrap, architecture):
    """The binaries need the newest allowed version, so the check must fail with an older one."""
    with pytest.raises(
        package.Refused, match=r"needs GLIBC_2\.34; the newest there is GLIBC_2\.33"
    ):
        package.check_binary(bootstrap, architecture, glibc=(2, 33))


def test_a_version_without_a_number_is_refused():
    assert package.glibc_version("GLIBC_2.2.5") == (2, 2, 5)
    # Packed relocations (since 2.36), an internal symbol, and another library.
    for name in ("GLIBC_ABI_DT_RELR", "GLIBC_PRIVATE", "GCC_3.0"):
        assert package.glibc_version(name) is None


def test_a_binary_for_another_processor_is_refused(tmp_path):
    binary = compiled(tmp_path, "aarch64-linux-gnu.2.38", "-c")
    with pytest.raises(package.Refused, match="is for EM_AARCH64, not for EM_X86_64"):
        package.check_binary(binary, "x86_64")


def test_a_binary_that_says_nothing_of_glibc_is_refused(tmp_path):
    binary = compiled(tmp_path, "x86_64-linux-gnu.2.38", "-c")
    with pytest.raises(package.Refused, match="does not say which versions"):
        package.check_binary(binary, "x86_64")


def test_a_zip_that_is_too_large_is_refused(tmp_path):
    binary, path = tmp_path / "random", tmp_path / "large.zip"
    binary.write_bytes(os.urandom(5_000_000))
    package.write_zip(binary, path)
    with pytest.raises(package.Refused, match="it must have less than 5000000"):
        package.check_zip(path)


@pytest.mark.parametrize(
    "entries",
    [{"main": 0o100755}, {"bootstrap": 0o100644}, {"bootstrap": 0o100755, "notes": 0o100644}],
)
def test_a_zip_with_other_contents_is_refused(entries, tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, b"")
    with pytest.raises(package.Refused, match="must hold one executable file"):
        package.check_zip(path)


@pytest.mark.parametrize("asked", [["arm64"], []])
def test_what_cannot_be_built_is_said_and_leaves_nothing_old(asked, tmp_path, monkeypatch, capsys):
    # A Rust target that no developer of this project installs.
    for architecture in package.TARGETS:
        monkeypatch.setitem(package.TARGETS, architecture, "sparc64-unknown-linux-gnu")
    monkeypatch.setattr(package, "PACKAGES", tmp_path)
    old = package.package("automirror", "arm64")
    old.touch()
    assert package.main(asked) == "not everything that was asked for was built"
    assert "not built for arm64: " in (said := capsys.readouterr().err)
    assert "rustup target add sparc64-unknown-linux-gnu" in said
    assert not old.exists()


def test_an_unknown_architecture_is_refused():
    assert package.main(["mips"]) == "mips: no such architecture; there are arm64 and x86_64"
