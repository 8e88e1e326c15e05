"""The population stability index of two samples, without what chance adds to it.

PSI = sum over cells of (w - r) ln(w / r), where r and w are the shares of reference and window. Between samples of m
and n rows of one population it is not 0: PSI / (1/m + 1/n) has a chi-square distribution with one degree of freedom
less than there are cells (Yurdakul, "Statistical properties of population stability index", 2018). So with 64 cells and
200 rows it is above 0.5 where nothing moved. Hence few cells, and its mean under no change is taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CELLS = 10
_ROWS_IN_A_CELL = 10
_Z = 1.6448536269514722
"""The normal quantile of 0.95."""


@dataclass(frozen=True, slots=True)
class Index:
    """The index without its mean under no change (never below 0), and what it exceeds in 95 cases of 100."""

    value: float
    low: float


def number_of_cells(reference_rows: int, window_rows: int) -> int:
    """As many cells as the smaller sample has tens of rows: 2 to 10."""
    return max(2, min(CELLS, min(reference_rows, window_rows) // _ROWS_IN_A_CELL))


def index(reference: Floats, window: Floats) -> Index:
    """Of counts `[cells]`; a cell without rows counts half a row. 0 where a side has no rows or cells are fewer than 2.

    The bound has the variance of the delta method besides that of chance alone.
    """
    filled = (reference + window) > 0
    rows, others = float(reference.sum()), float(window.sum())
    degrees = int(filled.sum()) - 1
    if degrees < 1 or not rows or not others:
        return Index(0.0, 0.0)
    r, w = (np.maximum(counts[filled], 0.5) for counts in (reference, window))
    r, w = r / r.sum(), w / w.sum()
    ratio = np.log(w / r)
    chance = 1 / rows + 1 / others
    value = max(0.0, float(((w - r) * ratio).sum()) - degrees * chance)
    spread = _variance(ratio + 1 - r / w, w) / others + _variance(1 - w / r - ratio, r) / rows
    return Index(value, max(0.0, value - _Z * math.sqrt(spread + 2 * degrees * chance**2)))


def of_shares(reference: int, reference_rows: int, window: int, window_rows: int) -> Index:
    """Of two cells: rows that have something and rows that have not."""
    return index(
        np.array([reference, reference_rows - reference], dtype=np.float64),
        np.array([window, window_rows - window], dtype=np.float64),
    )


def _variance(values: Floats, shares: Floats) -> float:
    mean = float((shares * values).sum())
    return float((shares * (values - mean) ** 2).sum())


def merge(counts: Floats, cells: int) -> NDArray[np.int64]:
    """Which of at most `cells` neighbourhoods of about equal count each bin is in: `[bins]`, from 0 without gaps."""
    total = counts.sum()
    if not total:
        return np.zeros(len(counts), dtype=np.int64)
    middle = (np.cumsum(counts) - counts / 2) / total
    merged = np.minimum((middle * cells).astype(np.int64), cells - 1)
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)
