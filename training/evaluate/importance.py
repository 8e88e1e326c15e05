"""Permutation importance: how much the metric on the holdout worsens when a feature is shuffled.

Permutation importance (Breiman, "Random Forests", 2001; model-agnostic in Fisher, Rudin & Dominici, "All
Models are Wrong, but Many are Useful", 2019), of the exported model and the contract's metric. Of two
features that say the same, each looks less important than it is: the other one is still there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.columns import feature_columns
from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.stats import metrics
from andamio.stats.bootstrap import Scorer, draw, interval_of
from andamio.stats.undefined import undefined_as_null
from training.evaluate.documents import FeatureImportance, Importance
from training.rows import TrainingRows

IMPORTANCE = "importance.json"
REPEATS, RESAMPLES = 10, 400
MOST_ROWS = 5000
"""Rows of the holdout that are shuffled; of more, as many are drawn by seed."""

UNCHANGED = 2
"""After so many shufflings that change no prediction, a feature is not shuffled again: it is worth nothing."""

Floats = NDArray[np.float64]


def importance(contract: Contract, model: Model, holdout: TrainingRows, threshold: float, seed: int) -> Importance:
    """By how much each feature's shuffling worsens the contract's metric, the most important first.

    `value` is the
    mean over `repeats` shufflings, positive where the feature helps, whichever way the metric goes. Each draw of
    the 95% interval takes the rows again (stratified by class, clustered by split key), and the shufflings too, so
    it holds both kinds of chance. A figure that is undefined on these rows is null.
    """
    rng = np.random.default_rng(seed)
    encoded, labels, keys = holdout.encoded, holdout.labels, np.asarray(holdout.keys, dtype=np.str_)
    if len(labels) > MOST_ROWS:
        taken = np.sort(rng.choice(len(labels), size=MOST_ROWS, replace=False))
        encoded, labels, keys = encoded.take(taken), labels[taken], keys[taken]
    metric = contract.training.metric
    scorer = Scorer(metric, contract.positive_index, threshold)
    names = list(contract.inputs)
    plain = model.predict(encoded)
    scorers, places_of = [scorer.on(labels, plain)], [0]
    for places in feature_columns(contract.inputs).values():
        unchanged = 0
        for _ in range(REPEATS):
            order = rng.permutation(len(labels))
            predictions = plain if unchanged == UNCHANGED else model.predict(_shuffled(encoded, places, order))
            if np.array_equal(predictions, plain):
                places_of.append(0)
                unchanged = min(unchanged + 1, UNCHANGED)
            else:
                places_of.append(len(scorers))
                scorers.append(scorer.on(labels, predictions))
    ones = np.ones((1, len(labels)))
    score, losses = _losses(np.column_stack([one(ones) for one in scorers])[:, places_of], metric)
    _, drawn = _losses(draw(scorers, labels, keys, seed, RESAMPLES)[:, places_of], metric)
    picked = rng.integers(0, REPEATS, size=(RESAMPLES, 1, REPEATS))
    gains = np.take_along_axis(drawn, picked, axis=2).mean(axis=2)
    found = [
        FeatureImportance(
            feature=name, **undefined_as_null(interval_of(float(losses[0, index].mean()), gains[:, index]))
        )
        for index, name in enumerate(names)
    ]
    ranked = sorted(found, key=lambda item: (item.value is None, -(item.value or 0.0)))
    return Importance(
        metric=metric,
        repeats=REPEATS,
        rows=len(labels),
        score=undefined_as_null(float(score[0])),
        features=ranked,
    )


def _losses(scores: Floats, metric: str) -> tuple[Floats, Floats]:
    """The score itself `[draws]`, and how much worse each shuffling is `[draws, features, repeats]`."""
    sign = 1 if metrics.higher_is_better(metric) else -1
    losses = sign * (scores[:, :1] - scores[:, 1:])
    return scores[:, 0], losses.reshape(len(scores), -1, REPEATS)


def _shuffled(encoded: Encoded, places: tuple[tuple[int, ...], tuple[int, ...]], order: NDArray[np.int64]) -> Encoded:
    """The same rows with one feature's columns in another order, together."""
    numbers, categories = encoded.numbers.copy(), encoded.categories.copy()
    for tensor, columns in ((numbers, list(places[0])), (categories, list(places[1]))):
        tensor[:, columns] = tensor[order][:, columns]
    return Encoded(numbers, categories)
