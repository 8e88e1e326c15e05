"""A record means the same wherever it comes from: there is no skew between training and serving."""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.dataset.columns import from_bytes, missing, table_columns, to_bytes
from andamio.dataset.version import KEY
from andamio.errors import TrainingError
from andamio.records.encode import OTHER, encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse, parse_typed
from training.rows import typed_table

from .making import PROBLEMS, Cell, columns, contract, one, same, tables, typed_records

Drawn = tuple[Contract, list[dict[str, Cell]]]


@given(tables() | tables(time=True))
def test_csv_text_and_json_of_the_same_record_encode_identically(drawn: Drawn) -> None:
    read, records = drawn
    rows = len(records)
    served = encode(read, parse_records(read, typed_records(records)))
    from_text = parse(read, columns(records, text=True), rows, text=True)
    from_types = parse(read, columns(records, text=False), rows, text=False)
    assert from_text.violations == from_types.violations == []
    assert same(encode(read, from_text), served)
    assert same(encode(read, from_types), served)


@given(tables() | tables(time=True))
def test_a_record_alone_is_encoded_as_in_a_batch(drawn: Drawn) -> None:
    read, records = drawn
    batch = encode(read, parse_records(read, typed_records(records)))
    for row, record in enumerate(typed_records(records)):
        assert same(encode(read, parse_records(read, [record])), batch.take(np.array([row])))


@given(tables(), st.randoms())
def test_the_order_of_columns_does_not_matter(drawn: Drawn, random: Any) -> None:
    read, records = drawn
    shuffled = []
    for record in typed_records(records):
        names = list(record)
        random.shuffle(names)
        shuffled.append({name: record[name] for name in names})
    assert same(encode(read, parse_records(read, shuffled)), encode(read, parse_records(read, typed_records(records))))


@given(tables() | tables(time=True), tables())
def test_what_was_read_is_not_parsed_again_and_still_checked(drawn: Drawn, other: Drawn) -> None:
    """ETL keeps typed columns, training reads them: nothing is parsed again, and everything is checked."""
    read, records = drawn
    table = parse(read, columns(records, text=True), len(records), text=True)
    stored = from_bytes(to_bytes(table_columns(read, table)))
    again = parse_typed(read, stored, len(records), training=False)
    assert again.violations == []
    assert same(encode(read, again), encode(read, table))
    cells = {
        name: [None if gone else cell for gone, cell in zip(missing(column), column.tolist(), strict=True)]
        for name, column in stored.items()
    }
    checked = parse_typed(other[0], stored, len(records), training=False)
    parsed = parse(other[0], cells, len(records), text=False)
    assert checked.violations == parsed.violations
    assert same(encode(other[0], checked), encode(other[0], parsed))


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (("max = 9", "max = 8"), "must be at most 8"),
        (("required = false", "required = true"), "is required and has no value"),
        (('type = "number"', 'type = "integer"'), "must be a whole number"),
        (('["a", "b"]', '["a"]'), "must be one of a"),
        (('type = "boolean"', 'type = "date"'), "expected a date such as 2026-03-31 (ISO 8601)"),
        (('yes = "Yes"', 'true = "Yes"'), "is not one of the labels: no, true"),
    ],
)
def test_a_data_version_that_an_edited_contract_does_not_fit_is_refused(edit: tuple[str, str], reason: str) -> None:
    text = """
    [problem]
    name = "test"
    target = "y"
    labels = { no = "No", yes = "Yes" }
    [features.size]
    type = "number"
    max = 9
    required = false
    [features.kind]
    type = "category"
    values = ["a", "b"]
    [features.old]
    type = "boolean"
    """
    read = Contract.from_toml(text)
    given = {"size": ["9", "1.5", ""], "kind": ["a", "b", "a"], "old": ["yes", "no", "1"], "y": ["yes", "no", "no"]}
    stored = table_columns(read, parse(read, given, 3, text=True, training=True))
    stored[KEY] = np.array(["k"] * 3, dtype=object)
    assert typed_table(read, stored, version="v").rows == 3
    with pytest.raises(TrainingError, match=re.escape(reason) + r".*run ETL again"):
        typed_table(Contract.from_toml(text.replace(*edit)), stored, version="v")


