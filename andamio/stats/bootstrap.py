"""Resampling the holdout: stratified by class (the numbers of a regression are one stratum), clustered by the key.

Rows that share a key (a patient's visits) are drawn together, since they are not independent; classes
keep their number of clusters, since a metric needs both (Efron & Tibshirani, An Introduction to the
Bootstrap, 1993, ch. 8 for structured data, ch. 13 for percentile intervals).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.stats.metrics import Weighted, prepare

RESAMPLES = 2000
_CELLS_AT_ONCE = 60_000
"""Counts held in memory while resampling: half a megabyte, which stays in the processor's cache."""


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

    def on(self, labels: NDArray[Any], probabilities: NDArray[np.floating]) -> Weighted:
        """The score of these predictions as a function of the rows' weights."""
        return prepare(self.metric, labels, probabilities, positive=self.positive, threshold=self.threshold)


def strata_of(truth: NDArray[Any]) -> NDArray[np.int64]:
    """The stratum of each row `[n]`: its class, or one for all where the truth is numbers."""
    return np.zeros(len(truth), dtype=np.int64) if truth.dtype.kind == "f" else truth


def blocks(
    labels: NDArray[Any], keys: NDArray[np.str_], seed: int, count: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn, in `count` resamples: arrays `[some resamples, rows]`."""
    rng = np.random.default_rng(seed)
    unique, first, cluster = np.unique(keys, return_index=True, return_inverse=True)
    stratum = strata_of(labels)[first]
    strata = [np.flatnonzero(stratum == label) for label in np.unique(stratum)]
    at_once = max(1, _CELLS_AT_ONCE // len(labels))
    for start in range(0, count, at_once):
        size = min(at_once, count - start)
        drawn = np.empty((size, len(unique)))
        for members in strata:
            picked = rng.integers(0, len(members), size=(size, len(members)), dtype=np.int32)
            picked += np.arange(size, dtype=np.int32)[:, None] * len(members)
            drawn[:, members] = np.bincount(picked.ravel(), minlength=picked.size).reshape(picked.shape)
        yield drawn[:, cluster]


def resamples(
    labels: NDArray[Any], keys: NDArray[np.str_], seed: int, count: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """How often each row is drawn: `count` vectors `[rows]`."""
    for block in blocks(labels, keys, seed, count):
        yield from block


def draw(
    scorers: Sequence[Weighted],
    labels: NDArray[Any],
    keys: NDArray[np.str_],
    seed: int,
    count: int = RESAMPLES,
) -> NDArray[np.float64]:
    """Several scores on the same resamples: `[count, scorers]`."""
    return np.concatenate(
        [np.column_stack([score(block) for score in scorers]) for block in blocks(labels, keys, seed, count)]
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of predictions on the same resamples: each one's score, the challenger's gain, and every gain drawn."""

    score: Interval
    baseline: Interval
    gain: Interval
    gains: NDArray[np.float64]


def compare(
    labels: NDArray[Any],
    keys: NDArray[np.str_],
    challenger: tuple[Scorer, NDArray[np.floating]],
    baseline: tuple[Scorer, NDArray[np.floating]],
    *,
    sign: int,
    seed: int,
    count: int = RESAMPLES,
) -> Comparison:
    """By how much the challenger is better (`sign` = -1 when less is better)."""
    challenger_score, baseline_score = (
        scorer.on(labels, probabilities) for scorer, probabilities in (challenger, baseline)
    )
    drawn = draw([challenger_score, baseline_score], labels, keys, seed, count)
    plain = np.ones(len(labels))
    score, against = float(challenger_score(plain)), float(baseline_score(plain))
    gains = sign * (drawn[:, 0] - drawn[:, 1])
    return Comparison(
        interval_of(score, drawn[:, 0]),
        interval_of(against, drawn[:, 1]),
        interval_of(sign * (score - against), gains),
        gains,
    )


Prepared = tuple[NDArray[Any], NDArray[np.str_], Weighted]
"""Labels, keys, and a score of predictions for these rows."""


def compare_unpaired(
    challenger: Prepared, baseline: Prepared, *, sign: int, seed: int, count: int = RESAMPLES
) -> Comparison:
    """Like `compare` for predictions of different rows, which are resampled independently."""
    drawn, plain = [], []
    for offset, (labels, keys, score) in enumerate((challenger, baseline)):
        drawn.append(draw([score], labels, keys, seed + offset, count)[:, 0])
        plain.append(float(score(np.ones(len(labels)))))
    gains = sign * (drawn[0] - drawn[1])
    return Comparison(
        interval_of(plain[0], drawn[0]),
        interval_of(plain[1], drawn[1]),
        interval_of(sign * (plain[0] - plain[1]), gains),
        gains,
    )


def interval_of(value: float, drawn: NDArray[np.float64]) -> Interval:
    """The 95% percentile interval of a figure from its resamples, NaN bounds when none is defined.

    It holds the figure: resamples of a biased one (average precision of a rare class) may all lie on one side of it.
    """
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return Interval(value, math.nan, math.nan)
    low, high = np.percentile(finite, [2.5, 97.5])
    return Interval(value, float(np.fmin(low, value)), float(np.fmax(high, value)))
