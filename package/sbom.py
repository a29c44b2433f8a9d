#!/usr/bin/env python3
"""Writes the crates that a program is built from as a CycloneDX bill of materials.

    sbom.py PROGRAM

It goes to standard output. cargo says which crates are in the program for Lambda's processors (`required`), and which take
part in its build only (`excluded`: macros and build scripts); Cargo.lock has their checksums. There is no time in it, no
path and no random number: the same source gives the same bytes. The release publishes it.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Those of package.py, which needs more than Python.
TARGETS = ("aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu")


def tree(program, edges):
    """Yields the depth, the name, the version and the licence of each line of `cargo tree`."""
    targets = [word for target in TARGETS for word in ("--target", target)]
    command = ["cargo", "tree", "--locked", "--package", program, "--edges", edges, *targets]
    command += ["--prefix", "depth", "--format", " {p} | {l}"]
    for line in subprocess.check_output(command, cwd=ROOT, text=True).splitlines():
        if line:
            crate, _, licence = line.partition("|")
            depth, name, version, *_ = crate.split()
            yield int(depth), (name, version.removeprefix("v")), licence.removesuffix("(*)").strip()


def purl(crate):
    return f"pkg:cargo/{crate[0]}@{crate[1]}"


def component(crate, locked, licences, linked):
    known = {
        "type": "library",
        "bom-ref": purl(crate),
        "name": crate[0],
        "version": crate[1],
        "scope": "required" if crate in linked else "excluded",
        "purl": purl(crate),
    }
    if checksum := locked[crate].get("checksum"):
        known["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if licence := licences[crate]:
        # Old crates write MIT/Apache-2.0, which is no expression of SPDX.
        known["licenses"] = [{"expression": " OR ".join(part.strip() for part in licence.split("/"))}]
    return known


def bill(program):
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    locked = {(one["name"], one["version"]): one for one in packages}
    # A crate that is not of Rust's own registry would need to say so in its purl.
    assert len({one["source"] for one in packages if "source" in one}) == 1
    linked = {crate for _, crate, _ in tree(program, "normal,no-proc-macro")}
    licences, needs, above = {}, {}, []
    for depth, crate, licence in tree(program, "normal,build"):
        licences[crate] = licence
        needs.setdefault(crate, set())
        above = above[:depth]
        if above:
            needs[above[-1]].add(crate)
        above.append(crate)
    itself = above[0]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(itself, locked, licences, linked) | {"type": "application"}},
        "components": [component(crate, locked, licences, linked) for crate in sorted(needs) if crate != itself],
        "dependencies": [
            {"ref": purl(crate), "dependsOn": [purl(other) for other in sorted(needs[crate])]}
            for crate in sorted(needs)
        ],
    }


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(json.dumps(bill(sys.argv[1]), indent=1))
