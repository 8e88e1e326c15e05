"""Whether a classifier can tell the window from the reference: drift of features together.

Each feature may look the same while they no longer go together as they did. The classifier is ridge regression of
"is of the window" on the features, products of pairs of them, and random Fourier features (Rahimi & Recht, "Random
features for large-scale kernel machines", 2007), solved in closed form: each row's score without that row comes from
the diagonal of the hat matrix, and a permutation of what belongs to which side costs one product of matrices. The idea
is the classifier test of Lopez-Paz & Oquab ("Revisiting classifier two-sample tests", 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from monitoring import reference as references
from monitoring.drift.limits import Limits
from monitoring.reference import FeatureReference
from monitoring.results import JointDrift

Floats = NDArray[np.float64]

MAX_REFERENCE, MAX_WINDOW = 1000, 2000
"""Rows of each side that the classifier sees at most."""
MIN_REFERENCE = 50
_PERMUTATIONS, _EXCEEDING = 400, 10
_COLUMNS, _PRODUCTS, _FOURIER = 120, 400, 100
_CATEGORIES, _ROWS_OF_CATEGORY = 8, 10
_ROWS_A_DEGREE = 20
"""Rows to each degree of freedom that the ridge leaves: fewer, and the classifier learns the sample by heart."""


@dataclass(frozen=True, slots=True)
class MeasuredJoint:
    """The classifier's ROC AUC with its p-value, and the rows that it saw; None where there were too few."""

    auc: float | None
    p: float | None
    reference_rows: int
    window_rows: int

    def result(self, p_limit: float, limits: Limits, *, features_drifted: bool) -> JointDrift:
        """What is reported, once the p-values that count are known."""
        drifted = self.auc is not None and self.p is not None and self.p <= p_limit and self.auc >= limits.auc
        return JointDrift(
            status="not-enough-data" if self.auc is None else "drift" if drifted else "ok",
            auc=self.auc,
            p=self.p,
            limit=limits.auc,
            only_joint=drifted and not features_drifted,
            reference_rows=self.reference_rows,
            window_rows=self.window_rows,
        )


def measure(
    features: Mapping[str, FeatureReference], window: Mapping[str, NDArray[Any]], rows: int, seed: int
) -> MeasuredJoint:
    """Tell the window's columns `[rows]` from the reference's values; the same seed gives the same answer.

    Rows of both sides are drawn where there are more than 1,000 and 2,000.
    """
    sample = min((len(feature.values) for feature in features.values()), default=0)
    rng = np.random.default_rng(seed)
    ours, theirs = (_draw(rng, count, most) for count, most in ((sample, MAX_REFERENCE), (rows, MAX_WINDOW)))
    if len(ours) < MIN_REFERENCE or not len(theirs):
        return MeasuredJoint(None, None, len(ours), len(theirs))
    columns: list[Floats] = []
    for name, feature in features.items():
        before, after = feature.values[ours], window[name][theirs]
        if feature.ordered:
            columns += _ordered(np.concatenate([before, references.numbers(after)]))
        else:
            columns += _categories(np.concatenate([before, references.texts(after)]).tolist())
    if not columns:
        return MeasuredJoint(None, None, len(ours), len(theirs))
    is_window = np.arange(len(ours) + len(theirs)) >= len(ours)
    auc, p = classify(np.column_stack(columns), is_window, rng)
    return MeasuredJoint(auc, p, len(ours), len(theirs))


