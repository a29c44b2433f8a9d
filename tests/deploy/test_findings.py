"""checkov, parliament and cfn-lint find exactly what accepted.py lists, in the templates and in the modules."""

import json
import re
import subprocess

import parity
import pytest
from accepted import ACCEPTED, WAYS, accepted
from conftest import REGION, ACCOUNT, TOP
from templates import template

TOOLS = TOP / "target/tools/templates/bin"
# Inputs that add optional statements to the roles.
OPTIONS = {
    "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d",
    "subnet_ids": ["subnet-11111111"],
    "security_group_ids": ["sg-11111111"],
}


def ran(tool, *arguments, folder=TOP):
    done = subprocess.run([TOOLS / tool, *arguments], cwd=folder, text=True, capture_output=True)
    assert not re.search("Traceback|usage:", done.stderr), done.stderr
    return done.stdout


def test_nothing_is_accepted_twice_or_without_a_reason():
    found = [(entry.tool, entry.finding, where) for entry in ACCEPTED for where in entry.where]
    assert len(set(found)) == len(found)
    assert all(entry.reason.endswith(".") for entry in ACCEPTED)


def address(resource):
    return re.sub(r"module\.\w+\.", "", re.sub(r"\[\d+\]", "", resource))


@pytest.mark.parametrize("way", WAYS)
def test_checkov_finds_what_is_accepted(way):
    said = ran("checkov", "-d", way, "--framework", way, "--skip-download", "--quiet", "--compact", "-o", "json")
    report = json.loads(said)
    assert report["summary"]["parsing_errors"] == 0 and report["summary"]["passed"] > 0
    found = {
        # A resource with a count is one resource here, and so is one of a module that several examples use.
        (check["check_id"], f"{way}{check['file_path']} {address(check['resource'])}")
        for check in report["results"]["failed_checks"]
    }
    assert sorted(found) == accepted("checkov", way)


def test_cfn_lint_finds_what_the_templates_tell_it_to_ignore(tmp_path):
    there = tmp_path / "cloudformation"
    there.mkdir()
    for path in (TOP / "cloudformation").glob("*.yaml"):
        text, ignored = re.subn(r"ignore_checks: \[\w+\]", "ignore_checks: []", path.read_text())
        assert ignored == len(accepted("cfn-lint", f"cloudformation/{path.name}"))
        (there / path.name).write_text(text)
    files = [str(path.relative_to(tmp_path)) for path in there.iterdir()]
    found = {
        (match["Rule"]["Id"], f"{match['Filename']} {match['Location']['Path'][1]}")
        for match in json.loads(ran("cfn-lint", "--format", "json", *files, folder=tmp_path))
    }
    assert sorted(found) == accepted("cfn-lint", "cloudformation")


def found_by_parliament(policies, way, folder):
    """Returns what parliament finds in the policies of the roles, with the statement of each finding."""
    for role, policy in policies.items():
        # A finding names a line, so each statement is on a line of its own.
        lines = ",\n".join(json.dumps(statement) for statement in policy["Statement"])
        (folder / f"{role}.json").write_text(f'{{"Version": "{policy["Version"]}", "Statement": [\n{lines}\n]}}')
    said = ran("parliament", "--directory", str(folder), "--include_policy_extension", "json", "--json")
    found = []
    for finding in map(json.loads, said.splitlines()):
        role = re.search(r"([^/]+)\.json$", finding["location"]["filepath"])[1]
        statement = policies[role]["Statement"][finding["location"]["line"] - 2]
        found.append((finding["issue"], f"{way} {role} {statement['Sid']}"))
    return sorted(found)


def test_parliament_finds_what_is_accepted_in_the_templates(tmp_path):
    values = {
        parity.camel(name): ",".join(value) if isinstance(value, list) else value for name, value in OPTIONS.items()
    }
    policies = {}
    for resource in template("automirror.yaml", "stack", values)["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            (policy,) = resource["Properties"]["Policies"]
            policies[policy["PolicyName"]] = policy["PolicyDocument"]
    assert found_by_parliament(policies, "cloudformation", tmp_path) == accepted("parliament", "cloudformation")


def test_parliament_finds_what_is_accepted_in_the_plan(terraform, zips, tmp_path):
    terraform.set({name: str(zips / "automirror.zip") for name in ("automirror_zip", "config_rule_zip")} | OPTIONS)
    planned = terraform.plan()["planned_values"]["root_module"]
    policies = {
        values["name"]: json.loads(values["policy"])
        for address, values in parity.resources(planned)
        if ".aws_iam_role_policy." in address
    }
    assert found_by_parliament(policies, "terraform", tmp_path) == accepted("parliament", "terraform")


# What AWS's published Guard rules find in the template, which its metadata tells Guard to ignore, with the reason.
GUARD_RULES = {
    "AWS::IAM::Role": {"IAM_NO_INLINE_POLICY_CHECK", "IAM_POLICYDOCUMENT_NO_WILDCARD_RESOURCE"},
    "AWS::Lambda::Function": {"LAMBDA_CONCURRENCY_CHECK", "LAMBDA_DLQ_CHECK", "LAMBDA_INSIDE_VPC"},
    "AWS::Logs::LogGroup": {"CW_LOGGROUP_RETENTION_PERIOD_CHECK"},
}


def test_each_rule_of_guard_that_is_ignored_has_a_reason():
    resolved = template("automirror.yaml", "stack", {})["Resources"]
    text = (TOP / "cloudformation/automirror.yaml").read_text()
    for logical, resource in resolved.items():
        ignored = resource.get("Metadata", {}).get("guard", {}).get("SuppressedRules", [])
        assert set(ignored) <= GUARD_RULES.get(resource["Type"], set()), logical
        if logical != "ConfigRuleFunction":
            assert set(ignored) == GUARD_RULES.get(resource["Type"], set()), logical
    entries = re.findall(r"^( +# .*\n)?          - ([A-Z_]+)\n", text, re.M)
    assert entries and all(reason for reason, _ in entries)


WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))
WRONG = {
    "a job that does not exist": ("    steps:\n", "    needs: build\n    steps:\n", "build"),
    "a context that does not exist": ("${{ github.token }}", "${{ github.tokn }}", "tokn"),
    "a variable without quotes": ('test "$(git rev-parse HEAD)"', "test $(git rev-parse HEAD)", "SC2046"),
}


def found_by_actionlint(path):
    command = [TOOLS / "actionlint", "-shellcheck", TOOLS / "shellcheck", path]
    done = subprocess.run(command, cwd=TOP, text=True, capture_output=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing_in_the_workflows(path):
    assert found_by_actionlint(path) == ""


@pytest.mark.parametrize("name", WRONG)
def test_actionlint_finds_what_would_fail_a_release(tmp_path, name):
    good, bad, said = WRONG[name]
    text = (TOP / ".github/workflows/release.yml").read_text()
    assert good in text
    path = tmp_path / "release.yml"
    path.write_text(text.replace(good, bad, 1))
    assert said in found_by_actionlint(path)
