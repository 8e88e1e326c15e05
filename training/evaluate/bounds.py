"""Bounds of 95% intervals: formulas of numbers, which know nothing of models."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

LEVEL = 0.975
_TINY = 1e-9
_ROUNDING = 1e-12


def t_quantile(freedom: float) -> float:
    """Of Student's t with so many degrees of freedom: 95% lie within it on both sides."""
    return float(special.stdtrit(freedom, LEVEL))


def variance(influence: Floats) -> float:
    """The variance of the sum of what each observation adds `[observations]`."""
    count = len(influence)
    return float(((influence - influence.mean()) ** 2).sum() * count / (count - 1))


def score_interval(
    value: float, formula: Callable[[float], float], observed: float, trust: float, freedom: float
) -> tuple[float, float]:
    """The values whose own variance makes the figure seen no rarer than 1 in 20.

    `formula` is the variance by the value, scaled to the one `observed`. A smaller one than the formula's
    counts with its `trust` (0 to 1): where hardly a row is wrong, hardly any shows how they vary.
    """
    own = formula(value)
    scale = 1.0
    if own > 0 and observed > 0:
        ratio = observed / own
        scale = ratio**trust if ratio < 1 else ratio
    reach = t_quantile(max(1.0, freedom)) ** 2 * scale

    def beyond(other: float) -> float:
        return float((value - other) ** 2 - reach * formula(other))

    low, high = value, value
    if value > _TINY and beyond(value - _TINY) < 0:
        low = float(optimize.brentq(beyond, 0.0, value - _TINY)) if beyond(0.0) > 0 else 0.0
    if value < 1 - _TINY and beyond(value + _TINY) < 0:
        high = float(optimize.brentq(beyond, value + _TINY, 1.0)) if beyond(1.0) > 0 else 1.0
    return low, high


def symmetric(value: float, influence: Floats) -> tuple[float, float]:
    """Student's t."""
    reach = t_quantile(len(influence) - 1) * math.sqrt(variance(influence))
    return value - reach, value + reach


def is_rounding(error: float, value: float) -> bool:
    """Whether the standard error of a figure is no more than what the rounding of floats leaves."""
    return error <= _ROUNDING * max(1.0, abs(value))


def skewed(value: float, influence: Floats, grain: float = 0.0) -> tuple[float, float]:
    """Student's t, transformed so that skewness is taken out (Hall 1992); without bounds where nothing varies."""
    count = len(influence)
    error = math.sqrt(variance(influence) + grain**2)
    if is_rounding(error, value):
        return math.nan, math.nan
    centred = influence - influence.mean()
    skewness = float((centred**3).mean()) / (error / math.sqrt(count)) ** 3
    slope, t = skewness / math.sqrt(count), t_quantile(count - 1)

    def studentized(point: float) -> float:
        if abs(slope) < 1e-6:
            return point
        return 3 / slope * (float(np.cbrt(1 + slope * (point - slope / 6))) - 1)

    low, high = value - studentized(t) * error, value - studentized(-t) * error
    return min(low, value), max(high, value)


def known(value: float, variance: float, third: float, level: float) -> tuple[float, float]:
    """Of a sum whose variance and third moment are known: normal, corrected for skewness (Cornish & Fisher 1938)."""
    if variance <= 0:
        return value, value
    z = float(special.ndtri(level))
    shift = third / variance**1.5 * (z**2 - 1) / 6
    return value - math.sqrt(variance) * (z + shift), value + math.sqrt(variance) * (z - shift)
