"""Rows as columns of cells, each with the line it begins on: the output of every reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.records.cells import Cells
from andamio.tabular.broken import Broken


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a file, in its order.

    `lines` `[rows]` is the physical line that each row begins on (Parquet: its number from 1). `columns`
    and `text` are what `records.parse` takes. `exact` are the columns that were asked for as they are written,
    never by way of a float. `carried` `[rows]` is each row as it came: its text without line end (of JSON: without
    the closing brace), or the record batch. `original` gives one row by column names, for people to read. `broken`
    are rows that are none.
    """

    lines: NDArray[np.int64]
    columns: Mapping[str, Cells]
    text: bool
    exact: Mapping[str, pa.Array | Cells]
    carried: pa.Array | pa.RecordBatch
    original: Callable[[int], Mapping[str, Any]]
    broken: tuple[Broken, ...] = ()

    @property
    def count(self) -> int:
        """How many rows there are, broken ones included."""
        return len(self.lines) + len(self.broken)

    def places(self, before: int) -> NDArray[np.int64]:
        """The number `[rows]` of each row among all rows of the file, from 0; `before` come before these."""
        broken = np.array([row.line for row in self.broken], dtype=np.int64)
        places: NDArray[np.int64] = before + np.arange(len(self.lines)) + np.searchsorted(np.sort(broken), self.lines)
        return places
