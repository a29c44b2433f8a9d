"""Resolves the CloudFormation templates with `target/debug/template`."""

import json
import subprocess

from conftest import ACCOUNT, REGION, TOP


def template(path, stack, values):
    """Resolves a template of this repository in moto's account and region."""
    place = {
        "AWS::AccountId": ACCOUNT,
        "AWS::Region": REGION,
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d",
    }
    return resolve(path, place | values)


def resolve(path, values):
    arguments = [f"{name}={value}" for name, value in values.items()]
    command = [TOP / "target/debug/template", TOP / "cloudformation" / path, *arguments]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def parameters(path):
    return resolve(path, {})["Parameters"]
