"""Slices of the holdout: is the challenger worse than the champion on one of them?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from andamio.gate.rules import MIN_ROWS, Contender, Holdout, Rules
from andamio.stats.bootstrap import Interval, Scorer, compare
from andamio.stats.metrics import higher_is_better

_RESAMPLES = 500
"""A standard error needs fewer than a percentile."""
_RANKS = ("roc_auc", "average_precision")
_MIN_CLASS_ROWS_TO_RANK = 5
"""Rows of each of two classes below which the bootstrap takes the ranks of a handful of rows for certain."""


def has_enough_rows(metric: str, labels: NDArray[np.int64]) -> bool:
    """Whether a slice with class indices `[n]` has enough rows: 20, and 5 of two classes for ranking metrics."""
    if len(labels) < MIN_ROWS:
        return False
    return metric not in _RANKS or int(np.sum(np.bincount(labels) >= _MIN_CLASS_ROWS_TO_RANK)) >= 2


def worse_slices(
    holdout: Holdout,
    challenger: Contender,
    champion: Contender,
    slices: Mapping[str, NDArray[np.bool_]],
    rules: Rules,
) -> tuple[dict[str, Interval], int]:
    """Slices on which the challenger is worse than the champion beyond chance, and the number of compared slices.

    `slices` are masks `[n]`. Of forty slices of two equal models one is worse beyond its own 95% interval, by
    chance alone. So each gain's interval is widened for their number (Bonferroni; normal, from the bootstrap's
    standard error): all slices together raise a false alarm in about one decision of forty.
    """
    sign = 1 if higher_is_better(rules.metric) else -1
    challenger_scorer = Scorer(rules.metric, rules.positive, challenger.threshold)
    champion_scorer = Scorer(rules.metric, rules.positive, champion.threshold)
    gains: dict[str, tuple[float, float]] = {}
    for name, mask in slices.items():
        if not has_enough_rows(rules.metric, holdout.labels[mask]):
            continue
        comparison = compare(
            holdout.labels[mask],
            holdout.keys[mask],
            (challenger_scorer, challenger.probabilities[mask]),
            (champion_scorer, champion.probabilities[mask]),
            sign=sign,
            seed=rules.seed,
            count=min(rules.resamples, _RESAMPLES),
        )
        defined = comparison.gains[np.isfinite(comparison.gains)]
        if math.isfinite(comparison.gain.value) and len(defined):
            gains[name] = comparison.gain.value, float(defined.std())
    if not gains:
        return {}, 0
    quantile = NormalDist().inv_cdf(1 - 0.025 / len(gains))
    intervals = {name: Interval(gain, gain - quantile * sd, gain + quantile * sd) for name, (gain, sd) in gains.items()}
    return {name: interval for name, interval in intervals.items() if interval.high < 0}, len(gains)
