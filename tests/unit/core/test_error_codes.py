"""Codes of errors and of reject reasons: stable, documented, and set where a cell is rejected."""

from __future__ import annotations

import re
from typing import Any

import pytest

from andamio import errors
from andamio.contract import Contract
from andamio.errors import REASON_CODES, AndamioError, CommandError, InvalidRecord
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from tests.support.releases import ROOT
from tests.unit.core.making import contract

CODE = re.compile(r"[a-z]+(-[a-z]+)*")
FEATURES = """
[features.number]
type = "number"
required = false
[features.ranged]
type = "number"
required = false
min = 0
max = 10
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
required = false
values = { a = "A", b = "B" }
[features.required]
type = "number"
"""


def classes() -> list[type[AndamioError]]:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AndamioError)]
    return [kind for kind in found if kind is not AndamioError]


def documentation() -> str:
    return (ROOT / "docs" / "errors.md").read_text()


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in classes()]
    assert len(set(codes)) == len(codes) > 20
    assert all(CODE.fullmatch(code) for code in [*codes, *REASON_CODES])


def test_the_documented_errors_are_those_of_the_code() -> None:
    rows = [
        f"| `{kind.code}` | {'command line' if issubclass(kind, CommandError) else 'functions'} | "
        f"{'yes' if kind.retryable else 'no'} | {(kind.__doc__ or '').splitlines()[0]} |\n"
        for kind in classes()
    ]
    table = "| Code | Raised by | Retry helps | Meaning |\n|---|---|---|---|\n" + "".join(rows)
    assert table in documentation(), f"docs/errors.md has another table than this:\n{table}"


def test_the_documented_reasons_are_those_of_the_code() -> None:
    rows = [f"| `{code}` | {meaning} |\n" for code, meaning in REASON_CODES.items()]
    table = "| Code | Meaning |\n|---|---|\n" + "".join(rows)
    assert table in documentation(), f"docs/errors.md has another table than this:\n{table}"


@pytest.fixture(scope="module")
def codes() -> Contract:
    return contract(FEATURES)


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("number", "twelve", "not-a-number"),
        ("number", "inf", "not-finite"),
        ("number", "1e39", "too-large"),
        ("ranged", "11", "out-of-range"),
        ("integer", "1.5", "not-whole"),
        ("integer", "16777217", "too-large"),
        ("boolean", "perhaps", "not-a-boolean"),
        ("date", "tomorrow", "not-a-date"),
        ("category", "c", "unknown-category"),
        ("required", "", "missing-value"),
        ("y", "perhaps", "unknown-label"),
        ("y", "", "missing-label"),
    ],
)
def test_a_rejected_cell_has_the_code_of_its_reason(codes: Contract, column: str, cell: str, code: str) -> None:
    cells = {name: [""] for name in codes.inputs} | {"required": ["1"], "y": ["no"], column: [cell]}
    table = parse(codes, cells, 1, text=True, training=True)
    assert [(problem.field, problem.code) for problem in table.violations] == [(column, code)]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (1, "not-an-object"),
        ({"required": 1, "colour": "red"}, "unknown-field"),
        ({"required": [1]}, "not-a-number"),
        ({"required": 1, "category": [1]}, "not-one-value"),
    ],
)
def test_a_refused_record_has_the_code_of_its_reason(codes: Contract, record: Any, code: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        parse_records(codes, [record])
    assert [problem.code for problem in caught.value.violations] == [code]
