"""What a plot of probabilities is drawn from: ROC and precision-recall curves, and calibration in bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.stats.shares import wilson
from training.evaluate.documents import CalibrationBin, CalibrationFigures, Curves, Points

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

POINTS = 200
BINS, ROWS_IN_A_BIN = 10, 10
_SIMULATIONS = 500


def curves(contract: Contract, labels: Labels, probabilities: Floats) -> Curves:
    """`roc` [[false positive rate, true positive rate]...] and `precision_recall` [[recall, precision]...].

    At most 200 points each, of the positive class; of more than two classes one list by class key, each against
    the rest. A class without rows, or with all of them, has none.
    """
    if contract.positive_index >= 0:
        roc, precision_recall = _binary(labels == contract.positive_index, probabilities[:, contract.positive_index])
        return Curves(roc=roc, precision_recall=precision_recall)
    by_class = {key: _binary(labels == k, probabilities[:, k]) for k, key in enumerate(contract.classes)}
    return Curves(
        roc={key: both[0] for key, both in by_class.items()},
        precision_recall={key: both[1] for key, both in by_class.items()},
    )


def _binary(truth: NDArray[np.bool_], scores: Floats) -> tuple[Points, Points]:
    if truth.all() or not truth.any():
        return [], []
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    up = np.cumsum(truth[order])[ends]
    observed = ends + 1
    recall, precision = up / up[-1], up / observed
    roc = np.column_stack([(observed - up) / (observed - up)[-1], recall])
    return _thin(np.vstack([[0.0, 0.0], roc])), _thin(np.column_stack([recall, precision]))


def _thin(points: Floats) -> Points:
    """At most 200 of them, the first and the last among these."""
    chosen = np.unique(np.linspace(0, len(points) - 1, POINTS).round().astype(int))
    return [[round(float(x), 6), round(float(y), 6)] for x, y in points[chosen]]


def calibration(contract: Contract, labels: Labels, probabilities: Floats, seed: int) -> CalibrationFigures:
    """Predicted against observed frequency, in up to ten bins of about equal count, at least ten rows each.

    Of two classes the positive one's probability; of more, how sure the model is of the class it names. `error` is
    the expected calibration error (Naeini et al. 2015); `by_chance` is what a perfectly calibrated model would show
    on so few rows, on average, and `by_chance_high` what it exceeds in one case of twenty: a smaller error is no
    evidence of anything. `low` and `high` of `observed` are Wilson's 95% interval.
    """
    positive = contract.positive_index
    predicted = probabilities[:, positive] if positive >= 0 else probabilities.max(axis=1)
    observed = (labels == positive) if positive >= 0 else (labels == probabilities.argmax(axis=1))
    parts = _bins(predicted)
    rng = np.random.default_rng(seed)
    simulated = rng.random((_SIMULATIONS, len(predicted))) < predicted
    chance = _error(predicted, simulated.astype(np.float64), parts)
    return CalibrationFigures(
        bins=[_bin(predicted[part], observed[part]) for part in parts],
        error=float(_error(predicted, observed[None, :].astype(np.float64), parts)[0]),
        by_chance=float(np.mean(chance)),
        by_chance_high=float(np.quantile(chance, 0.95)),
    )


def _bins(predicted: Floats) -> list[NDArray[np.int64]]:
    """Equal scores share a bin."""
    order = np.argsort(predicted, kind="stable")
    number = max(1, min(BINS, len(predicted) // ROWS_IN_A_BIN))
    edges: Floats = (
        predicted[order][[len(predicted) * part // number - 1 for part in range(1, number)]]
        if number > 1
        else np.empty(0)
    )
    bin_of_row = np.searchsorted(np.unique(edges), predicted, side="left")
    return [np.flatnonzero(bin_of_row == part) for part in np.unique(bin_of_row)]


def _bin(predicted: Floats, observed: NDArray[np.bool_]) -> CalibrationBin:
    share = float(observed.mean())
    low, high = wilson(share, len(predicted))
    return CalibrationBin(
        low=float(predicted.min()),
        high=float(predicted.max()),
        rows=len(predicted),
        mean_predicted=float(predicted.mean()),
        observed=share,
        observed_low=low,
        observed_high=high,
    )


def _error(predicted: Floats, observed: Floats, parts: list[NDArray[np.int64]]) -> Floats:
    """Of each row of `seen` [draws, rows], as 0 and 1: the gaps of the bins, weighted by their rows."""
    total = np.zeros(len(observed))
    for part in parts:
        total += len(part) / len(predicted) * np.abs(observed[:, part].mean(axis=1) - predicted[part].mean())
    return total
