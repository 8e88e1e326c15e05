"""The metrics of the contract, weighted, so that a bootstrap resample is a vector of counts.

Shapes: `labels` int `[n]`, `probabilities` `[n, classes]`, `weights` `[n]` or None. Of a regression the labels are
float64 numbers, and its predictions, in the same unit, stand where probabilities do: `[n, 1]`. For more than two
classes ROC AUC and average precision are one-vs-rest macro averages, F1 is a macro average. A metric
that is undefined (one class only) is NaN.

A metric is prepared once for a set of predictions (what is sorted stays sorted) and then asked for any
number of weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Target = NDArray[Any]
Truth = NDArray[np.bool_]
Weighted = Callable[[Floats], Floats]
"""A metric of fixed predictions as a function of the rows' weights: one for `[n]`, a vector for `[resamples, n]`."""

_EPS = 1e-15

_LESS_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae", "pinball"})
_IN_UNITS = frozenset({"rmse", "mae", "pinball"})


def higher_is_better(metric: str) -> bool:
    """Whether more of it is better: all but losses and errors."""
    return metric not in _LESS_IS_BETTER


def in_units(metric: str) -> bool:
    """Whether it is in the target's unit, so that only a share of it means the same for every problem."""
    return metric in _IN_UNITS


def score(
    metric: str,
    labels: Target,
    probabilities: NDArray[np.floating],
    *,
    positive: int = -1,
    threshold: float = 0.5,
    weights: Floats | None = None,
) -> float:
    """One metric of one set of predictions; `positive` is the positive class of two, -1 for more classes.

    `threshold` turns the positive class's probability into a label (F1 and accuracy, two classes).
    """
    prepared = prepare(metric, labels, probabilities, positive=positive, threshold=threshold)
    return float(prepared(np.ones(len(labels)) if weights is None else weights))


def prepare(
    metric: str, labels: Target, probabilities: NDArray[np.floating], *, positive: int = -1, threshold: float = 0.5
) -> Weighted:
    """`score` of the same predictions as a function of weights alone."""
    return _ALL[metric](labels, np.asarray(probabilities, dtype=np.float64), positive, threshold)


def predicted(probabilities: Floats, positive: int, threshold: float) -> Labels:
    """The class index of each row: by threshold for two classes, the most probable (the first on a tie) for more."""
    if positive < 0:
        return np.argmax(probabilities, axis=1)
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)


def _roc_auc(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney U)."""
    return _one_vs_rest(y, p, positive, _binary_auc)


def _average_precision(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Sum of precision times the gain in recall, over distinct scores from the highest."""
    return _one_vs_rest(y, p, positive, _binary_average_precision)


def _one_vs_rest(y: Labels, p: Floats, positive: int, binary: Callable[[Truth, Floats], Weighted]) -> Weighted:
    if positive >= 0:
        return binary(y == positive, p[:, positive])
    per_class = [binary(y == k, p[:, k]) for k in range(p.shape[1])]
    return lambda w: np.mean([scorer(w) for scorer in per_class], axis=0)


def _steps(truth: Truth, scores: Floats) -> Callable[[Floats], tuple[Floats, Floats]]:
    """Cumulative weights of positives and of all at each distinct score, from the highest."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    ups, tied = truth[order].astype(np.float64), len(ends) < len(scores)

    def of(w: Floats) -> tuple[Floats, Floats]:
        both = w[..., order]
        up, seen = np.cumsum(both * ups, axis=-1), np.cumsum(both, axis=-1)
        return (up[..., ends], seen[..., ends]) if tied else (up, seen)

    return of


def _gained(total: Floats) -> Floats:
    return np.diff(total, axis=-1, prepend=0.0)


def _binary_auc(truth: Truth, scores: Floats) -> Weighted:
    if len(np.unique(scores)) == len(scores):
        return _untied_auc(truth, scores)
    steps = _steps(truth, scores)

    def auc(w: Floats) -> Floats:
        up, seen = steps(w)
        down = seen - up
        lost = np.sum(_gained(up) * (down - _gained(down) / 2), axis=-1)
        return 1.0 - _ratio(lost, up[..., -1] * down[..., -1], math.nan)

    return auc


def _untied_auc(truth: Truth, scores: Floats) -> Weighted:
    """The same where no two scores are equal, in half the time: negatives above each positive are lost pairs."""
    order = np.argsort(-scores, kind="stable")
    downs = (~truth[order]).astype(np.float64)
    ups = np.flatnonzero(truth[order])

    def auc(w: Floats) -> Floats:
        both = w[..., order]
        above = np.cumsum(both * downs, axis=-1)
        up = both[..., ups]
        lost = np.einsum("...i,...i->...", above[..., ups], up)
        return 1.0 - _ratio(lost, up.sum(axis=-1) * above[..., -1], math.nan)

    return auc


def _binary_average_precision(truth: Truth, scores: Floats) -> Weighted:
    steps = _steps(truth, scores)

    def average_precision(w: Floats) -> Floats:
        up, seen = steps(w)
        return _ratio(np.sum(_gained(up) * _ratio(up, seen, 0.0), axis=-1), up[..., -1], math.nan)

    return average_precision


def _ratio(above: Floats, below: Floats, undefined: float) -> Floats:
    result: Floats = np.divide(above, below, out=np.full(np.shape(above), undefined), where=np.asarray(below) > 0)
    return result


def _log_loss(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Mean negative log-probability of the true class, probabilities clipped at 1e-15."""
    return _mean(losses("log_loss", y, p, positive))


