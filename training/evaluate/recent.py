"""Which holdout rows arrived after a model's data: the rows that its data version does not hold."""

from __future__ import annotations

from collections import Counter
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
    in a new file would all look new: a row whose every cell was there as often before is old, too.
    """
    try:
        older = [dataset.read_columns(lake, version, side) for side in ("train", "holdout")]
    except TrainingError:
        return None
    identities = {str(row) for side in older for row in side.get(ROW, [])}
    new = np.array([str(row) not in identities for row in holdout[ROW]], dtype=bool)
    if not new.any():
        return new
    columns = sorted((set(older[0]) & set(older[1]) & set(holdout)) - {ROW, KEY})
    current_rows = {str(row) for row in holdout[ROW]}
    counts: Counter[tuple[Any, ...]] = Counter()
    for side in older:
        rows = zip(_texts(side[ROW]), zip(*(_texts(side[name]) for name in columns), strict=True), strict=True)
        counts.update(content for row, content in rows if row not in current_rows)
    contents = list(zip(*(_texts(holdout[name]) for name in columns), strict=True))
    for row in np.flatnonzero(new):
        if counts[contents[row]] > 0:
            counts[contents[row]] -= 1
            new[row] = False
    return new


def _texts(column: Any) -> list[str]:
    return [str(value) for value in column]
