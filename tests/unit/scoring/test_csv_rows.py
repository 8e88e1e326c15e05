"""The block reader yields exactly the rows of Python's csv, in order, with their lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.records.parse import parse
from andamio.tabular.csv.number_marks import with_point
from andamio.tabular.rows import Rows
from andamio.tabular.text import blocks
from tests.support.readers import csv_reader
from tests.support.scoring import planned
from tests.unit.core.making import contract

NAMES = ("a", "b", "n")
TABLE = contract("""
[features.a]
type = "category"
values = ["1", "x"]
unknown = "other"
required = false
[features.b]
type = "category"
values = ["1", "y"]
required = false
[features.n]
type = "number"
required = false
""")
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
BLOCKS = st.integers(1, 40) | st.just(1 << 20)
CELLS = st.text(st.sampled_from('ab1.,;"\n\r\t ñ|-é'), max_size=6) | st.sampled_from(
    ["", "1", "1.0", "2,5", "nan", "?"]
)
ENDS = st.sampled_from(["\n", "\r\n"])

RowPrediction = list[tuple[int, list[str] | None]]
"""Line and cells of each row, None for one that is none."""


def expected(text: str, delimiter: str, first: int) -> Iterator[tuple[int, list[str] | None]]:
    """What Python's csv makes of a text, line feeds alone counted as lines."""
    lines = io.StringIO(text, newline="\n")
    asked, over = 0, False

    def source() -> Iterator[str]:
        nonlocal asked, over, taken
        for line in lines:
            asked += 1
            taken += line
            yield line
        over = True

    reader = csv.reader(source(), delimiter=delimiter, skipinitialspace=True)
    while True:
        line, taken = first + asked, ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, None
            continue
        if over:
            yield line, None
        elif any(cell.strip() for cell in cells):
            wide = len(cells) == len(NAMES) or (len(cells) > len(NAMES) and not "".join(cells[len(NAMES) :]).strip())
            yield line, cells[: len(NAMES)] if wide and not torn(taken, delimiter) else None


