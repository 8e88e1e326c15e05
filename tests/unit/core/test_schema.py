"""The schema that a client is given is what the reader does."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.schema import example_record, record_schema
from andamio.errors import InvalidRecord
from andamio.records.from_json import parse_records

from .making import PROBLEMS, Cell, contract, contracts, one, tables, typed_records

SHIPPED = sorted(path.parent for path in PROBLEMS.glob("*/problem.toml"))


def accepts(read: Contract, record: object) -> bool:
    try:
        parse_records(read, [record])
    except InvalidRecord:
        return False
    return True


def validator(read: Contract) -> Draft202012Validator:
    schema = json.loads(json.dumps(record_schema(read), allow_nan=False))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def promised(read: Contract, record: dict[str, Any]) -> dict[str, Any]:
    """The record in the one spelling that the schema promises: the reader forgives a few more."""
    plain = {}
    for name, value in record.items():
        if isinstance(value, float) and math.isnan(value):
            value = None  # NaN is no JSON
        feature = read.inputs.get(name)
        if isinstance(value, str) and feature and feature.type in ("category", "boolean"):
            value = canonical(value).lower() if feature.type == "boolean" else canonical(value) or None
        plain[name] = value
    return plain


@given(contracts() | contracts(time=True))
def test_the_example_is_accepted_by_reader_and_schema(read: Contract) -> None:
    example = json.loads(json.dumps(example_record(read), allow_nan=False))
    parse_records(read, [example])
    validator(read).validate(example)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_example_of_a_shipped_problem_is_accepted(folder: Any) -> None:
    read = Contract.load(folder)
    parse_records(read, [example_record(read)])
    validator(read).validate(example_record(read))


@pytest.mark.parametrize(
    "table",
    [
        'type = "number"\nmin = 0.0001\nmax = 0.0002',
        'type = "number"\nmin = 1e38\nmax = 3e38',
        'type = "number"\nmax = -5',
        'type = "integer"\nmin = 1.5\nmax = 2.2',
        'type = "integer"\nmin = -3\nmax = -2',
        'type = "integer"\nmin = 16777216',
        *(
            f'type = "category"\nvalues = ["{value}"]'
            for value in ("nan", "inf", "²", "1e5", "1e22", "007", "-0", "--5")
        ),
        f'type = "category"\nvalues = ["{"9" * 200}"]',
        'type = "category"',
    ],
)
def test_the_example_is_accepted_also_at_the_odd_ends(table: str) -> None:
    read = one(table)
    example = json.loads(json.dumps(example_record(read), allow_nan=False))
    parse_records(read, [example])
    validator(read).validate(example)


Drawn = tuple[Contract, list[dict[str, Cell]]]


@given(tables() | tables(time=True))
def test_what_the_reader_accepts_the_schema_accepts(drawn: Drawn) -> None:
    read, records = drawn
    schema = validator(read)
    for record in typed_records(records):
        schema.validate(promised(read, record))


json_values = (
    st.none()
    | st.booleans()
    | st.integers(-1100, 1100)
    | st.sampled_from([2**24, 2**24 + 1, -(2**24) - 1, 10**400, 1.5, 1.0])
    | st.floats(-1100, 1100)
    | st.sampled_from(["1", "a", "true", "yes", "007", "2026-01-31", "zzz", ""])
    | st.text(max_size=4)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
)


@given(contracts() | contracts(time=True), st.data())
def test_what_the_schema_rejects_the_reader_rejects(read: Contract, data: st.DataObject) -> None:
    """Types, ranges, required and unknown fields, lists of values."""
    names = st.sampled_from([*read.inputs, "at", "y", "nonsense"])
    example = example_record(read)
    changed = data.draw(st.dictionaries(names, json_values, max_size=3))
    dropped = data.draw(st.sets(st.sampled_from(list(example)), max_size=1))
    record = {name: value for name, value in (example | changed).items() if name not in dropped}
    if not validator(read).is_valid(promised(read, record)):
        assert not accepts(read, record)


def test_the_schema_says_what_people_need() -> None:
    read = contract(
        """
[features.age]
type = "integer"
min = 0
max = 150
unit = "years"
description = "Age of the patient"
[features.cp]
type = "category"
values = { "1" = "typical", "true" = "odd" }
[features.chol]
type = "number"
min = 50
max = 800.5
required = false
on_invalid = "missing"
[features.after]
type = "number"
available_at_prediction = false
"""
    )
    schema = record_schema(read)
    assert schema["required"] == ["age", "cp"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "age": {
            "x-unit": "years",
            "minimum": 0,
            "maximum": 150,
            "type": "integer",
            "description": "Age of the patient (years)",
        },
        "cp": {
            "x-values": {"1": "typical", "true": "odd"},
            "enum": ["1", 1, "true", True],
            "type": ["string", "number", "boolean"],
            "description": "1 = typical; true = odd",
        },
        "chol": {"type": ["number", "null"], "description": "It counts as missing below 50 or above 800.5"},
    }


def test_the_example_holds_no_value_that_means_none() -> None:
    toml = """
[problem]
name = "te"
target = "y"
labels = { a = "A", b = "B" }
[data]
missing = ["0", "0.5", "x"]
[features.n]
type = "number"
min = -1
max = 1
[features.i]
type = "integer"
min = 0
max = 1
[features.c]
type = "category"
values = ["x", "y"]
"""
    contract = Contract.from_toml(toml)
    assert not parse_records(contract, [example_record(contract)]).violations
