"""Predictions of like score: for which of them labels came, and what that does to a figure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Regression
from andamio.release.threshold import labels_from
from andamio.stats.figures import score
from monitoring.drift import psi, two_samples
from monitoring.performance.window import Floats, Labelled, Labels
from monitoring.reference import Reference
from monitoring.results import Coverage, Decile

STRATA = 10
MIN_LABELLED = 50
"""Labels without which nothing is said to be well."""
FEWEST_LABELS = 5
"""Labels of a stratum below which nothing is known of its predictions."""
P_LIMIT = 0.001
"""The p-value from which on coverage differs between scores; one test a window."""


@dataclass(frozen=True, slots=True)
class Strata:
    """Cells of predictions that name the same label with like score, about ten.

    `label` `[cells]` is the class that a cell names, `low` and `high` bound its scores; a cell ends where the next one
    of its label begins.
    """

    positive: int
    threshold: float
    label: Labels
    low: Floats
    high: Floats

    def of(self, probabilities: Floats) -> Labels:
        """The cell of each row of `[rows, classes]`; -1 where no cell names its label."""
        named, scores = _named(probabilities, self.positive, self.threshold)
        cell = np.full(len(scores), -1, dtype=np.int64)
        for label in np.unique(self.label).tolist():
            own, rows = np.flatnonzero(self.label == label), named == label
            cell[rows] = own[np.searchsorted(self.high[own][:-1], scores[rows], side="left")]
        return cell


def _named(probabilities: Floats, positive: int, threshold: float) -> tuple[Labels, Floats]:
    """The label that each row names, and its score."""
    named = labels_from(probabilities, positive, threshold)
    scores = probabilities[:, positive] if positive >= 0 else probabilities.max(axis=1)
    return named, scores


def divide(reference: Reference, probabilities: Floats) -> Strata:
    """Strata of these predictions `[rows, classes]`: each label has cells by its share, at least one."""
    named, scores = _named(probabilities, reference.positive, reference.threshold)
    labels, lows, highs = [], [], []
    order = np.unique(named).tolist()
    if reference.positive >= 0:
        order.sort(key=lambda label: label == reference.positive)
    for label in order:
        own = scores[named == label]
        cells = max(1, round(STRATA * len(own) / len(scores)))
        inner = np.quantile(own, np.arange(1, cells) / cells, method="inverted_cdf")
        ends = np.unique(np.append(inner, own.max()))
        labels += [label] * len(ends)
        lows += [float(own.min()), *ends[:-1].tolist()]
        highs += ends.tolist()
    return Strata(
        reference.positive,
        reference.threshold,
        np.array(labels, dtype=np.int64),
        np.array(lows, dtype=np.float64),
        np.array(highs, dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Covered:
    """Predictions that are due a label, by cell: `cell` `[rows]`, and `due` and `labelled` predictions `[cells]`.

    They stand in `rows` and `came` rows `[cells]`: where there are many, one that has no label may stand for more.
    """

    strata: Strata
    cell: Labels
    due: Floats
    labelled: Floats
    rows: Floats
    came: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """Cells of which there are labels enough, `[cells]`."""
        return self.came >= np.minimum(FEWEST_LABELS, np.maximum(1, self.rows))

    def uneven(self, psi_limit: float) -> tuple[bool, float | None]:
        """Whether labelled scores are others than all, and the p-value: by a test of rows, and by the PSI."""
        _, p = two_samples.chi_square(self.came, self.rows - self.came)
        if p is None or p > P_LIMIT:
            return False, p
        # Counts as large as the rows that they come from: the index takes off what chance adds.
        due, labelled = (
            some * rows.sum() / some.sum() for some, rows in ((self.due, self.rows), (self.labelled, self.came))
        )
        return psi.index(due, labelled).value > psi_limit, p

    def weights(self) -> Floats:
        """How many predictions a labelled row of each cell stands for, `[cells]`; 0 where too few are known."""
        return np.where(self.known, self.due / np.maximum(1.0, self.labelled), 0.0)


def cover(reference: Reference, due: Labelled) -> Covered:
    """Count rows that are due by cell; there is at least one row."""
    strata = divide(reference, due.probabilities)
    cell = strata.of(due.probabilities)
    known, counts = due.known, due.counts

    def count(rows: NDArray[np.bool_], weights: Floats | None) -> Floats:
        weights = None if weights is None else weights[rows]
        return np.bincount(cell[rows], weights, minlength=len(strata.label)).astype(np.float64)

    whole = np.ones(len(cell), dtype=np.bool_)
    return Covered(strata, cell, count(whole, counts), count(known, counts), count(whole, None), count(known, None))


def coverage(reference: Reference, due: Labelled, waiting: int, min_rows: int, psi_limit: float) -> Coverage:
    """For which scores labels came: uneven where the labelled ones' scores are others than all, by test and PSI."""
    rows, labelled = len(due.labels), int(due.known.sum())
    if rows < min_rows:
        return Coverage(
            status="waiting" if rows + waiting >= min_rows else "not-enough-data",
            message=f"{rows} predictions are old enough to have a label; {min_rows} are needed.",
            rows=rows,
            labelled=labelled,
            share=labelled / max(1, rows),
            p=None,
            deciles=[],
        )
    covered = cover(reference, due)
    rows = round(float(covered.due.sum()))
    uneven, p = covered.uneven(psi_limit)
    deciles = [_decile(reference, due, covered, cell) for cell in range(len(covered.due))]
    message = f"{labelled} of {rows} predictions have a label, evenly by score."
    if uneven:
        most, least = (pick(deciles, key=lambda one: one.coverage) for pick in (max, min))
        message = (
            f"Labels came for {most.coverage:.0%} of the predictions scored {_span(reference, most)} "
            f"and {least.coverage:.0%} of those scored {_span(reference, least)}: plain figures mislead."
        )
    elif labelled < MIN_LABELLED:
        message = f"{labelled} of {rows} predictions have a label; {MIN_LABELLED} are needed to say for which."
    return Coverage(
        status="uneven" if uneven else "ok" if labelled >= MIN_LABELLED else "not-enough-data",
        message=message,
        rows=rows,
        labelled=labelled,
        share=float(covered.labelled.sum() / covered.due.sum()),
        p=p,
        deciles=deciles,
    )


def _span(reference: Reference, one: Decile) -> str:
    in_unit = isinstance(reference.task, Regression)
    return f"{score(one.low, in_unit=in_unit)} to {score(one.high, in_unit=in_unit)}"


def _decile(reference: Reference, due: Labelled, covered: Covered, cell: int) -> Decile:
    delays = due.delay[(covered.cell == cell) & due.known]
    delays = delays[~np.isnan(delays)]
    return Decile(
        label=reference.classes[int(covered.strata.label[cell])],
        low=float(covered.strata.low[cell]),
        high=float(covered.strata.high[cell]),
        rows=round(float(covered.due[cell])),
        labelled=int(covered.came[cell]),
        coverage=float(covered.labelled[cell] / max(1.0, covered.due[cell])),
        delay_median=float(np.median(delays)) if len(delays) else None,
    )