def classify(rows: Floats, second: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """ROC AUC of telling the `second` sample's rows `[n, columns]` from the first's, 0.5 by chance, and its p-value.

    The p-value is the share of permutations with an AUC as large; where fewer than ten of 400 are, that of the normal
    distribution with their mean and spread (Knijnenburg et al., "Fewer permutations, more accurate P-values", 2009, fit
    a tail too).
    """
    basis = _basis(rows, rng)
    half, leverage = (part.astype(np.float32) for part in _hat(basis))
    sides = second.astype(np.float32)
    permuted = np.column_stack([sides, *(rng.permutation(sides) for _ in range(_PERMUTATIONS))])
    centred = permuted - sides.mean()
    fitted = half @ (half.T @ centred)
    scores = (fitted - leverage[:, None] * centred) / (1 - leverage)[:, None]
    areas = _areas(scores, permuted, int(second.sum()))
    own, chance = float(areas[0]), areas[1:]
    exceeding = int((chance >= own).sum())
    p = (1 + exceeding) / (1 + _PERMUTATIONS)
    if exceeding < _EXCEEDING:
        p = float(special.ndtr((chance.mean() - own) / max(chance.std(ddof=1), 1e-12)))
    return min(1.0, max(0.0, 0.5 + own - float(chance.mean()))), p


def _draw(rng: np.random.Generator, rows: int, most: int) -> NDArray[np.int64]:
    return np.arange(rows) if rows <= most else np.sort(rng.choice(rows, size=most, replace=False))


def _ordered(values: Floats) -> list[Floats]:
    """Normal scores of the ranks, 0 where there is no value; and whether there is one, where that differs."""
    there = ~np.isnan(values)
    column = np.zeros(len(values))
    if there.any():
        _, group, sizes = np.unique(values[there], return_inverse=True, return_counts=True)
        ranks = (np.cumsum(sizes) - sizes / 2)[group]
        column[there] = special.ndtri(ranks / there.sum())
    return [*_varying(column), *_flag(~there)]


def _categories(texts: Sequence[str]) -> list[Floats]:
    """Whether a row is of each of the most frequent values, no value being one of them."""
    values, code, sizes = np.unique(np.asarray(texts, dtype=np.str_), return_inverse=True, return_counts=True)
    frequent = np.argsort(-sizes, kind="stable")[:_CATEGORIES]
    if len(values) == 2:
        frequent = frequent[1:]
    return [flag for value in frequent.tolist() for flag in _flag(code == value)]


def _flag(flag: NDArray[np.bool_]) -> list[Floats]:
    return _varying(flag.astype(np.float64)) if _ROWS_OF_CATEGORY <= flag.sum() <= len(flag) - _ROWS_OF_CATEGORY else []


def _varying(column: Floats) -> list[Floats]:
    spread = float(column.std())
    return [(column - column.mean()) / spread] if spread > 0 else []


def _basis(rows: Floats, rng: np.random.Generator) -> Floats:
    """Features, products of pairs and Fourier features `[n, columns]`, each group with the same weight, centred."""
    if rows.shape[1] > _COLUMNS:
        rows = rows @ rng.normal(size=(rows.shape[1], _COLUMNS)) / np.sqrt(rows.shape[1])
    count = rows.shape[1]
    first, other = np.triu_indices(count, 1)
    if len(first) > _PRODUCTS:
        chosen = rng.choice(len(first), size=_PRODUCTS, replace=False)
        first, other = first[chosen], other[chosen]
    frequencies = rng.normal(size=(count, _FOURIER)) / np.sqrt(count)
    waves = np.cos(rows @ frequencies + rng.uniform(0, 2 * np.pi, _FOURIER))
    groups = [rows, rows[:, first] * rows[:, other], waves]
    scaled = []
    for group in groups:
        centred = group - group.mean(axis=0)
        total = np.sqrt((centred**2).sum())
        if total > 0:
            scaled.append(centred / total)
    return np.concatenate(scaled, axis=1)


def _hat(basis: Floats) -> tuple[Floats, Floats]:
    """The root of ridge regression's hat matrix, `[n, rank]`, and its diagonal with the mean's share."""
    rows = len(basis)
    wide = basis.shape[1] > rows
    values, vectors = np.linalg.eigh(basis @ basis.T if wide else basis.T @ basis)
    kept = values > values[-1] * 1e-10
    values, vectors = values[kept], vectors[:, kept]
    shrink = np.sqrt(values / (values + _penalty(values, max(2.0, rows / _ROWS_A_DEGREE))))
    half = vectors * shrink if wide else (basis @ vectors) * (shrink / np.sqrt(values))
    return half, (half**2).sum(axis=1) + 1 / rows


def _penalty(values: Floats, degrees: float) -> float:
    """What leaves so many degrees of freedom, by bisection."""
    if len(values) <= degrees:
        return 1e-6 * float(values[-1])
    low, high = 0.0, float(values.sum())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float((values / (values + middle)).sum()) > degrees else (low, middle)
    return high


def _areas(scores: Floats, sides: Floats, positives: int) -> Floats:
    """ROC AUC of each column of `scores` `[n, columns]`."""
    ranks = np.empty(scores.shape)
    np.put_along_axis(ranks, np.argsort(scores, axis=0), np.arange(1.0, len(scores) + 1)[:, None], axis=0)
    areas: Floats = ((ranks * sides).sum(axis=0) - positives * (positives + 1) / 2) / (
        positives * (len(scores) - positives)
    )
    return areas
