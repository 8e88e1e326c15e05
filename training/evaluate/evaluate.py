"""Evaluation of the candidate on the holdout, which no training run has seen. Nothing is fitted here."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.metrics import metrics_of
from andamio.contract.task import Regression
from andamio.dataset import version as dataset
from andamio.errors import TrainingError
from andamio.gate import rules
from andamio.gate.decision import Figure
from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.release.samples import OutOfFoldScores
from andamio.release.threshold import labels_from
from andamio.stats.conformal import Margins
from andamio.storage import documents
from andamio.storage.ports import Objects
from training import reference, rows
from training.documents import FittedModel, IntervalResult
from training.evaluate import baselines, curves, intervals, numbers, plots, slices
from training.evaluate.documents import Assessment, Evaluation, Success
from training.evaluate.importance import IMPORTANCE, importance
from training.events import EvaluationSummary
from training.rows import TrainingRows
from training.run import EVALUATION_FILE, Run, candidate_file

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

    fit: FittedModel
    contract: Contract
    model: Model


def load_candidate(run: Run) -> Candidate:
    """Read the candidate, its digests checked; raises `TrainingError` when the fit left none."""
    fit = run.fit()
    if not isinstance(fit, FittedModel):
        raise TrainingError(f"Run {run.id} has no candidate: its fit ended as '{fit.status}'")
    read = {name: run.read(candidate_file(name), fit.files[name], "fit") for name in ("contract.json", "model.onnx")}
    contract = Contract.from_json(read["contract.json"])
    return Candidate(fit, contract, Model(contract, read["model.onnx"]))


def load_holdout(lake: Objects, contract: Contract, version: str) -> TrainingRows:
    """The holdout of a data version, encoded by a sealed contract."""
    return rows.encode_rows(contract, dataset.read_columns(lake, version, "holdout"), version=version)


def evaluate(lake: Objects, models: Objects, run_id: str) -> Evaluation:
    """Score the candidate on the holdout, and write the evaluation, its plots, and the features' importance."""
    run = Run(run_id, models)

    def compute() -> Evaluation:
        plan, candidate = run.plan(), load_candidate(run)
        contract, version, limit = candidate.contract, plan.dataset, candidate.fit.threshold
        train, holdout = (
            rows.encode_rows(contract, dataset.read_columns(lake, version, side), version=version)
            for side in ("train", "holdout")
        )
        arguments = contract, candidate.model, holdout, limit, plan.seed
        found = assess(*arguments, train, out_of_fold(run, candidate), candidate.fit.interval)
        feature_importance = importance(*arguments)
        files = {IMPORTANCE: feature_importance.to_json(), **plots.plots(found, feature_importance)}
        return Evaluation(
            **found.model_dump(),
            run=run_id,
            dataset=plan.dataset,
            split=plan.split,
            trial=candidate.fit.trial,
            model=candidate.fit.model,
            size_bytes=candidate.fit.size_bytes,
            latency_ms=latency_ms(candidate.model, holdout.encoded),
            files={name: run.write(name, body) for name, body in files.items()},
        )

    return run.once(EVALUATION_FILE, Evaluation, compute)


def assess(
    contract: Contract,
    model: Model,
    holdout: TrainingRows,
    threshold: float,
    seed: int,
    train: TrainingRows,
    out_of_fold_scores: rules.OutOfFold,
    interval: IntervalResult | None = None,
) -> Assessment:
    """Assess a model on rows of the holdout; rows of one split key are one observation.

    `interval` is that of a regression, which has one.
    """
    probabilities = model.predict(holdout.encoded)
    counts = rules.class_rows(holdout.labels, len(contract.classes))
    others = baselines.baselines(contract, train, holdout, seed)
    figures, baseline_figures, gains = baselines.compare(contract, holdout, probabilities, threshold, others)
    low = rules.low_evidence(counts, len(holdout.labels))
    cross_validated = _cross_validated(contract, out_of_fold_scores, threshold) if low else None
    return Assessment(
        metric=contract.training.metric,
        metrics=figures,
        baselines=baseline_figures,
        gains=gains,
        threshold=threshold,
        rows=len(holdout.labels),
        groups=len(set(holdout.keys)),
        classes=dict(zip(contract.classes, counts, strict=True)),
        class_order=list(contract.classes),
        texts=dict(contract.texts),
        positive=contract.classes[contract.positive_index] if contract.positive_index >= 0 else None,
        **_by_task(contract, holdout, probabilities.astype(np.float64), threshold, interval, seed),
        slices=slices.assess(
            contract,
            probabilities,
            holdout,
            threshold,
            slices.slices(contract, train.table.columns, holdout.table),
        ),
        low_evidence=low,
        cross_validated=cross_validated,
        success=success(contract, cross_validated or figures),
    )


