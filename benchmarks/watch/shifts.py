"""The standard shifts that a window is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.watch.population import Columns, Labels

Shift = Callable[[np.random.Generator, Columns, Labels], tuple[Columns, Labels] | None]
"""What it makes of drawn rows; None where the table has no column for it."""

_LEAST_SWAP = 0.1


def mean(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """One number, drawn at random among those with ten values or more, is larger by half a standard deviation."""
    names = [name for name, one in columns.items() if one.dtype.kind == "f" and len(np.unique(one)) > 10]
    name = names[rng.integers(len(names))]
    return columns | {name: columns[name] + 0.5 * np.nanstd(columns[name])}, labels


def missing(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """One feature in 10 rows of 100 more has no value."""
    name = list(columns)[rng.integers(len(columns))]
    column = columns[name]
    empty: Any = np.nan if column.dtype.kind == "f" else ""
    return columns | {name: np.where(rng.random(len(labels)) < 0.1, empty, column)}, labels


def swap(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """The two most frequent values of a category, whose shares differ by 10 points or more, change places."""
    found = []
    for name, column in columns.items():
        if column.dtype == object:
            values, counts = np.unique(column.astype(str), return_counts=True)
            order = np.argsort(-counts)[:2]
            if len(order) == 2 and counts[order[0]] - counts[order[1]] >= _LEAST_SWAP * len(column):
                found.append((name, values[order[0]], values[order[1]]))
    if not found:
        return None
    name, first, second = found[rng.integers(len(found))]
    column = columns[name]
    swapped = np.where(column == first, second, np.where(column == second, first, column))
    return columns | {name: swapped.astype(object)}, labels


def value(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """One value of a category, both drawn at random, takes the place of others in a tenth of the rows."""
    names = [name for name, one in columns.items() if one.dtype == object]
    if not names:
        return None
    name = names[rng.integers(len(names))]
    column = columns[name]
    values = sorted({one for one in column.tolist() if one})
    taken = values[rng.integers(len(values))]
    return columns | {name: np.where(rng.random(len(labels)) < 0.1, taken, column).astype(object)}, labels


def correlation(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """Every second column has the values of other rows: each is distributed as it was, but not together."""
    order = rng.permutation(len(labels))
    return {
        name: column[order] if place % 2 else column for place, (name, column) in enumerate(columns.items())
    }, labels


def flip(rng: np.random.Generator, columns: Columns, labels: Labels) -> tuple[Columns, Labels] | None:
    """One label in ten is the other one."""
    return columns, np.where(rng.random(len(labels)) < 0.1, 1 - labels, labels)


SHIFTS: dict[str, Shift] = {
    "mean + 0.5 sd": mean,
    "missing + 10 points": missing,
    "category swap": swap,
    "a value in 10% more": value,
    "correlation only": correlation,
}