def test_the_rows_of_heart_encode_alike_as_text_and_as_json() -> None:
    heart = Contract.load(PROBLEMS / "heart")
    with (PROBLEMS / "heart" / "heart.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    text = parse(heart, {name: [row[name] for row in rows] for name in rows[0]}, len(rows), text=True, training=True)
    assert text.violations == []
    typed = [
        {name: None if row[name] in heart.data.missing else float(row[name]) for name in heart.inputs} for row in rows
    ]
    served = encode(heart, parse_records(heart, typed))
    assert same(encode(heart, text), served)
    assert served.numbers.dtype == np.float32
    assert served.numbers.shape == (len(rows), len(heart.number_columns))


@pytest.mark.parametrize("text", [True, False])
def test_4_and_4_point_0_and_the_text_4_are_one_category(text: bool) -> None:
    read = one('type = "category"\nvalues = ["4", "007"]\nunknown = "other"')
    spelled: list[object] = ["4", "4.0", "4.00", " 4 ", "007", "7"] if text else [4, 4.0, "4", "4.0", "007", 7]
    table = parse(read, {"x": spelled}, 6, text=text)
    assert table.columns["x"].tolist() == ["4"] * 4 + ["007", "7"]
    assert encode(read, table).categories[:, 0].tolist() == ["4"] * 4 + ["007", OTHER]


def test_true_and_its_spellings_are_one_value_and_never_the_number_1() -> None:
    read = one('type = "category"\nvalues = ["true", "1"]')
    cells = [True, "true", "True", "TRUE", 1, 1.0, "1"]
    assert parse(read, {"x": cells}, 7, text=False).columns["x"].tolist() == ["true"] * 4 + ["1"] * 3
    boolean = one('type = "boolean"')
    encoded = encode(boolean, parse(boolean, {"x": [*cells, False, 0, "no", "F"]}, 11, text=False))
    assert encoded.numbers[:, 0].tolist() == [1] * 7 + [0] * 4


def test_large_ids_are_one_whether_an_integer_or_a_float_column_held_them() -> None:
    read = contract(
        '[features.x]\ntype = "number"', '[problem]\nname = "te"\ntarget = "y"\nid = "i"\nlabels = {a="A",b="B"}\n'
    )
    cells = {"x": [1, 1, 1], "y": ["a", "b", "a"], "i": [10**16, 1e16, "10000000000000000"]}
    assert set(parse(read, cells, 3, text=False, training=True).columns["i"]) == {"10000000000000000"}


def test_a_date_becomes_age_month_and_weekday() -> None:
    read = one('type = "date"')
    assert read.number_columns == ("x_age_days", "x_month", "x_weekday")
    encoded = encode(
        read, parse_records(read, [{"x": "1970-01-11"}, {"x": "1969-12-31"}, {"x": "2024-02-29T23:59:59"}])
    )
    assert encoded.numbers.tolist() == [[-10, 1, 6], [1, 12, 2], [-19782, 2, 3]]


def test_a_moment_with_a_zone_is_a_day_in_utc() -> None:
    read = one('type = "date"')
    spelled = ["2026-03-31T23:30:00-05:00", "2026-04-01T04:30:00Z", "2026-04-01", "20260401"]
    assert {str(day) for day in parse(read, {"x": spelled}, 4, text=True).columns["x"]} == {"2026-04-01"}


def test_age_counts_to_the_records_own_time_else_to_today() -> None:
    read = contract(
        '[features.x]\ntype = "date"',
        '[problem]\nname = "te"\ntarget = "y"\ntime = "at"\nlabels = { a = "A", b = "B" }\n',
    )
    ages = encode(read, parse_records(read, [{"x": "2026-01-01", "at": "2026-01-31T10:00"}, {"x": "2026-01-01"}]))
    today = (np.datetime64("today", "D") - np.datetime64("2026-01-01")).astype(int)
    assert ages.numbers[0, 0] == 30
    assert ages.numbers[1, 0] in (today, today + 1)
    with_text = parse(read, {"x": ["2026-01-01"], "at": ["2026-01-31T10:00"]}, 1, text=True)
    assert encode(read, with_text).numbers[0, 0] == 30


def test_a_tensor_without_columns_is_not_fed() -> None:
    numbers, categories = one('type = "number"'), one('type = "category"\nvalues = ["a"]')
    assert list(encode(numbers, parse_records(numbers, [{"x": 1}])).feeds()) == ["numbers"]
    assert list(encode(categories, parse_records(categories, [{"x": "a"}])).feeds()) == ["categories"]
