"""What a function is made of: its code, its layers, and the folder that stands for Lambda's own runtime."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
PROVIDED = ("awslambdaric", "boto3")
"""The distributions that Lambda's Python runtime brings, with what they need."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The folders of a function: `task` is its code (Lambda's /var/task), `layers` its layers as one (/opt)."""

    task: Path
    runtime: Path
    layers: Path | None = None

    @property
    def import_path(self) -> list[str]:
        """Where a function finds modules, in Lambda's order; the standard library comes after these."""
        python = [self.layers / "python"] if self.layers else []
        layers = [folder for root in python for folder in (root / "lib" / PYTHON / "site-packages", root)]
        return [str(path) for path in (self.task, *layers, self.runtime)]

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that say where the folders are."""
        variables = {
            "LAMBDA_TASK_ROOT": str(self.task),
            "LAMBDA_RUNTIME_DIR": str(self.runtime),
            "PYTHONPATH": ":".join(self.import_path),
        }
        if self.layers:
            variables["LD_LIBRARY_PATH"] = f"{self.task}:{self.task / 'lib'}:{self.layers / 'lib'}"
        return variables


def merge_layers(layers: Sequence[Path], target: Path) -> Path:
    """Lay layers over each other in their order, as Lambda does in /opt; harmless where that has been done.

    A later layer's file replaces an earlier one's.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    for layer in layers:
        shutil.copytree(layer, unfinished, symlinks=True, dirs_exist_ok=True)
    try:
        unfinished.rename(target)
    except OSError:  # another thread was quicker
        shutil.rmtree(unfinished, ignore_errors=True)
        if not target.exists():
            raise
    return target


def link_runtime(folder: Path, provided: Iterable[str] = PROVIDED) -> Path:
    """Fill a folder with links to the distributions that Lambda's runtime provides, found in this environment.

    Nothing else of this environment is importable by way of that folder.
    Raises `importlib.metadata.PackageNotFoundError` where a provided distribution is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for distribution in _closure(provided):
        for name in {Path(str(file)).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(Path(str(distribution.locate_file(name))))
    return folder


def _closure(names: Iterable[str]) -> Iterator[importlib.metadata.Distribution]:
    required, seen, waiting = set(names), set[str](), list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in required:
                raise
            continue  # required on another platform
        yield distribution
        requirements = [line for line in distribution.requires or () if "extra ==" not in line]
        waiting.extend(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements)
