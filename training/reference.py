"""What a release keeps of train: rows to compare traffic with, and honest scores with their labels.

Out-of-fold scores, never training scores: a model is surer of the rows it was fitted on, so whatever is
measured against training scores is wrong by construction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.gate.decision import OutOfFold
from andamio.release.samples import OutOfFoldScores, ReferenceRows
from training.rows import TrainingRows

REFERENCE_ROWS = 1000
OUT_OF_FOLD_ROWS = 5000


def reference(contract: Contract, train: TrainingRows, seed: int) -> ReferenceRows:
    """At most 1,000 rows of train drawn by seed, the model's features but the private ones."""
    picked = _draw(len(train.labels), REFERENCE_ROWS, seed)
    shown = [name for name, feature in contract.inputs.items() if not feature.private]
    table = train.table.take(picked)
    columns = {name: tuple(map(_plain, table.columns[name].tolist())) for name in shown}
    time = None
    if table.time is not None and any(contract.inputs[name].type == "date" for name in shown):
        time = tuple(map(_plain, table.time.astype("datetime64[D]").tolist()))
    return ReferenceRows(len(picked), columns, time)


def out_of_fold(contract: Contract, train: TrainingRows, scores: NDArray[np.float64], seed: int) -> OutOfFoldScores:
    """At most 5,000 rows drawn by seed, of calibrated out-of-fold `scores` `[rows, outputs]`."""
    picked = _draw(len(train.labels), OUT_OF_FOLD_ROWS, seed)
    groups = np.unique(np.asarray(train.keys, dtype=np.str_)[picked], return_inverse=True)[1]
    return OutOfFoldScores(
        rows=len(picked),
        classes=contract.task.outputs,
        labels=tuple(train.labels[picked].tolist()),
        groups=tuple(groups.tolist()),
        scores=tuple(map(tuple, _shortened(contract, scores[picked]).tolist())),
    )


def out_of_fold_of(document: OutOfFoldScores) -> OutOfFold:
    """The scores as the gate takes them."""
    of_numbers = document.classes == Regression.outputs
    labels = np.asarray(document.labels, dtype=np.float64 if of_numbers else np.int64)
    scores = np.asarray(document.scores, dtype=np.float64).reshape(len(labels), -1)
    return OutOfFold(labels, np.asarray(document.groups).astype(np.str_), scores)


def _shortened(contract: Contract, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nine decimals of a probability; nine digits of a number, whose unit may be as small as it likes."""
    if not isinstance(contract.task, Regression):
        return np.round(scores, 9)
    return np.array([float(f"{score:.9g}") for score in scores.flat], dtype=np.float64).reshape(scores.shape)


def _draw(rows: int, max_rows: int, seed: int) -> NDArray[np.int64]:
    if rows <= max_rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=max_rows, replace=False))


def _plain(value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str) else value.isoformat()
