"""Suspects within train: columns that reveal the label, and identifiers of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.dataset.columns import Columns
from etl.audit.evidence import (
    accuracy_out_of_fold,
    aucs,
    bins_of,
    codes_of,
    folds_of,
    has_value,
    lowest_auc,
    lowest_share,
    rates_out_of_fold,
)
from etl.audit.suspects import ALONE, COPY, IDENTIFIER, LATER, MISSING, Suspect

MIN_AUC = 0.98
"""The AUC of one feature that is too good. The best single feature of honest data that is at hand is below it
(0.976 in the Wisconsin breast cancer data); a copy of the label with one mistake in fifty rows is at it."""
MIN_AUC_LOW = 0.9
"""What the lower end of that AUC's 99% interval must reach: some thirty rows of each class without a mistake."""
MIN_ACCURACY = 0.99
"""The share of rows, class by class, from which on a value tells the label."""
MIN_CLASS_ROWS = 5
"""Classes with fewer rows are not checked."""
ONE_CLASS = 0.98
"""The share of one class among rows with (or without) a value from which on that alone is suspicious."""
ONE_CLASS_ROWS = 20
DISTINCT = 0.95
IDENTIFIER_ROWS = 30
DENSE = 1.5
"""A counter fills its range: it spans at most this many times its distinct values."""
IN_ORDER = 0.99
LATER_SHARE, LATER_ROWS = 0.01, 3

ADVICE = (
    "If it is known only after the event, set available_at_prediction = false. If it encodes the label, remove it "
    "from [features]."
)


@dataclass(frozen=True)
class Train:
    """Training rows: kept columns, class indices `[rows]`, split keys `[rows]`, places in what was read `[rows]`."""

    contract: Contract
    columns: Columns
    labels: NDArray[np.int64]
    keys: NDArray[np.object_]
    places: NDArray[np.int64]

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each row."""
        return folds_of(self.keys)

    @cached_property
    def classes(self) -> int:
        """How many classes the contract has."""
        return len(self.contract.classes)

    def text(self, index: int) -> str:
        """The display text of a class."""
        return self.contract.texts[self.contract.classes[index]]

    def eligible_classes(self, labels: NDArray[np.int64]) -> list[int]:
        """The classes with enough rows, and enough against them; of two, the positive one stands for both."""
        counts = np.bincount(labels, minlength=self.classes)
        fit = [
            index for index in range(self.classes) if MIN_CLASS_ROWS <= counts[index] <= len(labels) - MIN_CLASS_ROWS
        ]
        return [self.contract.positive_index] if self.classes == 2 and len(fit) == 2 else fit


def within_train(train: Train) -> tuple[list[Suspect], list[str]]:
    """Suspects among the features of a model, and the kinds that were checked."""
    checked = [COPY, ALONE, MISSING, IDENTIFIER]
    time = train.contract.problem.time
    if time is not None and time in train.columns:
        dates = [name for name, feature in train.contract.inputs.items() if feature.type == "date"]
        checked += [LATER] if dates else []
    suspects = []
    for name, feature in train.contract.inputs.items():
        suspects += list(_feature(train, name, feature))
    return suspects, checked


def _feature(train: Train, name: str, feature: Feature) -> Iterator[Suspect]:
    column = train.columns[name]
    # A column that reveals the label is reported once, with the simplest kind that applies.
    giveaway = _copy(train, name, column) or _missing(train, name, column) or _alone(train, name, feature, column)
    later = _later(train, name, column) if feature.type == "date" else None
    yield from (suspect for suspect in (giveaway, later, _identifier(train, name, feature, column)) if suspect)


def _copy(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
    """A column whose values are, nearly, a function of the label: one value a class, or several."""
    present = has_value(column)
    labels = train.labels[present]
    eligible_classes = np.flatnonzero(np.bincount(labels, minlength=train.classes) >= MIN_CLASS_ROWS)
    if len(eligible_classes) < 2:
        return None
    codes = codes_of(column[present])
    accuracy = accuracy_out_of_fold(codes, labels, train.folds[present], train.classes)[eligible_classes]
    if accuracy.mean() < MIN_ACCURACY:
        return None
    values = len(np.unique(codes))
    counts = np.zeros((values, train.classes), dtype=np.int64)
    np.add.at(counts, (codes, labels), 1)
    agreement = int(counts.max(axis=1).sum()) / len(labels)
    one_to_one = values == len(np.unique(labels))
    description = (
        "its values and the classes are one to one" if one_to_one else f"each of its {values} values has one class"
    )
    return Suspect(
        COPY,
        name,
        {"agreement": agreement, "rows": len(labels), "values": values, "one_to_one": int(one_to_one)},
        f"'{name}' {'copies' if one_to_one else 'encodes'} the label: {description} in {agreement:.1%} of "
        f"{len(labels)} rows. " + ADVICE,
    )


def _missing(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
    """A column that is there, or lacking, for one class alone."""
    present = has_value(column)
    for has_cell, rows in ((True, present), (False, ~present)):
        number = int(rows.sum())
        if number < ONE_CLASS_ROWS or number == len(rows):
            continue
        counts = np.bincount(train.labels[rows], minlength=train.classes)
        index = int(counts.argmax())
        share, base_rate = counts[index] / number, float((train.labels == index).mean())
        # Half of the way from the class's own share to all rows: luck does that about once in a million.
        if share >= ONE_CLASS and lowest_share(int(counts[index]), number) > (1 + base_rate) / 2:
            phrase = "has a value" if has_cell else "has no value"
            return Suspect(
                MISSING,
                name,
                {"share": float(share), "rows": number, "usual": base_rate, "known": int(has_cell)},
                f"'{name}': where it {phrase} ({number} rows), {share:.1%} are '{train.text(index)}', against "
                f"{base_rate:.1%} of all rows: its presence alone reveals the label. {ADVICE}",
            )
    return None


def _alone(train: Train, name: str, feature: Feature, column: NDArray[np.generic]) -> Suspect | None:
    """A column that alone separates the classes: by its order, or by the rate of each value or bin.

    Of more than two classes the mean over all, each against the rest, as `roc_auc` is meant in the
    contract: that one class stands apart is common in honest data (the setosa irises), that all do is not.
    """
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
    return Suspect(
        ALONE,
        name,
        {"auc": auc, "low": low, "rows": number},
        f"'{name}' alone tells the classes apart with an AUC of {auc:.3f} (at least {low:.3f}, {number} rows), which "
        f"is rare for a real feature. {ADVICE}",
    )


def _scores(
    train: Train, feature: Feature, column: NDArray[np.generic]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Ways to score rows by one column: `[known rows, 1]` by its order, `[rows, classes]` by out-of-fold rates."""
    every = np.ones(len(column), dtype=bool)
    if feature.type == "category":
        codes = codes_of(column)
    else:
        numbers = as_numbers(feature, column)
        present = has_value(numbers)
        if present.sum() > 1:
            yield numbers[present, None], present
        codes = bins_of(numbers)
    if codes.max() > 0:
        yield rates_out_of_fold(codes, train.labels, train.folds, train.classes), every


