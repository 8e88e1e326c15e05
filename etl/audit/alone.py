"""Columns that alone tell the classes apart, nearly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from andamio.contract.tables import Feature
from etl.audit.doubt import Guess
from etl.audit.evidence import (
    accuracy_by_class,
    as_numbers,
    aucs,
    column_codes,
    guesses_out_of_fold,
    has_value,
    lowest_auc,
    lowest_share,
    rates_out_of_fold,
)
from etl.audit.suspects import ADVICE, ALONE, COPY, MISSING, Suspect
from etl.audit.train import MIN_CLASS_ROWS, Train
from etl.twins import codes_of

MIN_AUC = 0.98
"""The AUC of one feature that is too good. The best single feature of honest data that is at hand is below it
(0.976 in the Wisconsin breast cancer data); a copy of the label with one mistake in fifty rows is at it."""
MIN_AUC_LOW = 0.9
"""What the lower end of that AUC's 99% interval must reach: some thirty rows of each class without a mistake."""
ALMOST = 0.9
"""The mean over classes of the share of rows that a column of one value a class tells right, from which on it may be a
copy with mistakes."""
PRESENCE = 0.85
"""The same of whether a cell has a value, for one class and all others: honest gaps tell little."""
ALMOST_LOW = 0.65
"""What the lower ends of these shares' 99% intervals must reach in the mean, so that a few rows are no evidence."""


def almost_copy(train: Train, name: str) -> Guess | None:
    """What a column of one value a class guesses, where that is nearly always right."""
    column = train.columns[name]
    rows = has_value(column)
    values, labels = codes_of(column[rows]), train.labels[rows]
    if len(values) == 0 or not 0 < values.max() < train.classes:
        return None
    counts = np.bincount(labels, minlength=train.classes)
    eligible_classes = np.flatnonzero(counts >= MIN_CLASS_ROWS)
    if len(eligible_classes) < 2:
        return None
    guesses = guesses_out_of_fold(values, labels, train.folds[rows], train.classes)
    shares = accuracy_by_class(guesses, labels, train.classes)[eligible_classes]
    if shares.mean() < ALMOST or _low(shares, counts[eligible_classes]) < ALMOST_LOW:
        return None
    wrong = np.zeros(len(column), dtype=bool)
    wrong[rows] = guesses != labels
    return Guess(wrong, _nearly(name, train.parts, float(shares.mean()), int(wrong.sum()), len(labels)))


def almost_presence(train: Train, name: str) -> Guess | None:
    """What it guesses that a column has a value, or none, where that nearly tells one class from all others."""
    present = has_value(train.columns[name])
    if present.all() or not present.any():
        return None
    best: Guess | None = None
    counts = np.bincount(train.labels, minlength=train.classes)
    known = np.bincount(train.labels[present], minlength=train.classes)
    best_mean = PRESENCE
    for index in train.eligible_classes(train.labels):
        sizes = np.array([counts[index], len(present) - counts[index]])
        shares = np.array([known[index], present.sum() - known[index]]) / sizes
        has_cell = bool(shares[0] > shares[1])
        shares = np.array([shares[0], 1 - shares[1]]) if has_cell else np.array([1 - shares[0], shares[1]])
        if shares.mean() >= best_mean and _low(shares, sizes) >= ALMOST_LOW:
            best_mean = float(shares.mean())
            wrong = (present if has_cell else ~present) != (train.labels == index)
            best = Guess(wrong, _presence(name, train.text(index), best_mean, int(wrong.sum()), len(present), has_cell))
    return best


def _low(shares: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
    """The mean of the lower ends of the 99% intervals of some shares, each of so many rows."""
    lows = [lowest_share(round(float(share * count)), int(count)) for share, count in zip(shares, rows, strict=True)]
    return float(np.mean(lows))


def _presence(name: str, text: str, accuracy: float, mistakes: int, rows: int, has_cell: bool) -> Suspect:
    phrase = "has a value" if has_cell else "has no value"
    return Suspect(
        MISSING,
        name,
        {"accuracy": accuracy, "rows": rows, "mistakes": mistakes, "known": int(has_cell)},
        f"'{name}': whether it {phrase} tells '{text}' from all else in {accuracy:.1%} (the mean of both sides, {rows} "
        f"rows), also where the other columns are in doubt: its presence reveals the label. {ADVICE}",
    )


def _nearly(name: str, parts: str, accuracy: float, mistakes: int, rows: int) -> Suspect:
    agreement = 1 - mistakes / rows
    return Suspect(
        COPY,
        name,
        {"agreement": agreement, "rows": rows, "accuracy": accuracy, "one_to_one": 1},
        f"'{name}' nearly copies the label: its values and {parts} are one to one in {agreement:.1%} of {rows} "
        "rows, and its mistakes do not fall on rows where the other columns are in doubt, as those of a real feature "
        f"do. {ADVICE}",
    )


def alone(train: Train, name: str, feature: Feature) -> Guess | None:
    """A column that alone separates the classes: by its order, or by the rate of each value or bin.

    Of more than two classes the mean over all, each against the rest, as `roc_auc` is meant in the
    contract: that one class stands apart is common in honest data (the setosa irises), that all do is not.
    """
    column = train.columns[name]
    best: tuple[float, float, int] | None = None
    for scores, rows in _scores(train, feature, column):
        labels = train.labels[rows]
        eligible_classes = train.eligible_classes(labels)
        if not eligible_classes:
            continue
        counts = np.bincount(labels, minlength=train.classes)
        if scores.shape[1] == 1:  # a number may point either way
            class_aucs = aucs(scores[:, 0], labels, train.classes)
            per_class = np.maximum(class_aucs, 1 - class_aucs)[eligible_classes]
        else:
            per_class = np.array([aucs(scores[:, index], labels, train.classes)[index] for index in eligible_classes])
        auc = float(per_class.mean())
        if auc < MIN_AUC or (best is not None and auc <= best[0]):
            continue
        lows = [
            lowest_auc(float(auc_of_class), int(counts[index]), len(labels) - int(counts[index]))
            for auc_of_class, index in zip(per_class, eligible_classes, strict=True)
        ]
        if np.mean(lows) >= MIN_AUC_LOW:
            best = auc, float(np.mean(lows)), len(labels)
    if best is None:
        return None
    auc, low, number = best
    guesses = guesses_out_of_fold(column_codes(feature, column), train.labels, train.folds, train.classes)
    suspect = Suspect(
        ALONE,
        name,
        {"auc": auc, "low": low, "rows": number},
        f"'{name}' alone tells {train.parts} apart with an AUC of {auc:.3f} (at least {low:.3f}, {number} rows), which "
        f"is rare for a real feature. {ADVICE}",
    )
    return Guess(guesses != train.labels, suspect)


def _scores(
    train: Train, feature: Feature, column: NDArray[np.generic]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Ways to score rows by one column: `[known rows, 1]` by its order, `[rows, classes]` by out-of-fold rates."""
    every = np.ones(len(column), dtype=bool)
    if feature.type != "category":
        numbers = as_numbers(feature, column)
        present = has_value(numbers)
        if present.sum() > 1:
            yield numbers[present, None], present
    codes = column_codes(feature, column)
    if codes.max() > 0:
        yield rates_out_of_fold(codes, train.labels, train.folds, train.classes), every
