"""What a run leaves, written by hand: every figure is one of its own, so that a card can be told where it got it."""

from __future__ import annotations

import copy
from typing import Any

from andamio.contract import Contract
from registry.card import Facts
from tests.support.releases import heart

EVALUATION: dict[str, Any] = {
    "metric": "roc_auc",
    "metrics": {
        "roc_auc": {"value": 0.9011, "low": 0.8712, "high": 0.9313},
        "log_loss": {"value": 0.4014, "low": 0.3515, "high": 0.4516},
        "brier": {"value": 0.1317, "low": 0.1118, "high": 0.1519},
        "f1": {"value": 0.8021, "low": 0.7522, "high": 0.8523},
    },
    "baselines": {
        "majority_class": {"roc_auc": {"value": 0.5, "low": 0.5, "high": 0.5}},
        "logistic_regression": {"roc_auc": {"value": 0.8624, "low": 0.8225, "high": 0.9026}},
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
    "confusion": [[251, 39], [31, 179]],
    "success": {"rule": "roc_auc >= 0.85", "value": 0.9011, "holds": True},
    "calibration": {
        "error": 0.0328,
        "bins": [{"low": 0.0, "high": 0.5, "rows": 260, "mean_predicted": 0.2129, "observed": 0.2231}],
    },
    "slices": [
        {"feature": "sex", "slice": "male", "rows": 301, "value": 0.9132, "low": 0.8833, "high": 0.9434,
         "overall": 0.9011, "worse": False},
        {"feature": "cp", "slice": "asymptomatic", "rows": 122, "value": 0.7035, "low": 0.6036, "high": 0.8037,
         "overall": 0.9011, "worse": True},
    ],
    "low_evidence": False,
    "latency_ms": 0.031,
    "size_bytes": 40960,
}  # fmt: skip

TRIALS: list[dict[str, Any]] = [
    {"id": "t1", "family": "random_forest", "params": {"n_estimators": 300}, "selection": "univariate",
     "simplicity": 3, "status": "done", "metric": "roc_auc", "folds": [0.94, 0.92], "mean": 0.9341, "se": 0.0142},
    {"id": "t2", "family": "logistic_regression", "params": {"C": 1.0}, "selection": "none",
     "simplicity": 0, "status": "done", "metric": "roc_auc", "folds": [0.93, 0.92], "mean": 0.9243, "se": 0.0144},
    {"id": "t3", "family": "mlp", "params": {}, "selection": "none", "simplicity": 5, "status": "failed",
     "metric": "roc_auc", "why": "it did not converge"},
    {"id": "t4", "family": "extra_trees", "params": {}, "selection": "none", "simplicity": 3, "status": "pruned",
     "metric": "roc_auc", "why": "61 MB is more than 50"},
]  # fmt: skip

FIT: dict[str, Any] = {
    "status": "fitted",
    "trial": "t2",
    "family": "logistic_regression",
    "params": {"C": 1.0},
    "order": ["t2", "t1"],
    "trials": TRIALS,
    "attempts": [{"trial": "t2", "holds": True, "parity": {"largest": 1.5e-07, "tolerance": 1e-05, "rows": 2000}}],
    "calibration": {"kind": "platt", "a": 0.91, "b": -0.02},
    "selected": ["age", "cp"],
    "left_out": ["chol"],
    "threshold": 0.427,
    "rows": 2000,
    "class_rows": [1150, 850],
    "model": "ab" * 32,
}

PLAN: dict[str, Any] = {
    "dataset": "da7a5e7000000001",
    "contract": "c0" * 32,
    "split": "5711700000000000",
    "seed": 7,
    "metric": "roc_auc",
    "families": ["random_forest", "logistic_regression"],
    "libraries": {"sklearn": "1.9.1"},
    "sources": "50c5",
    "search": {"repeats": 2},
}

DECISION: dict[str, Any] = {
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

MANIFEST: dict[str, Any] = {
    "created": "2026-03-30T08:00:00+00:00",
    "rows": {"read": 2510, "valid": 2500, "rejected": 10, "replaced": 0, "train": 2000, "holdout": 500},
    "split_by": {"rule": "hash", "key": "features", "columns": [], "share": 0.2},
    "files": [{"key": "raw/heart.csv", "valid": 2500, "rows": 2510}],
    "reasons": [{"column": "age", "reason": "above 120", "rows": 10}],
    "coerced": {"chol": 4},
}

PROFILE: dict[str, Any] = {
    "features": {"age": {"type": "integer", "count": 2000, "missing": 0, "min": 29.0, "max": 77.0}},
    "conflicts": {"groups": 1, "rows": 2},
}

IMPORTANCE: dict[str, Any] = {
    "metric": "roc_auc",
    "repeats": 10,
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
    written: dict[str, Any] = {
        "run": "4e57000000000001",
        "plan": PLAN,
        "fit": FIT,
        "manifest": MANIFEST,
        "profile": PROFILE,
        "audit": {"suspects": [], "checked": ["target_copy"]},
        "importance": IMPORTANCE,
        "lock": "10c" * 21 + "1",
        "decided": "2026-03-31",
        **more,
    }
    return Facts(
        evaluation=copy.deepcopy(EVALUATION) | (evaluation or {}),
        decision=DECISION | (decision or {}),
        contract=contract or heart(),
        **written,
    )