def _identifier(train: Train, name: str, feature: Feature, column: NDArray[np.generic]) -> Suspect | None:
    """A category with a value of its own in nearly every row, or a whole number that counts rows."""
    present = has_value(column)
    number = int(present.sum())
    if number < IDENTIFIER_ROWS or feature.type not in ("category", "integer", "number"):
        return None
    values = column[present]
    distinct = len(pd.unique(values))
    if distinct < DISTINCT * number:
        return None
    evidence: dict[str, float | int] = {"distinct": distinct, "rows": number}
    description = "values"
    if feature.type != "category":
        numbers = values.astype(np.float64)
        if (np.floor(numbers) != numbers).any():
            return None
        order = abs(float(np.corrcoef(pd.Series(numbers).rank(), pd.Series(train.places[present]).rank())[0, 1]))
        spread = float(np.ptp(numbers) + 1) / distinct
        if order < IN_ORDER and spread > DENSE:
            return None
        evidence |= {"order": order, "spread": spread}
        description = (
            "values that grow with the row's place" if order >= IN_ORDER else "values without gaps, as a counter has"
        )
    return Suspect(
        IDENTIFIER,
        name,
        evidence,
        f"'{name}' looks like an identifier: {distinct} distinct {description} in {number} rows. A model can only "
        "learn it by "
        "heart. Make it the id of [problem], or take it out of [features].",
    )


def _later(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
    """A date that lies after the moment that the row is about, by more than a time zone."""
    time = train.contract.problem.time
    if time is None or time not in train.columns:
        return None
    days, moments = column.astype("datetime64[D]"), train.columns[time].astype("datetime64[D]")
    present = ~np.isnat(days) & ~np.isnat(moments)
    number, later = int(present.sum()), int((days[present] > moments[present] + np.timedelta64(1, "D")).sum())
    if later < max(LATER_ROWS, LATER_SHARE * number):
        return None
    return Suspect(
        LATER,
        name,
        {"later": later, "rows": number},
        f"'{name}' lies after '{time}' in {later} of {number} rows: it was not known then. Set "
        "available_at_prediction = false, unless it is a planned date.",
    )


def as_numbers(feature: Feature, column: NDArray[np.generic]) -> NDArray[np.float64]:
    """A column that has an order, as float64 with NaN for no value; a date in days."""
    if feature.type != "date":
        return column.astype(np.float64)
    return np.where(np.isnat(column), np.nan, column.astype(np.int64).astype(np.float64))
