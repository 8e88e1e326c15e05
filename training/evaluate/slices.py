"""Slices of the holdout: every value of a category, every quartile of a number.

Quartiles are those of train, so that a slice means the same from one evaluation to the next. Private
features make no slices: a release is read by more people than the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.contract.task import Regression
from andamio.gate.decision import Figure
from andamio.gate.rules import MIN_ROWS
from andamio.records.table import Table
from andamio.stats.bootstrap import Interval
from andamio.stats.metrics import losses
from andamio.stats.undefined import undefined_as_null
from training.evaluate import bounds
from training.evaluate.documents import SliceFigure
from training.evaluate.intervals import Floats, Rows, Truth, estimate
from training.rows import TrainingRows

_TRUTH = {0.0: "no", 1.0: "yes"}


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows `[n]` of one value, or of one range of values, of a feature."""

    feature: str
    slice: str
    rows: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """What a reader knows it by."""
        return f"{self.feature}: {self.slice}"


def slices(contract: Contract, train: Mapping[str, NDArray[Any]], holdout: Table) -> list[Slice]:
    """Every slice of the holdout that has a row, in the order of features and of values; "missing" comes last.

    Of train only the columns of numbers and dates are asked for, one at a time: their quartiles make slices.
    """
    found = []
    for name, feature in contract.inputs.items():
        if feature.private:
            continue
        column = holdout.columns[name]
        is_category = feature.type in ("category", "boolean")
        parts = _categories(feature, column) if is_category else _quartiles(train[name], column)
        found += [Slice(name, text, rows) for text, rows in parts if rows.any()]
        missing = _missing(column)
        if missing.any():
            found.append(Slice(name, "missing", missing))
    return found


def assess(
    contract: Contract,
    probabilities: NDArray[np.floating],
    holdout: TrainingRows,
    threshold: float,
    parts: Sequence[Slice],
) -> list[SliceFigure]:
    """The contract's metric on each slice with its 95% interval, null where undefined, and whether it is worse there.

    A metric says little of that: ROC AUC falls wherever a strong feature is fixed, and some rows are harder than
    others. So the Brier score is compared with what the model's own probabilities expect of the same rows, plus what
    it is above that on all rows. `worse` says that it is above by more than chance, for so many judged slices
    (Bonferroni): benchmarks/sureness/slices.py measures the false alarms. A regression expects nothing of single
    rows: its loss on a slice is compared with that on all rows. A slice that is too small to say so is listed with
    `enough` false.
    """
    metric, positive = contract.training.metric, contract.positive_index
    scores = np.asarray(probabilities, dtype=np.float64)
    rows = Rows.of(holdout.labels, np.asarray(holdout.keys, dtype=np.str_))
    overall = estimate(metric, rows, scores, positive=positive, threshold=threshold).value
    surprise = (
        ErrorSurprise(rows, losses(metric, rows.labels, scores, positive))
        if isinstance(contract.task, Regression)
        else _BrierSurprise(rows, scores, positive)
    )
    enough = [rows.count(part.rows) >= MIN_ROWS for part in parts]
    level = 1 - 0.025 / max(1, sum(enough))
    found = []
    for part, is_enough in zip(parts, enough, strict=True):
        inside = rows.take(part.rows)
        figure = estimate(metric, inside, scores[part.rows], positive=positive, threshold=threshold)
        expected, excess = surprise.of(part.rows)
        low, high = surprise.bounds(part.rows, bounds.LEVEL) if is_enough else (float("nan"), float("nan"))
        found.append(
            SliceFigure(
                feature=part.feature,
                slice=part.slice,
                rows=len(inside.labels),
                overall=undefined_as_null(overall),
                **undefined_as_null(figure.interval),
                brier=None if isinstance(contract.task, Regression) else expected + excess,
                expected=expected,
                excess=Figure.of(Interval(excess, low, high)),
                worse=is_enough and surprise.bounds(part.rows, level)[0] > 0,
                enough=is_enough,
            )
        )
    return found


