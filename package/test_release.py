"""What a release publishes: release.sh collects it, and sbom.py says what each program consists of."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import mirrorctl
import package
import sbom
from test_package import compiled

ROOT = Path(__file__).parent.parent
PROGRAMS = ["automirror", "config-rule", "mirrorctl"]
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
LOCKED = {
    (one["name"], one["version"]): one
    for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
}


@pytest.fixture(scope="module")
def bills():
    command = [sys.executable, ROOT / "package/sbom.py"]
    return {
        program: subprocess.check_output([*command, program], text=True) for program in PROGRAMS
    }


def crates(bill, scope=None):
    return {
        (one["name"], one["version"])
        for one in json.loads(bill)["components"]
        if scope in (None, one["scope"])
    }


def reachable(program):
    """What takes part in the build of a program, with the features of the whole workspace, by `cargo metadata`."""
    found = set()
    for target in package.TARGETS.values():
        command = ["cargo", "metadata", "--locked", "--format-version", "1"]
        said = subprocess.check_output([*command, "--filter-platform", target], cwd=ROOT)
        known = json.loads(said)
        names = {one["id"]: (one["name"], one["version"]) for one in known["packages"]}
        needs = {
            node["id"]: {
                one["pkg"]
                for one in node["deps"]
                if any(kind["kind"] in (None, "build") for kind in one["dep_kinds"])
            }
            for node in known["resolve"]["nodes"]
        }
        todo, seen = [one for one, name in names.items() if name == (program, VERSION)], set()
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += needs[one]
        found |= {names[one] for one in seen}
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_bill_is_valid_and_the_same_everywhere(bills, program):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bills[program]) is None
    assert str(ROOT) not in bills[program] and "://" not in bills[program]
    references = [one["bom-ref"] for one in json.loads(bills[program])["components"]]
    assert len(references) == len(set(references)) > 100


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_bill_has_the_crates_of_cargo_lock_with_their_checksums(bills, program):
    bill = json.loads(bills[program])
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == (
        program,
        VERSION,
    )
    for one in bill["components"]:
        locked = LOCKED[one["name"], one["version"]]
        checksums = [checksum["content"] for checksum in one.get("hashes", [])]
        assert checksums == ([locked["checksum"]] if "source" in locked else []), one["name"]
        assert one["licenses"], one["name"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_bill_has_what_the_program_needs_and_nothing_of_the_tests(bills, program):
    there = crates(bills[program]) | {(program, VERSION)}
    assert there <= reachable(program)
    manifest = tomllib.loads((ROOT / program / "Cargo.toml").read_text())
    linked = {name for name, _ in crates(bills[program], "required")}
    assert manifest["dependencies"].keys() - linked == set()
    # What every program consists of, down to the TLS library, and what only helps to build it.
    assert {"aws-lc-sys", "aws-sdk-ec2", "rustls", "shared", "shared-ec2", "tokio"} <= linked
    assert {"serde_derive", "cc"} <= {name for name, _ in crates(bills[program], "excluded")}
    # The graph leads to each of them.
    needs = {one["ref"]: one["dependsOn"] for one in json.loads(bills[program])["dependencies"]}
    todo, seen = [f"pkg:cargo/{program}@{VERSION}"], set()
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += needs[one]
    assert seen == {f"pkg:cargo/{name}@{version}" for name, version in there}


def test_the_bill_is_of_the_architectures_of_the_packages():
    assert set(sbom.TARGETS) == set(package.TARGETS.values())


@pytest.fixture
def checkout(tmp_path):
    """Returns a function that copies what is needed for a release, with stand-ins for what is built."""

    def copied(name):
        there = tmp_path / name
        ignored = shutil.ignore_patterns("target", ".git", "corpus", "__pycache__", ".terraform*")
        shutil.copytree(ROOT, there, ignore=ignored, symlinks=True)
        (there / "target/package").mkdir(parents=True)
        for program in package.FUNCTIONS:
            for architecture in package.TARGETS:
                zip_ = there / f"target/package/{program}-{architecture}.zip"
                zip_.write_text(f"{program} {architecture}")
        for architecture in package.TARGETS:
            built = there / f"target/package/mirrorctl-{architecture}"
            built.write_text(f"mirrorctl {architecture}")
            built.chmod(0o755)
        changes = there / "CHANGELOG.md"
        changes.write_text(changes.read_text().replace("## Unreleased", f"## {VERSION}", 1))
        return there

    return copied


def release(there, tag=f"v{VERSION}", **environment):
    command = [there / "package/release.sh", tag, there / "assets"]
    # What a workflow of GitHub sets must not decide here.
    place = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    return subprocess.run(command, env=place | environment, text=True, capture_output=True)


def test_a_release_has_everything_and_is_the_same_from_each_checkout(checkout, bills):
    first, second = checkout("first"), checkout("second folder")
    # Somebody whose files others may not read.
    (second / "LICENSE").chmod(0o600)
    (second / "target/package/mirrorctl-arm64").chmod(0o700)
    for there in (first, second):
        done = release(there)
        assert done.returncode == 0, done.stderr
    published = {path.name: path.read_bytes() for path in (first / "assets").iterdir()}
    assert published == {path.name: path.read_bytes() for path in (second / "assets").iterdir()}
    zips = {f"{one}-{on}.zip" for one in package.FUNCTIONS for on in package.TARGETS}
    templates = {"automirror.yaml", "organization.yaml"}
    archives = {f"automirror-{VERSION}-{kind}.tar.gz" for kind in ("cloudformation", "terraform")}
    of_programs = {f"{program}-{VERSION}.cdx.json" for program in PROGRAMS}
    programs = {f"mirrorctl-{VERSION}-linux-{on}.tar.gz" for on in package.TARGETS}
    assert published.keys() == zips | templates | archives | programs | of_programs | {"SHA256SUMS"}
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/releases.md").read_text(), re.M)
    documented = re.findall("`(.*?)`", " ".join(rows).replace("VERSION", VERSION))
    assert sorted(documented) == sorted(published)
    for program in PROGRAMS:
        assert published[f"{program}-{VERSION}.cdx.json"].decode() == bills[program]
    sums = published["SHA256SUMS"].decode().splitlines()
    assert {line.split()[1] for line in sums} == published.keys() - {"SHA256SUMS"}
    subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=first / "assets", check=True
    )
    notes = (first / "target/release-notes.md").read_text()
    assert notes.startswith(f"## {VERSION}\n") and notes.count("\n## ") == 0


GUIDE = re.compile(r"What to do (?:is in|when an alarm rings is in) ([^\s\"]+)")


def guides(there):
    """Where the released template and modules say that the guide of the alarms is."""
    template = (there / "assets/automirror.yaml").read_text()
    packed = there / f"assets/automirror-{VERSION}-terraform.tar.gz"
    with tarfile.open(packed) as archive:
        module = archive.extractfile("terraform/modules/automirror/alarms.tf").read().decode()
    with tarfile.open(there / f"assets/automirror-{VERSION}-cloudformation.tar.gz") as archive:
        assert archive.extractfile("cloudformation/automirror.yaml").read().decode() == template
    mapping = re.findall(r"^      (Guide|GuideLink): (.*)$", template, re.M)
    return {key: value.strip("'") for key, value in mapping}, GUIDE.findall(module)


def test_a_release_of_github_links_to_the_guide_of_its_tag(checkout):
    there = checkout("here")
    known = {"GITHUB_SERVER_URL": "https://git.example", "GITHUB_REPOSITORY": "team/fork"}
    assert release(there, **known).returncode == 0
    page = f"https://git.example/team/fork/blob/v{VERSION}/docs/alarms.md"
    template, module = guides(there)
    assert template == {"Guide": page, "GuideLink": f"[docs/alarms.md]({page})"}
    assert len(module) >= 11 and f"[docs/alarms.md]({page})." in module
    alarms = [said for said in module if not said.startswith("[")]
    assert len(alarms) == len(module) - 1 and all(said.startswith(f"{page}#") for said in alarms)
    # The checkout itself has no address.
    assert "git.example" not in (there / "cloudformation/automirror.yaml").read_text()


def test_without_a_repository_the_guide_has_no_address(checkout):
    there = checkout("here")
    assert release(there).returncode == 0
    template, module = guides(there)
    assert set(template.values()) == {"docs/alarms.md"}
    assert all(said.startswith("docs/alarms.md") for said in module)


def test_mirrorctl_is_a_program_to_unpack_and_run(checkout, tmp_path):
    there = checkout("here")
    assert release(there).returncode == 0
    for architecture in package.TARGETS:
        packed = there / f"assets/mirrorctl-{VERSION}-linux-{architecture}.tar.gz"
        with tarfile.open(packed) as archive:
            modes = {entry.name: entry.mode for entry in archive}
            archive.extractall(tmp_path / architecture, filter="data")
        assert modes == {"mirrorctl": 0o755, "LICENSE": 0o644}
        unpacked = tmp_path / architecture / "mirrorctl"
        assert unpacked.read_text() == f"mirrorctl {architecture}"


def test_a_tag_that_is_not_the_version_is_refused(checkout):
    done = release(checkout("here"), "v99.0.0")
    assert done.returncode == 1
    assert f"the tag is v99.0.0, but the version in Cargo.toml is {VERSION}" in done.stderr


@pytest.mark.parametrize("name", ["config-rule-arm64.zip", "mirrorctl-x86_64"])
def test_what_was_not_built_is_named(checkout, name):
    there = checkout("here")
    (there / "target/package" / name).unlink()
    done = release(there)
    assert done.returncode == 1 and f"no target/package/{name}" in done.stderr


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Returns where mirrorctl's build puts its binary: a small program stands in for it."""
    folder = tmp_path / "arm64"
    (folder / "mirrorctl").mkdir(parents=True)
    monkeypatch.setattr(package, "PACKAGES", tmp_path)
    monkeypatch.setattr(package, "missing", lambda architecture: None)
    monkeypatch.setattr(package, "build", lambda architecture, crates: folder)
    return folder / "mirrorctl/bootstrap"


def test_mirrorctl_is_checked_and_keeps_its_name(built, tmp_path):
    compiled(tmp_path, "aarch64-linux-gnu.2.34", symbol="strlen").rename(built)
    assert mirrorctl.main(["arm64"]) is None
    program = tmp_path / "mirrorctl-arm64"
    assert program.read_bytes() == built.read_bytes() and os.access(program, os.X_OK)


def test_mirrorctl_for_too_new_a_system_is_refused_and_leaves_nothing_old(built, tmp_path):
    old = tmp_path / "mirrorctl-arm64"
    old.touch()
    compiled(tmp_path, "aarch64-linux-gnu.2.38").rename(built)
    assert "GLIBC_2.38; the newest there is GLIBC_2.34" in mirrorctl.main(["arm64"])
    assert not old.exists()


@pytest.mark.parametrize("asked", [[], ["mips"]])
def test_mirrorctl_is_built_for_named_architectures_only(asked):
    assert mirrorctl.main(asked) == "give the architectures: arm64 and x86_64"
