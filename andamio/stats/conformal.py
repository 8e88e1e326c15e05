"""Prediction intervals of a regression, from residuals of rows that a model did not see.

The two quantiles of the out-of-fold residuals, with the rank that a row yet to come makes one of n + 1, put around a
prediction (cross-conformal: Barber, Candès, Ramdas & Tibshirani, Predictive inference with the jackknife+, 2021,
in the form that keeps one model). Each side has half of what the interval may miss. On a log scale the residuals are
those of logarithms, so the interval is a prediction times two factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from andamio.stats.rounding import inside

LARGEST = float(np.finfo(np.float32).max)
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Margins:
    """How far the truth may lie from a prediction, at a level: as a release seals it.

    `low` and `high` are added to a prediction on a linear scale (low <= 0 <= high), and multiply it on a log scale
    (low <= 1 <= high).
    """

    level: float
    low: float
    high: float
    scale: Literal["linear", "log"]

    def around(
        self, values: NDArray[np.floating], least: float | None = None, most: float | None = None
    ) -> tuple[Floats, Floats]:
        """The ends of the intervals of predictions `[n]`, in the target's unit, within the target's range.

        They are numbers that float32 holds, as answers are, so that what is measured of intervals is measured of those
        that are given.
        """
        value = np.asarray(values, dtype=np.float64)
        low, high = (
            np.clip(end, *_answerable(least, most)).astype(np.float32).astype(np.float64)
            for end in (
                (value * self.low, value * self.high) if self.scale == "log" else (value + self.low, value + self.high)
            )
        )
        return low, high


def held(truth: Floats, ends: tuple[Floats, Floats], least: float | None = None, most: float | None = None) -> Bools:
    """Which intervals hold the truth `[n]`, with `ends` as `Margins.around` gives them for a target of this range.

    A truth at a bound that float32 does not hold counts as the nearest number that can be answered.
    """
    nearest = np.clip(truth, *_answerable(least, most))
    result: Bools = (ends[0] <= nearest) & (nearest <= ends[1])
    return result


def _answerable(least: float | None, most: float | None) -> tuple[float, float]:
    """The ends of the range of a target, as far as float32 holds numbers within it."""
    return (
        -LARGEST if least is None else inside(least, np.inf),
        LARGEST if most is None else inside(most, -np.inf),
    )


def margins(truth: Floats, predicted: Floats, level: float, *, log: bool) -> Margins:
    """The margins of out-of-fold predictions `[n]` of rows whose truth `[n]` is known; `log` needs positive numbers.

    With fewer than 2 / (1 - level) - 1 rows no margin keeps the level: then the largest residuals are taken.
    """
    residuals = np.sort(np.log(truth) - np.log(predicted) if log else truth - predicted)
    rows, missed = len(residuals), (1 - level) / 2
    below = max(1, math.floor((rows + 1) * missed + 1e-9))
    above = min(rows, math.ceil((rows + 1) * (1 - missed) - 1e-9))
    low, high = min(0.0, float(residuals[below - 1])), max(0.0, float(residuals[above - 1]))
    if log:
        return Margins(level, math.exp(low), math.exp(high), "log")
    return Margins(level, low, high, "linear")
