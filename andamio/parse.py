"""From cells to typed columns: what every value must be, and what is wrong with those that are not.

One reading for every source. Text cells (CSV) and typed values (JSON, Parquet) end as the same typed
columns, so a record means the same wherever it comes from. `andamio.cells` reads a cell,
`andamio.reading` a column, this module a table; good columns are read whole, and a record alone (an
online prediction) is not paid for as if it were a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andamio.cells import Cells, Coded
from andamio.errors import Problem
from andamio.reading import Reader

if TYPE_CHECKING:
    from andamio.contract import Contract


@dataclass(slots=True)
class Table:
    """Typed columns of `rows` rows, and what is wrong with some of them.

    A column is float64 (NaN = missing; booleans are 0 and 1), text (dtype object, "" = missing) or
    datetime64[D] (NaT = missing). Categories that came coded stay so: they are in `coded` instead, their
    values canonical texts, -1 = missing. `labels` holds class indices (training only; -1 where unusable),
    `coerced` counts, per feature, values that were out of range and became missing.
    """

    rows: int
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    coded: dict[str, Coded] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    coerced: dict[str, int] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None
    time: NDArray[np.datetime64] | None = None

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which rows have a problem: `[rows]`."""
        mask = np.zeros(self.rows, dtype=bool)
        for problem in self.problems:
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


def parse_columns(
    contract: Contract,
    columns: Mapping[str, Cells],
    rows: int,
    *,
    text: bool,
    training: bool = False,
    decimal: str = ".",
) -> Table:
    """Read named columns of cells; every cell that breaks the contract is a `Problem` of the table.

    `text` says that cells are texts, where [data] missing means no value and `decimal` is the decimal
    mark; a float64 array among them holds numbers that were read already, NaN where the text means no
    value. Else cells are typed values, where None and NaN mean no value. With `training`, the target and
    the columns of [problem] are read too, and so are features that are only known afterwards.
    """
    table = Table(rows)
    source = Reader(table, text, contract.data.missing, decimal)
    for name, feature in (contract.features if training else contract.inputs).items():
        cells = columns.get(name)
        if not feature.available_at_prediction:
            # Only kept for the record: nothing of it reaches a model, so nothing about it costs the row.
            aside = Reader(Table(rows), text, contract.data.missing, decimal)
            table.columns[name] = aside.read(name, feature, cells)
            continue
        if feature.type == "category" and isinstance(cells, Coded) and not training:
            table.coded[name] = source.coded_categories(name, feature, cells)
        else:
            table.columns[name] = source.read(name, feature, cells)
    problem = contract.problem
    if problem.time is not None and (training or problem.time in columns):
        table.time = source.times(problem.time, columns.get(problem.time), required=training)
    if training:
        for column in dict.fromkeys((problem.id, problem.group)):
            if column is not None:
                table.columns[column] = source.identifiers(column, columns.get(column))
        table.labels = source.labels(problem.target, columns.get(problem.target), contract.label_index)
    return table
