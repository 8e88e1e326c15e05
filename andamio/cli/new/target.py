"""What is predicted: the target column, the task, and its classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from andamio.cli.new import roles
from andamio.cli.new.column import Column
from andamio.cli.new.draft import bounds
from andamio.contract.tables import ProblemTable
from andamio.errors import InputFileError, UsageError
from etl.split import rows_needed

CLASSIFICATION, REGRESSION = "classification", "regression"
MOST_CLASSES = 100
_NUMBERS = 10
"""A number of more values than this is predicted as a number."""
_HOLDOUT = 0.2
_SKEWED = 2.0
_SHOWN = 5


@dataclass
class Target:
    """The target and what [problem] says of it: `keys` in order, `labels` (short or long form), and why."""

    column: str
    task: str
    keys: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)


def guess_target(columns: Mapping[str, Column]) -> tuple[str, str] | None:
    """The column that is most likely the target, and why; None where none is."""
    fit = [
        column for column in columns.values() if 2 <= column.distinct <= MOST_CLASSES and column.values > column.empty
    ]
    named = [column for column in fit if roles.target_rank(column.name) < roles.NO_TARGET]
    if named:
        best = min(named, key=lambda column: roles.target_rank(column.name))
        return best.name, "it has the name of a target"
    last = list(columns.values())[-1] if columns else None
    if last is not None and last in fit and last.distinct <= _NUMBERS:
        return last.name, f"it is the last column, and has {last.distinct} values"
    words = [column for column in fit if column.numeric_share < 1 and column.distinct <= _NUMBERS]
    if len(words) == 1 and all(column.numeric_share == 1 for column in columns.values() if column is not words[0]):
        return words[0].name, "it is the only column that is no number"
    return None


def built_tasks() -> tuple[str, ...]:
    """The tasks that this version does."""
    return get_args(ProblemTable.model_fields["task"].annotation) or (CLASSIFICATION,)


def task_of(column: Column) -> tuple[str, str]:
    """Classification or regression, and why."""
    if column.numeric_share == 1 and column.distinct > _NUMBERS and not column.has_leading_zeros:
        return REGRESSION, f"{column.distinct} different numbers"
    return CLASSIFICATION, f"{column.distinct} different values"


def target_of(column: Column, task: str | None, positive: str | None) -> Target:
    """What is predicted; raises `InputFileError` for a column that cannot be predicted, `UsageError` for options."""
    if column.distinct < 2:
        raise InputFileError(
            f"The target '{column.name}' has {column.distinct} value{'s' * (column.distinct != 1)} in "
            f"{column.rows} rows: a model needs at least two."
        )
    guessed, why = task_of(column)
    chosen = task or guessed
    if chosen not in built_tasks():
        raise UsageError(
            f"'{column.name}' is a number to predict ({why}), and this version does {', '.join(built_tasks())} alone: "
            "make a column of classes of it (bins such as low, middle, high), or say --task classification."
        )
    if chosen == REGRESSION:
        if positive is not None:
            raise UsageError("--positive names a class, and a regression has none: leave it out.")
        return _regression(column, why)
    return _classification(column, positive)


def _regression(column: Column, why: str) -> Target:
    if column.numeric_share < 1:
        others = [text for text in column.counts if text not in column.numbers]
        raise InputFileError(
            f"The target '{column.name}' is no number in {column.places(others)} rows, such as '{others[0][:40]}': a "
            "regression needs numbers."
        )
    target = Target(column.name, REGRESSION, {"task": REGRESSION, "target": column.name})
    low, high = float(column.amounts[0]), float(column.amounts[-1])
    known = ProblemTable.model_fields
    if {"target_min", "target_max"} <= known.keys():
        target.keys["target_min"], target.keys["target_max"] = bounds(low, high, whole=False)
    unit = roles.unit_of(column.name)
    if unit and "unit" in known:
        target.keys["unit"] = unit
    target.comments.append(
        f"A regression, for {why}. Seen: {low:.10g} to {high:.10g}; target_min and target_max are a guess: a row whose "
        "target is outside is rejected."
    )
    if low > 0 and "scale" in known and _skew(column) > _SKEWED:
        target.keys["scale"] = "log"
        target.comments.append('scale = "log": its values are skewed, and their logarithms are what a model predicts.')
    return target


def _skew(column: Column) -> float:
    numbers = np.repeat([column.numbers[text] for text in column.counts], list(column.counts.values()))
    spread = float(numbers.std())
    return float((((numbers - numbers.mean()) / spread) ** 3).mean()) if spread else 0.0


def _classification(column: Column, positive: str | None) -> Target:
    if column.distinct > MOST_CLASSES:
        raise InputFileError(
            f"The target '{column.name}' has {column.distinct} different values, and a classifier here knows up to "
            f"{MOST_CLASSES} classes: choose another column with --target, or make classes of it."
        )
    target = Target(column.name, CLASSIFICATION, {"task": CLASSIFICATION, "target": column.name})
    order = sorted(column.counts, key=lambda text: (column.numbers.get(text, math.inf), text))
    shown = ", ".join(f"{text}: {column.counts[text]}" for text in order[:_SHOWN]) + ", ..." * (len(order) > _SHOWN)
    target.comments.append(
        f"Rows by value: {shown}." + (f" {column.empty} rows have none, and are rejected." if column.empty else "")
    )
    if len(order) == 2:
        _two_classes(target, column, order, positive)
    else:
        if positive is not None:
            raise UsageError(
                f"--positive is for two classes, and '{column.name}' has {len(order)} values: leave it out."
            )
        target.labels = _enough_rows(target, column, order)
    return target


def _two_classes(target: Target, column: Column, order: list[str], positive: str | None) -> None:
    if positive is not None and positive not in order:
        raise UsageError(f"--positive {positive}: '{column.name}' has the values {' and '.join(order)}.")
    if positive is None:
        ranked = sorted(order, key=lambda text: (roles.positive_rank(text), column.counts[text]))
        positive = ranked[0]
        by_name = roles.positive_rank(ranked[0]) < roles.positive_rank(ranked[1])
        why = "by its name" if by_name else "the rarer one"
        target.comments.append(
            f"The positive class is '{positive}', {why}: the one to find. If it is the other: change positive."
        )
    target.labels = {text: text for text in sorted(order, key=lambda text: text == positive)}
    target.keys["positive"] = positive


def _enough_rows(target: Target, column: Column, order: list[str]) -> dict[str, Any]:
    """The labels, classes of few rows merged: each needs rows on both sides of the split."""
    needed = rows_needed(1, _HOLDOUT)
    rare = [text for text in order if column.counts[text] < needed]
    if not rare:
        return {text: text for text in order}
    kept = [text for text in order if text not in rare]
    rows = column.places(rare)
    if len(kept) < 2 and not (kept and rows >= needed):
        target.comments.append(f"Classes of fewer than {needed} rows may be missing on one side of the split.")
        return {text: text for text in order}
    if column.numeric_share == 1 and len(kept) > 1:
        return _merged_with_neighbours(target, column, order, needed)
    if rows >= needed:
        target.comments.append(
            f"Classes of fewer than {needed} rows are one class, 'other classes': {', '.join(rare)}."
        )
        return {text: text for text in kept} | {"other classes": {"text": "other classes", "values": rare}}
    target.comments.append(
        f"Too few rows for a class, so their {rows} rows are rejected: {', '.join(rare)}. Gather more, or merge them "
        'with another: name = { text = "...", values = ["...", "..."] }'
    )
    return {text: text for text in kept}


def _merged_with_neighbours(target: Target, column: Column, order: list[str], needed: int) -> dict[str, Any]:
    """Numbers of few rows and the next one are a class, from the ends inwards."""
    groups: list[list[str]] = []
    for text in order:
        if groups and column.places(groups[-1]) < needed:
            groups[-1].append(text)
        else:
            groups.append([text])
    if len(groups) > 1 and column.places(groups[-1]) < needed:
        last = groups.pop()
        groups[-1] += last
    merged = [f"{group[0]} to {group[-1]}" for group in groups if len(group) > 1]
    target.comments.append(f"Classes of fewer than {needed} rows are merged with the next one: {', '.join(merged)}.")
    return {
        group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}": group[0]
        if len(group) == 1
        else {"text": f"{group[0]} to {group[-1]}", "values": group}
        for group in groups
    }
