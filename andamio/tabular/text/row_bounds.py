"""Where the rows of a text begin and end, and on which lines, without a look at each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.tabular.limits import ROWS

Offsets = NDArray[np.int64]

_LF, _CR, _QUOTE = 10, 13, 34


@dataclass(frozen=True, slots=True)
class RowBounds:
    """The whole rows that a text begins with, empty lines left out.

    `starts` and `ends` `[rows]` are offsets, line ends excluded; `lines` `[rows]` counts line feeds.
    `size` bytes and `height` lines were framed, the rest of the text is the beginning of a row.
    """

    starts: Offsets
    ends: Offsets
    lines: Offsets
    size: int
    height: int


def row_bounds(data: bytes, line: int, delimiter: bytes | None, *, final: bool) -> RowBounds | None:
    """RowBounds at most `ROWS` rows of a text that begins with a row, on `line`; `final` says that it ends there too.

    With a delimiter, line feeds in quotes end no row. None where only a reader that goes from character to
    character can tell: a quote that neither opens nor closes a cell, or a carriage return alone. Without
    one, only line feeds count.
    """
    raw = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(raw == _LF)
    if final and data and raw[-1] != _LF:
        breaks = np.append(breaks, len(data))
    quotes = np.flatnonzero(raw == _QUOTE) if delimiter is not None and b'"' in data else None
    which = np.arange(len(breaks)) if quotes is None else np.flatnonzero(np.searchsorted(quotes, breaks) % 2 == 0)
    which = which[:ROWS]
    if not len(which):
        return RowBounds(*(np.empty(0, dtype=np.int64),) * 3, size=0, height=0)
    ends = breaks[which]
    size = min(int(ends[-1]) + 1, len(data))
    if quotes is not None and delimiter is not None and not _at_borders(raw, quotes, size, delimiter):
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    if delimiter is not None and b"\r" in data:
        if data.count(b"\r", 0, size) != data.count(b"\r\n", 0, size):
            return None
        ends = ends - ((ends > starts) & (raw[ends - 1] == _CR))
    lines = line + np.concatenate(([0], which[:-1] + 1))
    filled = ends > starts
    if not filled.all():
        starts, ends, lines = starts[filled], ends[filled], lines[filled]
    return RowBounds(starts, ends, lines, size, int(which[-1]) + 1)


def _at_borders(raw: NDArray[np.uint8], quotes: Offsets, size: int, delimiter: bytes) -> bool:
    """Whether each quote of the framed rows opens a cell, closes one, or is one of a doubled pair.

    Then a line feed is in quotes exactly where an odd number of them comes before it.
    """
    quotes = quotes[: np.searchsorted(quotes, size)]
    opening, closing = quotes[0::2], quotes[1::2]
    doubled = opening[1:] == closing[:-1] + 1
    before = raw[opening[1:] - 1]
    opens = doubled | (before == delimiter[0]) | (before == _LF)
    after = raw[np.minimum(closing[:-1] + 1, size - 1)]
    closes = doubled | (after == delimiter[0]) | (after == _LF) | (after == _CR)
    if not (opens.all() and closes.all()):
        return False
    if not len(opening):
        return True
    first, last = int(opening[0]), int(closing[-1]) + 1
    return (first == 0 or raw[first - 1] in (delimiter[0], _LF)) and (
        last >= size or raw[last] in (delimiter[0], _LF, _CR)
    )
