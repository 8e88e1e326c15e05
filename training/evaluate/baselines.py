"""The baselines of an evaluation: the majority class, and logistic regression with its defaults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.gate.decision import Figure
from andamio.stats.bootstrap import Scorer, draw, interval_of
from andamio.stats.metrics import METRICS, higher_is_better
from training.families import catalog
from training.rows import TrainingRows

MAJORITY, LINEAR = "majority_class", "logistic_regression"
RESAMPLES = 2000


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
    seed: int,
) -> tuple[dict[str, Figure], dict[str, dict[str, Figure]], dict[str, dict[str, Figure]]]:
    """All metrics of the model, of each baseline, and the gain over each, with intervals on the same resamples.

    A gain is positive where the model is better, whatever the metric's direction. A baseline's threshold is 0.5.
    """
    keys = np.asarray(holdout.keys, dtype=np.str_)
    positive = contract.positive_index
    models: dict[str, tuple[NDArray[np.floating], float]] = {"": (probabilities, threshold)}
    models |= {name: (scores, 0.5) for name, scores in others.items()}
    order = [(model, metric) for model in models for metric in METRICS]
    scorers = [
        Scorer(metric, positive, models[model][1]).on(holdout.labels, models[model][0]) for model, metric in order
    ]
    whole = np.ones(len(keys))
    values = {named: float(scorer(whole)) for named, scorer in zip(order, scorers, strict=True)}
    columns = draw(scorers, holdout.labels, keys, seed, RESAMPLES).T
    drawn = dict(zip(order, columns, strict=True))

    def figure(model: str, metric: str) -> Figure:
        return Figure.of(interval_of(values[model, metric], drawn[model, metric]))

    def gain(model: str, metric: str) -> Figure:
        sign = 1 if higher_is_better(metric) else -1
        value = sign * (values["", metric] - values[model, metric])
        return Figure.of(interval_of(value, sign * (drawn["", metric] - drawn[model, metric])))

    return (
        {metric: figure("", metric) for metric in METRICS},
        {model: {metric: figure(model, metric) for metric in METRICS} for model in others},
        {model: {metric: gain(model, metric) for metric in METRICS} for model in others},
    )
