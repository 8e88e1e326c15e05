"""CSV, a block of whole rows at a time: by pyarrow where that is sure to read what Python's reader would."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from andamio.contract.canonical import canonical
from andamio.records.cells import Cells, DictionaryColumn
from andamio.tabular.arrow import absent_column, dictionary_column
from andamio.tabular.broken import Broken, Source
from andamio.tabular.columns import Kinds
from andamio.tabular.csv.number_marks import grouped_number, marks_between, with_point
from andamio.tabular.csv.python_reader import read_by_python
from andamio.tabular.csv.row import cells_of, has_value, wrong_width
from andamio.tabular.limits import BLOCK
from andamio.tabular.rows import Rows
from andamio.tabular.text.blocks import TextBlocks
from andamio.tabular.text.head import Head
from andamio.tabular.text.row_bounds import RowBounds, row_bounds
from andamio.tabular.text.row_texts import row_texts

_BLANK_LINE = re.compile(rb"(?:^|\n)[ \t]+\r?(?:\n|$)")
_TEXT, _CODES, _NUMBER = pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.float64()


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What pyarrow made of a frame: the columns that are used, which rows are good, and those that are not."""

    table: pa.Table
    good: NDArray[np.int64] | None
    broken: tuple[Broken, ...]


class CsvReader:
    """Reads parts of one CSV file that each begin with a row.

    `kinds` are the columns that are wanted, `exact` those that are wanted as texts besides, `missing` the texts that
    mean no value. Numbers are read at once, every other column as distinct texts. A block for which that cannot be
    trusted (a quote that neither opens nor closes a cell, bytes that are not text) goes through Python's
    reader, which means the same and is ten times slower.
    """

    def __init__(
        self, head: Head, kinds: Kinds, missing: Sequence[str], *, exact: Collection[str] = (), block: int = BLOCK
    ) -> None:
        self._head, self._block = head, block
        self._width = len(head.columns)
        self._missing = sorted({"", *missing, *map(canonical, missing)})
        places = {name: place for place, name in reversed(list(enumerate(head.columns)))}
        self._places = {name: place for name, place in places.items() if name in kinds}
        self._absent = [name for name in kinds if name not in places]
        self._exact = {name: place for name, place in places.items() if name in exact}
        self._numbers = {place for name, place in self._places.items() if kinds[name] == "number"}
        self._written = {name for name in self._places if kinds[name] == "written"}
        self._kinds: dict[str, pa.DataType] = {}
        for place in sorted({*self._places.values(), *self._exact.values()}):
            kind = _NUMBER if place in self._numbers and not head.thousands else _CODES
            self._kinds[str(place)] = _TEXT if place in self._exact.values() else kind
        if not self._kinds:
            self._kinds["0"] = _TEXT  # pyarrow reads every column where the list is empty
        encoded = head.delimiter.encode()
        self._delimiter = encoded if len(encoded) == 1 else None
        self.open_line = 0
        """The line of a quote that is opened and never closed, 0 where none was found."""

    def read(self, source: Source, line: int) -> Generator[Rows, None, int]:
        """The rows of a part that begins on `line`; raises `DataError` where a row is too long.

        The return value of the iterator is how many lines the part has.
        """
        text = TextBlocks(source, line, self._head.encoding, block=self._block)
        for data in text.blocks():
            framed = None if self._delimiter is None else row_bounds(data, text.line, self._delimiter, final=text.final)
            whole = text.final
            if framed is not None and (framed.size or not text.final):
                rows = self._fast(data, framed) if len(framed.starts) else None
                if rows is not None or not len(framed.starts):
                    text.take(framed.size, framed.height)
                    if rows is not None and rows.count:
                        yield rows
                    continue
                data, whole = data[: framed.size], True
            found = read_by_python(data, text.line, self._head, final=whole)
            text.take(found.size, found.height)
            self.open_line = self.open_line or found.open_line
            if found.lines or found.broken:
                cells = list(zip(*found.cells, strict=True)) if found.cells else [()] * self._width
                yield self._rows(
                    np.array(found.lines, dtype=np.int64),
                    {place: pa.array(cells[int(place)], _TEXT) for place in self._kinds},
                    pa.array(found.texts, _TEXT),
                    tuple(found.broken),
                )
        return text.height

    def _fast(self, data: bytes, framed: RowBounds) -> Rows | None:
        """The framed rows read at once, None where Python's reader must be asked."""
        block = memoryview(data)[: framed.size]
        if not _is_utf8(block) or (self._width == 1 and _BLANK_LINE.search(block)):
            return None
        parsed = self._parsed(block, framed)
        if parsed is None:
            return None
        columns = {name: _one_chunk(parsed.table.column(name)) for name in parsed.table.column_names}
        good = parsed.good
        nothing = self._without_value(columns, block, framed, good)
        if len(nothing):
            good = np.delete(np.arange(len(framed.starts)) if good is None else good, nothing)
            keep = pa.array(np.delete(np.arange(parsed.table.num_rows), nothing))
            columns = {place: column.take(keep) for place, column in columns.items()}
        lines = framed.lines if good is None else framed.lines[good]
        return self._rows(lines, columns, row_texts(block, framed.starts, framed.ends, good), parsed.broken)

    def _parsed(self, block: memoryview, framed: RowBounds) -> _Parsed | None:
        """What pyarrow reads, None where it does not find the rows that were framed."""
        try:
            parsed = self._read(block, framed, self._kinds)
        except pa.ArrowInvalid:
            parsed = None
        if parsed is not None and all(_is_plain(column) for column in parsed.table.columns):
            return parsed
        # pyarrow reads some cell as no number. The contract decides later what the cell is, and the reason for it.
        numbers = [place for place, kind in self._kinds.items() if kind == _NUMBER]
        try:
            return self._read(block, framed, self._kinds | dict.fromkeys(numbers, _TEXT))
        except pa.ArrowInvalid:
            return None

    def _read(self, block: memoryview, framed: RowBounds, kinds: Mapping[str, pa.DataType]) -> _Parsed | None:
        invalid: list[csv.InvalidRow] = []

        def note(row: csv.InvalidRow) -> str:
            invalid.append(row)
            return "skip"

        table = csv.read_csv(
            pa.py_buffer(block),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(block) + 1, column_names=[str(place) for place in range(self._width)]
            ),
            parse_options=csv.ParseOptions(
                delimiter=self._head.delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=csv.ConvertOptions(
                check_utf8=False,
                column_types=kinds,
                include_columns=list(kinds),
                null_values=self._missing,
                strings_can_be_null=False,
                decimal_point=self._head.decimal,
            ),
        )
        rows = len(framed.starts)
        if table.num_rows + len(invalid) != rows:
            return None
        if not invalid:
            return _Parsed(table, None, ())
        broken = []
        places = []
        for row in invalid:
            place = row.number - 1
            text = bytes(block[framed.starts[place] : framed.ends[place]]).decode()
            cells = cells_of(text, self._head.delimiter)
            places.append(place)
            line = int(framed.lines[place])
            why = wrong_width(cells, self._width, line, line + text.count("\n"))
            if text != row.text or len(cells) != row.actual_columns or not why:
                return None
            if has_value(cells):
                broken.append(Broken(line, why, text))
        return _Parsed(table, np.delete(np.arange(rows), places), tuple(broken))

    def _without_value(
        self,
        columns: Mapping[str, pa.Array],
        block: memoryview,
        framed: RowBounds,
        good: NDArray[np.int64] | None,
    ) -> list[int]:
        """Which of the parsed rows have no value at all: where the wanted cells say nothing, the whole row is read."""
        candidates: NDArray[np.bool_] | None = None
        for column in sorted(columns.values(), key=lambda column: not pa.types.is_floating(column.type)):
            empty = _is_empty(column)
            candidates = empty if candidates is None else candidates & empty
            if not candidates.any():
                return []
        found: list[int] = []
        for place in () if candidates is None else np.flatnonzero(candidates).tolist():
            at = place if good is None else int(good[place])
            text = bytes(block[framed.starts[at] : framed.ends[at]]).decode()
            if not has_value(cells_of(text, self._head.delimiter)):
                found.append(place)
        return found

    def _cast(self, column: pa.StringArray) -> pa.Array | None:
        """A column of texts as numbers, None where one of them is none."""
        missing = pc.is_in(column, value_set=pa.array(self._missing, _TEXT))
        texts = pc.if_else(missing, pa.scalar(None, _TEXT), column)
        if self._head.decimal == ",":
            if pc.any(pc.match_substring(texts, ".")).as_py():
                return None
            texts = pc.replace_substring(texts, ",", ".")
        try:
            numbers = pc.cast(texts, _NUMBER)
        except pa.ArrowInvalid:
            return None
        return numbers if _is_plain(numbers) else None

    def _without_thousands(self, column: pa.StringArray) -> pa.StringArray:
        """The same texts, numbers among them without marks between thousands."""
        if not self._head.thousands:
            return column
        grouped = pc.match_substring_regex(column, grouped_number(self._head.decimal, self._head.thousands))
        plain = pc.utf8_trim_whitespace(column)
        for mark in marks_between(self._head.thousands):
            plain = pc.replace_substring(plain, mark, "")
        return pc.if_else(grouped, plain, column)

    def _numbers_in(self, column: pa.Array) -> Cells:
        """A column of numbers, as texts where one of them is none."""
        if pa.types.is_floating(column.type):
            return _numbers(column)
        texts = pc.cast(column, _TEXT) if pa.types.is_dictionary(column.type) else column
        texts = self._without_thousands(texts)
        made = self._cast(texts)
        return dictionary_column(texts) if made is None else _numbers(made)

    def _texts_in(self, column: pa.Array, *, written: bool) -> DictionaryColumn:
        """A column of distinct texts; numbers with a decimal comma are the texts that other files have, unless
        what is `written` counts."""
        coded = dictionary_column(column)
        if written or self._head.decimal != ",":
            return coded
        return DictionaryColumn([with_point(str(text)) for text in coded.values], coded.codes)

    def _exact_in(self, column: pa.StringArray) -> pa.StringArray:
        if self._head.decimal != "," or not pc.any(pc.match_substring(column, ",")).as_py():
            return column
        return pa.array([with_point(text) for text in column.to_pylist()], _TEXT)

    def _rows(
        self,
        lines: NDArray[np.int64],
        found: Mapping[str, pa.Array],
        carried: pa.StringArray,
        broken: tuple[Broken, ...],
    ) -> Rows:
        columns: dict[str, Cells] = {name: absent_column(len(lines)) for name in self._absent}
        for name, place in self._places.items():
            column = found[str(place)]
            if place in self._numbers:
                columns[name] = self._numbers_in(column)
            else:
                columns[name] = self._texts_in(column, written=name in self._written)
        exact = {name: self._exact_in(found[str(place)]) for name, place in self._exact.items()}
        return Rows(lines, columns, True, exact, carried, partial(self._original, carried), broken)

    def _original(self, carried: pa.StringArray, row: int) -> dict[str, object]:
        cells = cells_of(carried[row].as_py(), self._head.delimiter)
        return dict(zip(self._head.columns, cells, strict=False))


def _is_utf8(block: memoryview) -> bool:
    try:
        str(block, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_empty(column: pa.Array) -> NDArray[np.bool_]:
    """Which cells may be without any value: numbers that are none, and blank texts."""
    if pa.types.is_floating(column.type):
        if not column.null_count:
            return np.zeros(len(column), dtype=bool)
        return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if pa.types.is_dictionary(column.type):
        blank = pc.equal(pc.utf8_trim_whitespace(column.dictionary), "").to_numpy(zero_copy_only=False)
        return np.asarray(blank[column.indices.to_numpy(zero_copy_only=False)], dtype=bool)
    return np.asarray(pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy(zero_copy_only=False), dtype=bool)


def _is_plain(column: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a column of numbers holds neither NaN nor infinity, which pyarrow reads where people wrote words."""
    if not pa.types.is_floating(column.type):
        return True
    plain = pc.all(pc.is_finite(column), skip_nulls=True).as_py()
    return plain is not False


def _numbers(column: pa.DoubleArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    return numbers
