"""Measures of how well a column predicts the label, each with a bound that few rows do not reach by chance.

Labels are class indices `[rows]`, codes are small integers `[rows]` that stand for a column's values.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract.tables import Feature
from andamio.dataset.columns import missing
from andamio.dataset.digests import DigestArray
from andamio.stats.shares import Z99, wilson
from etl.twins import codes_of

FOLDS = 5
BINS = 20

Codes = NDArray[np.int64]
Labels = NDArray[np.int64]


def has_value(column: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Which cells of a column have a value: `[rows]`."""
    return ~missing(column)


def as_numbers(feature: Feature, column: NDArray[np.generic]) -> NDArray[np.float64]:
    """A column that has an order, as float64 with NaN for no value; a date in days."""
    if feature.type != "date":
        return column.astype(np.float64)
    return np.where(np.isnat(column), np.nan, column.astype(np.int64).astype(np.float64))


def bins_of(column: NDArray[np.float64]) -> Codes:
    """A code for each of at most 20 bins of about equal count, and one for no value; few values keep their own."""
    present = has_value(column)
    if len(np.unique(column[present])) <= BINS:
        return codes_of(column)
    edges = np.unique(np.quantile(column[present], np.arange(1, BINS) / BINS))
    return np.where(present, np.searchsorted(edges, column, side="left"), len(edges) + 1).astype(np.int64)


def column_codes(feature: Feature, column: NDArray[np.generic]) -> Codes:
    """A code for each value of a category, for each bin of a column that has an order: `[rows]`."""
    return codes_of(column) if feature.type == "category" else bins_of(as_numbers(feature, column))


def folds_of(keys: DigestArray) -> Codes:
    """The fold of each row by its split key, so that rows of a group are never scored with each other: `[rows]`."""
    return np.asarray((keys >> np.uint64(32)) % np.uint64(FOLDS), dtype=np.int64)


def aucs(scores: NDArray[np.float64], labels: Labels, classes: int) -> NDArray[np.float64]:
    """ROC AUC of one score for each class against the rest, NaN for a class without rows on either side: `[classes]`.

    From the sums of mid-ranks (Mann-Whitney), so that ties count half.
    """
    ranks = pd.Series(scores).rank().to_numpy()
    in_class = np.bincount(labels, minlength=classes).astype(np.float64)
    out_of_class = len(labels) - in_class
    wins = np.bincount(labels, weights=ranks, minlength=classes) - in_class * (in_class + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(wins / (in_class * out_of_class), dtype=np.float64)


def lowest_auc(auc: float, in_class: int, out_of_class: int) -> float:
    """The lower end of the 99% interval of an AUC from so many rows of a class and of the others.

    Newcombe's method 5 (Statistics in Medicine 25, 2006, 559-573): a score interval, which does not
    shrink to nothing where a few rows happen to be told apart without a mistake.
    """
    spread_weight = (in_class + out_of_class) / 2 - 1

    def upper_end(value: float) -> float:
        spread = 1 + spread_weight * ((1 - value) / (2 - value) + value / (1 + value))
        return value + Z99 * math.sqrt(value * (1 - value) * spread / (in_class * out_of_class))

    low, high = 0.0, auc
    for _ in range(50):
        midpoint = (low + high) / 2
        low, high = (midpoint, high) if upper_end(midpoint) < auc else (low, midpoint)
    return low


def lowest_share(hits: int, rows: int) -> float:
    """The lower end of Wilson's 99% interval of a share."""
    return wilson(hits / rows, rows, Z99)[0]


def rates_out_of_fold(codes: Codes, labels: Labels, folds: Codes, classes: int) -> NDArray[np.float64]:
    """The share of each class among other folds' rows of the same value, drawn to the class's own: `[rows, classes]`.

    A value seen nowhere else has every class's own share: an identifier tells nothing here.
    """
    class_counts, shares = _counts_in_other_folds(codes, labels, folds, classes)
    rates: NDArray[np.float64] = (class_counts + shares) / (class_counts.sum(axis=1, keepdims=True) + 1)
    return rates


def guesses_out_of_fold(codes: Codes, labels: Labels, folds: Codes, classes: int) -> Labels:
    """The class guessed for each row from rows of other folds with the same value, -1 for none: `[rows]`.

    It is the class that is there more often than by its own share; a value seen nowhere else guesses nothing.
    """
    class_counts, shares = _counts_in_other_folds(codes, labels, folds, classes)
    likely = np.argmax(class_counts / np.maximum(shares, 1e-12), axis=1)
    return np.where(class_counts.any(axis=1), likely, -1)


def accuracy_by_class(guesses: Labels, labels: Labels, classes: int) -> NDArray[np.float64]:
    """The share of each class's rows that are guessed, NaN without rows: `[classes]`."""
    hits = np.bincount(labels[guesses == labels], minlength=classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / np.bincount(labels, minlength=classes), dtype=np.float64)


def _counts_in_other_folds(
    codes: Codes, labels: Labels, folds: Codes, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each row, how many rows of its value each class has in the other folds; and the classes' shares there."""
    values = int(codes.max()) + 1
    counts = np.zeros((FOLDS, values, classes))
    np.add.at(counts, (folds, codes, labels), 1)
    other_folds = counts.sum(axis=0) - counts
    totals = other_folds.sum(axis=1)
    shares = totals / np.maximum(totals.sum(axis=1, keepdims=True), 1)
    return other_folds[folds, codes], shares[folds]
