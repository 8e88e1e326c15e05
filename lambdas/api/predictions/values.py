"""The values of a table as a log line has them."""

from __future__ import annotations

import numpy as np

from andamio.records.table import Table


def values_of(table: Table) -> list[dict[str, object]]:
    """The rows of a table as JSON values, None where there is none."""
    columns = {}
    for name, column in table.columns.items():
        if column.dtype == object:
            columns[name] = [text or None for text in column]
        elif column.dtype.kind == "M":
            columns[name] = [None if np.isnat(day) else str(day) for day in column]
        else:
            columns[name] = [None if value != value else value for value in column.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
