"""The target's column: read as class indices or as numbers, and as a data version keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Classification, Regression
from andamio.records.cells import Cells
from andamio.records.columns import Reader


def read_target(reader: Reader, contract: Contract, cells: Cells | None) -> NDArray[Any]:
    """The truth of each row `[rows]`: class indices (int64, -1 = unusable), or numbers (float64, NaN = unusable)."""
    name = contract.problem.target
    match contract.task:
        case Classification():
            return reader.labels(name, cells, contract.label_index)
        case Regression() as task:
            return reader.measured(name, cells, task.low, task.high)


def truth_of_kept(contract: Contract, column: NDArray[Any]) -> NDArray[Any]:
    """The truth of each row from the column that `kept_target` made."""
    match contract.task:
        case Classification():
            return np.fromiter(map(contract.label_index.__getitem__, column), dtype=np.int64, count=len(column))
        case Regression():
            return column


def kept_target(contract: Contract, truth: NDArray[Any]) -> NDArray[Any]:
    """The truth of each row as a data version keeps it: the first value that means a class, or the number."""
    match contract.task:
        case Classification():
            values = [label.values[0] for label in contract.problem.labels.values()]
            # A row without a usable label is never kept; the last place stands for it until it is left out.
            texts: NDArray[Any] = np.array([*values, ""], dtype=object)[truth]
            return texts
        case Regression():
            numbers: NDArray[np.float64] = truth + 0.0
            return numbers  # -0.0 and 0.0 are one number
