"""What is true of predictions, where it is known: class indices, or the numbers of a regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Classification, Regression, Task

NO_TRUTH = -1
Truth = NDArray[Any]
"""Class indices int64 `[rows]`, -1 where none is known, or numbers float64 `[rows]`, then NaN."""


def known(truth: Truth) -> NDArray[np.bool_]:
    """Which truths `[rows]` there are."""
    return ~np.isnan(truth) if truth.dtype.kind == "f" else truth != NO_TRUTH


def no_truth(task: Task, rows: int) -> Truth:
    """So many truths of which none is known."""
    match task:
        case Classification():
            return np.full(rows, NO_TRUTH, dtype=np.int64)
        case Regression():
            return np.full(rows, np.nan)
