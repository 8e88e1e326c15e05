"""What a release keeps of train: rows to compare traffic with, and honest scores with their labels.

Out-of-fold scores, never training scores: a model is surer of the rows it was fitted on, so whatever is
measured against training scores is wrong by construction.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.gate.decision import OutOfFold
from training.rows import TrainingRows

REFERENCE_ROWS = 1000
OUT_OF_FOLD_ROWS = 5000


def reference(contract: Contract, train: TrainingRows, seed: int) -> bytes:
    """`reference.json`: at most 1,000 rows of train drawn by seed, the model's features but the private ones.

    {"rows": n, "columns": {feature: [values]}}; numbers, canonical texts, ISO dates, null for no value. Where
    dates are among them and the contract has a time column, "time" is the day up to which each row's ages count.
    """
    picked = _draw(len(train.labels), REFERENCE_ROWS, seed)
    shown = [name for name, feature in contract.inputs.items() if not feature.private]
    table = train.table.take(picked)
    columns = {name: [_plain(value) for value in table.columns[name].tolist()] for name in shown}
    document: dict[str, Any] = {"rows": len(picked), "columns": columns}
    if table.time is not None and any(contract.inputs[name].type == "date" for name in shown):
        document["time"] = [_plain(day) for day in table.time.astype("datetime64[D]").tolist()]
    return _compact(document)


def out_of_fold(contract: Contract, train: TrainingRows, scores: NDArray[np.float64], seed: int) -> bytes:
    """`out_of_fold.json`: at most 5,000 rows drawn by seed, class index and probabilities in class order.

    {"rows": n, "classes": [keys], "labels": [index], "groups": [number], "scores": [[p, ...]]}; rows of one split key
    have the same group number, which says nothing else of them.
    """
    picked = _draw(len(train.labels), OUT_OF_FOLD_ROWS, seed)
    return _compact(
        {
            "rows": len(picked),
            "classes": list(contract.classes),
            "labels": train.labels[picked].tolist(),
            "groups": np.unique(np.asarray(train.keys, dtype=np.str_)[picked], return_inverse=True)[1].tolist(),
            "scores": np.round(scores[picked], 9).tolist(),
        }
    )


def read_out_of_fold(body: bytes) -> OutOfFold:
    """What `out_of_fold` wrote; without groups (an older release), each row stands for itself."""
    document = json.loads(body)
    labels = np.asarray(document["labels"], dtype=np.int64)
    groups = np.asarray(document.get("groups", range(len(labels)))).astype(np.str_)
    return OutOfFold(labels, groups, np.asarray(document["scores"], dtype=np.float64).reshape(len(labels), -1))


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


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
