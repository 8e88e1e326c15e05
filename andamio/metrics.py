"""The metrics of the contract, weighted, so that a bootstrap resample is a vector of counts.

Shapes: `labels` int `[n]`, `probabilities` `[n, classes]`, `weights` `[n]` or None. For more than two
classes ROC AUC and average precision are one-vs-rest macro averages, F1 is a macro average. A metric
that is undefined (one class only) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_EPS = 1e-15


def higher_is_better(metric: str) -> bool:
    """Whether more of it is better: all but log loss."""
    return metric != "log_loss"


def score(
    metric: str,
    labels: Labels,
    probabilities: NDArray[np.floating],
    *,
    positive: int = -1,
    threshold: float = 0.5,
    weights: Floats | None = None,
) -> float:
    """One metric of one set of predictions; `positive` is the positive class of two, -1 for more classes.

    `threshold` turns the positive class's probability into a label (F1 and accuracy, two classes).
    """
    w = np.ones(len(labels)) if weights is None else weights
    p = np.asarray(probabilities, dtype=np.float64)
    return METRICS[metric](labels, p, w, positive, threshold)


def predicted(probabilities: Floats, positive: int, threshold: float) -> Labels:
    """The class index of each row: by threshold for two classes, the most probable (the first on a tie) for more."""
    if positive < 0:
        return np.argmax(probabilities, axis=1)
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)


def _roc_auc(y: Labels, p: Floats, w: Floats, positive: int, threshold: float) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney U)."""
    return _one_vs_rest(y, p, w, positive, _binary_auc)


def _average_precision(y: Labels, p: Floats, w: Floats, positive: int, threshold: float) -> float:
    """Sum of precision times the gain in recall, over distinct scores from the highest."""
    return _one_vs_rest(y, p, w, positive, _binary_average_precision)


def _one_vs_rest(
    y: Labels, p: Floats, w: Floats, positive: int, binary: Callable[[NDArray[np.bool_], Floats, Floats], float]
) -> float:
    if positive >= 0:
        return binary(y == positive, p[:, positive], w)
    return float(np.mean([binary(y == k, p[:, k], w) for k in range(p.shape[1])]))


def _steps(truth: NDArray[np.bool_], scores: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Cumulative weights of positives and negatives at each distinct score, from the highest."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    up = np.cumsum(np.where(truth, w, 0.0)[order])[ends]
    down = np.cumsum(np.where(truth, 0.0, w)[order])[ends]
    return up, down


def _binary_auc(truth: NDArray[np.bool_], scores: Floats, w: Floats) -> float:
    up, down = _steps(truth, scores, w)
    if up[-1] == 0 or down[-1] == 0:
        return math.nan
    gained_up, before_down = np.diff(up, prepend=0.0), down - np.diff(down, prepend=0.0)
    tied = np.diff(down, prepend=0.0)
    lost = float(np.sum(gained_up * (before_down + tied / 2)))
    return 1.0 - lost / float(up[-1] * down[-1])


def _binary_average_precision(truth: NDArray[np.bool_], scores: Floats, w: Floats) -> float:
    up, down = _steps(truth, scores, w)
    if up[-1] == 0:
        return math.nan
    seen = up + down
    precision = np.divide(up, seen, out=np.zeros_like(up), where=seen > 0)
    return float(np.sum(np.diff(up, prepend=0.0) * precision) / up[-1])


def _log_loss(y: Labels, p: Floats, w: Floats, positive: int, threshold: float) -> float:
    """Mean negative log-probability of the true class, probabilities clipped at 1e-15."""
    return float(np.average(-np.log(np.clip(p[np.arange(len(y)), y], _EPS, 1.0)), weights=w))


def _accuracy(y: Labels, p: Floats, w: Floats, positive: int, threshold: float) -> float:
    """Share of rows whose label is right."""
    return float(np.average(predicted(p, positive, threshold) == y, weights=w))


def _f1(y: Labels, p: Floats, w: Floats, positive: int, threshold: float) -> float:
    """Harmonic mean of precision and recall, 0 where a class is neither predicted nor there."""
    said = predicted(p, positive, threshold)
    classes = [positive] if positive >= 0 else list(range(p.shape[1]))
    return float(np.mean([_binary_f1(y == k, said == k, w) for k in classes]))


def _binary_f1(truth: NDArray[np.bool_], said: NDArray[np.bool_], w: Floats) -> float:
    hits = float(w[truth & said].sum())
    either = float(w[truth].sum() + w[said].sum())
    return 2 * hits / either if either else 0.0


METRICS: dict[str, Callable[[Labels, Floats, Floats, int, float], float]] = {
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "f1": _f1,
    "accuracy": _accuracy,
    "average_precision": _average_precision,
}
