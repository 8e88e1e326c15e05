"""JSON Lines, a block of whole lines at a time: read in one go where every line is an object."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Generator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.contract.canonical import canonical, composed, number_in_json
from andamio.records.cells import Cells
from andamio.tabular.arrow import dictionary_column
from andamio.tabular.broken import Broken, Source
from andamio.tabular.columns import Kinds
from andamio.tabular.json.record import json_record, no_constant, object_of
from andamio.tabular.limits import BLOCK
from andamio.tabular.rows import Rows
from andamio.tabular.text.blocks import TextBlocks
from andamio.tabular.text.encoding import no_text
from andamio.tabular.text.head import Head
from andamio.tabular.text.row_bounds import RowBounds, row_bounds
from andamio.tabular.text.row_texts import row_texts

Record = dict[str, object]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of a surrogate, which is half a character. Only the line itself shows whether the other half follows."""
_KINDS: dict[frozenset[type], pa.DataType] = {
    frozenset({str}): pa.string(),
    frozenset({int}): pa.int64(),
    frozenset({bool}): pa.bool_(),
    frozenset({float}): pa.float64(),
}
"""Cells of one kind are coded by pyarrow."""
_BRACE, _COLON = ord("{"), ord(":")
_EXACT, _DIGITS = 2.0**53, 15
"""Floats up to which, and digits (with mark) within which, a number is the float that was read of it."""


class JsonReader:
    """Reads parts of one file of JSON Lines.

    `kinds` are the columns that are wanted, `exact` those that are wanted as they are written besides. A row is broken
    that has a key which is in `reserved` but for its case, or a key that `slip` takes for a column which the row lacks.
    The lines of a block are joined to one array, a word between them that no file
    can know: only lines that are one value each leave all those words in their places.
    """

    def __init__(
        self,
        head: Head,
        kinds: Kinds,
        *,
        exact: Collection[str] = (),
        reserved: Collection[str] = (),
        slip: Callable[[str], str | None] | None = None,
        names: dict[str, None] | None = None,
        block: int = BLOCK,
    ) -> None:
        """`names` is filled with the keys of all objects, where it is given."""
        self._head, self._block, self._names = head, block, names
        self._word = secrets.token_hex(16)
        self._reserved = frozenset(name.casefold() for name in reserved)
        self._slip = slip or (lambda _: None)
        # Each key is checked once, however many objects have it.
        self._judged: set[str] = set()
        self._clashes: set[str] = set()
        self._slips: dict[str, str] = {}
        self._kinds, self._exact = kinds, tuple(exact)
        self._hooked = self._composing = False

    def read(self, source: Source, line: int) -> Generator[Rows, None, int]:
        """The rows of a part that begins on `line`; raises `DataError` where a line is too long.

        The return value of the iterator is how many lines the part has.
        """
        text = TextBlocks(source, line, self._head.encoding, block=self._block)
        for data in text.blocks():
            framed = row_bounds(data, text.line, None, final=text.final)
            if framed is None or not framed.size:
                continue
            text.take(framed.size, framed.height)
            if len(framed.starts):
                self._composing = b"\\u" in data or not data.isascii()
                block = memoryview(data)[: framed.size]
                yield self._fast(block, framed) or self._slowly(block, framed)
        return text.height

    def _fast(self, block: memoryview, framed: RowBounds) -> Rows | None:
        """The lines read at once, None where one of them is no object or needs a closer look."""
        ends = framed.ends
        if (np.frombuffer(block, np.uint8)[ends - 1] != ord("}")).any():
            return None
        try:
            text = str(block, "utf-8")
        except UnicodeDecodeError:
            return None
        if "\\u" in text and _HALF.search(text):
            return None
        lines = [line for line in text.split("\n") if line]
        joined = f',"{self._word}",'.join(lines)
        found = self._parsed(joined, np.frombuffer(block, np.uint8), len(lines))
        if found is None:
            return None
        records, words = found[0::2], found[1::2]
        if (
            len(found) != len(lines) * 2 - 1
            or words.count(self._word) != len(words)
            or set(map(type, records)) != {dict}
        ):
            return None
        if self._any_broken(records):
            return None
        return self._rows(records, framed, row_texts(block, framed.starts, ends - 1))

    def _parsed(self, joined: str, raw: NDArray[np.uint8], rows: int) -> list[Any] | None:
        """The joined lines as Python has them, None where they are no JSON, or an object has a key twice."""
        try:
            if not self._hooked:
                found: list[Any] = json.loads(f"[{joined}]", parse_constant=no_constant)
                # As many colons as keys are left: none was there twice.
                pairs = sum(map(len, found[0::2]))
                if np.count_nonzero(raw == _BRACE) == rows and np.count_nonzero(raw == _COLON) == pairs:
                    return found
                # Texts or objects in objects hold colons, and will in later blocks.
                self._hooked = True
            found = json.loads(f"[{joined}]", parse_constant=no_constant, object_pairs_hook=object_of)
        except (ValueError, RecursionError, TypeError):
            return None
        return found

    def _slowly(self, block: memoryview, framed: RowBounds) -> Rows:
        """The lines read one by one, as data are read for training."""
        records: list[Record] = []
        texts: list[str] = []
        places: list[int] = []
        broken: list[Broken] = []
        for place, (start, end) in enumerate(zip(framed.starts.tolist(), framed.ends.tolist(), strict=True)):
            raw = bytes(block[start:end])
            if not raw.strip():
                continue
            try:
                text = raw.decode().rstrip()
                record = json_record(text)
                self._note_names([record])
                self._check_keys(record)
            except ValueError as error:
                head = self._head
                is_text = not isinstance(error, UnicodeDecodeError)
                why = str(error) if is_text else no_text(raw, head.encoding, head.transcoded)
                broken.append(Broken(int(framed.lines[place]), why, raw.decode(errors="replace").rstrip()))
                continue
            records.append(record)
            texts.append(text[:-1])
            places.append(place)
        kept = RowBounds(framed.starts, framed.ends, framed.lines[places], framed.size, framed.height)
        return self._rows(records, kept, pa.array(texts, pa.string()), tuple(broken))

    def _any_broken(self, records: Sequence[Record]) -> bool:
        """Whether any object has a key that it may not have."""
        keys: set[str] = set().union(*records)
        for key in keys - self._judged:
            self._judge(key)
        if not self._clashes.isdisjoint(keys):
            return True
        slips = [(key, self._slips[key]) for key in map(composed, keys) if key in self._slips]
        return bool(slips) and any(
            key in record and column not in record for record in map(_composed, records) for key, column in slips
        )

    def _judge(self, key: str) -> None:
        self._judged.add(key)
        if key.casefold() in self._reserved:
            self._clashes.add(key)
        column = self._slip(key)
        if column is not None:
            self._slips[composed(key)] = column

    def _check_keys(self, record: Record) -> None:
        """Raise `ValueError` for a key that an added column has, or that is nearly the name of a lacking column."""
        for key in record:
            if key not in self._judged:
                self._judge(key)
        twice = sorted(self._clashes.intersection(record))
        if twice:
            raise ValueError(
                f"has the key '{twice[0]}', which the first objects of the file have not, and under which the "
                "prediction is written: let the first object have it too (null will do), or call it otherwise"
            )
        named = _composed(record)
        for key, column in self._slips.items():
            if key in named and column not in named:
                raise ValueError(f"has the key '{key}' and no '{column}': rename it, or let the object have both")

    def _rows(
        self, records: list[Record], framed: RowBounds, carried: pa.StringArray, broken: tuple[Broken, ...] = ()
    ) -> Rows:
        self._note_names(records)
        originals, records = records, list(map(_composed, records)) if self._composing else records
        columns: dict[str, Cells] = {}
        for name, kind in self._kinds.items():
            cells = _column(name, records)
            columns[name] = cells if kind == "number" else _coded(_exactly(cells, name, carried))
        exact = {name: _coded(_exactly(_column(name, records), name, carried)) for name in self._exact}
        return Rows(framed.lines, columns, False, exact, carried, originals.__getitem__, broken)

    def _note_names(self, records: Sequence[Record]) -> None:
        if self._names is not None:
            self._names.update(dict.fromkeys(name for record in map(_composed, records) for name in record))


