"""Resampling the holdout: stratified by class, clustered by the split's key.

Rows that share a key (a patient's visits) are drawn together, since they are not independent; classes
keep their number of clusters, since a metric needs both (Efron & Tibshirani, An Introduction to the
Bootstrap, 1993, ch. 8 for structured data, ch. 13 for percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.metrics import score

RESAMPLES = 2000
_CHUNK = 200


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

    def __call__(
        self,
        labels: NDArray[np.int64],
        probabilities: NDArray[np.floating],
        weights: NDArray[np.float64] | None = None,
    ) -> float:
        """The score of one set of predictions, or of one resample of it."""
        return score(
            self.metric, labels, probabilities, positive=self.positive, threshold=self.threshold, weights=weights
        )


def resamples(
    labels: NDArray[np.int64], keys: NDArray[np.str_], seed: int, count: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn: `count` vectors `[rows]`."""
    rng = np.random.default_rng(seed)
    unique, first, cluster = np.unique(keys, return_index=True, return_inverse=True)
    stratum = labels[first]
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
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
    scores = [scorer(labels, probabilities, weights) for weights in resamples(labels, keys, seed, count)]
    low, high = _bounds(np.array(scores))
    return Interval(scorer(labels, probabilities), low, high)


def gains(
    labels: NDArray[np.int64],
    keys: NDArray[np.str_],
    challenger: tuple[Scorer, NDArray[np.floating]],
    baseline: tuple[Scorer, NDArray[np.floating]],
    *,
    sign: int,
    seed: int,
    count: int = RESAMPLES,
) -> tuple[Interval, NDArray[np.float64]]:
    """By how much the challenger is better (`sign` = -1 when less is better): both scored on the same resamples."""

    def gain(weights: NDArray[np.float64] | None) -> float:
        ours = challenger[0](labels, challenger[1], weights)
        return sign * (ours - baseline[0](labels, baseline[1], weights))

    drawn = np.array([gain(weights) for weights in resamples(labels, keys, seed, count)])
    low, high = _bounds(drawn)
    return Interval(gain(None), low, high), drawn


def _bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
