"""Errors of a regression where labels came: their mean, and how often the intervals hold the truth."""

from __future__ import annotations

import math

import numpy as np

from andamio.gate.decision import Figure
from andamio.stats.bootstrap import Interval
from andamio.stats.conformal import Bools, Margins
from andamio.stats.shares import wilson
from monitoring.performance.window import Floats, Labels
from monitoring.results import Residuals

Z = 2.5758293035489004
"""Of a 99% interval, as in `difference`."""


def residuals(
    truth: Floats,
    values: Floats,
    weights: Floats,
    reference_errors: Floats,
    groups: Labels,
    margins: Margins,
    holds: Bools,
) -> Residuals:
    """Numbers `[rows]` that came true, their predicted values and weights, and which intervals held them.

    `reference_errors` are `[n]`. Rows of the reference with the same number in `groups` `[n]` are one observation.
    The share of intervals that hold is compared with what the margins can promise: they come from `n` rows, and so have
    an error of their own.
    """
    bias = _mean(values - truth, weights, np.arange(len(truth)))
    before = _mean(reference_errors, np.ones(len(reference_errors)), groups)
    shift, reach = bias[0] - before[0], Z * math.hypot(bias[1], before[1])
    share = float(np.average(holds, weights=weights))
    low, high = wilson(share, float(weights.sum() ** 2 / (weights**2).sum()), Z)
    promised = Z * math.sqrt(margins.level * (1 - margins.level) / max(1, len(reference_errors)))
    return Residuals(
        bias=_figure(*bias),
        reference_bias=_figure(*before),
        shift=Figure.of(Interval(shift, shift - reach, shift + reach)),
        biased=abs(shift) > reach,
        level=margins.level,
        held=Figure.of(Interval(share, low, high)),
        too_narrow=share + math.hypot(high - share, promised) < margins.level,
    )


def _mean(errors: Floats, weights: Floats, groups: Labels) -> tuple[float, float]:
    """The weighted mean of errors `[n]`, and its standard error over groups."""
    if not len(errors):
        return math.nan, math.nan
    total = float(weights.sum())
    mean = float(weights @ errors) / total
    _, number = np.unique(groups, return_inverse=True)
    sums = np.bincount(number, weights * (errors - mean))
    return mean, math.sqrt(float(sums @ sums)) / total


def _figure(value: float, error: float) -> Figure:
    return Figure.of(Interval(value, value - Z * error, value + Z * error))
