"""One reading of files: ETL, batch and the API agree on every cell that any of them can be given.

Whole files, with their encodings, quotes and headers, are in `test_corpus.py`.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.records.parse import parse
from andamio.tabular.csv.request_body import read_csv_text
from tests.support.readers import Reason, by_api, by_batch, by_etl, rows_of

CELLS = tomllib.loads(Path(__file__).with_name("cells.toml").read_text())
TYPES = ("number", "integer", "boolean", "category", "date")
CONTRACT = Contract.from_toml(
    """
[problem]
name = "cells"
target = "y"
labels = { no = "No", yes = "Yes" }
[data]
missing = ["", "?", "-999", "1900-01-01"]
[features.row]
type = "category"
values = ["x"]
unknown = "other"
"""
    + "".join(f'[features.{kind}]\ntype = "{kind}"\nrequired = false\n' for kind in TYPES if kind != "category")
    + '[features.category]\ntype = "category"\nvalues = ["x"]\nunknown = "other"\nrequired = false\n'
)


def written(rows: list[dict[str, str]]) -> bytes:
    """A CSV file."""
    names = ["row", *TYPES]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode()


def lines(records: list[dict[str, Any]]) -> bytes:
    """A file of JSON Lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def parquet(table: pa.Table) -> bytes:
    """A Parquet file."""
    body = io.BytesIO()
    pq.write_table(table, body)
    return body.getvalue()


def meant(cell: dict[str, Any]) -> Any:
    return Reason(cell["reason"]) if "reason" in cell else None if cell.get("missing") else cell["value"]


def json_value(said: Any) -> Any:
    """TOML has no null: "null" stands for it, and texts are quoted once more."""
    if said == "null":
        return None
    return said[1:-1] if isinstance(said, str) else said


def shown(cell: dict[str, Any]) -> str:
    return f"text {cell['text']!r}" if "text" in cell else f"json {cell['json']!r}"


@pytest.mark.parametrize(
    ("kind", "cell"),
    [pytest.param(kind, cell, id=f"{kind} {shown(cell)}") for kind in TYPES for cell in CELLS[kind]],
)
def test_a_cell_means_what_the_table_says(kind: str, cell: dict[str, Any]) -> None:
    if "text" in cell:
        body = written([{"row": "x", kind: cell["text"]}])
        readings = [by_etl(CONTRACT, body, "csv"), by_batch(CONTRACT, body, "csv")]
    else:
        record = {"row": "x", kind: json_value(cell["json"])}
        body = lines([record])
        readings = [by_etl(CONTRACT, body, "jsonl"), by_batch(CONTRACT, body, "jsonl"), by_api(CONTRACT, [record])]
        if not isinstance(record[kind], list | dict):
            body = parquet(pa.table({name: [value] for name, value in record.items()}))
            readings += [by_etl(CONTRACT, body, "parquet"), by_batch(CONTRACT, body, "parquet")]
    assert [row[kind] for reading in readings for row in reading.values()] == [meant(cell)] * len(readings)


@pytest.mark.parametrize("key", ["Number", "n\u00famber", "nu\u0301mber", "numbr"])
@pytest.mark.parametrize("before", [1, 300])
def test_a_key_that_is_nearly_the_name_of_a_column_costs_the_row_that_lacks_the_column(key: str, before: int) -> None:
    both = {"row": "x", "number": 2, key: 3}
    body = lines([{"row": "x", "number": 1}] * before + [both, {"row": "x", key: 4}])
    found = by_etl(CONTRACT, body, "jsonl")
    assert found == by_batch(CONTRACT, body, "jsonl")
    assert [row["number"] for row in list(found.values())[:-1]] == [1] * before + [2]
    shown = "n\u00famber" if not key.isascii() else key
    assert found[before + 2] == {
        "": Reason(f"has the key '{shown}' and no 'number': rename it, or let the object have both")
    }


RAW = Contract.from_toml(
    """
[problem]
name = "cells"
target = "y"
labels = { no = "No", yes = "Yes" }
[data]
delimiter = ";"
decimal = ","
[raw.price]
type = "text"
example = "12,50"
[features.size]
type = "number"
[features.kind]
type = "category"
values = ["1.5", "x"]
[features.cost]
type = "number"
derived = true
""",
    prepare="0" * 64,
).sent


