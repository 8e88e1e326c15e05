"""The survey of a chunk of a text file, without reading the text before it.

A newline ends a row unless it stands inside a quoted field, and whether it does depends on every quote
before it. So a chunk is surveyed under both hypotheses, that it begins outside or inside a quoted field;
`scoring.split.cut` knows which of them is true.

What quotes mean is in `andamio.tabular.csv.quotes`. A format without quotes (JSON Lines) is surveyed with
`delimiter` None.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import with_config

from andamio.storage import documents
from andamio.storage.documents import STRICT
from andamio.tabular.csv.quotes import INSIDE, OUTSIDE, Quotes, state_after, states
from andamio.tabular.limits import LONGEST_ROW

TAIL = 4096
"""Bytes at the end of a block that mostly tell how it ends."""

_NEWLINE = 10

RowStart = tuple[int, int]
"""Where a row begins: its offset in the file, and how many lines end before it (in the chunk)."""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Survey:
    """What a chunk holds, in whole lines from `start` to `end`; pairs are under (outside, inside).

    `inside` says how it ends. `quote_lines` is how many lines come before the quote that is open at its end, -1
    where that was opened before the chunk. `first` is its first row if it begins inside a quoted field.
    `row_starts` are the first rows after each wanted offset, None where the chunk has no more. `long` says that the
    line that it should end with goes on for more than `LONGEST_ROW`, and that this was not looked at further.
    """

    start: int
    end: int
    lines: int
    inside: tuple[bool, bool]
    quote_lines: tuple[int, int]
    first: RowStart | None
    row_starts: tuple[tuple[int, RowStart | None, RowStart | None], ...]
    long: bool = False
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The survey as it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """The survey that was stored."""
        return documents.parse(body, cls, "the survey of a chunk")


def chunk_starts(start: int, end: int, body: int, step: int) -> list[int]:
    """The offsets from `start` to `end` (exclusive) that shards of `step` bytes from `body` on would begin at."""
    first = body + -(-(max(start, body + 1) - body) // step) * step
    return list(range(first, end, step))


def survey(
    blocks: Iterable[bytes], start: int, end: int, targets: Sequence[int], delimiter: str | None, *, first: bool
) -> Survey:
    """Survey a chunk whose bytes from `start` on are handed over, block after block, while there is need of more.

    It begins with the first line after `start` (with `start` itself when it is the `first` one) and ends with the
    line that `end` lies in.
    """
    scan = _Scan(start, end, targets, delimiter, first=first)
    for block in blocks:
        if scan.take(block):
            break
    return scan.finish()


class _Scan:
    """A chunk as it is being surveyed."""

    def __init__(self, start: int, end: int, targets: Sequence[int], delimiter: str | None, *, first: bool) -> None:
        self._at = start
        self._end = end
        self._started = first
        self._start = start
        self._lines = 0
        self._targets = list(targets)
        self._quotes = Quotes(delimiter)
        self._states = [OUTSIDE, INSIDE]
        self._quote_lines = [-1, -1]
        # For each hypothesis, the rows found so far: those of the marks, in order, and the first of all.
        self._row_starts: list[list[RowStart]] = [[], []]
        self._first: RowStart | None = None
        self._finished = self._long = False

    def take(self, block: bytes) -> bool:
        """Scan the next bytes; returns whether the chunk is finished."""
        if not self._started:
            newline = block.find(b"\n")
            if newline < 0:
                self._at += len(block)
                return self._is_too_long()
            self._at += newline + 1
            self._begin()
            block = block[newline + 1 :]
        if self._start > self._end:
            # The line that the chunk begins in goes on beyond its end: it has none of its own.
            self._finished = True
        else:
            stop = block.find(b"\n", max(self._end - self._at, 0))
            self._scan_block(block if stop < 0 else block[: stop + 1])
            self._finished = stop >= 0
        return self._finished or self._is_too_long()

    def finish(self) -> Survey:
        """The survey of what was scanned."""
        if not self._started:
            self._begin()
        self._close(b"", *self._quotes.rest())
        outside, inside = ([*found, *[None] * (len(self._targets) - len(found))] for found in self._row_starts)
        return Survey(
            self._start,
            self._at,
            self._lines,
            (self._states[0] == INSIDE, self._states[1] == INSIDE),
            (self._quote_lines[0], self._quote_lines[1]),
            self._first,
            tuple(zip(self._targets, outside, inside, strict=True)),
            self._long,
        )

    def _begin(self) -> None:
        self._started = True
        self._start = self._at
        early = bisect_left(self._targets, self._start)
        self._row_starts[OUTSIDE] += [(self._start, 0)] * early

    def _is_too_long(self) -> bool:
        """Whether the line that the chunk should end with is too long to be looked at further."""
        self._long = self._at - self._end > LONGEST_ROW
        return self._long

    def _scan_block(self, block: bytes) -> None:
        data = np.frombuffer(block, dtype=np.uint8)
        lines = self._lines + int(np.count_nonzero(data == _NEWLINE))
        hypotheses = [hypothesis for hypothesis in (OUTSIDE, INSIDE) if self._needs_rows(hypothesis, len(block))]
        found = None if hypotheses else self._at_end(block, data)
        if found is None:
            found = self._quotes.runs(block, data)
            for hypothesis in hypotheses:
                self._rows(data, *found, hypothesis)
        self._lines = lines
        self._close(block, *found)
        self._at += len(block)

    def _at_end(self, block: bytes, data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
        """The runs of as little of a block's end as tells how it ends, None where no part of it does."""
        size = TAIL
        while size < len(block):
            quotes, start = self._quotes.begun_near(block, len(block) - size)
            runs, opens = quotes.runs(block[start:], data[start:])
            if not opens.all():
                # After a run that leaves no field open, nothing that came before matters.
                self._quotes = quotes
                return runs + start, opens
            size *= 16
        return None

    def _needs_rows(self, hypothesis: int, size: int) -> bool:
        """Whether a row that is looked for may begin in the next bytes, under one hypothesis."""
        found = len(self._row_starts[hypothesis])
        is_due = found < len(self._targets) and self._targets[found] < self._at + size
        return is_due or (hypothesis == INSIDE and self._first is None)

    def _rows(
        self, data: NDArray[np.uint8], runs: NDArray[np.int64], opens: NDArray[np.bool_], hypothesis: int
    ) -> None:
        """Find the wanted rows that begin in a block, under one hypothesis."""
        found = self._row_starts[hypothesis]
        if self._states[hypothesis] == INSIDE and not len(runs):
            return
        newlines = np.flatnonzero(data == _NEWLINE)
        ends = newlines[states(newlines, runs, opens, self._states[hypothesis]) == OUTSIDE]
        if not len(ends):
            return
        if hypothesis == INSIDE and self._first is None:
            self._first = self._row_start(int(ends[0]), newlines)
        while len(found) < len(self._targets):
            at = int(np.searchsorted(ends, self._targets[len(found)] - self._at))
            if at == len(ends):
                return
            found.append(self._row_start(int(ends[at]), newlines))

    def _row_start(self, end: int, newlines: NDArray[np.int64]) -> RowStart:
        """The row that begins behind a newline of the block at hand."""
        return self._at + end + 1, self._lines + int(np.searchsorted(newlines, end)) + 1

    def _close(self, block: bytes, runs: NDArray[np.int64], opens: NDArray[np.bool_]) -> None:
        """Take over what a block's quotes do; its lines are counted already."""
        if not len(runs):
            return
        # A quote that is open now was opened by the last run that counts.
        last = self._lines - block.count(b"\n", int(runs[-1]))
        for hypothesis in (OUTSIDE, INSIDE):
            self._states[hypothesis] = state_after(opens, self._states[hypothesis])
            self._quote_lines[hypothesis] = last
