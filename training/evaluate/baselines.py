"""The baselines of an evaluation: the majority class or the median, and the linear family with its defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.metrics import metrics_of
from andamio.gate.decision import Figure
from andamio.stats.metrics import higher_is_better
from training.evaluate import intervals
from training.families.trainable import fit_plain, floor
from training.rows import TrainingRows

_SAME = 1e-4
"""Numbers that lie so near together, in standard deviations of the target, are those of one model."""


def baselines(
    contract: Contract, train: TrainingRows, holdout: TrainingRows, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Each baseline's scores on the holdout [rows, outputs]: fitted on train with default settings.

    The majority class says the classes' shares in train. A linear model that cannot be fitted is left out.
    """
    task = contract.task
    found: dict[str, NDArray[np.float64]] = {
        task.floor: np.tile(floor(contract, train.labels), (len(holdout.labels), 1))
    }
    try:
        scores = fit_plain(contract, train.encoded, train.labels, seed).predict(holdout.encoded)
    except ValueError:
        return found
    return found | ({task.linear: scores} if np.isfinite(scores).all() else {})


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
    names = metrics_of(contract)
    rows = intervals.Rows.of(holdout.labels, np.asarray(holdout.keys, dtype=np.str_))
    positive = contract.positive_index
    models: dict[str, tuple[NDArray[np.floating], float]] = {"": (probabilities, threshold)}
    models |= {name: (_unless_same(scores, probabilities, holdout.labels), 0.5) for name, scores in others.items()}
    found = {
        name: {metric: intervals.estimate(metric, rows, scores, positive=positive, threshold=limit) for metric in names}
        for name, (scores, limit) in models.items()
    }

    def gain(model: str, metric: str) -> Figure:
        sign = 1 if higher_is_better(metric) else -1
        return Figure.of(intervals.gain(found[""][metric], found[model][metric], sign))

    return (
        {metric: Figure.of(found[""][metric].interval) for metric in names},
        {model: {metric: Figure.of(found[model][metric].interval) for metric in names} for model in others},
        {model: {metric: gain(model, metric) for metric in names} for model in others},
    )


def _unless_same(scores: NDArray[np.float64], own: NDArray[np.floating], truth: NDArray[Any]) -> NDArray[np.floating]:
    """A baseline's numbers, or the model's own where it is the same model: what float32 rounds is no gain or loss."""
    if truth.dtype.kind != "f":
        return scores
    return own if np.abs(scores - own).max() <= _SAME * truth.std() else scores