def _brier(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Mean squared distance of the probability from what happened (0 or 1); of more than two, summed over classes."""
    return _mean(losses("brier", y, p, positive))


def losses(metric: str, y: Target, p: Floats, positive: int) -> Floats:
    """What each row adds to a loss, `[n]`: log loss, Brier score, absolute errors, or squared ones (rmse and r2)."""
    if metric in REGRESSION_METRICS:
        errors: Floats = np.abs(p[:, 0] - y)
        return errors / 2 if metric == "pinball" else errors if metric == "mae" else errors**2
    if metric == "log_loss":
        return -np.log(np.clip(p[np.arange(len(y)), y], _EPS, 1.0))
    if positive >= 0:
        squared: Floats = (p[:, positive] - (y == positive)) ** 2
    else:
        squared = np.sum((p - np.eye(p.shape[1])[y]) ** 2, axis=1)
    return squared


def _accuracy(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Share of rows whose label is right."""
    return _mean((predicted(p, positive, threshold) == y).astype(np.float64))


def _mean(values: Floats) -> Weighted:
    return lambda w: (w @ values) / np.sum(w, axis=-1)


def _f1(y: Labels, p: Floats, positive: int, threshold: float) -> Weighted:
    """Harmonic mean of precision and recall; undefined where a class has no rows, as a guess of it is never right."""
    predictions = predicted(p, positive, threshold)
    classes = [positive] if positive >= 0 else list(range(p.shape[1]))
    per_class = [_binary_f1(y == k, predictions == k) for k in classes]
    return lambda w: np.mean([scorer(w) for scorer in per_class], axis=0)


def _binary_f1(truth: Truth, predictions: Truth) -> Weighted:
    hits, there = (truth & predictions).astype(np.float64), truth.astype(np.float64)
    either = there + predictions
    return lambda w: np.where(w @ there > 0, _ratio(2 * (w @ hits), w @ either, math.nan), math.nan)


def _rmse(y: Floats, p: Floats, positive: int, threshold: float) -> Weighted:
    """Root of the mean squared error, in the target's unit."""
    mean = _mean((p[:, 0] - y) ** 2)
    return lambda w: np.sqrt(mean(w))


def _mae(y: Floats, p: Floats, positive: int, threshold: float) -> Weighted:
    """Mean absolute error, in the target's unit."""
    return _mean(np.abs(p[:, 0] - y))


def _r2(y: Floats, p: Floats, positive: int, threshold: float) -> Weighted:
    """Share of the target's variance on these rows that is explained; undefined where the target is constant."""
    errors, centred = (p[:, 0] - y) ** 2, y - np.mean(y)

    def r2(w: Floats) -> Floats:
        total = np.sum(w, axis=-1)
        spread = w @ centred**2 - (w @ centred) ** 2 / total
        tiny = 1e-12 * np.sum(centred**2)
        return np.where(spread > tiny, 1.0 - _ratio(w @ errors, spread, math.nan), math.nan)

    return r2


def _pinball(y: Floats, p: Floats, positive: int, threshold: float) -> Weighted:
    """Pinball loss at the median, in the target's unit: half of the mean absolute error."""
    return _mean(pinball_losses(y, p[:, 0], 0.5))


def pinball_losses(y: Floats, quantile: Floats, level: float) -> Floats:
    """What each row adds to the pinball loss of a predicted quantile, `[n]` (Koenker & Bassett, 1978)."""
    above = y - quantile
    lost: Floats = np.maximum(level * above, (level - 1) * above)
    return lost


METRICS: dict[str, Callable[[Target, Floats, int, float], Weighted]] = {
    "roc_auc": _roc_auc,
    "log_loss": _log_loss,
    "brier": _brier,
    "f1": _f1,
    "accuracy": _accuracy,
    "average_precision": _average_precision,
}
"""Of probabilities of classes."""
REGRESSION_METRICS: dict[str, Callable[[Target, Floats, int, float], Weighted]] = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "pinball": _pinball,
}
"""Of numbers; all but r2 in the target's unit."""
_ALL = {**METRICS, **REGRESSION_METRICS}
