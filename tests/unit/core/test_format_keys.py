"""Every key of `problem.toml` changes something: one that no code reads would be a promise that nothing keeps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from andamio.contract import Contract, tables

REPO = Path(__file__).resolve().parents[3]
SOURCES = ("andamio", "etl", "training", "registry", "scoring", "monitoring", "rollout", "lambdas", "infra")
TABLES = {
    "problem": tables.ProblemTable,
    "data": tables.Data,
    "feature": tables.Feature,
    "training": tables.Training,
    "gate": tables.Gate,
    "release": tables.ReleaseTable,
    "batch": tables.Batch,
    "monitor": tables.Monitor,
    "label": tables.Label,
    "costs": tables.Costs,
}
"""The tables of the format, by what a variable that holds one is called."""


def _tail(node: ast.expr) -> str:
    """What an expression is called: `training` of `contract.training`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _assigned(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(target, value) of an assignment, also of `a, b = x, y`."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _classes_read(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(table, key) for each read `X.key` where X is a table by its name, its annotation, or what was assigned to it."""
    by_class = {model.__name__: table for table, model in TABLES.items()}
    known = {table: {table} for table in TABLES}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target, value in _assigned(node):
                if _tail(value) in TABLES:
                    known.setdefault(_tail(target), set()).add(_tail(value))
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            name = node.arg if isinstance(node, ast.arg) else _tail(node.target)
            for word in ast.walk(node.annotation):
                if isinstance(word, ast.expr) and _tail(word) in by_class:
                    known.setdefault(name, set()).add(by_class[_tail(word)])
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            for table in known.get(_tail(node.value), ()):
                yield table, node.attr


def _validator(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any("validator" in ast.unparse(each) for each in node.decorator_list)


@cache
def read_keys() -> frozenset[tuple[str, str]]:
    """Every (table, key) that the code reads, apart from the checks of the format itself."""
    found: set[tuple[str, str]] = set()
    for source in SOURCES:
        for file in (REPO / source).rglob("*.py"):
            if file.parent != REPO / "andamio" / "contract" or file.name not in ("tables.py", "messages.py"):
                found.update(_classes_read(ast.parse(file.read_text(encoding="utf-8"))))
    # What a table works out of its own keys, for others to read.
    format_file = ast.parse((REPO / "andamio" / "contract" / "tables.py").read_text(encoding="utf-8"))
    for table in (node for node in format_file.body if isinstance(node, ast.ClassDef)):
        name = next((name for name, model in TABLES.items() if model.__name__ == table.name), "")
        for method in table.body:
            if isinstance(method, ast.FunctionDef) and not _validator(method):
                found.update((name, _tail(node)) for node in ast.walk(method) if isinstance(node, ast.Attribute))
    return frozenset(found)


def keys() -> list[tuple[str, str]]:
    """Every key of the format that has more than one value: a key with one only is a word kept for later."""
    return [
        (table, key)
        for table, model in TABLES.items()
        for key, field in model.model_fields.items()
        if len(get_args(field.annotation)) != 1 or not isinstance(get_args(field.annotation)[0], str)
    ]


@pytest.mark.parametrize(("table", "key"), keys())
def test_every_key_is_read_by_something(table: str, key: str) -> None:
    assert (table, key) in read_keys(), f"nothing reads {key} of [{table}]: build it, or refuse it by name"


def test_every_table_of_the_format_is_looked_at() -> None:
    assert set(Contract.model_fields) - {"format", "features", "raw", "prepare", "monitor"} <= set(TABLES)


def test_a_key_that_nothing_reads_would_be_noticed() -> None:
    assert ("release", "shares") not in read_keys()
    assert ("release", "share") in read_keys()
    assert ("release", "explanations") in read_keys()
