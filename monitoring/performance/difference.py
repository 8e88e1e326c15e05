"""A metric in the window against the reference, with an interval of their difference.

Standard errors are by a Poisson bootstrap (Hanley & MacGibbon, "Creating non-parametric bootstrap samples using Poisson
frequencies", 2006): each row, or each group of rows of one split key, counts a number of times that is Poisson with
mean 1. So every metric has one, weighted or not, and the classes' shares vary as they do between windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.captures.truth import Truth
from andamio.gate.decision import Figure
from andamio.stats import metrics
from andamio.stats.bootstrap import Interval
from monitoring.performance.window import Floats, Labels
from monitoring.reference import HoldoutFigure
from monitoring.results import Comparison

RESAMPLES = 400
MOST_ROWS = 20_000
"""Rows of which a metric is bootstrapped at most."""
Z = 2.5758293035489004
"""Of a 99% interval: one window in 200 lies below by chance."""
_Z_FIGURE = 1.959963984540054
_Z_POWER = 0.8416212335729143
_CELLS_AT_ONCE = 2_000_000
_POISSON = np.array([math.exp(-1) / math.factorial(times) for times in range(9)]).cumsum()
_TIMES = np.searchsorted(_POISSON, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float64)
"""Poisson numbers with mean 1 by 16 random bits: ten times as fast as drawing them."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Which metric, of which positive class (-1: more than two), at which threshold."""

    metric: str
    positive: int
    threshold: float

    @property
    def sign(self) -> int:
        """-1 where less of the metric is better."""
        return 1 if metrics.higher_is_better(self.metric) else -1


@dataclass(frozen=True, slots=True)
class Estimated:
    """A figure with its standard error, and the rows it is of."""

    value: float
    error: float
    rows: int

    def figure(self) -> Figure:
        """With its 95% interval."""
        reach = _Z_FIGURE * self.error
        return Figure.of(Interval(self.value, self.value - reach, self.value + reach))


def estimate(
    measure: Measure, labels: Truth, probabilities: Floats, weights: Floats, groups: Labels | None, seed: int
) -> Estimated:
    """A metric of rows with labels `[rows]`, probabilities `[rows, classes]` or values, and weights `[rows]`.

    Rows of the same number in `groups` `[rows]` are one observation. The value is of all rows; above 20,000 its error
    is that of so many rows, made smaller by the root of how many more there are.
    """
    total = len(labels)
    value = float(_prepared(measure, labels, probabilities)(weights))
    rng = np.random.default_rng(seed)
    number = np.arange(total) if groups is None else np.unique(groups, return_inverse=True)[1]
    if total > MOST_ROWS:
        chosen = np.flatnonzero(_some(number, rng))
        labels, probabilities, weights = labels[chosen], probabilities[chosen], weights[chosen]
        number = np.unique(number[chosen], return_inverse=True)[1]
    scored = _prepared(measure, labels, probabilities)
    observations = int(number.max()) + 1
    drawn: list[NDArray[np.float64]] = []
    at_once = max(1, _CELLS_AT_ONCE // len(labels))
    for start in range(0, RESAMPLES, at_once):
        times = _TIMES[rng.integers(0, 1 << 16, (min(at_once, RESAMPLES - start), observations), dtype=np.uint16)]
        drawn.append(np.atleast_1d(scored(times[:, number] * weights)))
    figures = np.concatenate(drawn)
    figures = figures[np.isfinite(figures)]
    error = float(figures.std(ddof=1)) if len(figures) > 1 else math.nan
    # Where no row is wrong no resample is either: half a row is how far a share may be from that.
    least = 0.0 if metrics.in_units(measure.metric) else 0.5 / observations
    return Estimated(value, max(error, least) * math.sqrt(len(labels) / total), total)


def _prepared(measure: Measure, labels: Truth, probabilities: Floats) -> metrics.Weighted:
    return metrics.prepare(
        measure.metric, labels, probabilities, positive=measure.positive, threshold=measure.threshold
    )


def _some(number: Labels, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each row is of the observations that are drawn: whole ones, of about 20,000 rows together."""
    sizes = np.bincount(number)
    order = rng.permutation(len(sizes))
    count = max(1, int(np.searchsorted(sizes[order].cumsum(), MOST_ROWS, side="right")))
    drawn = np.zeros(len(sizes), dtype=np.bool_)
    drawn[order[:count]] = True
    return drawn[number]


def together(out_of_fold: Estimated, holdout: HoldoutFigure | None) -> Estimated:
    """The reference's figure: out-of-fold and holdout rows, each by how many they are."""
    if holdout is None:
        return out_of_fold
    rows = out_of_fold.rows + holdout.rows
    own, other = out_of_fold.rows / rows, holdout.rows / rows
    value = own * out_of_fold.value + other * holdout.value
    return Estimated(value, math.hypot(own * out_of_fold.error, other * holdout.error), rows)


def compare(measure: Measure, reference: Estimated, window: Estimated, *, weighted: bool) -> Comparison | None:
    """The two and their difference, below zero for the worse; None where a figure is undefined."""
    if not all(map(math.isfinite, (reference.value, reference.error, window.value, window.error))):
        return None
    difference = measure.sign * (window.value - reference.value)
    error = math.hypot(reference.error, window.error)
    return Comparison(
        weighted=weighted,
        reference=reference.figure(),
        window=window.figure(),
        difference=Figure.of(Interval(difference, difference - Z * error, difference + Z * error)),
        smallest_drop=(Z + _Z_POWER) * error,
    )
