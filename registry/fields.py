"""The fields of a run for an experiment tracker, independent of the tracker: names, numbers and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from andamio.dataset.version import AUDIT, MANIFEST, REPORT
from andamio.gate.decision import Figure
from andamio.release.release import IMPORTANCE
from registry.record import Record
from training.documents import FittedModel, ScoredTrial, UnscoredTrial

LONGEST_TAG = 5000

Json = dict[str, Any]
Trial = ScoredTrial | UnscoredTrial


def params(record: Record) -> Json:
    """The parameters of the run, and the selected trial."""
    plan, fit = record.plan, record.fit
    found = {
        "dataset": plan.dataset,
        "contract": plan.contract[:16],
        "seed": plan.seed,
        "metric": plan.metric,
        "families": ", ".join(plan.families),
        "rows": fit.rows,
        **{f"search.{name}": value for name, value in plan.search.model_dump().items()},
        **{f"version.{name}": version for name, version in plan.libraries.items()},
    }
    if isinstance(fit, FittedModel):
        found |= fit.model_dump(include={"trial", "family", "selection"})
        if fit.interval is None:
            found["threshold"] = fit.threshold
            found["calibration"] = json.dumps(fit.calibration.model_dump(exclude_none=True), sort_keys=True)
        else:
            found |= {f"interval.{name}": value for name, value in fit.interval.model_dump().items()}
        found |= fit.params
    return found


def figures(record: Record) -> dict[str, float]:
    """Cross-validated and holdout figures, those of the baselines, and the result of the search."""
    fit, evaluation = record.fit, record.evaluation
    crossed = fit.cross_validation if isinstance(fit, FittedModel) else {}
    found: dict[str, Any] = {f"cv_{name}": value for name, value in crossed.items()}
    for status in ("done", "failed", "pruned"):
        found[f"trials_{status}"] = sum(trial.status == status for trial in record.trials)
    if evaluation is not None:
        found |= _with_intervals("holdout", evaluation.metrics)
        for name, baseline in evaluation.baselines.items():
            found |= {f"{name}_{metric}": figure.value for metric, figure in baseline.items()}
        if evaluation.calibration is not None:
            found["holdout_calibration_error"] = evaluation.calibration.error
        if evaluation.numbers is not None:
            coverage = evaluation.numbers.coverage
            found |= {"holdout_coverage": coverage.share, "holdout_interval_width": coverage.width}
            found |= {"holdout_bias": evaluation.numbers.bias.value}
        found["holdout_rows"] = evaluation.rows
        found["slices_worse"] = sum(item.worse for item in evaluation.slices)
        found |= {"latency_ms": evaluation.latency_ms, "size_bytes": evaluation.size_bytes}
    return {name: float(value) for name, value in found.items() if value is not None}


def _with_intervals(prefix: str, metrics: Mapping[str, Figure]) -> Json:
    found: Json = {}
    for name, figure in metrics.items():
        found |= {
            f"{prefix}_{name}": figure.value,
            f"{prefix}_{name}_low": figure.low,
            f"{prefix}_{name}_high": figure.high,
        }
    return found


def trial_figures(record: Record, trial: Trial) -> dict[str, float]:
    """A trial's mean with its standard error, and what it cost."""
    found = {} if trial.seconds is None else {"seconds": trial.seconds}
    if isinstance(trial, ScoredTrial):
        metric = record.plan.metric
        found |= {f"cv_{metric}": trial.mean, f"cv_{metric}_standard_error": trial.se}
        found |= {"size_bytes": float(trial.size_bytes), "columns": trial.columns}
    return found


def trial_params(trial: Trial) -> Json:
    """What a trial tried, and of train the rows and folds that it was given where these were not all."""
    given = trial.model_dump(include={"rows", "first_folds"}, exclude_none=True)
    return {**trial.model_dump(include={"family", "selection", "round", "simplicity"}), **given, **trial.params}


def trial_note(record: Record, trial: Trial) -> str:
    """A note on a trial in one sentence, or ""."""
    if isinstance(trial, UnscoredTrial):
        return f"{trial.status}: {trial.why}"
    notes = ["The trial whose model was exported."] if trial.id == exported(record) else []
    notes += [f"Fitted on {trial.rows:,} rows: {trial.limited}."] if trial.limited else []
    return " ".join(notes)


def exported(record: Record) -> str | None:
    """The trial whose model was exported, if one was."""
    return record.fit.trial if isinstance(record.fit, FittedModel) else None


def files(record: Record) -> dict[str, bytes]:
    """What a run leaves whatever is decided on it: path -> content."""
    found = {"fit.json": record.fit.to_json(), "plan.json": record.plan.to_json()}
    if record.evaluation is not None:
        found["evaluation.json"] = record.evaluation.to_json()
    if record.importance is not None:
        found[IMPORTANCE] = record.importance.to_json()
    for name, document in ((MANIFEST, record.manifest), (AUDIT, record.audit)):
        if document is not None:
            found[f"data/{name}"] = document.to_json()
    if record.report is not None:
        found[f"data/{REPORT}"] = record.report
    return found | {f"plots/{name}.svg": body for name, body in record.plots.items()}


def decision_files(record: Record) -> dict[str, bytes]:
    """What follows from the decision, which may be taken again."""
    found = {} if record.decision is None else {"decision.json": record.decision.to_json()}
    return found | (record.card.files() if record.card is not None else {})


def note(record: Record) -> str:
    """The run's description: the card's verdict and figures, or why there is no model."""
    if record.card is not None:
        text = f"{record.card.summary}\nThe whole model card is among the artifacts: card.html, card.md."
    elif record.decision is not None:
        text = record.decision.reason
    else:
        attempts = [f"{item.trial}: {item.error or 'no parity'}" for item in record.fit.attempts]
        text = f"No model: the run ended as “{record.fit.status}”. " + "; ".join(attempts)
    return text if len(text) <= LONGEST_TAG else text[: LONGEST_TAG - 1] + "…"
