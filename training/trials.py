"""One trial: a cross-validation of one family, a function call of its own."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio import metrics
from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.ports import Objects
from training import dataset, families, folds
from training.dataset import Rows
from training.runs import PLAN, Run, scores_file, trial_file

Floats = NDArray[np.float64]


def trial(lake: Objects, models: Objects, run_id: str, trial_id: str) -> dict[str, Any]:
    """Cross-validate one planned trial and write its result and its out-of-fold probabilities.

    A family that cannot be fitted to these data is a result with status "failed", for others may be.
    """
    run = Run(run_id, models)
    planned = run.need(PLAN, "plan")
    found = [spec for spec in planned["trials"] if spec["id"] == trial_id]
    if not found:
        raise TrainingError(f"Run {run_id} has no trial '{trial_id}'")
    spec = found[0]

    def compute() -> dict[str, Any]:
        started = time.perf_counter()
        sealed, train = load_train(lake, run, planned["dataset"])
        try:
            result, out_of_fold = cross_validate(sealed, train, spec["family"], spec["params"], planned["seed"])
        except (ValueError, FloatingPointError) as error:
            return {**spec, "status": "failed", "reason": f"{type(error).__name__}: {error}"[:500]}
        scores = run.write(scores_file(trial_id), to_npy(out_of_fold))
        return {**spec, **result, "status": "done", "scores": scores, "seconds": time.perf_counter() - started}

    return run.once(trial_file(trial_id), compute)


def load_train(lake: Objects, run: Run, version: str) -> tuple[Contract, Rows]:
    """The run's contract sealed by train, and train encoded by it."""
    contract = run.contract()
    cells = dataset.read_cells(lake, version, "train")
    sealed = dataset.seal(contract, cells)
    return sealed, dataset.rows(sealed, cells, version=version)


def cross_validate(
    contract: Contract, train: Rows, family: str, params: dict[str, Any], seed: int
) -> tuple[dict[str, Any], Floats]:
    """Score one family on each fold with the contract's metric; with it, out-of-fold probabilities [rows, classes].

    The mean is over folds where the metric is defined (a fold may lack a class), its standard error is the
    sample standard deviation of fold scores over the square root of their number.
    """
    parts = folds.folds(train.labels, train.keys, contract.classes, seed)
    out_of_fold = np.full((len(train.labels), len(contract.classes)), np.nan)
    for fitted_on, scored in parts:
        fitted = families.fit(
            family,
            train.encoded.take(fitted_on),
            train.labels[fitted_on],
            classes=len(contract.classes),
            seed=seed,
            class_weight=contract.training.class_weight,
            params=params,
        )
        out_of_fold[scored] = fitted.predict(train.encoded.take(scored))
    if not np.isfinite(out_of_fold).all():
        raise ValueError("predicted something that is not a finite number")

    def score(rows: NDArray[Any]) -> float:
        return metrics.score(
            contract.training.metric,
            train.labels[rows],
            out_of_fold[rows],
            positive=contract.positive_index,
            threshold=fixed_threshold(contract),
        )

    scores = [score(scored) for _, scored in parts]
    defined = np.array([value for value in scores if np.isfinite(value)])
    if not len(defined):  # every fold lacks a class: all rows together do not
        defined = np.array([score(np.arange(len(train.labels)))])
    error = float(defined.std(ddof=1) / np.sqrt(len(defined))) if len(defined) > 1 else 0.0
    result = {
        "metric": contract.training.metric,
        "folds": [float(value) if np.isfinite(value) else None for value in scores],
        "fold_rows": [len(scored) for _, scored in parts],
        "mean": float(defined.mean()),
        "standard_error": error,
    }
    return result, out_of_fold


def fixed_threshold(contract: Contract) -> float:
    """The threshold that fold scores are taken at: the contract's number, or 0.5 while it is still to be chosen."""
    rule = contract.training.threshold
    return rule if isinstance(rule, float) else 0.5


def to_npy(values: Floats) -> bytes:
    """An array as .npy bytes; what reads them never unpickles."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def from_npy(body: bytes) -> Floats:
    """An array from .npy bytes; pickles are refused."""
    values: Floats = np.load(io.BytesIO(body), allow_pickle=False)
    return values
