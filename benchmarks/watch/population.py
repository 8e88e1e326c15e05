"""Populations that a reference and its windows are drawn from, each time anew, and a model that is fitted fast."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Classification
from benchmarks import tables
from etl.profile import quantile_bins
from monitoring.drift.psi import Floats
from monitoring.reference import FeatureReference, HoldoutFigure, Reference, Scores

Columns = dict[str, NDArray[Any]]
Labels = NDArray[np.int64]

HEART = Path("problems/heart/heart.csv")
HEART_CATEGORIES = ("sex", "cp", "fbs", "restecg", "exang", "slope", "thal")
POPULATION_ROWS = 400_000
SAMPLE = 1000
"""Rows that a release keeps as they are; `training.reference` draws as many."""
_JITTER = 0.15
"""Standard deviations of a number, by which a row of heart is moved: a smoothed population, not its 303 rows again."""
_FOLDS = 5


@dataclass(frozen=True)
class Population:
    """Rows to draw from: numbers as float64 with NaN, categories as text with "" for missing."""

    name: str
    columns: Columns
    labels: Labels
    jitter: float = 0.0
    independent: bool = False
    """Whether no column says anything of another one: then there is no dependence to lose."""

    def draw(self, rng: np.random.Generator, rows: int) -> tuple[Columns, Labels]:
        """So many independent rows, and their classes."""
        picked = rng.integers(0, len(self.labels), rows)
        drawn = {}
        for name, column in self.columns.items():
            values = column[picked]
            if self.jitter and column.dtype.kind == "f" and len(np.unique(column)) > 10:
                values = values + rng.normal(0, self.jitter * np.nanstd(column), rows)
            drawn[name] = values
        return drawn, self.labels[picked]


def population(name: str) -> Population:
    """`heart`, a table of `benchmarks.tables`, or `paired`: that of `mixed`, whose columns depend on each other."""
    if name != "heart":
        columns, labels = tables.rows_of("mixed" if name == "paired" else name, POPULATION_ROWS)
        columns = {key: one.astype(object) if one.dtype.kind == "U" else one for key, one in columns.items()}
        if name == "paired":
            return Population(name, _paired(columns), labels)
        return Population(name, columns, labels, independent=True)
    with HEART.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {key: [row[key] for row in rows] for key in rows[0]}
    labels = np.array(cells.pop("disease"), dtype=np.int64)
    return Population(name, {key: _column(key, texts) for key, texts in cells.items()}, labels, _JITTER)


def _paired(columns: Columns) -> Columns:
    """Each second number is correlated with the one before it (0.5), and of a category's values the first are frequent.

    A category has the lesser one of two values that were drawn alike: of two values the first has three rows in four.
    """
    found, before = dict(columns), None
    rng = np.random.default_rng(0)
    for name, column in columns.items():
        if column.dtype == object:
            found[name] = np.minimum(column, rng.permutation(column))
        elif before is None:
            before = np.nan_to_num((column - np.nanmean(column)) / np.nanstd(column))
        else:
            found[name] = column + before * np.nanstd(column) / np.sqrt(3)
            before = None
    return found


def _column(name: str, cells: list[str]) -> NDArray[Any]:
    cells = ["" if cell == "?" else cell for cell in cells]
    if name in HEART_CATEGORIES:
        return np.array(cells, dtype=object)
    return np.array([float(cell) if cell else np.nan for cell in cells])


@dataclass(frozen=True)
class Linear:
    """A linear discriminant with calibrated probabilities: fitted in closed form, thousands of times."""

    means: Mapping[str, tuple[float, float]]
    categories: Mapping[str, list[str]]
    weights: Floats
    calibration: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def fit(cls, columns: Columns, labels: Labels) -> Linear:
        """Of rows and their classes, 0 and 1."""
        means, categories = {}, {}
        for name, column in columns.items():
            if column.dtype.kind == "f":
                means[name] = float(np.nanmean(column)), float(np.nanstd(column)) or 1.0
            else:
                categories[name] = sorted(set(column.tolist()))[1:]
        model = cls(means, categories, np.zeros(0))
        rows = model._encode(columns)
        inner = rows.T @ rows + 1.0 * np.eye(rows.shape[1])
        return cls(means, categories, np.linalg.solve(inner, rows.T @ (2.0 * labels - 1)))

    def scores(self, columns: Columns) -> Floats:
        """Probabilities `[rows, 2]`."""
        offset, slope = self.calibration
        up = 1 / (1 + np.exp(-(offset + slope * (self._encode(columns) @ self.weights))))
        return np.column_stack([1 - up, up])

    def _encode(self, columns: Columns) -> Floats:
        rows = len(next(iter(columns.values())))
        encoded = [np.ones(rows)]
        for name, (mean, spread) in self.means.items():
            encoded.append(np.nan_to_num((columns[name] - mean) / spread))
        for name, values in self.categories.items():
            encoded += [(columns[name] == value).astype(np.float64) for value in values]
        return np.column_stack(encoded)


@dataclass(frozen=True)
class World:
    """A reference with the model that was fitted on its rows, and those rows, their classes and scores out of fold."""

    reference: Reference
    model: Linear
    columns: Columns
    labels: Labels


def world(place: Population, rng: np.random.Generator, rows: int) -> World:
    """Draw train, fit a model with calibrated out-of-fold scores, and keep of it what a release keeps."""
    columns, labels = place.draw(rng, rows)
    fold = rng.integers(0, _FOLDS, rows)
    raw = np.empty(rows)
    for number in range(_FOLDS):
        inside, outside = fold == number, fold != number
        part = Linear.fit(_take(columns, outside), labels[outside])
        raw[inside] = part._encode(_take(columns, inside)) @ part.weights
    curve = _platt(raw, labels)
    fitted = Linear.fit(columns, labels)
    model = Linear(fitted.means, fitted.categories, fitted.weights, curve)
    up = 1 / (1 + np.exp(-(curve[0] + curve[1] * raw)))
    kept = rng.permutation(rows)[:5000]
    picked = rng.permutation(rows)[:SAMPLE]
    reference = Reference(
        release=place.name,
        rows=rows,
        sample=len(picked),
        features={name: _feature(column, picked) for name, column in columns.items()},
        skipped={},
        task=Classification(("0", "1"), 1),
        threshold=0.5,
        metric="roc_auc",
        scores=Scores(labels[kept], np.column_stack([1 - up, up])[kept], np.arange(len(kept))),
        holdout={},
    )
    return World(reference, model, columns, labels)


def with_holdout(reference: Reference, metric: str, figure: HoldoutFigure) -> Reference:
    """The same reference with a figure of a holdout."""
    from dataclasses import replace

    return replace(reference, metric=metric, holdout={metric: figure})


def _take(columns: Columns, rows: NDArray[Any]) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _feature(column: NDArray[Any], picked: Labels) -> FeatureReference:
    if column.dtype.kind == "f":
        there = column[~np.isnan(column)]
        bins = quantile_bins(there)
        return FeatureReference(
            "number",
            column[picked],
            len(column),
            len(column) - len(there),
            float(there.min()),
            float(there.max()),
            np.array(bins.edges, dtype=np.float64),
            np.array(bins.counts, dtype=np.float64),
        )
    values, counts = np.unique(column.astype(str), return_counts=True)
    frequencies = dict(zip(values.tolist(), counts.tolist(), strict=True))
    missing = frequencies.pop("", 0)
    return FeatureReference("category", column[picked], len(column), missing, frequencies=frequencies)


def _platt(raw: Floats, labels: Labels) -> tuple[float, float]:
    """Offset and slope of a logistic regression on one score, by Newton's method."""
    beta = np.array([0.0, 1.0])
    design = np.column_stack([np.ones(len(raw)), raw])
    for _ in range(25):
        up = 1 / (1 + np.exp(-(design @ beta)))
        weight = up * (1 - up)
        step = np.linalg.solve(
            design.T @ (design * weight[:, None]) + 1e-6 * np.eye(2), design.T @ (labels - up) - 1e-6 * beta
        )
        beta = beta + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return float(beta[0]), float(beta[1])
