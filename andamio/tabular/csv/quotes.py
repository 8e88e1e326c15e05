"""Which newlines of a CSV text end a row: those outside quoted fields.

What quotes mean is what Python's `csv` and pyarrow make of them: a quote opens a field where it is the
first of it (spaces before it are passed over), two quotes inside a field are one, the next quote closes
it, and any other quote is text. Hence, of a run of quotes without anything between them:

- an even run changes nothing: inside a field it is text, at the beginning of one it opens and closes it;
- an odd run at the beginning of a field opens it, and closes a field that is open;
- any other odd run leaves no field open.

So the state after some runs is the parity of those of the second kind since the last of the third, which
is worked out for all of them at once. Only a line feed ends a line. A text without quoting (JSON Lines)
has the delimiter None.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

OUTSIDE, INSIDE = 0, 1
"""The two states: outside and inside a quoted field."""

_QUOTE, _SPACE, _NEWLINE = 34, 32, 10
_NOTHING = np.array([], dtype=np.int64), np.array([], dtype=bool)


def row_ends(body: bytes, delimiter: str | None) -> list[int]:
    """The offset behind each row of a text that begins with one; a row that is not ended has none."""
    quotes = Quotes(delimiter)
    data = np.frombuffer(body, dtype=np.uint8)
    newlines = np.flatnonzero(data == _NEWLINE)
    runs, opens = quotes.runs(body, data)
    outside = states(newlines, runs, opens, OUTSIDE) == OUTSIDE
    ends: list[int] = (newlines[outside] + 1).tolist()
    return ends


class Quotes:
    """The odd runs of quotes of a text that comes in blocks and begins with a row."""

    def __init__(self, delimiter: str | None) -> None:
        self._none = delimiter is None
        self._borders = np.zeros(256, dtype=bool)
        self._borders[list(b"\r\n" + (delimiter or "").encode())] = True
        self._spaces = delimiter != " "
        self._border = True
        """Whether the last byte (but for spaces) is one that a field begins after."""
        self._run = 0
        self._opens = False

    def begun_near(self, block: bytes, start: int) -> tuple[Quotes, int]:
        """The same for the part of a block from `start` on, or a little before, where no run and no spaces are cut."""
        while start and block[start - 1] in (_QUOTE, _SPACE):
            start -= 1
        found = copy(self)
        if start:
            found._run, found._border = 0, bool(self._borders[block[start - 1]])
        return found, start

    def runs(self, block: bytes, data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where odd runs of a block end (exclusive), and whether each stands at the beginning of a field.

        A run that the block ends with may go on: it is among those of the next one, as if it ended at 0.
        """
        if self._none or not block:
            return _NOTHING
        if b'"' not in block:
            held = self.rest()
            self._carry(data)
            return held
        quotes = np.empty(len(data) + 2, dtype=bool)
        quotes[0] = quotes[-1] = False
        np.equal(data, _QUOTE, out=quotes[1:-1])
        edges = np.flatnonzero(quotes[1:] != quotes[:-1])
        starts, ends = edges[::2], edges[1::2]
        lengths = ends - starts
        opens = self._begin_fields(data, starts)
        if self._run and starts[0] == 0:
            lengths[0] += self._run
            opens[0] = self._opens
        elif self._run:
            starts, ends = np.append(0, starts), np.append(0, ends)
            lengths, opens = np.append(self._run, lengths), np.append(self._opens, opens)
        self._run = 0
        if ends[-1] == len(block):
            self._run, self._opens = int(lengths[-1]), bool(opens[-1])
            ends, lengths, opens = ends[:-1], lengths[:-1], opens[:-1]
        self._carry(data)
        odd = lengths % 2 == 1
        return ends[odd], opens[odd]

    def rest(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The run that the last block ended with, when it does not go on."""
        run, self._run = self._run, 0
        return (np.array([0]), np.array([self._opens])) if run % 2 else _NOTHING

    def _begin_fields(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a field begins at each of some places, spaces passed over."""
        before = data[np.maximum(starts - 1, 0)]
        begin: NDArray[np.bool_] = self._borders[before]
        if starts[0] == 0:
            begin[0] = self._border
        spaced = (before == _SPACE) & (starts > 0)
        if self._spaces and spaced.any():
            last = np.where(data == _SPACE, -1, np.arange(len(data)))
            at = np.maximum.accumulate(last)[starts[spaced] - 1]
            begin[spaced] = np.where(at >= 0, self._borders[data[np.maximum(at, 0)]], self._border)
        return begin

    def _carry(self, data: NDArray[np.uint8]) -> None:
        end = len(data)
        if self._spaces and data[-1] == _SPACE:
            others = np.flatnonzero(data != _SPACE)
            if not len(others):
                return
            end = int(others[-1]) + 1
        self._border = bool(self._borders[data[end - 1]])


def states(at: NDArray[np.int64], runs: NDArray[np.int64], opens: NDArray[np.bool_], before: int) -> NDArray[np.int64]:
    """The state at some offsets, given the odd runs of quotes and the state before them all."""
    if not len(runs):
        return np.full(len(at), before)
    places = np.arange(len(runs))
    swaps = np.cumsum(opens)
    reset = np.maximum.accumulate(np.where(opens, -1, places))
    after = np.where(reset >= 0, swaps - swaps[np.maximum(reset, 0)], swaps + before) & 1
    index = np.searchsorted(runs, at, side="right") - 1
    found: NDArray[np.int64] = np.where(index >= 0, after[np.maximum(index, 0)], before)
    return found


def state_after(opens: NDArray[np.bool_], before: int) -> int:
    """The state behind all of some odd runs of quotes, given the one before them."""
    if opens.all():
        return (len(opens) + before) & 1
    return int(np.argmin(opens[::-1])) & 1
