"""Columns that reveal the label: copies of it, with mistakes or without, and cells that only one class has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from etl.audit.evidence import (
    accuracy_by_class,
    guesses_out_of_fold,
    has_value,
    lowest_share,
)
from etl.audit.suspects import ADVICE, COPY, MISSING, Suspect
from etl.audit.train import MIN_CLASS_ROWS, Train
from etl.twins import codes_of

MIN_ACCURACY = 0.99
"""The share of rows, class by class, from which on a value tells the label."""
ONE_CLASS = 0.98
"""The share of one class among rows with (or without) a value from which on that alone is suspicious."""
ONE_CLASS_ROWS = 20


def copied(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
    """A column whose values are, nearly, a function of the label: one value a class, or several."""
    present = has_value(column)
    labels = train.labels[present]
    eligible_classes = np.flatnonzero(np.bincount(labels, minlength=train.classes) >= MIN_CLASS_ROWS)
    if len(eligible_classes) < 2:
        return None
    codes = codes_of(column[present])
    guesses = guesses_out_of_fold(codes, labels, train.folds[present], train.classes)
    accuracy = accuracy_by_class(guesses, labels, train.classes)[eligible_classes]
    if accuracy.mean() < MIN_ACCURACY:
        return None
    values = len(np.unique(codes))
    counts = np.zeros((values, train.classes), dtype=np.int64)
    np.add.at(counts, (codes, labels), 1)
    agreement = int(counts.max(axis=1).sum()) / len(labels)
    one_to_one = values == len(np.unique(labels))
    description = (
        f"its values and {train.parts} are one to one"
        if one_to_one
        else f"each of its {values} values has one {train.part}"
    )
    return Suspect(
        COPY,
        name,
        {"agreement": agreement, "rows": len(labels), "values": values, "one_to_one": int(one_to_one)},
        f"'{name}' {'copies' if one_to_one else 'encodes'} the label: {description} in {agreement:.1%} of "
        f"{len(labels)} rows. " + ADVICE,
    )


def told_by_presence(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
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
