"""Permutation importance: how much the metric on the holdout worsens when a feature is shuffled.

Permutation importance (Breiman, "Random Forests", 2001; model-agnostic in Fisher, Rudin & Dominici, "All
Models are Wrong, but Many are Useful", 2019), of the exported model and the contract's metric. Of two
features that say the same, each looks less important than it is: the other one is still there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.columns import feature_columns
from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.stats import metrics
from andamio.stats.bootstrap import Interval
from andamio.stats.undefined import undefined_as_null
from training.evaluate import bounds, intervals
from training.evaluate.documents import FeatureImportance, Importance
from training.evaluate.intervals import Estimate, Rows
from training.rows import TrainingRows

IMPORTANCE = "importance.json"
REPEATS = 10
_MOST_TWICE = 0.5
"""So much of the spread of the rows may be taken for the chance of the shufflings, which few of them tell badly."""
MOST_ROWS = 5000
"""Rows of the holdout that are shuffled; of more, as many are drawn by seed."""

UNCHANGED = 2
"""After so many shufflings that change no prediction, a feature is not shuffled again: it is worth nothing."""

Floats = NDArray[np.float64]


def importance(contract: Contract, model: Model, holdout: TrainingRows, threshold: float, seed: int) -> Importance:
    """By how much each feature's shuffling worsens the contract's metric, the most important first.

    `value` is the mean over `repeats` shufflings, positive where the feature helps, whichever way the metric goes. The
    95% interval is that of a gain on these rows, where rows of one split key are one observation. It is null where rows
    are too few for it, and a figure is null that is undefined on these rows.
    """
    rng = np.random.default_rng(seed)
    encoded, labels, keys = holdout.encoded, holdout.labels, np.asarray(holdout.keys, dtype=np.str_)
    if len(labels) > MOST_ROWS:
        taken = np.sort(rng.choice(len(labels), size=MOST_ROWS, replace=False))
        encoded, labels, keys = encoded.take(taken), labels[taken], keys[taken]
    metric, rows = contract.training.metric, Rows.of(labels, keys)
    each = Rows(labels, np.arange(len(labels)), len(labels))

    def measured(predictions: NDArray[np.floating]) -> Estimate:
        return intervals.estimate(metric, each, predictions, positive=contract.positive_index, threshold=threshold)

    predictions = model.predict(encoded)
    plain = measured(predictions)
    found = []
    for name, places in feature_columns(contract.inputs).items():
        worth, unchanged = _Worth(plain, 1 if metrics.higher_is_better(metric) else -1), 0
        for _ in range(REPEATS):
            order = rng.permutation(len(labels))
            if unchanged < UNCHANGED:
                shuffled = model.predict(_shuffled(encoded, places, order))
                if not np.array_equal(shuffled, predictions):
                    worth.add(measured(shuffled), order)
                    continue
            unchanged = min(unchanged + 1, UNCHANGED)
        interval = worth.interval(rows, predictions.shape[1])
        found.append(FeatureImportance(feature=name, **undefined_as_null(interval)))
    ranked = sorted(found, key=lambda item: (item.value is None, -(item.value or 0.0)))
    return Importance(
        metric=metric,
        repeats=REPEATS,
        rows=len(labels),
        score=undefined_as_null(plain.value),
        features=ranked,
    )


class _Worth:
    """By how much shufflings of a feature worsen a figure, and what each row does to that.

    `sign` is -1 where less of the figure is better.
    """

    def __init__(self, plain: Estimate, sign: int) -> None:
        self._plain, self._sign = plain, sign
        self._worse: list[float] = []
        self._grain = plain.grain
        self._influence = np.zeros(len(plain.influence))

    def add(self, shuffled: Estimate, order: NDArray[np.int64]) -> None:
        """A shuffling that changed predictions: row `i` was given the value of row `order[i]`."""
        self._worse.append(self._sign * (self._plain.value - shuffled.value))
        self._grain = max(self._grain, shuffled.grain)
        by_row = self._sign * (self._plain.influence - shuffled.influence) / REPEATS
        # A row counts for its own score and for the one that was made with its value.
        self._influence += by_row
        self._influence[order] += by_row

    def interval(self, rows: Rows, classes: int) -> Interval:
        """The mean over all shufflings with its interval; exactly 0 where none changed a prediction."""
        if not self._worse:
            value = 0.0 * self._plain.value
            return Interval(value, value, value)
        worse = np.array(self._worse + [0.0] * (REPEATS - len(self._worse)))
        value, drawing = float(worse.mean()), float(worse.var(ddof=1)) / REPEATS
        if rows.observations < intervals.MIN_OF_GAIN or not rows.enough(classes):
            return Interval(value, math.nan, math.nan)
        influence = rows.total(self._influence)
        # The chance of the shufflings is in what a row does by both of its parts, and counts once.
        spread = bounds.variance(influence)
        twice = min(drawing / spread, _MOST_TWICE) if spread > 0 else 0.0
        return intervals.difference(value, influence * math.sqrt(1 - twice), self._grain)


def _shuffled(encoded: Encoded, places: tuple[tuple[int, ...], tuple[int, ...]], order: NDArray[np.int64]) -> Encoded:
    """The same rows with one feature's columns in another order, together."""
    numbers, categories = encoded.numbers.copy(), encoded.categories.copy()
    for tensor, columns in ((numbers, list(places[0])), (categories, list(places[1]))):
        tensor[:, columns] = tensor[order][:, columns]
    return Encoded(numbers, categories)
