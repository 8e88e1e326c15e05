"""One value that breaks the contract has one code: in ETL's rejects, in a batch's rejects and in the API's answer."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.errors import REASON_CODES
from tests.support.api import Api
from tests.support.etl import Lake
from tests.support.releases import serve
from tests.support.scoring import score_file

CODES = {
    "expected a number": "not-a-number",
    "expected a number without": "not-a-number",
    "expected true or false": "not-a-boolean",
    "expected a date": "not-a-date",
    "expected one value": "not-one-value",
    "must be a finite number": "not-finite",
    "must be a whole number": "not-whole",
    "must be within": "too-large",
}
"""The code of each reason in cells.toml, by how the reason begins; the longest beginning counts."""
TYPES = ("number", "integer", "boolean", "category", "date")
CONTRACT = Contract.from_toml(
    """
[problem]
name = "cells"
target = "y"
labels = { no = "No", yes = "Yes" }
[data]
missing = ["", "?", "-999", "1900-01-01"]
"""
    + "".join(f'[features.{kind}]\ntype = "{kind}"\nrequired = false\n' for kind in TYPES if kind != "category")
    + '[features.category]\ntype = "category"\nvalues = ["x"]\nrequired = false\n'
    + '[features.required]\ntype = "category"\nvalues = ["x"]\n'
    + '[features.ranged]\ntype = "number"\nmin = 0\nmax = 10\nrequired = false\n'
)
MORE = [
    ("category", {"text": "z"}, "unknown-category"),
    ("category", {"json": "'z'"}, "unknown-category"),
    ("required", {"text": ""}, "missing-value"),
    ("required", {"json": "null"}, "missing-value"),
    ("ranged", {"text": "11"}, "out-of-range"),
    ("ranged", {"json": 11}, "out-of-range"),
]
"""What cells.toml, whose contract is without ranges and required features, cannot hold."""


def table() -> Iterator[tuple[str, dict[str, Any], str]]:
    """The cells of the table that are refused: type, cell, code."""
    cells = tomllib.loads(Path(__file__).with_name("cells.toml").read_text())
    for kind in TYPES:
        for cell in cells[kind]:
            if "reason" in cell:
                beginning = max((text for text in CODES if cell["reason"].startswith(text)), key=len)
                yield kind, cell, CODES[beginning]
    yield from MORE


@pytest.fixture(scope="module")
def api() -> Api:
    """The contract's problem with a champion."""
    api = Api(problem="cells")
    serve(api.objects, CONTRACT)
    return api


def by_etl(name: str, body: bytes) -> list[tuple[str, str]]:
    """Field and code of what is wrong with the file's only row, in ETL's rejects."""
    lake = Lake(CONTRACT)
    lake.drop_bytes(name, body)
    rejects = lake.rejects(lake.step("validate", input=lake.step("collect", event={})["input"]))
    (reject,) = [reject for reject in rejects if reject["line"] is not None]  # a file of rejects alone is one, too
    return [(problem["column"], problem["code"]) for problem in reject["problems"]]


def by_batch(form: str, body: bytes) -> list[tuple[str, str]]:
    """The same in a batch's rejects."""
    (reject,) = score_file(CONTRACT, body, form).rejects
    return [(error["field"], error["code"]) for error in reject["errors"]]


def by_api(api: Api, path: str, body: object, media_type: str) -> list[tuple[str, str]]:
    """The same in the API's answer."""
    answer = api.post(path, body, media_type)
    assert answer.status == 422
    return [(error["field"], error["code"]) for error in answer.json["errors"]]


def ids(value: object) -> str | None:
    return None if not isinstance(value, dict) else f"{value.get('text', value.get('json'))!r}"


@pytest.mark.parametrize(("kind", "cell", "code"), list(table()), ids=ids)
def test_a_value_has_the_same_code_in_etl_in_a_batch_and_in_the_api(
    api: Api, kind: str, cell: dict[str, Any], code: str
) -> None:
    assert code in REASON_CODES
    if "text" in cell:
        row = dict.fromkeys(CONTRACT.inputs, "") | {"required": "x", "ranged": "1", kind: f'"{cell["text"]}"'}
        request = f"{','.join(row)}\n{','.join(row.values())}\n".encode()
        body = f"{','.join(row)},y\n{','.join(row.values())},no\n".encode()
        found = [
            by_etl("a.csv", body),
            by_batch("csv", request),
            by_api(api, "/invocations", request.decode(), "text/csv"),
        ]
    else:
        value = None if cell["json"] == "null" else cell["json"]
        record = {"required": "x", "ranged": 1, kind: value[1:-1] if isinstance(value, str) else value}
        body = json.dumps(record | {"y": "no"}).encode() + b"\n"
        found = [
            by_etl("a.jsonl", body),
            by_batch("jsonl", json.dumps(record).encode() + b"\n"),
            by_api(api, "/predict", {"features": record}, "application/json"),
        ]
        if not isinstance(record[kind], list | dict):
            file = io.BytesIO()
            pq.write_table(pa.table({name: [value] for name, value in {**record, "y": "no"}.items()}), file)
            found.append(by_etl("a.parquet", file.getvalue()))
    assert found == [[(kind, code)]] * len(found)
