"""Typed columns of records, and the violations of invalid ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.errors import Violation
from andamio.records.cells import DictionaryColumn


@dataclass(slots=True)
class Table:
    """Typed columns of `rows` rows, and what is wrong with some of them.

    A column is float64 (NaN = missing; booleans are 0 and 1), text (dtype object, "" = missing) or
    datetime64[D] (NaT = missing). Categories that came coded stay so: they are in `coded` instead, their
    values canonical texts, -1 = missing. `labels` holds the truth (training only): class indices, -1
    where unusable, or numbers (float64), NaN where unusable. `coerced` counts, per feature, values that were out of
    range and became missing.
    """

    rows: int
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    coded: dict[str, DictionaryColumn] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    coerced: dict[str, int] = field(default_factory=dict)
    labels: NDArray[Any] | None = None
    time: NDArray[np.datetime64] | None = None

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which rows have a problem: `[rows]`."""
        mask = np.zeros(self.rows, dtype=bool)
        for problem in self.violations:
            mask[problem.row] = True
        return mask

    def take(self, rows: NDArray[Any]) -> Table:
        """The chosen rows (a mask or indices), without what is wrong with others."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Table(
            rows=len(index),
            columns={name: column[index] for name, column in self.columns.items()},
            coded={name: column.take(index) for name, column in self.coded.items()},
            coerced=dict(self.coerced),
            labels=None if self.labels is None else self.labels[index],
            time=None if self.time is None else self.time[index],
        )
