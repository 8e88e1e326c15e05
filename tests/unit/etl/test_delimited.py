"""Reading laws of CSV: whatever a writer may write, the cells come back, each row with its physical line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.tabular.arrow import cells_of
from andamio.tabular.file import read_file
from andamio.tabular.limits import LONGEST_ROW
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from tests.unit.core.making import contract

NAMES = ["age", "note", "size"]
FEATURES = """
[features.age]
type = "number"
required = false
[features.note]
type = "category"
required = false
[features.size]
type = "number"
required = false
"""
# Cells as a writer may hold them: no NUL and no lone surrogates, which no text file holds; no carriage return alone,
# which quotes do not always protect; not blank as a row, which is passed over; no leading space, which belongs to the
# delimiter unless quoted.
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).map(str.lstrip)
ROW = st.tuples(CELL, CELL, CELL).filter(lambda row: any(cell.strip() for cell in row))


def stating(**stated: str) -> Contract:
    return contract(FEATURES + "[data]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in stated.items()))


def read(text: str, wanted: list[str] | None = None, **stated: str) -> tuple[list[Rows], ReadAs]:
    read_as, blocks = read_file("a.csv", text.encode(), stating(**stated), {}, exact=wanted or NAMES)
    return list(blocks), read_as


def rows_of(blocks: list[Rows], names: list[str] | None = None) -> list[tuple[object, ...]]:
    return [
        row for rows in blocks for row in zip(*(cells_of(rows.exact[name]) for name in names or NAMES), strict=True)
    ]


def written(
    rows: list[tuple[str, ...]], delimiter: str = ",", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(NAMES)
    writer.writerows(rows)
    return out.getvalue()


@given(
    rows=st.lists(ROW, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    final=st.booleans(),
)
def test_what_was_written_is_read(
    rows: list[tuple[str, ...]], delimiter: str, end: str, quoting: int, final: bool
) -> None:
    text = written(rows, delimiter, end, quoting)
    blocks, read_as = read(text if final else text.removesuffix(end), delimiter=delimiter, decimal=".")
    assert rows_of(blocks) == rows
    assert read_as.names == NAMES


@given(
    rows=st.lists(ROW, min_size=1, max_size=8), blank=st.lists(st.sampled_from(["", "  ", ",,", " , ,"]), max_size=3)
)
def test_every_row_knows_the_line_it_begins_on(rows: list[tuple[str, ...]], blank: list[str]) -> None:
    text, begins = "".join(f"{line}\n" for line in [",".join(NAMES), *blank]), []
    for row in rows:
        begins.append(len(io.StringIO(text, newline="\n").readlines()) + 1)
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(row)
        text += out.getvalue()
    blocks, _ = read(text)
    assert [line for some in blocks for line in some.lines.tolist()] == begins
    assert [place for some in blocks for place in some.places(0).tolist()] == list(range(len(rows)))


@given(values=st.lists(st.tuples(st.integers(-99, 99), st.integers(0, 99)), min_size=1, max_size=6))
def test_a_decimal_comma_is_found_out_where_the_comma_does_not_divide_cells(values: list[tuple[int, int]]) -> None:
    cells = [f"{whole},{part:02}" for whole, part in values]
    text = "age;note;size\n" + "".join(f"1;a.5 b,5;{cell}\n" for cell in cells)
    (rows,), read_as = read(text)
    assert read_as.decimal == ","
    assert cells_of(rows.exact["size"]) == [cell.replace(",", ".") for cell in cells], "as other files have them"
    _, read_as = read(text.replace(";-", ";").replace(",", "."))
    assert read_as.decimal == "."


def test_a_number_with_a_point_makes_commas_thousands() -> None:
    (_,), read_as = read("age;note;size\n1,234;x;2.5\n")
    assert read_as.decimal == "."


def test_what_the_contract_states_is_not_found_out() -> None:
    (rows,), read_as = read("age,note;size,note\n1,2;3,4\n", delimiter=",", decimal=",")
    assert (read_as.decimal, read_as.delimiter) == (",", ",")
    assert cells_of(rows.exact["age"]) == ["1"]
    (rows,), read_as = read("age;note;size\n1;2,3;4.5\n", delimiter="|", decimal=",")
    assert (read_as.decimal, read_as.delimiter) == (",", ";"), "a stated delimiter that makes no column is not kept to"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_wanted_columns(delimiter: str) -> None:
    others = "".join({",", ";", "|"} - {delimiter})
    header = delimiter.join([" size ", "age", f'"a{others}b"', "note", "more"])
    blocks, read_as = read(header + "\n" + delimiter.join("12345") + "\n")
    assert read_as.delimiter == delimiter
    assert rows_of(blocks) == [("2", "4", "1")], "by name, in any order"


def test_a_row_of_another_width_costs_that_row() -> None:
    (rows,), _ = read('age,note,size\n1,a,2\n3,4\n\n5,"b\nc",6\n7,"d\ne",8,9\n10,f,11,,\n')
    assert rows_of([rows]) == [("1", "a", "2"), ("5", "b\nc", "6"), ("10", "f", "11")]
    assert rows.lines.tolist() == [2, 5, 9]
    assert [(broken.line, broken.reason) for broken in rows.broken] == [
        (3, "has 2 cells, and the header names 3"),
        (7, "has 4 cells, and the header names 3 (the row goes on to line 8: is a quote left open?)"),
    ]


@pytest.mark.parametrize(
    ("text", "fault", "place"),
    [
        ("", "empty", ""),
        ("\n \n", "empty", ""),
        ("age,age,size\n1,2,3\n", "duplicate-column", "'age'"),
        ('age,note,size\n1,a,2\n3,"b,4\n5,c,6\n', "open-quote", "line 3"),
        ('age,note,size\n1,"a,2', "open-quote", "line 2"),
        ('age,note,size\n1,a,2\n3,"' + "b,4\n" * (LONGEST_ROW // 4 + 1), "unreadable", "line 3"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_the_place(text: str, fault: str, place: str) -> None:
    with pytest.raises(RefusedFile) as error:
        read(text)
    assert error.value.fault == fault
    assert place in str(error.value)


def test_a_quote_within_a_cell_is_no_reason_to_refuse() -> None:
    (rows,), _ = read('age,note,size\n1,6" pipe,2\n3,"a ""b""",4')
    assert cells_of(rows.exact["note"]) == ['6" pipe', 'a "b"']
