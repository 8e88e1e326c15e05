"""What is found of a regression on the holdout beside its metrics: bias, intervals, and errors by prediction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract.task import Regression
from andamio.gate.decision import Figure
from andamio.stats.conformal import Margins, held
from andamio.stats.metrics import pinball_losses
from training.evaluate import intervals
from training.evaluate.documents import Coverage, Numbers, ValueBin

Floats = NDArray[np.float64]

POINTS = 500
BINS, ROWS_IN_A_BIN = 10, 10


def numbers(
    task: Regression, truth: Floats, predicted: Floats, keys: NDArray[np.str_], margins: Margins, seed: int
) -> Numbers:
    """Of predictions `[n]` of rows whose truth `[n]` is known; `keys` `[n]` say which rows are one observation."""
    low, high = margins.around(predicted, task.low, task.high)
    holds = held(truth, (low, high), task.low, task.high)
    rows = intervals.Rows.of(truth, keys)
    picked = np.sort(np.random.default_rng(seed).permutation(len(truth))[:POINTS])
    return Numbers(
        unit=task.unit,
        log=task.log,
        spread=float(truth.std()),
        bias=Figure.of(intervals.mean_of(rows, predicted - truth)),
        coverage=_coverage(rows, holds, margins.level, low, high),
        bins=[
            ValueBin(
                low=float(predicted[part].min()),
                high=float(predicted[part].max()),
                rows=len(part),
                mean_predicted=float(predicted[part].mean()),
                mean_actual=float(truth[part].mean()),
                error=float(np.sqrt(np.mean((predicted[part] - truth[part]) ** 2))),
                coverage=float(holds[part].mean()),
            )
            for part in _bins(predicted)
        ],
        points=[[float(f"{x:.6g}"), float(f"{y:.6g}")] for x, y in zip(predicted[picked], truth[picked], strict=True)],
    )


def _coverage(rows: intervals.Rows, held: NDArray[np.bool_], level: float, low: Floats, high: Floats) -> Coverage:
    share = intervals.share_of(rows, held)
    ends = [pinball_losses(rows.labels, end, part) for end, part in ((low, (1 - level) / 2), (high, (1 + level) / 2))]
    return Coverage(
        level=level,
        rows=len(held),
        share=share.value,
        low=share.low,
        high=share.high,
        width=float(np.mean(high - low)),
        pinball=float(np.mean(ends)),
    )


def _bins(predicted: Floats) -> list[NDArray[np.int64]]:
    """Rows in the order of their prediction, in parts of about equal count."""
    count = max(1, min(BINS, len(predicted) // ROWS_IN_A_BIN))
    return [part for part in np.array_split(np.argsort(predicted, kind="stable"), count) if len(part)]
