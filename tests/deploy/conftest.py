"""What the tests of the deployments share: moto as a fake of AWS, Terraform, and the paths."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
import pytest

HERE = Path(__file__).parent
TOP = HERE.parent.parent
REGION = "us-east-1"
ACCOUNT = "123456789012"
UNTESTED = "the Terraform modules were neither validated, planned, applied nor compared with the templates"


@pytest.fixture(scope="session")
def aws_server():
    """Runs moto's server until the tests end, and returns its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, HERE / "moto_mirror.py", "-H", "127.0.0.1", "-p", str(port)]
    # MOTO_LOG names a file for what moto logs, to look for the cause of an answer 500.
    log = open(os.environ.get("MOTO_LOG", os.devnull), "a")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        while not is_up(address):
            assert server.poll() is None, "moto's server ended"
            time.sleep(0.1)
        yield address
    finally:
        server.kill()
        server.wait()
        log.close()


def is_up(address):
    try:
        urllib.request.urlopen(f"{address}/moto-api/data.json", timeout=5).close()
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def aws(aws_server):
    """An empty account."""
    reset = urllib.request.Request(f"{aws_server}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=60).close()
    return Aws(aws_server)


class Aws:
    """An account and region. moto knows the account by the credentials, which it gives to whoever assumes a role."""

    def __init__(self, address, account=ACCOUNT, region=REGION):
        self.address, self.account, self.region = address, account, region
        self.credentials = {"AccessKeyId": "test", "SecretAccessKey": "test"}
        if account != ACCOUNT:
            role = {"RoleArn": f"arn:aws:iam::{account}:role/test", "RoleSessionName": "test"}
            self.credentials = Aws(address).client("sts").assume_role(**role)["Credentials"]

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.address,
            region_name=self.region,
            aws_access_key_id=self.credentials["AccessKeyId"],
            aws_secret_access_key=self.credentials["SecretAccessKey"],
            aws_session_token=self.credentials.get("SessionToken"),
        )

    def environment(self):
        """Returns the environment for programs that call AWS, without any settings of this machine."""
        return {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.address,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.credentials["SecretAccessKey"],
            **({"AWS_SESSION_TOKEN": token} if (token := self.credentials.get("SessionToken")) else {}),
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class Terraform:
    """A copy of the modules, initialized with the provider in the folder `plugins`."""

    def __init__(self, aws, folder, plugins):
        self.folder = folder
        self.plugins = plugins
        self.environment = aws.environment() | {
            "HOME": str(folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }

    def run(self, *arguments, codes=(0,), **environment):
        command = ["terraform", *arguments]
        environment = self.environment | environment
        done = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True)
        assert done.returncode in codes, f"{command}: {done.stdout[-4000:]}{done.stderr[-8000:]}"
        return done.stdout

    def init(self):
        self.run("init", "-input=false", "-no-color", f"-plugin-dir={self.plugins}")

    def set(self, values):
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(values))

    def show(self, *plan):
        return json.loads(self.run("show", "-json", *plan))

    def plan(self, region=REGION):
        self.run("plan", "-no-color", "-input=false", "-out=plan", AWS_REGION=region)
        return self.show("plan")


@pytest.fixture(scope="session")
def plugins():
    """Returns the folder with the AWS provider. Without one, skips the test, or fails it in a pipeline, and says why."""
    provider = (
        "set TF_PLUGIN_DIR to a folder with the AWS provider, "
        "which `terraform -chdir=terraform providers mirror FOLDER` creates"
    )
    # A pipeline that tests nothing of Terraform must not be green.
    leave = pytest.fail if os.environ.get("GITHUB_ACTIONS") == "true" else pytest.skip
    if not shutil.which("terraform"):
        leave(f"{UNTESTED}: install terraform 1.5 or newer, and {provider}")
    folder = os.environ.get("TF_PLUGIN_DIR")
    if not folder:
        leave(f"{UNTESTED}: {provider}")
    return folder


@pytest.fixture(scope="module")
def terraform(aws, plugins, tmp_path_factory):
    folder = tmp_path_factory.mktemp("terraform") / "terraform"
    shutil.copytree(TOP / "terraform", folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    terraform = Terraform(aws, folder, plugins)
    terraform.init()
    return terraform


@pytest.fixture(scope="session")
def zips(tmp_path_factory):
    """Returns a folder with a stand-in zip for each function. package/test_zips.py tests the real zips."""
    folder = tmp_path_factory.mktemp("zips")
    for name in ("automirror", "config-rule"):
        (folder / f"{name}.zip").write_bytes(zipped(f"#!/bin/sh\nexec {TOP / 'target/debug' / name}\n"))
    return folder


def zipped(bootstrap):
    """Returns a zip for Lambda whose program is a script."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", bootstrap)
    return package.getvalue()
