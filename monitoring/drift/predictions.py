"""Predictions of the window against out-of-fold predictions: scores, and how often each label is predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Classification, Regression
from andamio.release.threshold import labels_from
from monitoring.drift import psi, two_samples
from monitoring.drift.feature import cell_shares
from monitoring.drift.limits import Limits
from monitoring.drift.psi import Index
from monitoring.drift.two_samples import MIN_VALUES
from monitoring.reference import Reference
from monitoring.results import CellShares, LabelShare, PredictionDrift

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeasuredPredictions:
    """What is measured of scores and labels, before it is known which p-values count."""

    score_index: Index
    statistic: float
    p: float | None
    cells: list[CellShares]
    labels: list[LabelShare]
    label_index: Index | None
    labels_p: float | None

    def result(self, p_limit: float, limits: Limits) -> PredictionDrift:
        """What is reported, once the p-values that count are known."""
        scores = self.p is not None and self.p <= p_limit and self.score_index.value > limits.psi
        label_psi = None if self.label_index is None else self.label_index.value
        labels = (
            label_psi is not None and self.labels_p is not None and self.labels_p <= p_limit and label_psi > limits.psi
        )
        return PredictionDrift(
            status="drift" if scores or labels else "ok",
            psi=self.score_index.value,
            statistic=self.statistic,
            p=self.p,
            labels=self.labels,
            labels_psi=label_psi,
            labels_p=self.labels_p,
            scores_drifted=scores,
            labels_drifted=labels,
            cells=self.cells,
        )


def measure(
    reference: Reference, probabilities: NDArray[np.floating], labels: NDArray[np.int64]
) -> MeasuredPredictions:
    """Compare probabilities `[rows, classes]` and predicted labels `[rows]`, or values, with those out of fold."""
    own, window = reference.scores.probabilities, np.asarray(probabilities, dtype=np.float64)
    match reference.task:
        case Classification():
            return _of_classes(reference, own, window, labels)
        case Regression():
            ends = min(own.min(), window.min()), max(own.max(), window.max())
            index, (statistic, p), cells = _scores(own[:, 0], window[:, 0], *(f"{end:.3g}" for end in ends))
            return MeasuredPredictions(index, statistic, p, cells, [], None, None)


def _of_classes(reference: Reference, own: Floats, window: Floats, labels: NDArray[np.int64]) -> MeasuredPredictions:
    classes = [reference.positive] if reference.positive >= 0 else range(len(reference.classes))
    found = [_scores(own[:, label], window[:, label]) for label in classes]
    index, (statistic, least), cells = max(found, key=lambda one: (one[0].value, one[1][0]))
    least = min(p for _, (_, p), _ in found)
    predicted = labels_from(own, reference.positive, reference.threshold)
    before, after = (np.bincount(side, minlength=len(reference.classes)).astype(float) for side in (predicted, labels))
    _, labels_p = two_samples.chi_square(before, after)
    shares = cell_shares(list(reference.classes), before, after)
    return MeasuredPredictions(
        index,
        statistic,
        min(1.0, least * len(found)),
        cells,
        [LabelShare(label=one.label, reference=one.reference, window=one.window) for one in shares],
        psi.index(before, after),
        labels_p,
    )


def nothing() -> PredictionDrift:
    """What is said where rows are too few."""
    return PredictionDrift(
        status="not-enough-data",
        psi=None,
        statistic=None,
        p=None,
        labels=[],
        labels_psi=None,
        labels_p=None,
        scores_drifted=False,
        labels_drifted=False,
        cells=[],
    )


def enough(reference: Reference, rows: int) -> bool:
    """Whether there are predictions to compare on both sides."""
    return min(len(reference.scores.labels), rows) >= MIN_VALUES


def _scores(
    own: Floats, window: Floats, low: str = "0", high: str = "1"
) -> tuple[Index, tuple[float, float], list[CellShares]]:
    cells = psi.number_of_cells(len(own), len(window))
    edges = np.unique(np.quantile(own, np.arange(1, cells) / cells, method="inverted_cdf"))
    before, after = (
        np.bincount(np.searchsorted(edges, side, side="left"), minlength=len(edges) + 1).astype(np.float64)
        for side in (own, window)
    )
    ends = [f"{edge:.3g}" for edge in edges.tolist()]
    labels = [f"{start}..{end}" for start, end in zip([low, *ends], [*ends, high], strict=True)]
    found = two_samples.kolmogorov_smirnov(own, window)
    return psi.index(before, after), found, cell_shares(labels, before, after)
