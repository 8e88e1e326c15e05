"""Prediction intervals of a regression, from residuals of rows that a model did not see.

The two quantiles of the out-of-fold residuals, with the rank that a row yet to come makes one of n + 1, put around a
prediction (cross-conformal: Barber, Candès, Ramdas & Tibshirani, Predictive inference with the jackknife+, 2021,
in the form that keeps one model). Each side has half of what the interval may miss. On a log scale the residuals are
those of logarithms, so the interval is a prediction times two factors.

Errors are often larger for some predictions than for others. Where there are rows enough, a residual is divided by the
mean absolute residual of predictions of like value before the quantiles are taken, and an interval is as much wider or
narrower (normalised conformal intervals: Papadopoulos, Vovk & Gammerman, Regression conformal prediction with nearest
neighbours, 2011, with the predicted value as the only feature).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from andamio.stats.rounding import inside

WIDTH_ROWS = 150
"""Of fewer rows all intervals have one width."""
_WIDTHS = 5
_SHRUNK = 20
"""The mean absolute residual of a fifth counts as if so many rows of the overall mean were among it."""
LARGEST = float(np.finfo(np.float32).max)
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Margins:
    """How far the truth may lie from a prediction, at a level: as a release seals it.

    `low` and `high` are added to a prediction on a linear scale (low <= 0 <= high), and multiply it on a log scale
    (low <= 1 <= high). `widths` are pairs of a predicted value and a factor, in the order of the values: between them
    the factor of the width is interpolated, beyond them it is that of the nearest. Without them it is 1 everywhere, as
    in releases of earlier versions.
    """

    level: float
    low: float
    high: float
    scale: Literal["linear", "log"]
    widths: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Take the pairs as JSON has them; raises TypeError or ValueError where they are none."""
        object.__setattr__(self, "widths", tuple((float(value), float(factor)) for value, factor in self.widths))

    def __str__(self) -> str:
        """As the identity of a release has it: without widths that of releases of earlier versions."""
        return repr(self) if self.widths else repr(self).replace(", widths=()", "")

    def _factors(self, values: Floats) -> Floats:
        if not self.widths:
            return np.ones(len(values))
        points = np.array(self.widths)
        factors: Floats = np.interp(values, points[:, 0], points[:, 1])
        return factors

    def around(
        self, values: NDArray[np.floating], least: float | None = None, most: float | None = None
    ) -> tuple[Floats, Floats]:
        """The ends of the intervals of predictions `[n]`, in the target's unit, within the target's range.

        They are numbers that float32 holds, as answers are, so that what is measured of intervals is measured of those
        that are given.
        """
        value = np.asarray(values, dtype=np.float64)
        factor = self._factors(value)
        ends = (
            (value * self.low**factor, value * self.high**factor)
            if self.scale == "log"
            else (value + self.low * factor, value + self.high * factor)
        )
        low, high = (np.clip(end, *_answerable(least, most)).astype(np.float32).astype(np.float64) for end in ends)
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
    errors = np.log(truth) - np.log(predicted) if log else truth - predicted
    widths = _widths(predicted, np.abs(errors))
    residuals = np.sort(errors / Margins(level, 0.0, 0.0, "linear", widths)._factors(predicted))
    rows, missed = len(residuals), (1 - level) / 2
    below = max(1, math.floor((rows + 1) * missed + 1e-9))
    above = min(rows, math.ceil((rows + 1) * (1 - missed) - 1e-9))
    low, high = min(0.0, float(residuals[below - 1])), max(0.0, float(residuals[above - 1]))
    if log:
        return Margins(level, math.exp(low), math.exp(high), "log", widths)
    return Margins(level, low, high, "linear", widths)


def _widths(predicted: Floats, errors: Floats) -> tuple[tuple[float, float], ...]:
    """The mean absolute error of each fifth of predictions as a share of that of all.

    Fifths of equal predictions are one; () with few rows, and where all predictions are equal.
    """
    mean = float(errors.mean()) if len(errors) else 0.0
    if len(errors) < WIDTH_ROWS or mean == 0:
        return ()
    parts: dict[float, list[NDArray[np.int_]]] = {}
    for rows in np.array_split(np.argsort(predicted, kind="stable"), _WIDTHS):
        some = predicted[rows]
        # Of equal predictions the mean is that very one, which a sum of floats may miss: equal parts are one.
        value = float(np.clip(some.mean(), some.min(), some.max()))
        parts.setdefault(value, []).append(rows)
    if len(parts) < 2:
        return ()
    of_part = {value: errors[np.concatenate(rows)] for value, rows in parts.items()}
    return tuple(
        (value, float((some.sum() / mean + _SHRUNK) / (len(some) + _SHRUNK))) for value, some in sorted(of_part.items())
    )
