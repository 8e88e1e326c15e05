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
from training.rungs import Rung
from training.trials.folds import Keys, comparable

SAMPLED_FROM = 5_000
"""Rows of train from which there are samples: below, a trial of all of them is soon done."""
RACED_FROM = 15_000
"""Rows of train from which trials race, so that 20,000 rows less a fifth do."""
LARGE_FROM = 75_000
"""Rows of train from which folds are drawn once, and from which a first rung of few rows is large enough."""
Steps = tuple[tuple[float, int], ...]
STEPS: Steps = ((1 / 2, 2), (1.0, 3))
"""The rungs: a share of train to fit on, and so many of the folds. Of fewer than `LARGE_FROM` rows much of a fit's cost
does not depend on its rows, so that folds are saved rather than rows (benchmarks/RESULTS.md)."""
LARGE_STEPS: Steps = ((1 / 8, 3), (1 / 2, 3))
"""The rungs from `LARGE_FROM` on. A first one of a sixteenth ends the best trial too often."""
FEWEST_OF_CLASS = 40
"""Rows of the rarest class that a rung needs: eight in each of five folds."""

REPEATS = 2
"""How often folds are drawn where a contract says nothing, on fewer rows than `LARGE_FROM`."""

Places = NDArray[np.float32]


def repeats_of(settings: Training, rows: int) -> int:
    """How often the folds of so many rows of train are drawn."""
    if settings.repeats is not None:
        return settings.repeats
    return REPEATS if rows < LARGE_FROM else 1


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


def steps(rows: int) -> Steps:
    """The rungs of a race over so many rows of train, as shares of them; none where trials do not race."""
    if rows < RACED_FROM:
        return ()
    return STEPS if rows < LARGE_FROM else LARGE_STEPS


def rungs(labels: NDArray[Any], row_places: Places, drawn: int) -> list[Rung]:
    """The rungs of a race, least first, with `drawn` folds a repeat; none where trials do not race.

    A rung that has too few rows of a class is left out, as is one that has all folds of a repeat.
    """
    labels = strata_of(labels)
    classes = int(labels.max()) + 1
    samples = [(row_places < share, taken) for share, taken in steps(len(labels)) if taken < drawn]
    return [
        Rung(rows=int(sample.sum()), folds=taken)
        for sample, taken in samples
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
