"""Python sources to bytecode, without the sources: the part of a cold start that can be paid at build time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.packing import BundleError
from infra.packing.platforms import PYTHON


def compile_sources(tree: Path) -> None:
    """Replace every .py of a folder by its .pyc, in place; raises `BundleError`.

    `unchecked-hash` files are used without looking for their source; a traceback still names file and
    line, as under /var/task. A file that is no valid Python (a template) is left as it is.
    """
    if sys.version_info[:2] != PYTHON:
        running = ".".join(map(str, sys.version_info[:2]))
        raise BundleError(
            f"Bytecode must be compiled by Python {'.'.join(map(str, PYTHON))}, which functions run on. This is "
            f"Python {running}: run it from the project's environment (.venv/bin/python)."
        )
    command = [sys.executable, "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash"]
    # One worker and a fixed hash seed: the same sources give the same bytes.
    subprocess.run(
        [*command, "-j", "1", "-s", str(tree), "-p", "/var/task", str(tree)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        check=False,
    )
    for source in sorted(tree.rglob("*.py")):
        if source.with_suffix(".pyc").is_file():
            source.unlink()
