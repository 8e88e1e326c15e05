"""Wording of a card: figures, metrics, families, counts and lists in words."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.gate.decision import Figure
from andamio.stats.figures import figure
from andamio.stats.metrics import in_units
from training.evaluate.documents import SliceFigure

METRICS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "f1": "F1",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "r2": "R²",
    "pinball": "pinball loss",
}
MEANINGS = {
    "roc_auc": "how well it ranks: 0.5 is chance, 1 is perfect",
    "average_precision": "precision over all thresholds: 1 is perfect",
    "f1": "precision and recall in one, at the threshold: 1 is perfect",
    "accuracy": "share of rows that it gets right, at the threshold",
    "log_loss": "how wrong its probabilities are: 0 is perfect",
    "brier": "squared error of its probabilities: 0 is perfect",
    "rmse": "how far it is off, far misses counting more, in the target's unit",
    "mae": "how far it is off on average, in the target's unit",
    "r2": "share of the target's variance that it explains: 1 is perfect, 0 is the mean of these rows",
    "pinball": "at the median: half of the mean absolute error",
}


def number(value: float | None, digits: int = 3, *, of: str = "") -> str:
    """A figure with so many decimals; as long as its size asks for when it is `of` a metric in the target's unit."""
    return "undefined" if value is None else figure(of, value, decimals=digits)


def interval(found: Figure | SliceFigure, *, of: str = "") -> str:
    """A figure with its 95% interval: with three decimals, or up to six to tell the ends apart; `of` as above."""
    value, low, high = found.value, found.low, found.high
    if value is None or low is None or high is None:
        return number(value, of=of)
    if in_units(of):
        if 0 < high - low < 0.001 * max(abs(low), abs(high)):
            return f"{value:.8g} ({low:.8g} to {high:.8g})"
        return f"{number(value, of=of)} ({number(low, of=of)} to {number(high, of=of)})"
    apart = (digits for digits in range(3, 6) if low == high or number(low, digits) != number(high, digits))
    digits = next(apart, 6)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def metric(name: str) -> str:
    """A metric as people call it."""
    return METRICS.get(name, name.replace("_", " "))


def family(name: object) -> str:
    """A family of models as people call it."""
    return str(name).replace("_", " ")


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(items: Sequence[str], most: int = 12) -> str:
    """Some items in a sentence, and how many more there are."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown
