"""One step of a training run a call: plan, trial, fit, evaluate, decide. Results are in the models bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_TRAINING
from andamio.settings import TrainSettings
from andamio.step import do_step
from andamio.storage.ports import Objects
from training import fit, plan
from training.evaluate import decide, evaluate
from training.lake_without_holdout import LakeWithoutHoldout
from training.trials import trial


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where data versions are read from, and where runs are written to."""

    lake: Objects
    models: Objects


@cache
def connect() -> Buckets:
    """The buckets that this function was deployed for; raises `SettingsError`."""
    settings = TrainSettings.from_env()
    return Buckets(S3Objects(settings.lake), S3Objects(settings.models))


@cache
def problem() -> Contract:
    """The contract that this function was deployed with; only a plan reads it, later steps the run's own."""
    return load_problem()


def _plan(to: Buckets, event: dict[str, Any]) -> dict[str, Any]:
    asked = event.get("input") or {}
    return plan.summary(
        plan.plan(
            LakeWithoutHoldout(to.lake),
            to.models,
            problem(),
            version=asked.get("dataset"),
            families=asked.get("families"),
            trials=asked.get("trials"),
            budget_minutes=asked.get("budget_minutes"),
            now=datetime.now(UTC),
        )
    )


def _trial(to: Buckets, event: dict[str, Any]) -> dict[str, Any]:
    trial.trial(LakeWithoutHoldout(to.lake), to.models, event["run"], event["trial"], number=event["round"])
    return {}  # children of a Map hand nothing back: state data are bounded, storage holds the facts


def _fit(to: Buckets, event: dict[str, Any]) -> dict[str, Any]:
    return fit.summary(fit.fit(LakeWithoutHoldout(to.lake), to.models, event["run"]))


def _evaluate(to: Buckets, event: dict[str, Any]) -> dict[str, Any]:
    return evaluate.summary(evaluate.evaluate(to.lake, to.models, event["run"]))


def _decide(to: Buckets, event: dict[str, Any]) -> dict[str, Any]:
    return decide.summary(decide.decide(to.lake, to.models, event["run"]), attempt=event["attempts"] + 1)


STEPS: dict[str, Callable[[Buckets, dict[str, Any]], dict[str, Any]]] = {
    "plan": _plan,
    "trial": _trial,
    "fit": _fit,
    "evaluate": _evaluate,
    "decide": _decide,
}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    return do_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
