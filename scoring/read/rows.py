"""What every reader of a shard yields: rows as columns of cells, each with the line it begins on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.records.cells import Cells
from andamio.tabular.rows import LONGEST_ROW

BLOCK = 2 * 2**20
"""Bytes of a text read at a time."""
LONGEST = LONGEST_ROW
"""Bytes of the longest row that is read; a longer one is most likely a file that is no table."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row without usable cells: the line it begins on, why, and what can be shown of it."""

    line: int
    reason: str
    row: object


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a file, in its order.

    `lines` `[rows]` is the physical line that each row begins on (Parquet: its number from 1). `columns`
    and `text` are what `records.parse` takes. `ids` `[rows]` are the caller's ids as canonical texts, ""
    where there is none, or None where the file has no such column. `carried` `[rows]` is what the output
    repeats of each row: its text without line end (of JSON: without the closing brace), or the record
    batch. `original` gives one row by column names, for people to read. `broken` are rows that are none.
    """

    lines: NDArray[np.int64]
    columns: Mapping[str, Cells]
    text: bool
    ids: pa.StringArray | None
    carried: pa.Array | pa.RecordBatch
    original: Callable[[int], object]
    broken: tuple[Broken, ...] = ()
