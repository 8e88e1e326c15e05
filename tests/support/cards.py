"""What a run leaves, written by hand: every figure is one of its own, so that a card can be told where it got it."""

from __future__ import annotations

from typing import Any

from andamio.contract import Contract
from andamio.dataset.documents import (
    DatasetAudit,
    DatasetProfile,
    FeatureProfile,
    LabelConflicts,
    ProfileClasses,
    ProfileRows,
    RejectReason,
)
from registry.card import Facts
from tests.support.datasets import a_manifest, a_source, version_rows
from tests.support.releases import heart
from training.documents import FittedModel, TrainingPlan
from training.evaluate.documents import Evaluation, GateDecision, Importance

METRICS = ("roc_auc", "log_loss", "brier", "f1")


def every(figures: dict[str, dict[str, float]]) -> dict[str, Any]:
    """A figure of every metric: those that are not given are undefined."""
    return {name: {"value": None, "low": None, "high": None} for name in METRICS} | figures


EVALUATION: dict[str, Any] = {
    "metric": "roc_auc",
    "run": "4e57000000000001",
    "dataset": "da7a5e7000000001",
    "split": "5711700000000000",
    "trial": "t2",
    "model": "ab" * 32,
    "files": {},
    "metrics": {
        "roc_auc": {"value": 0.9011, "low": 0.8712, "high": 0.9313},
        "log_loss": {"value": 0.4014, "low": 0.3515, "high": 0.4516},
        "brier": {"value": 0.1317, "low": 0.1118, "high": 0.1519},
        "f1": {"value": 0.8021, "low": 0.7522, "high": 0.8523},
    },
    "baselines": {
        "majority_class": every({"roc_auc": {"value": 0.5, "low": 0.5, "high": 0.5}}),
        "logistic_regression": every({"roc_auc": {"value": 0.8624, "low": 0.8225, "high": 0.9026}}),
    },
    "gains": {
        "majority_class": {"roc_auc": {"value": 0.4011, "low": 0.3712, "high": 0.4313}},
        "logistic_regression": {
            "roc_auc": {"value": 0.0387, "low": 0.0188, "high": 0.0586},
            "log_loss": {"value": 0.0217, "low": 0.0118, "high": 0.0317},
        },
    },
    "threshold": 0.427,
    "rows": 500,
    "groups": 500,
    "classes": {"0": 290, "1": 210},
    "class_order": ["0", "1"],
    "texts": {"0": "Healthy patient", "1": "Heart disease detected"},
    "positive": "1",
    "curves": {"roc": [], "precision_recall": []},
    "cross_validated": None,
    "confusion": [[251, 39], [31, 179]],
    "success": {"rule": "roc_auc >= 0.85", "value": 0.9011, "holds": True},
    "calibration": {
        "error": 0.0328,
        "by_chance": 0.0343,
        "by_chance_high": 0.0572,
        "bins": [{"low": 0.0, "high": 0.5, "rows": 260, "mean_predicted": 0.2129, "observed": 0.2231,
                  "observed_low": 0.1771, "observed_high": 0.2778}],
    },
    "slices": [
        {"feature": "sex", "slice": "male", "rows": 301, "value": 0.9132, "low": 0.8833, "high": 0.9434,
         "overall": 0.9011, "brier": 0.12, "expected": 0.13, "excess": {"value": -0.01, "low": -0.04, "high": 0.02},
         "worse": False, "enough": True},
        {"feature": "cp", "slice": "asymptomatic", "rows": 122, "value": 0.7035, "low": 0.6036, "high": 0.8037,
         "overall": 0.9011, "brier": 0.22, "expected": 0.14, "excess": {"value": 0.08, "low": 0.03, "high": 0.13},
         "worse": True, "enough": True},
    ],
    "low_evidence": False,
    "latency_ms": 0.031,
    "size_bytes": 40960,
}  # fmt: skip

SCORED: dict[str, Any] = {
    "fold_rows": [20, 20, 20, 20],
    "columns": 3.0,
    "size_bytes": 9000,
    "scores": "5c" * 32,
    "seconds": 1.5,
}

TRIALS: list[dict[str, Any]] = [
    {"id": "t1", "family": "random_forest", "params": {"n_estimators": 300}, "selection": "univariate",
     "round": 1, "simplicity": 3, "status": "done", "metric": "roc_auc", "folds": [0.95, 0.93, 0.92, 0.9364],
     "mean": 0.9341, "se": 0.0142, **SCORED},
    {"id": "t2", "family": "logistic_regression", "params": {"C": 1.0}, "selection": "none",
     "round": 1, "simplicity": 0, "status": "done", "metric": "roc_auc", "folds": [0.93, 0.93, 0.93, 0.9072],
     "mean": 0.9243, "se": 0.0144, **SCORED},
    {"id": "t3", "family": "mlp", "params": {}, "selection": "none", "round": 1, "simplicity": 5, "status": "failed",
     "metric": "roc_auc", "why": "it did not converge"},
    {"id": "t4", "family": "extra_trees", "params": {}, "selection": "none", "round": 1, "simplicity": 3,
     "status": "pruned", "metric": "roc_auc", "why": "61 MB is more than 50"},
]  # fmt: skip

CALIBRATION: dict[str, Any] = {"kind": "platt", "a": 0.91, "b": -0.02, "clip": 1e-06}
PARITY = {"train": 1.5e-07, "missing": 1e-07, "unknown": 1e-07, "range_ends": 1e-07, "largest": 1.5e-07}


