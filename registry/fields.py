"""What is noted of a run in an experiment tracker, before any tracker is involved: plain names, numbers and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from andamio.release.release import IMPORTANCE
from andamio.storage.documents import to_json
from registry.card.facts import standard_error, why
from registry.record import AUDIT, REPORT, Record

LONGEST_TAG = 5000

Json = dict[str, Any]


def params(record: Record) -> Json:
    """What the run was asked to do, and what it chose."""
    plan, fit = record.plan, record.fit
    found = {
        "dataset": plan["dataset"],
        "contract": plan["contract"][:16],
        "seed": plan["seed"],
        "metric": plan["metric"],
        "families": ", ".join(plan["families"]),
        "rows": fit["rows"],
        **{f"search.{name}": value for name, value in (plan.get("search") or {}).items()},
        **{f"version.{name}": version for name, version in plan["libraries"].items()},
    }
    if fit["status"] == "fitted":
        found |= {name: fit[name] for name in ("trial", "family", "selection", "threshold") if name in fit}
        if "calibration" in fit:
            found["calibration"] = json.dumps(fit["calibration"], sort_keys=True)
        found |= fit["params"]
    return found


def figures(record: Record) -> dict[str, float]:
    """Cross-validated and holdout figures, those of the baselines, and what the search came to."""
    fit, evaluation = record.fit, record.evaluation
    found: dict[str, Any] = {f"cv_{name}": value for name, value in fit.get("cross_validation", {}).items()}
    for status in ("done", "failed", "pruned"):
        found[f"trials_{status}"] = sum(trial["status"] == status for trial in record.trials)
    if evaluation is not None:
        found |= _with_intervals("holdout", evaluation["metrics"])
        for name, baseline in (evaluation.get("baselines") or {}).items():
            found |= {f"{name}_{metric}": figure["value"] for metric, figure in baseline.items()}
        found["holdout_calibration_error"] = (evaluation.get("calibration") or {}).get("error")
        found["holdout_rows"] = evaluation["rows"]
        found["slices_worse"] = sum(bool(item.get("worse")) for item in evaluation.get("slices") or [])
        found |= {name: evaluation[name] for name in ("latency_ms", "size_bytes") if name in evaluation}
    return {name: float(value) for name, value in found.items() if value is not None}


def _with_intervals(prefix: str, metrics: Mapping[str, Json]) -> Json:
    found: Json = {}
    for name, figure in metrics.items():
        found |= {
            f"{prefix}_{name}": figure["value"],
            f"{prefix}_{name}_low": figure.get("low"),
            f"{prefix}_{name}_high": figure.get("high"),
        }
    return found


def trial_figures(record: Record, trial: Json) -> dict[str, float]:
    """A trial's mean with its standard error, and what it cost."""
    metric = record.plan["metric"]
    found = {f"cv_{metric}": trial.get("mean"), f"cv_{metric}_standard_error": standard_error(trial)}
    found |= {name: trial.get(name) for name in ("seconds", "size_bytes", "columns")}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def trial_params(trial: Json) -> Json:
    """What a trial tried."""
    found = {
        name: trial[name] for name in ("family", "selection", "round", "simplicity") if trial.get(name) is not None
    }
    return {**found, **trial["params"]}


def trial_note(record: Record, trial: Json) -> str:
    """What to say of a trial in a sentence, if anything."""
    if trial["status"] != "done":
        return f"{trial['status']}: {why(trial)}"
    return "The trial whose model was exported." if trial["id"] == record.fit.get("trial") else ""


def files(record: Record) -> dict[str, bytes]:
    """What a run leaves whatever is decided on it: path -> content."""
    found = {"fit.json": to_json(record.fit), "plan.json": to_json(record.plan)}
    if record.evaluation is not None:
        found["evaluation.json"] = to_json(record.evaluation)
    if record.importance is not None:
        found[IMPORTANCE] = to_json(record.importance)
    for name, value in (("manifest.json", record.manifest), (AUDIT, record.audit)):
        if value is not None:
            found[f"data/{name}"] = to_json(value)
    if record.report is not None:
        found[f"data/{REPORT}"] = record.report
    return found | {f"plots/{name}.svg": body for name, body in record.plots.items()}


def decided_files(record: Record) -> dict[str, bytes]:
    """What follows from the decision, which may be taken again."""
    found = {} if record.decision is None else {"decision.json": to_json(record.decision)}
    return found | (record.card.files() if record.card is not None else {})


def note(record: Record) -> str:
    """The run's description: the card's verdict and figures, or why there is no model."""
    if record.card is not None:
        text = f"{record.card.summary}\nThe whole model card is among the artifacts: card.html, card.md."
    elif record.decision is not None:
        text = record.decision["reason"]
    else:
        attempts = [f"{item['trial']}: {item.get('error') or 'no parity'}" for item in record.fit.get("attempts", [])]
        text = f"No model: the run ended as “{record.fit['status']}”. " + "; ".join(attempts)
    return text if len(text) <= LONGEST_TAG else text[: LONGEST_TAG - 1] + "…"
