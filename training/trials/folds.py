"""The folds of cross-validation: stratified by class or by tenths of a number, rows of one split key together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.errors import TrainingError
from andamio.stats.quantiles import strata_of

FOLDS = 5

Keys = Sequence[str] | NDArray[Any]
"""Split keys `[rows]`: texts, or the numbers of 64 bits whose texts they are, which are ordered alike."""

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def repeated(labels: NDArray[Any], keys: Keys, classes: Sequence[str], seed: int, repeats: int) -> NDArray[np.int8]:
    """The fold in which each row is scored, for each repeat: [repeats, rows], drawn anew each time.

    Five folds, or fewer when a class has fewer distinct keys: each class should be in each fold. Raises
    `TrainingError` when a class has no rows, or all of them under one key; or of a regression, which has no `classes`,
    when all rows are under one, or a model would be fitted on rows that all have the same target.
    """
    groups = np.unique(comparable(keys), return_inverse=True)[1]
    of_numbers = labels.dtype.kind == "f"
    counts = _distinct_keys_of_all(groups) if of_numbers else _distinct_keys(labels, groups, classes).values()
    number, strata = min(FOLDS, *counts), strata_of(labels)
    groups_of = int(strata.max()) + 1 if of_numbers else len(classes)
    drawn = [assign(strata, groups, number, groups_of, np.random.default_rng((seed, turn))) for turn in range(repeats)]
    if of_numbers:
        _check_varied(labels, drawn)
    return np.stack(drawn)


def _check_varied(truth: NDArray[np.float64], drawn: Sequence[NDArray[np.int8]]) -> None:
    for assigned in drawn:
        ends = [(truth[rows].min(), truth[rows].max()) for _, rows in parts(assigned)]
        for left_out in range(len(ends)):
            lows, highs = zip(*(ends[:left_out] + ends[left_out + 1 :]), strict=True)
            if min(lows) == max(highs):
                different = int(np.sum(truth != min(lows)))
                raise TrainingError(
                    "Cross-validation leaves out one part of train after the other, and without one of them every row "
                    f"has the target {min(lows):g}: only {different} of {len(truth)} rows of train have another, under "
                    "too few split keys. Add data with other targets, or predict whether the target is "
                    f'{min(lows):g} as a class ([problem] task = "classification").'
                )


def comparable(keys: Keys) -> NDArray[Any]:
    """Keys as an array that can be sorted fast."""
    return keys if isinstance(keys, np.ndarray) and keys.dtype.kind == "u" else np.asarray(keys, dtype=str)


def parts(assigned: NDArray[np.int8]) -> list[Fold]:
    """(rows to fit on, rows to score) of each fold of one repeat; every row is scored once."""
    return [(np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)) for fold in np.unique(assigned)]


def _distinct_keys(labels: NDArray[np.int64], groups: NDArray[np.int64], classes: Sequence[str]) -> dict[str, int]:
    counts = {name: len(np.unique(groups[labels == index])) for index, name in enumerate(classes)}
    small_classes = {name: count for name, count in counts.items() if count < 2}
    if small_classes:
        counts_text = ", ".join(f"'{name}' has {count}" for name, count in small_classes.items())
        raise TrainingError(
            "Cross-validation needs at least 2 independent rows (distinct split keys) of every class in train: "
            f"{counts_text}. Add data, or take the class out of [problem] labels."
        )
    return counts


def _distinct_keys_of_all(groups: NDArray[np.int64]) -> list[int]:
    number = len(np.unique(groups))
    if number < 2:
        raise TrainingError(
            f"Cross-validation needs at least 2 independent rows (distinct split keys) in train: there is {number}. "
            "Add data."
        )
    return [number]


def assign(
    labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, classes: int, draw: np.random.Generator
) -> NDArray[np.int8]:
    """The fold of each row, equal for the rows of a group: every fold has about each class's share of the rows.

    Groups that have the same rows of each class are dealt evenly over the folds. What does not divide goes one by
    one, the largest groups first, to the fold whose classes it fills least: the greedy rule of scikit-learn's
    `StratifiedGroupKFold`, but with a step for each kind of group instead of one for each group.
    """
    order = np.lexsort((labels, groups))
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])
    sizes = np.diff(np.r_[starts, len(order)])
    # Groups of one kind share a sum of their rows' marks, which are drawn from 64 bits for each class.
    marks = np.random.default_rng(0).integers(1, 2**63, size=classes, dtype=np.uint64)
    sums = np.add.reduceat(marks[labels[order]], starts)
    _, first, kinds, counts = np.unique(sums, return_index=True, return_inverse=True, return_counts=True)
    shares = np.maximum(np.bincount(labels, minlength=classes), 1)
    filled = np.zeros((folds, classes))
    rows_of = np.zeros(folds, dtype=np.int64)
    shuffled = draw.permutation(len(starts))
    members = np.split(shuffled[np.argsort(kinds[shuffled], kind="stable")], np.cumsum(counts)[:-1])
    fold_of = np.empty(len(starts), dtype=np.int8)
    for kind in np.lexsort((first, -sizes[first])):
        at, size = starts[first[kind]], sizes[first[kind]]
        added = np.bincount(labels[order[at : at + size]], minlength=classes) / shares
        each, left = divmod(int(counts[kind]), folds)
        filled += each * added
        rows_of += each * size
        dealt = np.repeat(np.arange(folds, dtype=np.int8), each)
        for _ in range(left):
            fold = int(np.lexsort((rows_of, (filled * added).sum(axis=1)))[0])
            filled[fold] += added
            rows_of[fold] += size
            dealt = np.append(dealt, np.int8(fold))
        fold_of[members[kind]] = dealt
    assigned = np.empty(len(labels), dtype=np.int8)
    assigned[order] = np.repeat(fold_of, sizes)
    return assigned
