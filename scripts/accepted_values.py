"""The page of accepted values: what each spelling means, read by the code that reads requests and files.

It is generated with the documentation's site (`scripts/docs_site.py`), so that it cannot say what the code does not do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.records.cells import FALSE_WORDS, TRUE_WORDS
from andamio.records.parse import parse
from andamio.records.table import Table

CONTRACT = """
[problem]
name = "values"
target = "label"
labels = { a = "A", b = "B" }

[data]
missing = ["", "?"]

[features.number]
type = "number"
required = false

[features.integer]
type = "integer"
required = false

[features.boolean]
type = "boolean"
required = false

[features.date]
type = "date"
required = false

[features.category]
type = "category"
values = ["4", "true", "007"]
required = false
"""
SPELLINGS: dict[str, list[Any]] = {
    "boolean": [*sorted(TRUE_WORDS), *sorted(FALSE_WORDS), "TRUE", " Yes ", "on", "", "?", True, False, 1, 0, 2],
    "number": [
        "12", " 12 ", "+5", ".5", "5.", "1e5", "1,5", "1_000", "12 %", "$12", "0x10", "nan", "inf", "", "?",
        12, 0.5, "twelve", True,
    ],
    "integer": ["12", "12.0", "1e3", "12.5", "16777216", "16777217", 12, 12.0, 12.5],
    "date": [
        "2026-03-31", "20260331", "2026-W14-2", "2026-03-31T10:00:00", "2026-03-31 10:00", "2026-03-31T10:00:00+02:00",
        "0001-01-01", "9999-12-31", "31/03/2026", "03/31/2026", "2026-3-31", "2026-02-30", "", "?", 20260331,
    ],
    "category": ["4", "4.0", " 4 ", "04", "007", "7", "True", "TRUE", "", "?", 4, 4.0, True],
}  # fmt: skip
"""Texts are read as cells of CSV, and as JSON strings; everything else as JSON values."""


def page() -> str:
    """The page, in Markdown."""
    contract = Contract.from_toml(CONTRACT)
    lines = [
        "# Accepted values",
        "",
        "What a value means, by the type of its feature, in a cell of a file of text (CSV) and in JSON (JSON Lines and",
        "requests). Spaces around a value do not count. The texts that mean no value are those of `[data] missing`,",
        'here `""` and `?`. What is refused has its reason beside it. The tables are made by the code that reads.',
    ]
    for kind, spellings in SPELLINGS.items():
        lines += ["", f"## {kind.capitalize()}", "", "| value | in CSV | in JSON |", "|---|---|---|"]
        for value in spellings:
            cell = _meaning(contract, kind, value, text=True) if isinstance(value, str) else ""
            lines.append(f"| `{json.dumps(value)}` | {cell} | {_meaning(contract, kind, value, text=False)} |")
    return "\n".join(lines) + "\n"


def _meaning(contract: Contract, kind: str, value: object, *, text: bool) -> str:
    table = parse(contract, {kind: [value]}, 1, text=text)
    reasons: Iterable[str] = [violation.reason for violation in table.violations if violation.field == kind]
    return _cell(table, kind) if not reasons else f"refused: {'; '.join(reasons)}"


def _cell(table: Table, kind: str) -> str:
    (read,) = table.columns[kind]
    if kind == "date":
        return "no value" if np.isnat(read) else f"{read}"[:19].replace("T00:00:00", "")
    if kind == "category":
        return f"`{read}`" if read else "no value"
    if read != read:
        return "no value"
    return str(bool(read)).lower() if kind == "boolean" else f"{read:.15g}"
