"""pip installs only files whose hashes are in the repository, and each version that we chose."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHOSEN = sorted(path for path in ROOT.glob("*/requirements.in")) + sorted(
    ROOT.glob("tests/*/requirements.in")
)
LOCKED = [path.with_suffix(".txt") for path in CHOSEN]


def pins(path):
    """The version of each package, by its name and by what it is for; without extras, which are no packages."""
    lines = re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==([^\s;]+)(?: ; (.*?))?(?: \\)?$", path.read_text(), re.M)
    return {(name, where): version for name, version, where in lines}


def by_path(path):
    return str(path.relative_to(ROOT))


def test_there_are_files_for_each_tool():
    assert len(CHOSEN) == 6


@pytest.mark.parametrize("path", CHOSEN, ids=by_path)
def test_what_we_chose_is_locked(path):
    chosen, locked = pins(path), pins(path.with_suffix(".txt"))
    wanted = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert len(chosen) == len(wanted)
    assert chosen.items() <= locked.items()


@pytest.mark.parametrize("path", LOCKED, ids=by_path)
def test_every_package_has_hashes(path):
    entries = re.split(r"^(?=[a-z])", path.read_text(), flags=re.M)[1:]
    assert len(entries) == len(pins(path))
    for entry in entries:
        assert re.search(r"^    --hash=sha256:[0-9a-f]{64}\b", entry, re.M), entry.splitlines()[0]
    # From where is a matter of whoever installs it.
    assert not re.search(r"://|--(extra-)?index-url|--find-links", path.read_text())


@pytest.mark.parametrize("path", ["Makefile", "tests/browser/ready", "tests/rie/fetch.py"])
def test_pip_refuses_what_has_no_hash(path):
    text = (ROOT / path).read_text()
    calls = re.findall(r'pip"? install .*requirements.*|pip"? install .*\$<|"pip", "download".*', text)
    assert calls and all("--require-hashes" in call for call in calls)


def test_the_compiler_is_the_oldest_that_the_crates_allow():
    """So that nothing is used that a newer one has."""
    channel = re.search(r'^channel = "([\d.]+)"', (ROOT / "rust-toolchain.toml").read_text(), re.M)[1]
    oldest = re.search(r'^rust-version = "([\d.]+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert channel == f"{oldest}.0"