def _by_task(
    contract: Contract,
    holdout: TrainingRows,
    scores: NDArray[np.float64],
    threshold: float,
    interval: IntervalResult | None,
    seed: int,
) -> dict[str, Any]:
    """The parts of an assessment that speak of classes, or of numbers."""
    task, truth = contract.task, holdout.labels
    if isinstance(task, Regression):
        if interval is None:
            raise TrainingError("The fit of a regression left no interval: train again")
        keys, margins = np.asarray(holdout.keys, dtype=np.str_), Margins(**interval.model_dump())
        found = numbers.numbers(task, truth, scores[:, 0], keys, margins, seed)
        return {"confusion": [], "calibration": None, "curves": None, "numbers": found}
    confusion = np.zeros((len(task.outputs), len(task.outputs)), dtype=int)
    np.add.at(confusion, (truth, labels_from(scores, task.positive, threshold)), 1)
    return {
        "confusion": confusion.tolist(),
        "calibration": curves.calibration(contract, truth, scores, seed),
        "curves": curves.curves(contract, truth, scores),
    }


def out_of_fold(run: Run, candidate: Candidate) -> rules.OutOfFold:
    """The candidate's calibrated out-of-fold scores."""
    file = candidate_file("out_of_fold.json")
    body = run.read(file, candidate.fit.files["out_of_fold.json"], "fit")
    return reference.out_of_fold_of(documents.parse(body, OutOfFoldScores, run.key(file)))


def _cross_validated(contract: Contract, out_of_fold_scores: rules.OutOfFold, threshold: float) -> dict[str, Figure]:
    rows = intervals.Rows.of(out_of_fold_scores.labels, out_of_fold_scores.keys)
    scores, positive = out_of_fold_scores.probabilities, contract.positive_index
    return {
        name: Figure.of(intervals.estimate(name, rows, scores, positive=positive, threshold=threshold).interval)
        for name in metrics_of(contract)
    }


def success(contract: Contract, figures: dict[str, Figure]) -> Success | None:
    """Whether the contract's `success` holds on the holdout's figures; None when it is not set."""
    rule = contract.problem.success_rule()
    if rule is None:
        return None
    metric, comparison, bound = rule
    value = figures[metric].value
    holds = value is not None and _COMPARE[comparison](value, bound)
    return Success(rule=contract.problem.success, value=value, holds=holds)


def latency_ms(model: Model, rows: Encoded) -> float:
    """The median of 500 single-row calls after warm-up, in milliseconds."""
    singles = [rows.take(np.array([index % rows.rows])) for index in range(LATENCY_WARM_UP + LATENCY_CALLS)]
    seconds: list[float] = []
    for single in singles:
        started = time.perf_counter()
        model.predict(single)
        seconds.append(time.perf_counter() - started)
    return round(float(np.median(seconds[LATENCY_WARM_UP:])) * 1000, 4)


def summary(evaluation: Evaluation) -> EvaluationSummary:
    """What the state machine needs of an evaluation."""
    figure = dict(evaluation.metrics[evaluation.metric])
    return EvaluationSummary(run=evaluation.run, metric=evaluation.metric, rows=evaluation.rows, **figure)
