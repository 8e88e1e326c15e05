"""Which of our modules decide the outcome of a run: those that its steps import."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

PRESENTATION = ("training.evaluate.plots", "training.evaluate.svg")
"""How a result is drawn is no part of it: another colour is not another run."""


def imported(modules: Iterable[str], root: Path) -> dict[str, Path]:
    """The modules of ours that some modules import, themselves included, by name -> file below `root`.

    Imports inside functions count; `PRESENTATION` is left out, with what it alone imports.
    """
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _file(name, root)
        if name in found or name in PRESENTATION or file is None:
            continue
        found[name] = file
        package, _, _ = name.rpartition(".")
        waiting += [package, *_imports(ast.parse(file.read_bytes()))]
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(name: str, root: Path) -> Path | None:
    """The file of a module, None where it is not one of ours."""
    place = root.joinpath(*name.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if name and file.is_file():
            return file
    return None