class _Surprise:
    """By how much each row's loss is above what is expected, and how much that varies by chance: all `[n]`."""

    def __init__(self, rows: Rows, loss: Floats, expected: Floats, variance: Floats, third: Floats) -> None:
        self._rows = rows
        self._expected, self._variance, self._third = expected, variance, third
        self._excess = loss - expected
        self._overall = float(self._excess.mean())

    def of(self, part: Truth) -> tuple[float, float]:
        """The expected loss of a slice `[n]`, and by how much its own is above."""
        return float(self._expected[part].mean()) + self._overall, float(self._excess[part].mean()) - self._overall

    def bounds(self, part: Truth, level: float) -> tuple[float, float]:
        """Of the excess, each side right with probability `level`: the slice is compared with all other rows."""
        if part.all():
            return 0.0, 0.0
        weights = np.where(part, 1 / part.sum(), 0.0) - 1 / len(part)
        centred = self._excess - np.where(part, self._excess[part].mean(), self._excess[~part].mean())
        seen = float((self._rows.total(weights * centred) ** 2).sum())
        variance = max(seen, float((weights**2 * self._variance).sum()))
        third = float((weights**3 * self._third).sum())
        return bounds.known(self.of(part)[1], variance, third, level)


class ErrorSurprise(_Surprise):
    """Errors of a regression: every row is expected to have the mean loss of all, and to vary as all do."""

    def __init__(self, rows: Rows, loss: Floats) -> None:
        away = loss - loss.mean()
        flat = np.ones(len(loss))
        super().__init__(rows, loss, flat * loss.mean(), flat * np.mean(away**2), flat * np.mean(away**3))


class _BrierSurprise(_Surprise):
    """By how much each row's Brier score is above what its probabilities expect."""

    def __init__(self, rows: Rows, scores: Floats, positive: int) -> None:
        brier = losses("brier", rows.labels, scores, positive)
        if positive >= 0:
            likely = np.column_stack([1 - scores[:, positive], scores[:, positive]])
            outcomes = np.column_stack([scores[:, positive] ** 2, (1 - scores[:, positive]) ** 2])
        else:
            likely = scores
            outcomes = (scores**2).sum(axis=1, keepdims=True) - 2 * scores + 1
        expected = (likely * outcomes).sum(axis=1)
        away = outcomes - expected[:, None]
        variance, third = ((likely * away**power).sum(axis=1) for power in (2, 3))
        super().__init__(rows, brier, expected, variance, third)


def _categories(feature: Feature, holdout_column: NDArray[Any]) -> list[tuple[str, NDArray[np.bool_]]]:
    if feature.type == "boolean":
        return [(text, holdout_column == value) for value, text in _TRUTH.items()]
    texts_by_value: dict[str, str] = dict(feature.values or {})
    present: set[str] = set(holdout_column.tolist()) - {""}
    ordered = [value for value in texts_by_value if value in present] + sorted(present - set(texts_by_value))
    return [(texts_by_value.get(value, value), holdout_column == value) for value in ordered]


def _quartiles(train_column: NDArray[Any], holdout_column: NDArray[Any]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Up to four ranges of about equal count in train; fewer where values repeat."""
    values = train_column[~_missing(train_column)]
    if not len(values):
        return []
    # By rank, so that an edge is a value of the data: of a date too.
    edges = np.unique(np.sort(values)[[int(np.ceil(len(values) * part)) - 1 for part in (0.25, 0.5, 0.75)]])
    edges = edges[edges < values.max()]
    present = ~_missing(holdout_column)
    if not len(edges):
        return [("any", present)]
    bin_of_row = np.searchsorted(edges, holdout_column, side="left")
    texts = [_text(edge) for edge in edges]
    texts_of_bins = [f"up to {texts[0]}"]
    texts_of_bins += [f"above {low} up to {high}" for low, high in pairwise(texts)]
    texts_of_bins.append(f"above {texts[-1]}")
    return [(text, present & (bin_of_row == index)) for index, text in enumerate(texts_of_bins)]


def _text(edge: Any) -> str:
    return f"{edge:.6g}" if isinstance(edge, float) else str(edge)


def _missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    if column.dtype.kind == "O":
        empty: NDArray[np.bool_] = column == ""
        return empty
    return np.isnat(column) if column.dtype.kind == "M" else np.isnan(column)
