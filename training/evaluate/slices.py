"""Slices of the holdout: every value of a category, every quartile of a number.

Quartiles are those of train, so that a slice means the same from one evaluation to the next. Private
features make no slices: a release is read by more people than the lake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.gate.slices import has_enough_rows
from andamio.records.table import Table
from andamio.stats.bootstrap import Scorer, draw, interval_of
from andamio.stats.metrics import higher_is_better
from andamio.stats.undefined import undefined_as_null
from training.evaluate.documents import SliceFigure
from training.rows import TrainingRows

RESAMPLES = 1000
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


def slices(contract: Contract, train: Table, holdout: Table) -> list[Slice]:
    """Every slice of the holdout that has a row, in the order of features and of values; "missing" comes last."""
    train_columns, holdout_columns = train.columns, holdout.columns
    found = []
    for name, feature in contract.inputs.items():
        if feature.private:
            continue
        of = _categories if _is_category(feature) else _quartiles
        found += [
            Slice(name, text, rows)
            for text, rows in of(feature, train_columns[name], holdout_columns[name])
            if rows.any()
        ]
        missing = _missing(holdout_columns[name])
        if missing.any():
            found.append(Slice(name, "missing", missing))
    return found


def assess(
    contract: Contract,
    probabilities: NDArray[np.floating],
    holdout: TrainingRows,
    threshold: float,
    parts: Sequence[Slice],
    seed: int,
) -> list[SliceFigure]:
    """The contract's metric on each slice with its 95% interval; null where it is undefined.

    `worse` says that the whole interval is on the wrong side of the overall value, also when it is widened for the
    number of slices that are judged (Bonferroni; normal, from the bootstrap's standard error): of forty slices that are
    all alike one would be worse beyond its own interval by chance. A slice that is too small to say so is listed with
    `enough` false and no interval.
    """
    metric = contract.training.metric
    scorer = Scorer(metric, contract.positive_index, threshold)
    sign = 1 if higher_is_better(metric) else -1
    keys = np.asarray(holdout.keys, dtype=np.str_)
    overall = float(scorer.on(holdout.labels, probabilities)(np.ones(len(keys))))
    number = sum(has_enough_rows(metric, holdout.labels[part.rows]) for part in parts)
    wide = NormalDist().inv_cdf(1 - 0.025 / max(1, number))
    found = []
    for part in parts:
        labels, scores = holdout.labels[part.rows], probabilities[part.rows]
        has_interval = has_enough_rows(metric, labels)
        score = scorer.on(labels, scores)
        value = float(score(np.ones(len(labels))))
        low = high = float("nan")
        worse = False
        if has_interval:
            resampled = draw([score], labels, keys[part.rows], seed, RESAMPLES)[:, 0]
            figure = interval_of(value, resampled)
            best = max(sign * figure.low, sign * figure.high, sign * value + wide * float(np.nanstd(resampled)))
            low, high, worse = figure.low, figure.high, bool(best < sign * overall)
        found.append(
            SliceFigure(
                feature=part.feature,
                slice=part.slice,
                rows=len(labels),
                overall=undefined_as_null(overall),
                value=undefined_as_null(value),
                low=undefined_as_null(low),
                high=undefined_as_null(high),
                worse=worse,
                enough=has_interval,
            )
        )
    return found


def _is_category(feature: Feature) -> bool:
    return feature.type in ("category", "boolean")


def _categories(
    feature: Feature, train_column: NDArray[Any], holdout_column: NDArray[Any]
) -> list[tuple[str, NDArray[np.bool_]]]:
    if feature.type == "boolean":
        return [(text, holdout_column == value) for value, text in _TRUTH.items()]
    texts_by_value: dict[str, str] = dict(feature.values or {})
    present: set[str] = set(holdout_column.tolist()) - {""}
    ordered = [value for value in texts_by_value if value in present] + sorted(present - set(texts_by_value))
    return [(texts_by_value.get(value, value), holdout_column == value) for value in ordered]


def _quartiles(
    feature: Feature, train_column: NDArray[Any], holdout_column: NDArray[Any]
) -> list[tuple[str, NDArray[np.bool_]]]:
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
