"""The baselines of an evaluation: the majority class, and logistic regression with its defaults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.gate.decision import Figure
from andamio.stats.metrics import METRICS, higher_is_better
from training.evaluate import intervals
from training.families import catalog
from training.rows import TrainingRows

MAJORITY, LINEAR = "majority_class", "logistic_regression"


def baselines(
    contract: Contract, train: TrainingRows, holdout: TrainingRows, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Each baseline's probabilities on the holdout [rows, classes]: fitted on train with default settings.

    The majority class says the classes' shares in train. A regression that cannot be fitted is left out.
    """
    classes = len(contract.classes)
    shares = np.bincount(train.labels, minlength=classes) / len(train.labels)
    found = {MAJORITY: np.tile(shares, (len(holdout.labels), 1))}
    try:
        plain = catalog.fit(LINEAR, train.encoded, train.labels, classes=classes, seed=seed)
        scores = plain.predict(holdout.encoded)
    except ValueError:
        return found
    return found | ({LINEAR: scores} if np.isfinite(scores).all() else {})


def compare(
    contract: Contract,
    holdout: TrainingRows,
    probabilities: NDArray[np.floating],
    threshold: float,
    others: dict[str, NDArray[np.float64]],
) -> tuple[dict[str, Figure], dict[str, dict[str, Figure]], dict[str, dict[str, Figure]]]:
    """All metrics of the model, of each baseline, and the gain over each, with intervals from the same rows.

    A gain is positive where the model is better, whatever the metric's direction. A baseline's threshold is 0.5.
    """
    rows = intervals.Rows.of(holdout.labels, np.asarray(holdout.keys, dtype=np.str_))
    positive = contract.positive_index
    models: dict[str, tuple[NDArray[np.floating], float]] = {"": (probabilities, threshold)}
    models |= {name: (scores, 0.5) for name, scores in others.items()}
    found = {
        name: {
            metric: intervals.estimate(metric, rows, scores, positive=positive, threshold=limit) for metric in METRICS
        }
        for name, (scores, limit) in models.items()
    }

    def gain(model: str, metric: str) -> Figure:
        sign = 1 if higher_is_better(metric) else -1
        return Figure.of(intervals.gain(found[""][metric], found[model][metric], sign))

    return (
        {metric: Figure.of(found[""][metric].interval) for metric in METRICS},
        {model: {metric: Figure.of(found[model][metric].interval) for metric in METRICS} for model in others},
        {model: {metric: gain(model, metric) for metric in METRICS} for model in others},
    )
