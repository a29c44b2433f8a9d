"""Tests that package.py refuses what does not suit Lambda. test_zips.py tests what it builds."""

import os
import subprocess
import sys
import zipfile

import pytest

import package

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
