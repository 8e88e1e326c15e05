"""Nested samples of train: how much of it a trial is given that races, or that could not hold all of it.

A row has a place from 0 to 1, equal for the rows of a split key, and a sample of a share is every row whose place is
below it. So a sample holds every smaller one, and of each fold it holds about that share of each class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract.tables import Training
from andamio.stats.quantiles import strata_of
from training.trials.folds import Keys, comparable

SAMPLED_FROM = 5_000
"""Rows of train from which there are samples: below, a trial of all of them is soon done."""
RACED_FROM = 75_000
"""Rows of train from which trials race, so that 100,000 rows less a fifth do: the first rung has 9,400 then. On fewer,
much of a fit's cost does not depend on its rows (benchmarks/RESULTS.md)."""
SHARES = (1 / 8, 1 / 2)
"""What a trial is given before it gets every row. A first rung of a sixteenth ends the best trial too often."""
FOLDS = 3
"""So many folds are scored on a rung: they tell trials apart, and of two the error is hardly known."""
FEWEST_OF_CLASS = 40
"""Rows of the rarest class that a rung needs: eight in each of five folds."""

REPEATS = 2
"""How often folds are drawn where a contract says nothing, on fewer rows than race."""

Places = NDArray[np.float32]


def repeats_of(settings: Training, rows: int) -> int:
    """How often the folds of so many rows of train are drawn."""
    if settings.repeats is not None:
        return settings.repeats
    return REPEATS if rows < RACED_FROM else 1


def places(labels: NDArray[Any], keys: Keys, assigned: NDArray[np.int8], draw: np.random.Generator) -> Places:
    """The place of each row, from 0 up to 1, by class and by fold in the first of `assigned` [repeats, rows]."""
    labels = strata_of(labels)
    groups = np.unique(comparable(keys), return_index=True, return_inverse=True)
    _, first, group_of_row = groups
    stratum = assigned[0][first].astype(np.int64) * (labels.max() + 1) + labels[first]
    shuffled = draw.permutation(len(first))
    ordered = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    sizes = np.bincount(stratum)
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(first), dtype=np.float32)
    place[ordered] = (np.arange(len(first)) - starts[stratum[ordered]] + 0.5) / sizes[stratum[ordered]]
    result: Places = place[group_of_row]
    return result


def rungs(labels: NDArray[Any], row_places: Places) -> list[int]:
    """The rows of each rung of a race, fewest first; none where trials do not race."""
    if len(labels) < RACED_FROM:
        return []
    labels = strata_of(labels)
    samples = [row_places < share for share in SHARES]
    classes = int(labels.max()) + 1
    return [
        int(sample.sum())
        for sample in samples
        if np.bincount(labels[sample], minlength=classes).min() >= FEWEST_OF_CLASS
    ]


def of(row_places: Places, rows: int) -> NDArray[np.bool_]:
    """Which rows a sample of about so many holds; all, where there are no more."""
    if rows >= len(row_places):
        return np.ones(len(row_places), dtype=bool)
    last = np.partition(row_places, rows - 1)[rows - 1]
    result: NDArray[np.bool_] = row_places <= last
    return result


def with_each_class(row_places: Places, rows: int, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Like `of`, and with the first `FEWEST_OF_CLASS` rows of each class by place, so that it can be fitted on."""
    result = of(row_places, rows)
    labels = strata_of(labels)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        result[members] |= of(row_places[members], FEWEST_OF_CLASS)
    return result
