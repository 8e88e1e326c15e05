"""Whether the champion has become worse, where labels came."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Classification, Regression
from andamio.stats.conformal import held
from andamio.stats.figures import figure
from andamio.stats.metrics import in_units
from monitoring.performance import difference, strata
from monitoring.performance.calibration import calibration
from monitoring.performance.difference import MOST_ROWS, Estimated, Measure
from monitoring.performance.residuals import residuals
from monitoring.performance.strata import MIN_LABELLED, Strata
from monitoring.performance.window import Floats, Labelled
from monitoring.reference import Reference, Scores
from monitoring.results import Calibration, Comparison, Coverage, Delay, Performance, PerformanceStatus, Residuals

MIN_OF_CLASS = 10
"""Labels of each class below which a metric that needs every class is not compared."""
_NEEDS_CLASSES = frozenset({"roc_auc", "average_precision", "f1"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says of labels: the margin, the hours until one is due, the fewest rows, the largest PSI."""

    margin: float = 0.0
    label_delay_hours: float = 0.0
    min_rows: int = 200
    psi: float = 0.1

    def limit(self, reference: Reference, found: Comparison) -> float:
        """How much worse the metric may be: of one in the target's unit the margin is a share of what it was."""
        return self.margin * (found.reference.value or 0.0) if in_units(reference.metric) else self.margin


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
    labelled = int(due.known.sum())
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
    worse = (
        weighted is not None
        and weighted.difference.high is not None
        and weighted.difference.high < -terms.limit(reference, weighted)
    )
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
        (plain, weighted),
        seed,
    )


def _known(reference: Reference, due: Labelled) -> _Known:
    covered = strata.cover(reference, due)
    weights = covered.weights()[covered.cell] * due.counts
    rows = due.known & (weights > 0)
    return _Known(due.take(rows), weights[rows], covered.strata, covered.known)


def _too_few(reference: Reference, known: _Known) -> str | None:
    rows = len(known.rows.labels)
    if rows < MIN_LABELLED:
        return f"{rows} labels are of scores that have labels at all; {MIN_LABELLED} are needed."
    if reference.metric not in _NEEDS_CLASSES:
        return None
    counts = np.bincount(known.rows.labels, minlength=len(reference.classes))
    if int(counts.min()) < MIN_OF_CLASS:
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
    own = _comparable(reference, known)
    if not len(own.labels):
        return Estimated(np.nan, np.nan, 0)
    found = difference.estimate(measure, own.labels, own.probabilities, np.ones(len(own.labels)), own.groups, seed)
    return found if known.restricted else difference.together(found, reference.holdout.get(measure.metric))


def _comparable(reference: Reference, known: _Known) -> Scores:
    """The out-of-fold rows of the scores that have labels in the window."""
    own = reference.scores
    if not known.restricted:
        return own
    cell = known.strata.of(own.probabilities)
    kept = (cell >= 0) & known.cells[cell]
    return Scores(own.labels[kept], own.probabilities[kept], own.groups[kept])


@dataclass(frozen=True, slots=True)
class _Details:
    """What is said beside the contract's metric, by the task."""

    brier: Comparison | None = None
    calibration: Calibration | None = None
    residuals: Residuals | None = None


def _details(reference: Reference, known: _Known | None, *, compared: bool, seed: int) -> _Details:
    if known is None or not len(known.rows.labels):
        return _Details()
    rows, weights = known.rows, known.weights
    match reference.task:
        case Classification():
            some = slice(0, MOST_ROWS)
            calibrated = calibration(
                rows.labels[some], rows.probabilities[some], weights[some], reference.positive, seed
            )
            return _Details(_comparisons(reference, known, "brier", seed)[1] if compared else None, calibrated)
        case Regression() as task:
            own = _comparable(reference, known)
            if not compared or reference.margins is None or not len(own.labels):
                return _Details()
            values = rows.probabilities[:, 0]
            ends = reference.margins.around(values, task.low, task.high)
            holds = held(rows.labels.astype(np.float64), ends, task.low, task.high)
            errors = own.probabilities[:, 0] - own.labels
            return _Details(
                residuals=residuals(rows.labels, values, weights, errors, own.groups, reference.margins, holds)
            )


def _message(reference: Reference, terms: Terms, found: Comparison | None, *, worse: bool) -> str:
    metric = reference.metric
    if found is None:
        return f"{metric} is not defined on the rows that can be compared."
    gap, low, high = found.difference.value or 0.0, found.difference.low or 0.0, found.difference.high or 0.0
    shown = partial(figure, reference.metric)
    limit = f" by more than {shown(terms.limit(reference, found))}" if terms.margin else ""
    verdict = f"The model has become worse{limit}" if worse else f"No sign that the model has become worse{limit}"
    return (
        f"{verdict}: {metric} is {shown(found.window.value)}, {shown(found.reference.value)} before, and the "
        f"difference for better {shown(gap, signed=True)} ({shown(low, signed=True)} to {shown(high, signed=True)})."
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
    figures: tuple[Comparison | None, Comparison | None] = (None, None),
    seed: int = 0,
) -> Performance:
    holdout = reference.holdout.get(reference.metric)
    details = _details(reference, known, compared=any(figures), seed=seed)
    delays = window.delay[window.known & ~np.isnan(window.delay)]
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
        brier=details.brier,
        calibration=details.calibration,
        residuals=details.residuals,
        coverage=coverage,
        delay=Delay(median=median, p90=late, longest=float(delays.max()) if len(delays) else None),
    )
