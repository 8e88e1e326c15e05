"""The threshold of a two-class problem, chosen on out-of-fold scores and sealed in the release.

A row counts as positive when its score is at or above the threshold, as in `andamio.release.threshold`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from andamio.contract.tables import Costs

DEFAULT = 0.5


def choose(rule: float | Literal["f1"] | Costs, positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The threshold by a contract's rule, given which rows are positive and their scores, both [rows].

    "f1" maximises F1 of the positive class; costs minimise cost_fp * false positives + cost_fn * false
    negatives. Candidates lie half-way between neighbouring scores; of equals, the one nearest to 0.5.
    """
    if isinstance(rule, float):
        return rule
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], positive[order]
    values, first = np.unique(ordered, return_index=True)
    # Cut i calls rows first[i]: positive; the last cut calls none positive.
    cuts = np.append(first, len(ordered))
    candidates = np.concatenate([values[:1] / 2, (values[:-1] + values[1:]) / 2, (values[-1:] + 1) / 2])
    positives_below = np.concatenate([[0], np.cumsum(truth)])[cuts]
    false_negatives = positives_below
    true_positives = truth.sum() - false_negatives
    false_positives = (len(ordered) - cuts) - true_positives
    if isinstance(rule, Costs):
        loss = rule.cost_fp * false_positives + rule.cost_fn * false_negatives
    else:
        loss = -2.0 * true_positives / np.maximum(1, 2 * true_positives + false_positives + false_negatives)
    if values[-1] >= 1:  # no threshold calls a row negative whose score is 1
        candidates, loss = candidates[:-1], loss[:-1]
    near = np.flatnonzero(loss <= loss.min() + 1e-12)
    return float(candidates[near[np.argmin(np.abs(candidates[near] - DEFAULT))]])
