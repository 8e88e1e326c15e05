"""The folds of cross-validation: stratified by class, rows of one split key together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from andamio.errors import TrainingError

FOLDS = 5

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def repeated(
    labels: NDArray[np.int64], keys: Sequence[str], classes: Sequence[str], seed: int, repeats: int
) -> list[list[Fold]]:
    """The folds of each repeat, drawn anew each time; raises `TrainingError` as `folds` does."""
    return [folds(labels, keys, classes, seed + repeat) for repeat in range(repeats)]


def folds(labels: NDArray[np.int64], keys: Sequence[str], classes: Sequence[str], seed: int) -> list[Fold]:
    """(rows to fit on, rows to score) of each fold; every row is scored once.

    Five folds, or fewer when a class has fewer distinct keys: each class should be in each fold. Raises
    `TrainingError` when a class has no rows, or all of them under one key.
    """
    groups = np.unique(np.asarray(keys, dtype=str), return_inverse=True)[1]
    counts = {name: len(np.unique(groups[labels == index])) for index, name in enumerate(classes)}
    small_classes = {name: count for name, count in counts.items() if count < 2}
    if small_classes:
        counts_text = ", ".join(f"'{name}' has {count}" for name, count in small_classes.items())
        raise TrainingError(
            "Cross-validation needs at least 2 independent rows (distinct split keys) of every class in train: "
            f"{counts_text}. Add data, or take the class out of [problem] labels."
        )
    number = min(FOLDS, *counts.values())
    splitter = StratifiedGroupKFold(n_splits=number, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "least populated class": seen to above, by keys
        return [(fit, score) for fit, score in splitter.split(np.zeros(len(labels)), labels, groups) if len(score)]
