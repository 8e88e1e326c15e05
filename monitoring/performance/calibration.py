"""Probabilities against labels that came."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitoring.performance.window import Floats, Labels
from monitoring.results import Calibration, ReliabilityBin

_BINS, _ROWS_IN_A_BIN, _SIMULATIONS = 10, 10, 200


def calibration(labels: Labels, probabilities: Floats, weights: Floats, positive: int, seed: int) -> Calibration:
    """The expected calibration error (Naeini et al. 2015) in up to ten bins of about equal count, weighted.

    `by_chance_high` is from draws of labels by the probabilities themselves.
    """
    if positive >= 0:
        predicted, observed = probabilities[:, positive], labels == positive
    else:
        predicted, observed = probabilities.max(axis=1), labels == probabilities.argmax(axis=1)
    cells = max(1, min(_BINS, len(labels) // _ROWS_IN_A_BIN))
    edges = np.unique(np.quantile(predicted, np.arange(1, cells) / cells, method="inverted_cdf"))
    part = np.unique(np.searchsorted(edges, predicted, side="left"), return_inverse=True)[1]
    member = (part[:, None] == np.arange(part.max() + 1)) * weights[:, None]
    drawn = np.random.default_rng(seed).random((_SIMULATIONS, len(labels))) < predicted
    gaps = np.abs((np.vstack([observed, drawn]) - predicted) @ member) / weights.sum()
    errors = gaps.sum(axis=1)
    return Calibration(
        bins=[_bin(predicted, observed, member[:, cell]) for cell in range(member.shape[1])],
        error=float(errors[0]),
        by_chance_high=float(np.quantile(errors[1:], 0.95)),
    )


def _bin(predicted: Floats, observed: NDArray[np.bool_], weights: Floats) -> ReliabilityBin:
    return ReliabilityBin(
        rows=int((weights > 0).sum()),
        mean_predicted=float(np.average(predicted, weights=weights)),
        observed=float(np.average(observed, weights=weights)),
    )
