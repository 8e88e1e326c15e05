"""How often concept drift and uneven label coverage ring, where they should and where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.watch import shifts, tables_of
from benchmarks.watch.alarms import Rates
from benchmarks.watch.population import Labels, Population, population, world
from monitoring.performance.performance import Terms, performance
from monitoring.performance.window import Labelled

METRICS = ("roc_auc", "log_loss", "accuracy")
SIZES = (200, 1000, 5000, 20_000)
REFERENCE_ROWS = 1000
_FEWER_FROM, _FEWER = 20_000, 5
"""Rows from which on a fifth of the windows is drawn."""

Feedback = Callable[[np.random.Generator, Labels, NDArray[np.bool_]], Labels]
"""Which labels come, of those there are and the rows that were predicted positive; -1 for none."""


def _all(rng: np.random.Generator, labels: Labels, positive: NDArray[np.bool_]) -> Labels:
    return labels


def _half(rng: np.random.Generator, labels: Labels, positive: NDArray[np.bool_]) -> Labels:
    return np.where(rng.random(len(labels)) < 0.5, labels, -1)


def _mostly_positive(rng: np.random.Generator, labels: Labels, positive: NDArray[np.bool_]) -> Labels:
    return np.where(rng.random(len(labels)) < np.where(positive, 0.9, 0.1), labels, -1)


def _only_positive(rng: np.random.Generator, labels: Labels, positive: NDArray[np.bool_]) -> Labels:
    return np.where(positive, labels, -1)


CASES: dict[str, tuple[Feedback, bool]] = {
    "nothing changed, all labels": (_all, False),
    "nothing changed, half of the labels": (_half, False),
    "labels of 90% of predicted positives, 10% of negatives": (_mostly_positive, False),
    "labels of predicted positives only": (_only_positive, False),
    "10% of labels flipped": (_all, True),
    "10% flipped, labels of 90% and 10%": (_mostly_positive, True),
}


def rates(place: Population, metric: str, rows: int, windows: int) -> dict[str, Rates]:
    """By case, how often the model counts as worse, would by plain figures, and coverage as uneven."""
    found = {name: Rates() for name in CASES}
    for number in range(windows):
        rng = np.random.default_rng([number, rows])
        known = world(place, rng, REFERENCE_ROWS)
        reference = replace(known.reference, metric=metric)
        columns, labels = place.draw(rng, rows)
        scores = known.model.scores(columns)
        flipped = shifts.flip(rng, columns, labels)
        for name, (feedback, is_flipped) in CASES.items():
            came = feedback(rng, flipped[1] if is_flipped and flipped else labels, scores[:, 1] >= 0.5)
            window = Labelled(scores, came, np.full(rows, 100.0), np.where(came >= 0, 1.0, np.nan))
            result = performance(reference, window, Terms(), seed=number)
            plain = result.plain
            found[name].add(
                {
                    "worse": result.status == "worse",
                    "plain": plain is not None and (plain.difference.high or 0.0) < 0,
                    "uneven": result.coverage.status == "uneven",
                }
            )
    return found


def table(windows: int, sizes: Sequence[int] = SIZES, tables: Sequence[str] = ("heart", "wide")) -> str:
    """Of every case, metric and size; of large windows a fifth as many."""
    lines = []
    drawn = {rows: max(1, windows // _FEWER) if rows >= _FEWER_FROM else windows for rows in sizes}
    for name in tables:
        place = population(name)
        for metric in METRICS if name == "heart" else METRICS[:1]:
            found = {rows: rates(place, metric, rows, drawn[rows]) for rows in sizes}
            for case in CASES:
                lines += [
                    [name, metric, case, kind, *(found[rows][case].text(kind) for rows in sizes)]
                    for kind in ("worse", "plain", "uneven")
                ]
            print(*lines[-len(CASES) * 3 :], sep="\n", flush=True)
    counts = [f"{rows:,} rows ({drawn[rows]:,} windows)" for rows in sizes]
    return tables_of(["table", "metric", "labels", "alarm", *counts], lines)
