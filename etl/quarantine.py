"""Rejected rows: what is stored of them, so that they can be fixed."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, islice

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.documents import RefusedField, RefusedRows, RejectReason

FILE = "rejects.jsonl"
MOST_STORED = 100_000
"""Rejects that the file holds at most, the first ones: all are counted, and nobody reads millions of them."""
PRIVATE = "(private)"
_MAX_CELL_LENGTH = 200
_MAX_REASONS = 50
_MAX_MESSAGES = 5

Violations = tuple[tuple[str, str, str], ...]
"""(column, reason, code) triples; the column is "" for the row as a whole, codes are `andamio.errors.REASON_CODES`."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One unusable row, or a whole file when `line` is None; `cells` is JSON, or "" when there are none to show."""

    key: str
    version: str
    line: int | None
    violations: Violations
    cells: str = ""

    @property
    def reason(self) -> str:
        """Every problem in one line."""
        return "; ".join(f"{column}: {reason}" if column else reason for column, reason, _ in self.violations)

    @property
    def message(self) -> str:
        """Where it is and what is wrong, for a terminal."""
        return f"line {self.line}: {self.reason}" if self.line is not None else self.reason


class PackedRejects:
    """Rejects of one file, packed: of a large file there may be millions."""

    def __init__(self, rejects: Sequence[Reject]) -> None:
        self.file = (rejects[0].key, rejects[0].version) if rejects else ("", "")
        self._lines = [reject.line for reject in rejects]
        self._violations = [reject.violations for reject in rejects]
        # JSON has no line feed in it.
        self._cells = zlib.compress("\n".join(reject.cells for reject in rejects).encode("utf-8", "surrogatepass"), 1)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[Reject]:
        cells = zlib.decompress(self._cells).decode("utf-8", "surrogatepass").split("\n")
        for line, violations, texts in zip(self._lines, self._violations, cells, strict=False):
            yield Reject(*self.file, line, violations, texts)


class Rejects:
    """All rejects, in the order of the files and their lines."""

    def __init__(self) -> None:
        self._first: list[Reject] = []
        self._parts: dict[tuple[str, str], list[tuple[PackedRejects, NDArray[np.bool_]]]] = {}

    def put_first(self, rejects: Iterable[Reject]) -> None:
        """Put some before all others."""
        self._first = [*rejects, *self._first]

    def add(self, rejects: PackedRejects, chosen: NDArray[np.bool_]) -> None:
        """Add those that are chosen `[rejects]`."""
        if chosen.any():
            self._parts.setdefault(rejects.file, []).append((rejects, chosen))

    def __len__(self) -> int:
        parts = chain.from_iterable(self._parts.values())
        return len(self._first) + sum(int(chosen.sum()) for _, chosen in parts)

    def __iter__(self) -> Iterator[Reject]:
        yield from self._first
        for key, version in self._parts:
            yield from self.of_file(key, version)

    def of_file(self, key: str, version: str) -> Iterator[Reject]:
        """The rows of one file."""
        for rejects, chosen in self._parts.get((key, version), ()):
            yield from sorted(compress(rejects, chosen), key=lambda reject: reject.line or 0)


def masked_cells(contract: Contract, row: Mapping[str, object]) -> str:
    """The contract's cells of a row as JSON, private features masked, long cells cut.

    Columns that the contract does not name stay out: it is unknown whether they may be stored.
    """
    cells: dict[str, object] = {}
    for name, cell in row.items():
        feature = contract.features.get(name)
        if feature is not None and feature.private:
            cells[name] = PRIVATE
        else:
            cells[name] = None if cell is None else str(cell)[:_MAX_CELL_LENGTH]
    return json.dumps(cells, ensure_ascii=False)


def to_json_lines(rejects: Iterable[Reject]) -> Iterator[bytes]:
    """quarantine/INPUT/rejects.jsonl: a row a line, in the order of the files and their lines, the first of many."""
    for reject in islice(rejects, MOST_STORED):
        document = {
            "file": reject.key,
            "version": reject.version,
            "line": reject.line,
            "code": reject.violations[0][2],
            "reason": reject.reason,
            "problems": [
                {"column": column, "code": code, "reason": reason} for column, reason, code in reject.violations
            ],
        }
        row = f', "row": {reject.cells}' if reject.cells else ""
        yield f"{json.dumps(document, ensure_ascii=False)[:-1]}{row}}}\n".encode()


def count_reasons(rejects: Iterable[Reject]) -> list[RejectReason]:
    """The number of rows for each (column, reason, code), most frequent first."""
    counts = Counter(problem for reject in rejects for problem in reject.violations if reject.line is not None)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        RejectReason(column=column, code=code, reason=reason, rows=rows)
        for (column, reason, code), rows in ranked[:_MAX_REASONS]
    ]


def refused_rows(contract: Contract, rejects: Iterable[Reject], rows: int) -> RefusedRows:
    """How many of so many `rows` were refused for their inputs, and for what, most frequent first."""
    refused = 0
    inputs = {*contract.sent.inputs, *contract.inputs}  # of captured records features are read
    counts: Counter[tuple[str, str]] = Counter()
    for reject in rejects:
        faults = {(column, code) for column, _, code in reject.violations if column in inputs}
        refused += bool(faults)
        counts.update(faults)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    reasons = [RefusedField(column=column, code=code, rows=number) for (column, code), number in ranked[:_MAX_REASONS]]
    return RefusedRows(rows=rows, refused=refused, reasons=reasons)


def first_messages(rejects: Iterable[Reject]) -> list[str]:
    """The first few rejects in words, each with its file."""
    return [f"{reject.key}: {reject.message}"[:500] for reject in islice(rejects, _MAX_MESSAGES)]
