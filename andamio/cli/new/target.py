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
from andamio.contract.tables import TaskName
from andamio.errors import InputFileError, UsageError
from etl.split import rows_needed

CLASSIFICATION, REGRESSION = TASKS = get_args(TaskName)
MOST_CLASSES = 100
_NUMBERS = 10
"""A number of more values than this is predicted as a number."""
_HOLDOUT = 0.2
_MOSTLY_NUMBERS = 0.95
_SKEWED = 1.5
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
    numbers = [one for one in columns.values() if one.numeric_share == 1 and one.distinct > MOST_CLASSES]
    named = [column for column in (*fit, *numbers) if roles.target_rank(column.name) < roles.NO_TARGET]
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
    if chosen not in TASKS:
        raise UsageError(f"--task {chosen}: expected {' or '.join(TASKS)}.")
    if chosen == REGRESSION:
        if positive is not None:
            raise UsageError("--positive names a class, and a regression has none: leave it out.")
        return _regression(column, why)
    return _classification(column, positive)


def _regression(column: Column, why: str) -> Target:
    others = [text for text in column.counts if text not in column.numbers]
    if column.numeric_share < _MOSTLY_NUMBERS:
        raise InputFileError(
            f"The target '{column.name}' is no number in {column.places(others)} rows, such as '{others[0][:40]}': a "
            "regression needs numbers."
        )
    if len(column.amounts) < 2:
        raise InputFileError(
            f"The target '{column.name}' has one number, {column.amounts[0]:.10g}"
            + (f", and otherwise text such as '{others[0][:40]}'" if others else "")
            + f": a regression needs at least two. To predict which value it is: --task {CLASSIFICATION}"
        )
    target = Target(column.name, REGRESSION, {"task": REGRESSION, "target": column.name})
    low, high = float(column.amounts[0]), float(column.amounts[-1])
    least, most = bounds(low, high, whole=False)
    skewed = low > 0 and _skew(column) > _SKEWED
    target.keys |= {"target_min": float(f"{low / 2:.1g}") if skewed else least, "target_max": most}
    unit = roles.unit_of(column.name)
    if unit:
        target.keys["unit"] = unit
    lost = column.empty + column.places(others)
    target.comments.append(
        f"A regression, for {why}. Seen: {low:.10g} to {high:.10g}; target_min and target_max are a guess: a row whose "
        "target is outside is rejected, and no prediction is outside."
        + (f" {lost} rows have no number, and are rejected." if lost else "")
    )
    if skewed:
        target.keys["scale"] = "log"
        target.comments.append('scale = "log": its values are skewed, so errors count as ratios. If not: "linear".')
    return target


def _skew(column: Column) -> float:
    numbers = np.repeat(list(column.numbers.values()), [column.counts[text] for text in column.numbers])
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
    many = len(order) > _SHOWN
    named = sorted(order, key=lambda text: -column.counts[text])[:_SHOWN] if many else order
    shown = ", ".join(f"{text}: {column.counts[text]}" for text in named)
    shown += f", and {len(order) - _SHOWN} values more" if many else ""
    target.comments.append(
        f"Rows by value: {shown}." + (f" {column.empty} rows have none, and are rejected." if column.empty else "")
    )
    target.labels = _enough_rows(target, column, order) if len(order) > 2 else {text: text for text in order}
    if len(target.labels) == 2:
        _two_classes(target, column, positive)
    elif positive is not None:
        raise UsageError(f"--positive is for two classes, and '{column.name}' has {len(target.labels)}: leave it out.")
    if column.marks.decimal == ",":
        target.labels = {column.value(text): _spelled(column, label) for text, label in target.labels.items()}
        if "positive" in target.keys:
            target.keys["positive"] = column.value(target.keys["positive"])
    return target


def _spelled(column: Column, label: Any) -> Any:
    if isinstance(label, str):
        return column.value(label)
    return {"text": label["text"], "values": [column.value(text) for text in label["values"]]}


def _two_classes(target: Target, column: Column, positive: str | None) -> None:
    """Say which of two labels is the one to find: the one that was named, else by name, else that of fewer rows.

    Values of few rows may have been merged into one of them, or be none of them: their rows are rejected.
    """
    names = list(target.labels)
    left = len(names) < column.distinct
    if positive is not None:
        named = next((name for name in names if positive in (name, column.value(name))), None)
        if named is None:
            has = "is left with the classes" if left else "has the values"
            raise UsageError(f"--positive {positive}: '{column.name}' {has} {' and '.join(names)}.")
        positive = named
    else:
        ranks = {name: roles.positive_rank(column.value(name)) for name in names}
        positive, other = sorted(names, key=lambda name: (ranks[name], _rows(target.labels[name], column)))
        why = "by its name" if ranks[positive] < ranks[other] else "the rarer one"
        target.comments.append(
            f"{'Two classes are left. ' if left else ''}The positive class is '{positive}', {why}: the one to find. "
            "If it is the other: change positive."
        )
    target.labels = {name: target.labels[name] for name in sorted(names, key=lambda name: name == positive)}
    target.keys["positive"] = positive


def _rows(label: Any, column: Column) -> int:
    return column.places([label] if isinstance(label, str) else label["values"])


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
