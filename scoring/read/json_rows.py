"""JSON Lines, a block of whole lines at a time: read in one go where every line is an object."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Generator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from andamio.contract import Contract
from andamio.records.cells import Cells
from andamio.storage.ports import Readable
from andamio.tabular.arrow import dictionary_column
from andamio.tabular.json_record import json_record, no_constant
from scoring.batch import BatchPlan
from scoring.read.framing import Frame, frame
from scoring.read.ids import ids_of
from scoring.read.rows import BLOCK, Broken, Rows
from scoring.read.text_pieces import pieces
from scoring.read.texts import Text, no_text

Record = dict[str, object]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Where half a character may be written; whether its other half follows, a line alone can tell."""
_KINDS: dict[frozenset[type], pa.DataType] = {
    frozenset({str}): pa.string(),
    frozenset({int}): pa.int64(),
    frozenset({bool}): pa.bool_(),
    frozenset({float}): pa.float64(),
}
"""Cells of one kind are coded by pyarrow."""


class JsonReader:
    """Reads shards of one file of JSON Lines.

    The lines of a block are joined to one array, a word between them that no file can know: only lines
    that are one value each leave all those words in their places.
    """

    def __init__(self, plan: BatchPlan, contract: Contract, *, block: int = BLOCK) -> None:
        self._plan, self._contract, self._block = plan, contract, block
        self._word = secrets.token_hex(16)
        self._added = frozenset(plan.names_out.values())
        self._coded = {name for name, feature in contract.inputs.items() if feature.type not in ("integer", "number")}
        self._names = list(contract.inputs)
        if contract.problem.time is not None:
            self._names.append(contract.problem.time)
            self._coded.add(contract.problem.time)

    def read(self, source: Readable, line: int) -> Generator[Rows, None, int]:
        """The rows of a shard that begins on `line`; raises `DataError` where a line is too long.

        The return value of the iterator is how many lines the shard has.
        """
        text = Text(source, line, self._plan.encoding, block=self._block)
        for data in text.blocks():
            framed = frame(data, text.line, None, final=text.final)
            if framed is None or not framed.size:
                continue
            text.take(framed.size, framed.height)
            if len(framed.starts):
                block = memoryview(data)[: framed.size]
                yield self._fast(block, framed) or self._slowly(block, framed)
        return text.height

    def _fast(self, block: memoryview, framed: Frame) -> Rows | None:
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
        clash = "\\u" in text or any(f'"{name}"' in text for name in self._added)
        lines = [line for line in text.split("\n") if line]
        joined = f',"{self._word}",'.join(lines)
        try:
            found: list[Any] = json.loads(f"[{joined}]", parse_constant=no_constant)
        except (ValueError, RecursionError):
            return None
        records, words = found[0::2], found[1::2]
        if (
            len(found) != len(lines) * 2 - 1
            or words.count(self._word) != len(words)
            or set(map(type, records)) != {dict}
        ):
            return None
        if clash and not self._added.isdisjoint(set().union(*records)):
            return None
        return self._rows(records, framed, pieces(block, framed.starts, ends - 1))

    def _slowly(self, block: memoryview, framed: Frame) -> Rows:
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
                self._check_keys(record)
            except ValueError as error:
                why = no_text(self._plan.encoding) if isinstance(error, UnicodeDecodeError) else str(error)
                broken.append(Broken(int(framed.lines[place]), why, raw.decode(errors="replace").rstrip()))
                continue
            records.append(record)
            texts.append(text[:-1])
            places.append(place)
        kept = Frame(framed.starts, framed.ends, framed.lines[places], framed.size, framed.height)
        return self._rows(records, kept, pa.array(texts, pa.string()), tuple(broken))

    def _check_keys(self, record: Record) -> None:
        """Raise `ValueError` for a key that only later objects have, and that a prediction is added under."""
        twice = sorted(self._added.intersection(record))
        if twice:
            raise ValueError(
                f"has the key '{twice[0]}', which the first objects of the file have not, and under which the "
                "prediction is written: let the first object have it too (null will do), or call it otherwise"
            )

    def _rows(
        self, records: list[Record], framed: Frame, carried: pa.StringArray, broken: tuple[Broken, ...] = ()
    ) -> Rows:
        columns = {name: self._cells(name, records) for name in self._names}
        column = self._plan.record_column
        ids = None if column is None else ids_of(_coded(_column(column, records)), len(records))
        return Rows(framed.lines, columns, False, ids, carried, records.__getitem__, broken)

    def _cells(self, name: str, records: Sequence[Record]) -> Cells:
        cells = _column(name, records)
        return _coded(cells) if name in self._coded else cells


def _column(name: str, records: Sequence[Record]) -> list[object]:
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name) for record in records]


def _coded(cells: list[object]) -> Cells:
    """Cells by their distinct values where all are of one kind, as they are otherwise."""
    kind = _KINDS.get(frozenset(map(type, cells)) - {type(None)})
    try:
        return cells if kind is None else dictionary_column(pa.array(cells, kind))
    except (pa.ArrowInvalid, OverflowError):
        return cells
