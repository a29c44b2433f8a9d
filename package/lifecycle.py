"""Writes terraform/modules/automirror/lifecycle.zip, from which Terraform creates the lifecycle function.

It is in the repository, so that the module needs no other provider and no build. CloudFormation has the code in the
template. Run this after a change of cloudformation/lifecycle.py; a test compares the three.
"""

import io
import zipfile
from pathlib import Path

TOP = Path(__file__).parent.parent
CODE = TOP / "cloudformation/lifecycle.py"
ZIP = TOP / "terraform/modules/automirror/lifecycle.zip"


def packed(code: bytes) -> bytes:
    """Returns the same bytes for the same code."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        entry = zipfile.ZipInfo("index.py", (1980, 1, 1, 0, 0, 0))
        entry.create_system = 3
        entry.external_attr = 0o100644 << 16
        archive.writestr(entry, code)
    return package.getvalue()


if __name__ == "__main__":
    ZIP.write_bytes(packed(CODE.read_bytes()))
