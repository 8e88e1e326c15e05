"""Which holdout rows arrived after a model's data: the rows that its data version does not hold."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.dataset import version as dataset
from andamio.dataset.columns import Columns
from andamio.dataset.version import KEY, ROW
from andamio.errors import TrainingError
from andamio.storage.ports import Objects


def since(lake: Objects, version: str, holdout: Columns) -> NDArray[np.bool_] | None:
    """A mask over the holdout's rows [n]; None when the data version is no longer in the lake.

    A row is known by its identity, `_row`. Where rows have no id, that is the file it came in, so the same rows
    in a new file would all look new: a row whose every cell was there as often before is old, too. The older version
    is read a column at a time, and nothing but its identities where none is new.
    """
    with ExitStack() as opened:
        try:
            older = [opened.enter_context(dataset.open_columns(lake, version, side)) for side in ("train", "holdout")]
        except TrainingError:
            return None
        before = np.concatenate([side[ROW] for side in older])
        new = ~among(holdout[ROW], before)
        if not new.any():
            return new
        content = np.zeros(len(before) + len(new), dtype=np.int64)
        for name in sorted((set(older[0]) & set(older[1]) & set(holdout)) - {ROW, KEY}):
            values = _codes([*(side[name] for side in older), holdout[name]])
            content = np.unique(content * (int(values.max()) + 1) + values, return_inverse=True)[1]
    gone = ~among(before, holdout[ROW])
    left = np.bincount(content[: len(before)][gone], minlength=len(content))
    for row in np.flatnonzero(new):
        same = content[len(before) + row]
        if left[same] > 0:
            left[same] -= 1
            new[row] = False
    return new


def among(rows: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows `[n]` are there among others."""
    known = set(others.tolist())
    return np.fromiter((row in known for row in rows.tolist()), dtype=bool, count=len(rows))


def _codes(parts: list[NDArray[Any]]) -> NDArray[np.int64]:
    """A number for each row of all parts of a column, equal where the cells are."""
    if len({part.dtype for part in parts}) > 1:  # a column whose type was changed between the versions
        parts = [np.array([str(value) for value in part], dtype=object) for part in parts]
    column = np.concatenate(parts)
    if column.dtype.kind != "O":
        result: NDArray[np.int64] = np.unique(column, return_inverse=True)[1]
        return result
    seen: dict[str, int] = {}
    return np.fromiter((seen.setdefault(text, len(seen)) for text in column.tolist()), np.int64, len(column))
