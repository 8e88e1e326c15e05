"""What the candidate is worth on rows that no training run ever saw. Nothing is fitted here."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from andamio import metrics
from andamio.bootstrap import Scorer, interval
from andamio.contract import Contract
from andamio.encode import Encoded
from andamio.errors import TrainingError
from andamio.model import Model
from andamio.ports import Objects
from andamio.threshold import labels_from
from training import dataset
from training.dataset import Rows
from training.importance import IMPORTANCE, importance
from training.runs import EVALUATION, FIT, PLAN, Run, candidate_file, to_json

LATENCY_CALLS, LATENCY_WARM_UP = 500, 50

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a run offers: the fit's result, the sealed contract, the model."""

    fit: dict[str, Any]
    contract: Contract
    model: Model


def load_candidate(run: Run) -> Candidate:
    """Read the candidate, its digests checked; raises `TrainingError` when the fit left none."""
    fit = run.need(FIT, "fit")
    if fit["status"] != "fitted":
        raise TrainingError(f"Run {run.id} has no candidate: its fit ended as '{fit['status']}'")
    read = {name: run.read(candidate_file(name), fit["files"][name], "fit") for name in ("contract.json", "model.onnx")}
    contract = Contract.from_json(read["contract.json"])
    return Candidate(fit, contract, Model(contract, read["model.onnx"]))


def load_holdout(lake: Objects, contract: Contract, version: str) -> Rows:
    """The holdout of a data version, encoded by a sealed contract."""
    return dataset.rows(contract, dataset.read_cells(lake, version, "holdout"), version=version)


def evaluate(lake: Objects, models: Objects, run_id: str) -> dict[str, Any]:
    """Score the candidate on the holdout and write the evaluation: every metric with its 95% interval."""
    run = Run(run_id, models)

    def compute() -> dict[str, Any]:
        planned, candidate = run.need(PLAN, "plan"), load_candidate(run)
        holdout = load_holdout(lake, candidate.contract, planned["dataset"])
        judged = candidate.contract, candidate.model, holdout, candidate.fit["threshold"], planned["seed"]
        found = assess(*judged)
        return {
            "run": run_id,
            "dataset": planned["dataset"],
            "split": planned["split"],
            "trial": candidate.fit["trial"],
            "model": candidate.fit["model"],
            "size_bytes": candidate.fit["size_bytes"],
            "latency_ms": latency_ms(candidate.model, holdout.encoded),
            "files": {IMPORTANCE: run.write(IMPORTANCE, to_json(importance(*judged)))},
            **found,
        }

    return run.once(EVALUATION, compute)


def assess(contract: Contract, model: Model, holdout: Rows, threshold: float, seed: int) -> dict[str, Any]:
    """Metrics with intervals (stratified by class, clustered by split key), the confusion matrix, `success`.

    `confusion` has a row per true class and a column per predicted class, in class order. A metric that is
    undefined on these rows is null.
    """
    probabilities = model.predict(holdout.encoded)
    keys = np.asarray(holdout.keys, dtype=np.str_)
    figures = {}
    for name in metrics.METRICS:
        scorer = Scorer(name, contract.positive_index, threshold)
        figures[name] = finite(asdict(interval(scorer, holdout.labels, probabilities, keys, seed)))
    said = labels_from(probabilities, contract.positive_index, threshold)
    classes = len(contract.classes)
    confusion = np.zeros((classes, classes), dtype=int)
    np.add.at(confusion, (holdout.labels, said), 1)
    counts = np.bincount(holdout.labels, minlength=classes).tolist()
    return {
        "metric": contract.training.metric,
        "metrics": figures,
        "threshold": threshold,
        "rows": len(holdout.labels),
        "groups": len(np.unique(keys)),
        "classes": dict(zip(contract.classes, counts, strict=True)),
        "confusion": confusion.tolist(),
        "success": success(contract, figures),
    }


def success(contract: Contract, figures: dict[str, dict[str, float | None]]) -> dict[str, Any] | None:
    """Whether the contract's `success` holds on the holdout's figures; None when it asks for nothing."""
    rule = contract.problem.success_rule()
    if rule is None:
        return None
    metric, comparison, bound = rule
    value = figures[metric]["value"]
    holds = value is not None and _COMPARE[comparison](value, bound)
    return {"rule": contract.problem.success, "value": value, "holds": holds}


def latency_ms(model: Model, rows: Encoded) -> float:
    """The median of 500 single-row calls after warm-up, in milliseconds."""
    singles = [rows.take(np.array([index % rows.rows])) for index in range(LATENCY_WARM_UP + LATENCY_CALLS)]
    taken: list[float] = []
    for single in singles:
        started = time.perf_counter()
        model.predict(single)
        taken.append(time.perf_counter() - started)
    return round(float(np.median(taken[LATENCY_WARM_UP:])) * 1000, 4)


def finite(figures: dict[str, Any]) -> dict[str, float | None]:
    """Figures for JSON: what is not a number is null."""
    return {name: float(value) if np.isfinite(value) else None for name, value in figures.items()}


def summary(written: dict[str, Any]) -> dict[str, Any]:
    """What the state machine needs of an evaluation."""
    figure = written["metrics"][written["metric"]]
    return {"run": written["run"], "metric": written["metric"], "rows": written["rows"], **figure}
