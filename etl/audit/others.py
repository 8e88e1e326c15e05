"""What the other columns tell: which rows are hard to class by them.

A strong feature of honest data errs where the others are in doubt too, for they measure the same thing. A copy of the
label that was made with mistakes errs anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from etl.audit.evidence import FOLDS

HARD = 0.2
"""The share of each class's rows that count as hard."""
_RIDGE = 1e-3


def hard_rows(
    columns: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], folds: NDArray[np.int64], classes: int
) -> NDArray[np.bool_]:
    """The fifth of each class's rows that columns class worst, or wrong: `[rows]`.

    By linear discriminants (equal priors), out of fold, of the logarithms of each column's rates `[rows, classes]`.
    """
    rows = len(labels)
    if not columns:
        return np.zeros(rows, dtype=bool)
    design = np.concatenate([column[:, :-1] - column[:, -1:] for column in columns], axis=1).astype(np.float64)
    scores = np.zeros((rows, classes))
    for fold in range(FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            scores[held] = _discriminants(design[~held], labels[~held], design[held], classes)
    every = np.arange(rows)
    of_own = scores[every, labels]
    scores[every, labels] = -np.inf
    margins = of_own - scores.max(axis=1)
    hard = np.zeros(rows, dtype=bool)
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        hard[members[np.argsort(margins[members], kind="stable")[: round(HARD * len(members))]]] = True
    return hard


def _discriminants(
    design: NDArray[np.float64], labels: NDArray[np.int64], held: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    """Linear discriminants of Fisher for each class: `[held rows, classes]`; a class without rows has none."""
    counts = np.bincount(labels, minlength=classes)
    members = np.eye(classes)[labels]
    means = (members.T @ design) / np.maximum(counts, 1)[:, None]
    within = design - means[labels]
    covariance = within.T @ within / max(len(labels), 1)
    covariance += np.eye(len(covariance)) * (_RIDGE + _RIDGE * np.trace(covariance) / len(covariance))
    weights = np.linalg.solve(covariance, means.T)
    scores = held @ weights - 0.5 * np.einsum("cd,dc->c", means, weights)
    scores[:, counts == 0] = -1e300
    return np.asarray(scores, dtype=np.float64)