def attempt(trial: str) -> dict[str, Any]:
    """An export that proved itself."""
    parity = {**PARITY, "tolerance": 1e-05, "rows": 2000}
    return {"trial": trial, "holds": True, "calibration": CALIBRATION, "parity": parity, "size_bytes": 40960}


FIT: dict[str, Any] = {
    "status": "fitted",
    "run": "4e57000000000001",
    "dataset": "da7a5e7000000001",
    "metric": "roc_auc",
    "selection": "none",
    "cross_validation": {"roc_auc": 0.9243},
    "size_bytes": 40960,
    "files": {},
    "trial": "t2",
    "family": "logistic_regression",
    "params": {"C": 1.0},
    "order": ["t2", "t1"],
    "trials": TRIALS,
    "attempts": [attempt("t2")],
    "calibration": CALIBRATION,
    "selected": ["age", "cp"],
    "left_out": ["chol"],
    "ignored": [],
    "threshold": 0.427,
    "rows": 2000,
    "class_rows": [1150, 850],
    "model": "ab" * 32,
}

PLAN: dict[str, Any] = {
    "dataset": "da7a5e7000000001",
    "contract": "c0" * 32,
    "split": "5711700000000000",
    "folds": "f01d5f01d5",
    "seed": 7,
    "metric": "roc_auc",
    "families": ["random_forest", "logistic_regression"],
    "libraries": {"sklearn": "1.9.1"},
    "sources": "50c5",
    "search": {"trials": 4, "round": 4, "patience": 3, "budget_minutes": 30.0, "repeats": 2},
    "run": "4e57000000000001",
    "problem": "heart",
    "started": "2026-03-31T12:00:00+00:00",
    "skipped": [],
}

DECISION: dict[str, Any] = {
    "challenger": "the logistic regression of run 4e57000000000001",
    "rows": 500,
    "class_rows": [290, 210],
    "min_gain": 0.0,
    "resamples": 2000,
    "seed": 7,
    "recent": None,
    "evidence": "holdout",
    "out_of_fold_rows": None,
    "guards": [],
    "tries": 1,
    "run": "4e57000000000001",
    "dataset": "da7a5e7000000001",
    "split": "5711700000000000",
    "decision": "0",
    "revision": 0,
    "etag": None,
    "champion": None,
    "rows_champion_would_refuse": 0,
    "low_evidence": False,
    "holdout": {"value": 0.9011, "low": 0.8712, "high": 0.9313},
    "latency_ms": 0.031,
    "size_bytes": 40960,
    "success": None,
    "outcome": "promoted",
    "rule": "majority_class",
    "reason": "On 500 rows that no training run saw, roc_auc is 0.9011 against 0.5000 of the majority class.",
    "against": "the majority class",
    "metric": "roc_auc",
    "confidence": 0.95,
    "probability": 1.0,
    "score": {"value": 0.9011, "low": 0.8712, "high": 0.9313},
    "baseline": {"value": 0.5, "low": 0.5, "high": 0.5},
    "gain": {"value": 0.4011, "low": 0.3712, "high": 0.4313},
}

MANIFEST = a_manifest(
    "da7a5e7000000001",
    rows=version_rows(read=2510, valid=2500, rejected=10, train=2000, holdout=500),
    files=[a_source("raw/heart.csv", rows=2510, valid=2500)],
    reasons=[RejectReason(column="age", code="above-range", reason="above 120", rows=10)],
    coerced={"chol": 4},
)

PROFILE = DatasetProfile(
    rows=ProfileRows(all=2500, train=2000, holdout=500),
    classes=ProfileClasses(train={"no": 1000, "yes": 1000}, holdout={"no": 250, "yes": 250}),
    conflicts=LabelConflicts(groups=1, rows=2),
    features={"age": FeatureProfile(type="integer", count=2000, missing=0, min=29.0, max=77.0)},
)

IMPORTANCE: dict[str, Any] = {
    "metric": "roc_auc",
    "repeats": 10,
    "rows": 500,
    "score": 0.9011,
    "features": [
        {"feature": "cp", "value": 0.1251, "low": 0.0952, "high": 0.1553},
        {"feature": "age", "value": 0.0054, "low": -0.0055, "high": 0.0156},
    ],
}


def facts(
    evaluation: dict[str, Any] | None = None,
    decision: dict[str, Any] | None = None,
    *,
    contract: Contract | None = None,
    **more: Any,
) -> Facts:
    """Facts of a good run on enough rows; what is given replaces what is there."""
    plan, fit, importance = (
        more.pop(name, own) for name, own in (("plan", PLAN), ("fit", FIT), ("importance", IMPORTANCE))
    )
    written: dict[str, Any] = {
        "run": "4e57000000000001",
        "manifest": MANIFEST,
        "profile": PROFILE,
        "audit": DatasetAudit(suspects=[], checked=["target_copy"], findings=[]),
        "lock": "10c" * 21 + "1",
        "decision_day": "2026-03-31",
        **more,
    }
    return Facts(
        plan=TrainingPlan.model_validate(plan),
        fit=FittedModel.model_validate(fit),
        evaluation=Evaluation.model_validate(EVALUATION | (evaluation or {})),
        decision=GateDecision.model_validate(DECISION | (decision or {})),
        importance=Importance.model_validate(importance),
        contract=contract or heart(),
        **written,
    )
