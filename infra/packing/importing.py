"""Does a bundle import where nothing else is importable?"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.packing import BundleError

# What Lambda's Python runtime brings along: boto3 and what it needs.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")

# The bundle goes first and the runtime last, as on Lambda; -I and -S keep everything else out.
PROGRAM = """
import importlib, sys
bundle, runtime, *modules = sys.argv[1:]
sys.path.insert(0, bundle)
sys.path.append(runtime)
for module in modules:
    importlib.import_module(module)
"""


def check_imports(bundle: Path, modules: Sequence[str], what: str) -> None:
    """Import modules from an unpacked bundle in a clean interpreter; raises `BundleError` with the reason."""
    with tempfile.TemporaryDirectory(prefix="runtime-") as folder:
        runtime = Path(folder)
        for name in RUNTIME:
            _link(name, runtime)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, str(bundle), folder, *modules],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "LANG": "C.UTF-8", "AWS_DEFAULT_REGION": "us-east-1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise BundleError(
            f"{what} does not import by itself. Either a dependency is missing in its group in pyproject.toml, or "
            f"infra/packing/slimming.py takes away too much:\n{tail}"
        )


def _link(module: str, folder: Path) -> None:
    """Make one package of this interpreter, and no other, importable from a folder."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return
    origin = Path(spec.origin)
    target = origin.parent if origin.name == "__init__.py" else origin
    (folder / target.name).symlink_to(target)
