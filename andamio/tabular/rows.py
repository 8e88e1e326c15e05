"""What reading a raw file yields: chunks of cells, rows that could not be read, and how the file was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from andamio.errors import DataError

CHUNK = 50_000
"""Rows handled at a time: what bounds memory, and large enough that columns are worked on at once."""

ROWS = 32_768
"""Rows of a shard handled at a time."""

LONGEST_ROW = 16 * 2**20
"""Bytes of a row beyond which it is taken for a quote that was left open."""


class RefusedFile(DataError):
    """A whole file that cannot be used: the message says why, and what to do; its key is the caller's to add."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row without usable cells: where it begins (as in `Chunk.lines`), and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file as columns of cells, in the file's order.

    `lines` `[rows]` is the physical line that each row begins on, counted from 1; in a Parquet file,
    which has no lines, the row's number from 1. `places` `[rows]` is the row's number from 0 among
    all rows of the file, broken ones included. `text` and `decimal` are what `records.parse` takes.
    """

    columns: dict[str, Sequence[object]]
    lines: NDArray[np.int64]
    places: NDArray[np.int64]
    broken: tuple[Broken, ...] = ()
    text: bool = False
    decimal: str = "."

    @property
    def rows(self) -> int:
        """How many rows have cells."""
        return len(self.lines)


@dataclass(slots=True)
class ReadAs:
    """How a file was understood: for the manifest. `names` are the columns found, complete once all chunks are read."""

    format: str
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    compression: str = ""
    names: list[str] = field(default_factory=list)

    def said(self) -> dict[str, str]:
        """What a manifest repeats of it: everything that was decided, names left out."""
        return {
            name: value
            for name in ("format", "encoding", "delimiter", "decimal", "compression")
            if (value := getattr(self, name))
        }
