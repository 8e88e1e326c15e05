"""A column means the same as a list of cells, by its distinct values, or read already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.records.cells import DictionaryColumn
from andamio.records.encode import OTHER, encode
from andamio.records.parse import parse
from andamio.records.table import Table

from .making import DAYS, contract, one

TABLE = contract("""
[features.open]
type = "category"
values = ["1", "a", "ñ"]
unknown = "other"
required = false
[features.closed]
type = "category"
values = ["1", "a", "true"]
[features.day]
type = "date"
[features.flag]
type = "boolean"
required = false
[features.size]
type = "integer"
min = 0
max = 9
""")
TABLE = Contract.from_json(TABLE.to_json().replace(b'"missing":[""]', b'"missing":["","?","-9"]'))
TYPED = st.sampled_from([None, 1, 1.0, True, False, 5, 2.5, float("nan"), [1], {"a": 1}, 10**400, "\ud800"])
CELLS = st.sampled_from(
    ["", " ", "?", " ? ", "1", "1.0", " a", "a", "ñ", "x", "True", "no", "-9", "-9.0", "2020-01-02"]
)
NAMES = tuple(TABLE.inputs)


def coded(cells: list[Any], spare: int) -> DictionaryColumn:
    """The same cells by their values, in an order of their own, some of them there twice or not used."""
    values = [*cells[::-1], *cells[:spare]]
    return DictionaryColumn(values, np.array([len(cells) - 1 - row for row in range(len(cells))], dtype=np.int16))


def said(table: Table) -> set[tuple[int, str, str]]:
    return {(problem.row, problem.field, problem.reason) for problem in table.violations}


def same(left: Table, right: Table) -> None:
    assert said(left) == said(right)
    assert len(left.violations) == len(right.violations)
    good = ~left.bad
    one, other = encode(TABLE, left.take(good)), encode(TABLE, right.take(good))
    assert np.array_equal(one.numbers, other.numbers, equal_nan=True)
    texts = other.categories
    assert one.categories.tolist() == [[text.decode() for text in row] for row in texts.tolist()]
    assert texts.dtype.kind == "S"


@given(st.lists(st.tuples(*[CELLS | DAYS.map(str)] * 5), min_size=1, max_size=9), st.integers(0, 3))
def test_distinct_texts_mean_what_their_cells_mean(rows: list[tuple[str, ...]], spare: int) -> None:
    columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    listed = parse(TABLE, columns, len(rows), text=True)
    same(listed, parse(TABLE, {name: coded(cells, spare) for name, cells in columns.items()}, len(rows), text=True))


@given(st.lists(st.tuples(*[CELLS | TYPED | DAYS] * 5), min_size=1, max_size=9), st.integers(0, 3))
def test_distinct_values_mean_what_their_cells_mean(rows: list[tuple[Any, ...]], spare: int) -> None:
    columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    listed = parse(TABLE, columns, len(rows), text=False)
    same(listed, parse(TABLE, {name: coded(cells, spare) for name, cells in columns.items()}, len(rows), text=False))


def test_no_code_is_no_value() -> None:
    columns = {name: DictionaryColumn(["1"], np.array([-1, 0])) for name in NAMES}
    table = parse(TABLE, columns, 2, text=True)
    absent = parse(TABLE, {name: ["", "1"] for name in NAMES}, 2, text=True)
    assert said(table) == said(absent)


def test_training_keeps_its_texts() -> None:
    cells = DictionaryColumn(["1", "x"], np.array([0, 1, 0]))
    read = one('type = "category"\nvalues = ["1"]\nunknown = "other"')
    table = parse(
        read, {"x": cells, "y": DictionaryColumn(["no", "yes"], np.array([0, 1, 1]))}, 3, text=True, training=True
    )
    assert table.columns["x"].tolist() == ["1", "x", "1"]
    assert table.labels is not None
    assert table.labels.tolist() == [0, 1, 1]


@given(st.lists(st.floats(width=32) | st.integers(-20, 20).map(float), min_size=1, max_size=9), st.booleans())
def test_numbers_that_were_read_mean_what_their_texts_mean(numbers: list[float], whole: bool) -> None:
    read = one(f'type = "{"integer" if whole else "number"}"\nmin = -12\nmax = 11\nrequired = false')
    read = Contract.from_json(read.to_json().replace(b'"missing":[""]', b'"missing":["","-9","3.50"]'))
    texts = ["" if number != number else repr(number) for number in numbers]
    column = np.array(numbers)
    before = column.copy()
    listed, given_array = (parse(read, {"x": cells}, len(numbers), text=True) for cells in (texts, column))
    assert said(listed) == said(given_array)
    assert np.array_equal(listed.columns["x"], given_array.columns["x"], equal_nan=True)
    assert np.array_equal(before, column, equal_nan=True)


@pytest.mark.parametrize("longest", [3, 63, 64, 65, 190])
def test_texts_of_any_length_reach_the_model_whole(longest: int) -> None:
    text = "é" * (longest // 2) + "x" * (longest % 2)
    read = one(f'type = "category"\nvalues = ["{text}", "b"]\nunknown = "other"\nrequired = false')
    cells = [text, "b", "strange", "", text]
    table = parse(read, {"x": DictionaryColumn(cells, np.arange(5))}, 5, text=True)
    found = [value.decode() if isinstance(value, bytes) else value for value in encode(read, table).categories[:, 0]]
    assert found == [text, "b", OTHER, "", text]
    if encode(read, table).categories.dtype.kind == "S":
        assert encode(read, table).categories.dtype.itemsize > len(text.encode())


def test_a_zero_character_is_no_end_of_a_text() -> None:
    read = one('type = "category"\nvalues = ["a\\u0000b", "a"]')
    table = parse(read, {"x": DictionaryColumn(["a\0b", "a"], np.array([0, 1]))}, 2, text=True)
    assert encode(read, table).categories.tolist() == [["a\0b"], ["a"]]


def test_the_day_that_ages_are_counted_to_can_be_told() -> None:
    problem = '[problem]\nname = "test"\ntarget = "y"\ntime = "at"\nlabels = { no = "No", yes = "Yes" }\n'
    read = contract('[features.x]\ntype = "date"', problem)
    table = parse(
        read, {"x": DictionaryColumn(["2020-01-02"], np.array([0, 0])), "at": ["2020-01-05", ""]}, 2, text=True
    )
    ages = encode(read, table, today=np.datetime64("2020-01-12", "D")).numbers[:, 0]
    assert ages.tolist() == [3, 10]