def _composed(record: Record) -> Record:
    """The same cells under names in the form that a contract has of them."""
    if all(map(str.isascii, record)):
        return record
    return {composed(name): cell for name, cell in record.items()}


def _column(name: str, records: Sequence[Record]) -> list[object]:
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name) for record in records]


def _exactly(cells: list[object], name: str, carried: pa.StringArray) -> list[object]:
    """Cells that are compared as texts: a number of more digits than a float holds is read again, as it is written."""
    if float not in set(map(type, cells)):
        return cells
    long = _has_long_numbers(carried)
    for row, cell in enumerate(cells):
        if isinstance(cell, float) and (long or abs(cell) >= _EXACT):
            # A key may be written in another form of Unicode than it is looked up in.
            record = json.loads(carried[row].as_py() + "}", parse_float=number_in_json)
            written = record[name] if name in record else _composed(record)[name]
            if canonical(written) != canonical(cell):
                cells[row] = canonical(written)
    return cells


def _has_long_numbers(carried: pa.StringArray) -> bool:
    """Whether any row may hold a number of more digits than a float is sure to hold."""
    data = carried.buffers()[2]
    raw = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    others = np.flatnonzero(((raw < ord("0")) | (raw > ord("9"))) & (raw != ord(".")))
    return bool((np.diff(others, prepend=-1, append=len(raw)) > _DIGITS).any())


def _coded(cells: list[object]) -> Cells:
    """Cells by their distinct values where all are of one kind, as they are otherwise."""
    kind = _KINDS.get(frozenset(map(type, cells)) - {type(None)})
    try:
        return cells if kind is None else dictionary_column(pa.array(cells, kind))
    except (pa.ArrowInvalid, OverflowError):
        return cells
