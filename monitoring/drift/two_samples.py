"""Tests of two samples: the statistic in NumPy, its p-value from SciPy's special functions.

`scipy.stats` has the same tests, and costs seconds at the cold start of a function; tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

MIN_VALUES = 20
"""Values on each side below which distributions are not compared."""
_EXACT_CELLS = 100_000


def kolmogorov_smirnov(first: Floats, second: Floats) -> tuple[float, float]:
    """The largest distance of two distribution functions, and its p-value; values `[n]` and `[m]` without NaN.

    The p-value is Kolmogorov's limit with the correction for small samples of Stephens ("Use of the Kolmogorov-Smirnov,
    Cramer-von Mises and related statistics without extensive tables", 1970). With ties it is conservative.
    """
    few, many = sorted((np.sort(first), np.sort(second)), key=len)
    distance = max(
        float(np.max(np.abs(np.searchsorted(many, few, side) / len(many) - np.searchsorted(few, few, side) / len(few))))
        for side in ("left", "right")
    )
    root = math.sqrt(len(few) * len(many) / (len(few) + len(many)))
    return distance, float(special.kolmogorov((root + 0.12 + 0.11 / root) * distance))


def chi_square(first: Floats, second: Floats) -> tuple[float, float | None]:
    """Pearson's statistic of counts `[cells]` of two samples, and its p-value; None where there is but one cell."""
    table = np.stack([first, second]).astype(np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 0.0, None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(special.chdtrc(table.shape[1] - 1, statistic))


def two_shares(first: int, first_rows: int, second: int, second_rows: int, *, greater: bool = False) -> float | None:
    """The p-value of two shares, by Fisher's exact test with twice the smaller tail; None where a side has no rows.

    With `greater` the one tail in which the second share is the larger. Where both sides have more than 100,000 rows of
    either kind, Pearson's statistic with Yates's correction.
    """
    if not first_rows or not second_rows:
        return None
    hits, rows = first + second, first_rows + second_rows
    if min(hits, rows - hits, first_rows, second_rows) > _EXACT_CELLS:
        return _large(first, first_rows, second, second_rows, greater=greater)
    low, high = max(0, hits - second_rows), min(hits, first_rows)
    cells = np.arange(low, high + 1, dtype=np.float64)
    logs = _log_choose(first_rows, cells) + _log_choose(second_rows, hits - cells) - _log_choose(rows, np.float64(hits))
    chances = np.exp(logs)
    fewer = float(chances[: first - low + 1].sum())
    if greater:
        return min(1.0, fewer)
    return min(1.0, 2 * min(fewer, float(chances[first - low :].sum())))


def _log_choose(total: int, chosen: Floats | np.float64) -> Floats:
    found: Floats = special.gammaln(total + 1) - special.gammaln(chosen + 1) - special.gammaln(total - chosen + 1)
    return found


def _large(first: int, first_rows: int, second: int, second_rows: int, *, greater: bool) -> float:
    share = (first + second) / (first_rows + second_rows)
    inverse = 1 / first_rows + 1 / second_rows
    gap = second / second_rows - first / first_rows
    z = math.copysign(max(0.0, abs(gap) - inverse / 2), gap) / math.sqrt(share * (1 - share) * inverse)
    return float(special.ndtr(-z)) if greater else float(2 * special.ndtr(-abs(z)))


def beyond_share(hits: int, rows: int, share: float) -> float | None:
    """The chance of at least so many hits among rows that each are one with this chance; None without rows."""
    if not rows:
        return None
    return float(special.bdtrc(hits - 1, rows, share)) if hits else 1.0


def false_discovery_limit(values: Iterable[float | None], q: float) -> tuple[int, float]:
    """How many tests there are, and the largest p-value that counts when a share `q` of those may be false.

    Benjamini & Hochberg, "Controlling the false discovery rate", 1995; 0 where none counts. None is no test.
    """
    ordered = np.sort([value for value in values if value is not None])
    if not len(ordered):
        return 0, 0.0
    passed = np.flatnonzero(ordered <= q * np.arange(1, len(ordered) + 1) / len(ordered))
    return len(ordered), float(ordered[passed[-1]]) if len(passed) else 0.0
