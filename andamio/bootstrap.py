"""Resampling the holdout: stratified by class, clustered by the split's key.

Rows that share a key (a patient's visits) are drawn together, since they are not independent; classes
keep their number of clusters, since a metric needs both (Efron & Tibshirani, An Introduction to the
Bootstrap, 1993, ch. 8 for structured data, ch. 13 for percentile intervals).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.metrics import Weighted, prepare

RESAMPLES = 2000
_CELLS_AT_ONCE = 4_000_000
"""Counts held in memory while resampling: 32 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95% percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scorer:
    """How predictions are scored: the metric, the positive class (-1: more than two) and the threshold."""

    metric: str
    positive: int
    threshold: float = 0.5

    def on(self, labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> Weighted:
        """The score of these predictions as a function of the rows' weights."""
        return prepare(self.metric, labels, probabilities, positive=self.positive, threshold=self.threshold)


def resamples(
    labels: NDArray[np.int64], keys: NDArray[np.str_], seed: int, count: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn: `count` vectors `[rows]`."""
    rng = np.random.default_rng(seed)
    unique, first, cluster = np.unique(keys, return_index=True, return_inverse=True)
    stratum = labels[first]
    at_once = max(1, _CELLS_AT_ONCE // len(labels))
    for start in range(0, count, at_once):
        size = min(at_once, count - start)
        drawn = np.zeros((size, len(unique)))
        for label in np.unique(stratum):
            members = np.flatnonzero(stratum == label)
            drawn[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=size)
        yield from drawn[:, cluster]


def interval(
    scorer: Scorer,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    keys: NDArray[np.str_],
    seed: int,
    count: int = RESAMPLES,
) -> Interval:
    """One metric with its interval; NaN bounds when every resample is degenerate."""
    score = scorer.on(labels, probabilities)
    return _interval(score(np.ones(len(labels))), [score(weights) for weights in resamples(labels, keys, seed, count)])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of predictions on the same resamples: each one's score, the challenger's gain, and every gain drawn."""

    score: Interval
    baseline: Interval
    gain: Interval
    gains: NDArray[np.float64]


def compare(
    labels: NDArray[np.int64],
    keys: NDArray[np.str_],
    challenger: tuple[Scorer, NDArray[np.floating]],
    baseline: tuple[Scorer, NDArray[np.floating]],
    *,
    sign: int,
    seed: int,
    count: int = RESAMPLES,
) -> Comparison:
    """By how much the challenger is better (`sign` = -1 when less is better)."""
    ours, theirs = (scorer.on(labels, probabilities) for scorer, probabilities in (challenger, baseline))
    drawn = np.array([(ours(weights), theirs(weights)) for weights in resamples(labels, keys, seed, count)])
    plain = np.ones(len(labels))
    score, against = ours(plain), theirs(plain)
    gains = sign * (drawn[:, 0] - drawn[:, 1])
    return Comparison(
        _interval(score, drawn[:, 0]),
        _interval(against, drawn[:, 1]),
        _interval(sign * (score - against), gains),
        gains,
    )


def _interval(value: float, drawn: Sequence[float] | NDArray[np.float64]) -> Interval:
    finite = np.asarray(drawn)[np.isfinite(drawn)]
    if not len(finite):
        return Interval(value, math.nan, math.nan)
    low, high = np.percentile(finite, [2.5, 97.5])
    return Interval(value, float(low), float(high))