def torn(row: str, delimiter: str) -> bool:
    """Whether a closing quote of a row is followed by neither a delimiter nor the line end."""
    try:
        list(csv.reader(io.StringIO(row, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        return True
    return False


def read(body: bytes, delimiter: str, block: int, **more: object) -> tuple[list[Rows], RowPrediction, int]:
    """What the block reader makes of a file: its blocks, its rows and how many lines it went over."""
    plan = planned(TABLE, body, delimiter=delimiter, **more).plan
    blocks, height = drained(csv_reader(plan, TABLE, block).read(io.BytesIO(body[plan.head.body :]), plan.head.line))
    return blocks, rows_in(blocks), height


def drained(reading: Generator[Rows, None, int]) -> tuple[list[Rows], int]:
    """All blocks of a reader, and how many lines it went over."""
    blocks = []
    while True:
        try:
            blocks.append(next(reading))
        except StopIteration as end:
            return blocks, end.value


def rows_in(blocks: list[Rows]) -> RowPrediction:
    """The rows of blocks in order, those among them that are none."""
    found: RowPrediction = []
    for rows in blocks:
        some: RowPrediction = [(int(line), list(rows.original(row).values())) for row, line in enumerate(rows.lines)]
        found += sorted([*some, *((row.line, None) for row in rows.broken)], key=lambda row: row[0])
    return found


def check(text: str, delimiter: str, block: int, *, mark: bool = False, end: str = "\n", decimal: str = ".") -> None:
    header = delimiter.join(NAMES) + end
    body = b"\xef\xbb\xbf" * mark + (header + text).encode()
    blocks, found, height = read(body, delimiter, block, decimal=decimal)
    rows = list(expected(text, delimiter, 2))
    assert found == rows
    assert height == text.count("\n") + bool(text and not text.endswith("\n"))
    good = [cells for _, cells in rows if cells is not None]
    columns = dict(zip(NAMES, zip(*good, strict=True), strict=True)) if good else dict.fromkeys(NAMES, ())
    same_meaning(TABLE, blocks, columns, len(good), decimal)


def same_meaning(
    table: Contract, blocks: list[Rows], columns: dict[str, tuple[str, ...]], rows: int, decimal: str
) -> None:
    """What blocks parse to is what one list of cells does: values, problems and all.

    A category that is a number has a point by then, whatever mark its file has.
    """
    if decimal == ",":
        columns = {
            name: cells if table.inputs[name].type == "number" else tuple(map(with_point, cells))
            for name, cells in columns.items()
        }
    whole = parse(table, columns, rows, text=True, decimal=decimal)
    start = 0
    for block in blocks:
        count = len(block.lines)
        part = parse(table, block.columns, count, text=True, decimal=decimal)
        problems = {(problem.row - start, problem.field, problem.reason) for problem in whole.violations}
        assert {(problem.row, problem.field, problem.reason) for problem in part.violations} == {
            problem for problem in problems if 0 <= problem[0] < count
        }
        for name in table.inputs:
            own = whole.columns[name][start : start + count]
            if name in part.coded:
                coded = part.coded[name]
                assert [*own] == [coded.values[code] if code >= 0 else "" for code in coded.codes.tolist()]
            elif own.dtype == object:
                assert own.tolist() == part.columns[name].tolist()
            else:
                assert np.array_equal(own, part.columns[name], equal_nan=True)
        start += count
    assert start == rows


@given(
    st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=12),
    DELIMITERS, ENDS, BLOCKS, st.booleans(), st.booleans(), st.integers(0, 3), st.sampled_from([0, 1]),
)  # fmt: skip
def test_any_table_written_as_csv_is_read_back(
    cells: list[tuple[str, str, str]],
    delimiter: str,
    end: str,
    block: int,
    mark: bool,
    cut_end: bool,
    empty: int,
    quoting: int,
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    for place, row in enumerate(cells):
        if place % 4 == 3:
            text.write(end * empty)
        writer.writerow(row)
    body = text.getvalue()
    decimal = "," if delimiter == ";" else "."
    check(body.removesuffix(end) if cut_end else body, delimiter, block, mark=mark, end=end, decimal=decimal)


@given(st.text(st.sampled_from('ab1,,,\n\n"" \r.é'), max_size=60), BLOCKS)
@example('a,"b\n",1\n\n x ," y",2\n', 8)
@example('a,5" pipe,1\nb,6" pipe,2\n', 1 << 20)
@example('a,"open,1\nb,c,2', 3)
@example("a,b,1\rc,d,2\n", 1 << 20)
@example('a,"b"x,1\n', 1 << 20)
@example("a,b,1,\nc,d,2\n,,\n \n,\n", 1 << 20)
def test_any_text_at_all_is_read_as_python_reads_it(text: str, block: int) -> None:
    check(text, ",", block)


@given(st.lists(st.tuples(*[st.text(st.sampled_from('1,5"\n -+eE_.xñ?'), max_size=5)] * 3), max_size=8), st.booleans())
def test_numbers_mean_what_they_mean_in_training(cells: list[tuple[str, str, str]], comma: bool) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\n").writerows(cells)
    check(text.getvalue(), ";", 1 << 20, decimal="," if comma else ".")


ODD = ["inf", "-Infinity", "NAN", "1_0", "\uff11\uff12", "1e400", "1e-400", "+5", ".5", "5.", "0x10", "-999", "\u22121"]


@pytest.mark.parametrize("number", [*ODD, " 7\t"])
@pytest.mark.parametrize("missing", [[""], ["", "-999", "nan", " 7 "]])
def test_a_number_written_oddly_means_the_same_in_a_block(number: str, missing: list[str]) -> None:
    table = TABLE.model_copy(update={"data": TABLE.data.model_copy(update={"missing": tuple(missing)})})
    body = ("a,b,n\n" + f"x,y,{number}\nx,y,3.25\n").encode()
    plan = planned(table, body).plan
    blocks = list(csv_reader(plan, table).read(io.BytesIO(body[plan.head.body :]), 2))
    same_meaning(table, blocks, {"a": ("x", "x"), "b": ("y", "y"), "n": (number, "3.25")}, 2, ".")


def test_bytes_that_are_no_text_cost_their_row() -> None:
    body = b"a,b,n\nx,y,1\nx\xff,y,2\nx,y,3\n"
    _, found, _ = read(body, ",", 1 << 20)
    assert [(line, cells is None) for line, cells in found] == [(2, False), (3, True), (4, False)]


def test_another_encoding_is_read_as_text() -> None:
    body = "a,b,n\nñ,y,1\nx,€,2\n".encode("cp1252")
    _, found, _ = read(body, ",", 3, encoding="cp1252")
    assert found == [(2, ["ñ", "y", "1"]), (3, ["x", "€", "2"])]


def test_a_row_longer_than_can_be_held_is_told_by_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LONGEST_ROW", 1000)
    body = b"a,b,n\nx,y,1\nx," + b"y" * 5000 + b",2\n"
    with pytest.raises(DataError, match="line 3: a row begins there"):
        read(body, ",", 100)
    body = b'a,b,n\nx,y,1\nx,"open,2\n' + b"x,y,3\n" * 500
    with pytest.raises(DataError, match="line 3: a row begins there"):
        read(body, ",", 100)


def test_good_files_never_take_the_slow_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("read row by row")

    monkeypatch.setattr("andamio.tabular.csv.reader.read_by_python", slow)
    rows = 'x,y,1\r\n"x","y, ""z""","2.5"\r\n\r\nx,"two\nlines",\r\nx,y\r\nx,ñ,?\r\n'
    _, found, _ = read(("a,b,n\r\n" + rows).encode(), ",", 30)
    assert [line for line, _ in found] == [2, 3, 5, 7, 8]
    assert found[3] == (7, None)