@pytest.mark.parametrize("price", ["12,50", "1.250,00", "-0,5", ",5", "12,50 EUR", "12.50"])
def test_prepare_is_given_a_text_as_it_is_written_whatever_the_decimal_mark(price: str) -> None:
    body = f"price;size;kind\n{price};2,5;1,5\n"
    record = {"price": price, "size": 2.5, "kind": "1.5"}
    request = read_csv_text(body, RAW)
    by_request = parse(RAW, request.columns, len(request.lines), text=True, decimal=request.decimal)
    readings = [
        *by_etl(RAW, body.encode(), "csv").values(),
        *rows_of(RAW, by_request),
        *by_api(RAW, [record]).values(),
        *by_etl(RAW, parquet(pa.table({name: [value] for name, value in record.items()})), "parquet").values(),
    ]
    assert readings == [record] * 4


SPELLINGS = sorted({cell["text"] for kind in TYPES for cell in CELLS[kind] if "text" in cell})
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(' ",;\n1.')
TEXT = st.sampled_from(SPELLINGS) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(' ",;\n1.'), max_size=8
)
VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.lists(st.integers(), max_size=1)
    | st.dictionaries(st.just("a"), st.integers(), max_size=1)
)


@given(
    rows=st.lists(st.fixed_dictionaries({"row": st.just("x"), **dict.fromkeys(TYPES, TEXT)}), min_size=1, max_size=5)
)
def test_any_csv_row_is_read_alike_by_etl_and_batch(rows: list[dict[str, str]]) -> None:
    body = written(rows)
    found = by_batch(CONTRACT, body, "csv")
    assert len(found) == len(rows)
    assert by_etl(CONTRACT, body, "csv") == found


@given(rows=st.lists(st.lists(TEXT, max_size=8), min_size=1, max_size=5))
def test_csv_rows_of_any_width_are_read_alike_by_etl_and_batch(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([["row", *TYPES], *(["x", *row] for row in rows)])
    body = text.getvalue().encode()
    assert by_etl(CONTRACT, body, "csv") == by_batch(CONTRACT, body, "csv")


@given(
    records=st.lists(
        st.fixed_dictionaries({"row": st.just("x"), **dict.fromkeys(TYPES, VALUE)}), min_size=1, max_size=5
    )
)
def test_any_json_record_is_read_alike_by_etl_batch_and_api(records: list[dict[str, Any]]) -> None:
    body = lines(records)
    assert by_etl(CONTRACT, body, "jsonl") == by_batch(CONTRACT, body, "jsonl") == by_api(CONTRACT, records)


COLUMNS = st.one_of(
    [
        st.tuples(st.just(kind), st.lists(st.none() | values, min_size=3, max_size=3))
        for kind, values in [
            (pa.int8(), st.integers(-128, 127)),
            (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
            (pa.uint64(), st.integers(0, 2**64 - 1)),
            (pa.float64(), st.floats()),
            (pa.float32(), st.floats(width=32)),
            (pa.bool_(), st.booleans()),
            (pa.string(), TEXT),
            (pa.large_string(), TEXT),
            (pa.string_view(), TEXT),
            (pa.binary(), TEXT.map(str.encode) | st.binary(max_size=4)),
            (pa.date32(), st.dates(date(1000, 1, 1), date(9999, 12, 31))),
            (pa.timestamp("us"), st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31))),
            (pa.timestamp("ms", "UTC"), st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31))),
            (pa.decimal128(20, 3), st.decimals(-(10**9), 10**9, places=3).map(Decimal)),
        ]
    ]
)


@given(columns=st.fixed_dictionaries(dict.fromkeys(TYPES, COLUMNS)), dictionary=st.booleans())
def test_any_parquet_column_is_read_alike_by_etl_and_batch(columns: dict[str, Any], dictionary: bool) -> None:
    arrays = {name: pa.array(values, kind) for name, (kind, values) in columns.items()}
    if dictionary:
        arrays = {
            name: array.dictionary_encode() if array.type == pa.string() else array for name, array in arrays.items()
        }
    body = parquet(pa.table({"row": ["x"] * 3, **arrays}))
    assert by_etl(CONTRACT, body, "parquet") == by_batch(CONTRACT, body, "parquet")
