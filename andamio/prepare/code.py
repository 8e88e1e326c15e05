"""prepare.py as functions: loaded, called, and its errors told by file, line, column and row."""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from andamio.contract import Contract
from andamio.contract.own_code import deployed_source, find_source, prepare_digest
from andamio.errors import PrepareError, SettingsError
from andamio.names import PREPARE_FILE

FUNCTIONS = ("prepare", "target", "keep")
"""What prepare.py may define: each takes columns by name; at least one is there."""
_IMPORTABLE = sys.stdlib_module_names | {"numpy"}


@dataclass(frozen=True, slots=True)
class OwnCode:
    """The functions of a prepare.py, None where it has none of that name; `digest` is that of its source.

    `reasons` are the texts of its `raise ValueError("...")` by line: they stand in the source, so they repeat no value.
    `names` are the texts that each line of it has, of which some are columns.
    """

    digest: str
    file: str
    prepare: Callable[[dict[str, Any]], Any] | None = None
    target: Callable[[dict[str, Any]], Any] | None = None
    keep: Callable[[dict[str, Any]], Any] | None = None
    reasons: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def place(self, error: BaseException, columns: Mapping[str, Any]) -> tuple[int, str]:
        """The line of prepare.py where an error came up (0: none), and the column that the line is about, or ""."""
        lines = [
            frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self.file
        ]
        line = lines[-1] if lines else 0
        if isinstance(error, KeyError) and error.args and error.args[0] in self.names.get(line, ()):
            return line, str(error.args[0])
        about = [name for name in self.names.get(line, ()) if name in columns]
        return line, about[0] if len(set(about)) == 1 else ""


def load(source: bytes, file: str = PREPARE_FILE) -> OwnCode:
    """Load a prepare.py; raises `PrepareError` with the line where it is no Python, or is not what is expected."""
    try:
        text = source.decode("utf-8-sig")
        tree = ast.parse(text, file)
        program = compile(tree, file, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f"{file}, line {line}" if line else file
        raise PrepareError(f"{where}: is not Python: {getattr(error, 'msg', error)}") from None
    _check_imports(tree, file)
    # A file that is not on disk, as in a layer's archive, shows its lines in tracebacks all the same.
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    defined: dict[str, Any] = {"__name__": "prepare", "__file__": file, "__builtins__": builtins}
    try:
        exec(program, defined)  # noqa: S102 - the problem's own code, which comes with the deploy
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f"{file}, line {lines[-1]}" if lines else file
        raise PrepareError(f"{where}: cannot be loaded: {type(error).__name__}", detail=str(error)) from error
    functions = {name: defined[name] for name in FUNCTIONS if callable(defined.get(name))}
    if not functions:
        raise PrepareError(f"{file}: defines none of {', '.join(FUNCTIONS)}: expected def prepare(columns)")
    digest = prepare_digest(source)
    assert digest is not None
    return OwnCode(digest, file, **functions, reasons=_reasons(tree), names=_names(tree))


def load_for(contract: Contract, source: bytes | None, file: str = PREPARE_FILE) -> OwnCode | None:
    """The code that a contract needs, None where it needs none; raises `PrepareError` where the two do not fit."""
    if source is None:
        return None
    code = load(source, file)
    if code.prepare is None and contract.prepares:
        raise PrepareError(f"{file}: the contract has [raw] or derived features: expected def prepare(columns)")
    if code.prepare is not None and not contract.made:
        raise PrepareError(
            f"{file}: prepare makes no feature of the contract: say derived = true in [features.NAME] of each that it "
            "makes, or [raw.NAME] where a column is sent otherwise than the model sees it"
        )
    if (code.target is None) is (contract.problem.target_from is not None):
        raise PrepareError(
            f"{file}: expected def target(columns), since [problem] says target_from"
            if code.target is None
            else f'{file}: target makes the labels: say target_from = "prepare" in [problem]'
        )
    return code


def deployed() -> OwnCode | None:
    """The code that this function was deployed with, None where it was deployed without; raises `PrepareError`."""
    source = deployed_source()
    return None if source is None else load(source)


def deployed_for(contract: Contract) -> OwnCode | None:
    """The deployed code where the deployed contract needs it; raises `SettingsError` where it was not deployed."""
    code = deployed()
    if code is None and contract.needs_prepare:
        raise SettingsError(f"The contract needs {PREPARE_FILE}, and this function has no layer with it. Deploy again.")
    return code


def of_folder(contract: Contract, file: Any) -> OwnCode | None:
    """The code of a problem folder, checked against its contract; raises `PrepareError`."""
    return load_for(contract, find_source(file), str(file / PREPARE_FILE))


def _check_imports(tree: ast.Module, file: str) -> None:
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
        for module in modules:
            if module.split(".")[0] not in _IMPORTABLE:
                raise PrepareError(
                    f"{file}, line {getattr(node, 'lineno', 0)}: imports {module}: only NumPy and the standard library "
                    "are there when a prediction is made"
                )


def _reasons(tree: ast.Module) -> dict[int, str]:
    found = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        called, given = node.exc.func, node.exc.args
        if isinstance(called, ast.Name) and called.id == "ValueError" and len(given) == 1:
            text = given[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[node.lineno] = text.value
    return found


def _names(tree: ast.Module) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.lineno] = (*found.get(node.lineno, ()), node.value)
    return found
