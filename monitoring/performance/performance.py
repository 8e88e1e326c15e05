"""Whether the champion has become worse, where labels came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.performance import difference, strata
from monitoring.performance.calibration import calibration
from monitoring.performance.difference import MOST_ROWS, Estimated, Measure
from monitoring.performance.strata import Strata
from monitoring.performance.window import Floats, Labelled
from monitoring.reference import Reference
from monitoring.results import Comparison, Coverage, Delay, Performance, PerformanceStatus

MIN_LABELLED, MIN_OF_CLASS = 50, 10
"""Labels below which a metric is not compared, and labels of each class where the metric needs every class."""
_NEEDS_CLASSES = frozenset({"roc_auc", "average_precision", "f1"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says of labels: the margin, the hours until one is due, the fewest rows, the largest PSI."""

    margin: float = 0.0
    label_delay_hours: float = 0.0
    min_rows: int = 200
    psi: float = 0.1


@dataclass(frozen=True, slots=True)
class _Known:
    """Rows that are due and labelled, with their weights; those of scores without labels are left out."""

    rows: Labelled
    weights: Floats
    strata: Strata
    cells: NDArray[np.bool_]

    @property
    def restricted(self) -> bool:
        """Whether some scores have no labels at all."""
        return not bool(self.cells.all())


def performance(reference: Reference, window: Labelled, terms: Terms, *, seed: int = 0) -> Performance:
    """Compare the contract's metric where labels came with out-of-fold and holdout rows together.

    A label that came before it was due does not count yet: labels that come early are of other rows than those that
    come late. The model is worse where the difference's interval lies below `-margin` with rows weighted by how rare
    labels are among like scores.
    """
    is_due = window.age >= terms.label_delay_hours
    due, young = window.take(is_due), (~is_due) if window.stands_for is None else window.stands_for[~is_due]
    waiting = window.waiting + round(float(young.sum()))
    coverage = strata.coverage(reference, due, waiting, terms.min_rows, terms.psi)
    labelled = int((due.labels >= 0).sum())
    if labelled < MIN_LABELLED:
        message = f"{labelled} labels have come for predictions that are old enough; {MIN_LABELLED} are needed."
        if waiting:
            message += f" {waiting} predictions are younger than the label delay."
        status: PerformanceStatus = "waiting" if waiting else "not-enough-data"
        return _performance(reference, window, terms, coverage, status, message, labelled, waiting)
    known = _known(reference, due)
    few = _too_few(reference, known)
    if few is not None:
        return _performance(reference, window, terms, coverage, "not-enough-data", few, labelled, waiting, known)
    plain, weighted = _comparisons(reference, known, reference.metric, seed)
    _, brier = _comparisons(reference, known, "brier", seed)
    worse = weighted is not None and weighted.difference.high is not None and weighted.difference.high < -terms.margin
    return _performance(
        reference,
        window,
        terms,
        coverage,
        "worse" if worse else "ok" if weighted is not None else "not-enough-data",
        _message(reference, terms, weighted, worse=worse),
        labelled,
        waiting,
        known,
        (plain, weighted, brier),
        seed,
    )


def _known(reference: Reference, due: Labelled) -> _Known:
    covered = strata.cover(reference, due)
    weights = covered.weights()[covered.cell] * due.counts
    rows = (due.labels >= 0) & (weights > 0)
    return _Known(due.take(rows), weights[rows], covered.strata, covered.known)


def _too_few(reference: Reference, known: _Known) -> str | None:
    rows = len(known.rows.labels)
    if rows < MIN_LABELLED:
        return f"{rows} labels are of scores that have labels at all; {MIN_LABELLED} are needed."
    counts = np.bincount(known.rows.labels, minlength=len(reference.classes))
    if reference.metric in _NEEDS_CLASSES and int(counts.min()) < MIN_OF_CLASS:
        rare = reference.classes[int(counts.argmin())]
        return f"{int(counts.min())} labels are '{rare}'; {reference.metric} needs {MIN_OF_CLASS} of each class."
    return None


def _comparisons(
    reference: Reference, known: _Known, metric: str, seed: int
) -> tuple[Comparison | None, Comparison | None]:
    """With every labelled row counted alike, and weighted."""
    measure = Measure(metric, reference.positive, reference.threshold)
    rows = known.rows
    before = _of_reference(reference, known, measure, seed + 1)

    def against(weights: Floats, *, weighted: bool) -> Comparison | None:
        found = difference.estimate(measure, rows.labels, rows.probabilities, weights, None, seed)
        return difference.compare(measure, before, found, weighted=weighted)

    return against(np.ones(len(rows.labels)), weighted=False), against(known.weights, weighted=True)


def _of_reference(reference: Reference, known: _Known, measure: Measure, seed: int) -> Estimated:
    """Out-of-fold and holdout; of the scores that have labels in the window, where not all have: out-of-fold alone."""
    own = reference.scores
    labels, probabilities, groups = own.labels, own.probabilities, own.groups
    if known.restricted:
        cell = known.strata.of(probabilities)
        kept = (cell >= 0) & known.cells[cell]
        labels, probabilities, groups = labels[kept], probabilities[kept], groups[kept]
    if not len(labels):
        return Estimated(np.nan, np.nan, 0)
    found = difference.estimate(measure, labels, probabilities, np.ones(len(labels)), groups, seed)
    return found if known.restricted else difference.together(found, reference.holdout.get(measure.metric))


def _message(reference: Reference, terms: Terms, found: Comparison | None, *, worse: bool) -> str:
    metric = reference.metric
    if found is None:
        return f"{metric} is not defined on the rows that can be compared."
    gap, low, high = found.difference.value or 0.0, found.difference.low or 0.0, found.difference.high or 0.0
    limit = f" by more than {terms.margin:g}" if terms.margin else ""
    verdict = f"The model has become worse{limit}" if worse else f"No sign that the model has become worse{limit}"
    return (
        f"{verdict}: {metric} is {found.window.value:.3f}, {found.reference.value:.3f} before, and the difference for "
        f"better {gap:+.3f} ({low:+.3f} to {high:+.3f})."
    )


def _performance(
    reference: Reference,
    window: Labelled,
    terms: Terms,
    coverage: Coverage,
    status: PerformanceStatus,
    message: str,
    labelled: int,
    waiting: int,
    known: _Known | None = None,
    figures: tuple[Comparison | None, Comparison | None, Comparison | None] = (None, None, None),
    seed: int = 0,
) -> Performance:
    holdout = reference.holdout.get(reference.metric)
    calibrated = None
    if known is not None and len(known.rows.labels):
        some = slice(0, MOST_ROWS)
        calibrated = calibration(
            known.rows.labels[some], known.rows.probabilities[some], known.weights[some], reference.positive, seed
        )
    delays = window.delay[(window.labels >= 0) & ~np.isnan(window.delay)]
    median, late = np.quantile(delays, [0.5, 0.9]).tolist() if len(delays) else (None, None)
    return Performance(
        status=status,
        message=message,
        metric=reference.metric,
        margin=terms.margin,
        reference_rows=len(reference.scores.labels) + (0 if holdout is None else holdout.rows),
        rows=coverage.rows,
        labelled=labelled,
        waiting=waiting,
        restricted=known is not None and known.restricted,
        plain=figures[0],
        weighted=figures[1],
        brier=figures[2],
        calibration=calibrated,
        coverage=coverage,
        delay=Delay(median=median, p90=late, longest=float(delays.max()) if len(delays) else None),
    )
