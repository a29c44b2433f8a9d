"""Tests that the zips which `make package` has just built suit Lambda.

`make test` does not run them: it builds nothing for release, which takes many minutes. ARCHITECTURES has what
`make package` was asked for; empty, it is what the Rust toolchain can build.
"""

import os
import platform
import queue
import subprocess
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import package

# The architectures as Lambda names them, with the names that Python uses.
HOSTS = {"arm64": "aarch64", "x86_64": "x86_64"}

ASKED = os.environ.get("ARCHITECTURES", "").split() or list(package.TARGETS)
LACKS = {architecture: package.missing(architecture) for architecture in ASKED}
BUILT = [architecture for architecture, lack in LACKS.items() if lack is None]

each_package = pytest.mark.parametrize(
    "function, architecture",
    [(function, architecture) for architecture in BUILT for function in package.FUNCTIONS],
)


@pytest.mark.parametrize("architecture", ASKED)
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


@each_package
def test_the_limit_is_the_functions_own(bootstrap, architecture):
    """The binaries need the newest allowed version, so the check must fail with an older one."""
    with pytest.raises(
        package.Refused, match=r"needs GLIBC_2\.34; the newest there is GLIBC_2\.33"
    ):
        package.check_binary(bootstrap, architecture, glibc=(2, 33))
