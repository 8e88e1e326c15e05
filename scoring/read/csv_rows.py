"""CSV, a block of whole rows at a time: by pyarrow where that is sure to read what Python's reader would."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.records.cells import Cells
from andamio.storage.ports import Readable
from andamio.tabular.arrow import absent_column, dictionary_column
from scoring.batch import BatchPlan
from scoring.read.csv_slowly import cells_of, read_slowly, wrong_width
from scoring.read.framing import Frame, frame
from scoring.read.ids import canonical_ids
from scoring.read.rows import BLOCK, Broken, Rows
from scoring.read.text_pieces import pieces
from scoring.read.texts import Text

_BLANK_LINE = re.compile(rb"(?:^|\n)[ \t]+\r?(?:\n|$)")
_TEXT, _CODES, _NUMBER = pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.float64()


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What pyarrow made of a frame: the columns that are used, which rows are good, and those that are not."""

    table: pa.Table
    good: NDArray[np.int64] | None
    broken: tuple[Broken, ...]


class CsvReader:
    """Reads shards of one CSV file.

    Numbers are read at once, every other column as distinct texts. A block for which that cannot be
    trusted (a quote that neither opens nor closes a cell, bytes that are not text) goes through Python's
    reader, which means the same and is ten times slower.
    """

    def __init__(self, plan: BatchPlan, contract: Contract, *, block: int = BLOCK) -> None:
        self._plan, self._block = plan, block
        self._width = len(plan.columns)
        self._missing = sorted({"", *contract.data.missing, *map(canonical, contract.data.missing)})
        places = {name: place for place, name in reversed(list(enumerate(plan.columns)))}
        wanted = {*contract.inputs, contract.problem.time}
        self._places = {name: place for name, place in places.items() if name in wanted}
        self._absent = [name for name in contract.inputs if name not in places]
        self._id = None if plan.record_column is None else places.get(plan.record_column)
        self._kinds: dict[str, pa.DataType] = {}
        for name, place in self._places.items():
            feature = contract.inputs.get(name)
            number = feature is not None and feature.type in ("integer", "number")
            self._kinds[str(place)] = _NUMBER if number else _CODES
        if self._id is not None:
            self._kinds[str(self._id)] = _TEXT
        encoded = plan.delimiter.encode()
        self._delimiter = encoded if len(encoded) == 1 else None

    def read(self, source: Readable, line: int) -> Generator[Rows, None, int]:
        """The rows of a shard that begins on `line`; raises `DataError` where a row is too long.

        The return value of the iterator is how many lines the shard has.
        """
        text = Text(source, line, self._plan.encoding, block=self._block)
        for data in text.blocks():
            framed = None if self._delimiter is None else frame(data, text.line, self._delimiter, final=text.final)
            whole = text.final
            if framed is not None and (framed.size or not text.final):
                rows = self._fast(data, framed) if len(framed.starts) else None
                if rows is not None or not len(framed.starts):
                    text.take(framed.size, framed.height)
                    if rows is not None:
                        yield rows
                    continue
                data, whole = data[: framed.size], True
            found = read_slowly(
                data, text.line, self._width, self._plan.delimiter, final=whole, encoding=self._plan.encoding
            )
            text.take(found.size, found.height)
            if found.lines or found.broken:
                yield self._rows(
                    np.array(found.lines, dtype=np.int64),
                    self._listed(found.cells),
                    None if self._id is None else pa.array([row[self._id] for row in found.cells], _TEXT),
                    pa.array(found.texts, _TEXT),
                    tuple(found.broken),
                )
        return text.height

    def _fast(self, data: bytes, framed: Frame) -> Rows | None:
        """The framed rows read at once, None where Python's reader must be asked."""
        block = memoryview(data)[: framed.size]
        if not _is_utf8(block) or (self._width == 1 and _BLANK_LINE.search(block)):
            return None
        parsed = self._parsed(block, framed)
        if parsed is None:
            return None
        columns: dict[str, Cells] = {}
        for name, place in self._places.items():
            column = _one_chunk(parsed.table.column(str(place)))
            columns[name] = _numbers(column) if pa.types.is_floating(column.type) else dictionary_column(column)
        for name in self._absent:
            columns[name] = absent_column(parsed.table.num_rows)
        rows = pieces(block, framed.starts, framed.ends, parsed.good)
        lines = framed.lines if parsed.good is None else framed.lines[parsed.good]
        ids = None if self._id is None else _one_chunk(parsed.table.column(str(self._id)))
        return self._rows(lines, columns, ids, rows, parsed.broken)

    def _parsed(self, block: memoryview, framed: Frame) -> _Parsed | None:
        """What pyarrow reads, None where it does not find the rows that were framed."""
        kinds = dict(self._kinds)
        try:
            parsed = self._read(block, framed, kinds)
        except pa.ArrowInvalid:
            parsed = None
        if parsed is not None and all(_is_plain(column) for column in parsed.table.columns):
            return parsed
        # Some cell is no number in pyarrow's eyes: what it is, and what is said of it, is the contract's to tell.
        numbers = [place for place, kind in kinds.items() if kind == _NUMBER]
        try:
            parsed = self._read(block, framed, kinds | dict.fromkeys(numbers, _TEXT))
        except pa.ArrowInvalid:
            return None
        if parsed is None:
            return None
        table = parsed.table
        for place in numbers:
            column = _one_chunk(table.column(place))
            made = self._cast(column)
            table = table.set_column(table.column_names.index(place), place, column if made is None else made)
        return _Parsed(table, parsed.good, parsed.broken)

    def _read(self, block: memoryview, framed: Frame, kinds: Mapping[str, pa.DataType]) -> _Parsed | None:
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
                delimiter=self._plan.delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=csv.ConvertOptions(
                check_utf8=False,
                column_types=kinds,
                include_columns=list(kinds),
                null_values=self._missing,
                strings_can_be_null=False,
                decimal_point=self._plan.decimal,
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
            cells = cells_of(text, self._plan.delimiter)
            places.append(place)
            why = wrong_width(cells, self._width)
            if text != row.text or len(cells) != row.actual_columns or not why:
                return None
            if len(cells) > 1 or text.strip():
                broken.append(Broken(int(framed.lines[place]), why, text))
        return _Parsed(table, np.delete(np.arange(rows), places), tuple(broken))

    def _cast(self, column: pa.StringArray) -> pa.Array | None:
        """A column of texts as numbers, None where one of them is none."""
        missing = pc.is_in(column, value_set=pa.array(self._missing, _TEXT))
        texts = pc.if_else(missing, pa.scalar(None, _TEXT), column)
        if self._plan.decimal == ",":
            if pc.any(pc.match_substring(texts, ".")).as_py():
                return None
            texts = pc.replace_substring(texts, ",", ".")
        try:
            numbers = pc.cast(texts, _NUMBER)
        except pa.ArrowInvalid:
            return None
        return numbers if _is_plain(numbers) else None

    def _listed(self, cells: list[list[str]]) -> dict[str, Cells]:
        """The columns of rows that were read one by one."""
        texts = list(zip(*cells, strict=True)) if cells else [()] * self._width
        columns: dict[str, Cells] = {name: absent_column(len(cells)) for name in self._absent}
        for name, place in self._places.items():
            column = pa.array(texts[place], _TEXT)
            if self._kinds[str(place)] == _NUMBER:
                made = self._cast(column)
                columns[name] = texts[place] if made is None else _numbers(made)
            else:
                columns[name] = dictionary_column(column)
        return columns

    def _rows(
        self,
        lines: NDArray[np.int64],
        columns: dict[str, Cells],
        ids: pa.StringArray | None,
        carried: pa.StringArray,
        broken: tuple[Broken, ...],
    ) -> Rows:
        known = None if ids is None else canonical_ids(ids, self._missing)
        return Rows(lines, columns, True, known, carried, partial(self._original, carried), broken)

    def _original(self, carried: pa.StringArray, row: int) -> object:
        cells = cells_of(carried[row].as_py(), self._plan.delimiter)
        return dict(zip(self._plan.columns, cells, strict=False))


def _is_utf8(block: memoryview) -> bool:
    try:
        str(block, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _is_plain(column: pa.Array | pa.ChunkedArray) -> bool:
    """Whether a column of numbers holds neither NaN nor infinity, which pyarrow reads where people wrote words."""
    if not pa.types.is_floating(column.type):
        return True
    plain = pc.all(pc.is_finite(column), skip_nulls=True).as_py()
    return plain is not False


def _numbers(column: pa.DoubleArray) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    return numbers
