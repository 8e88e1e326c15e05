"""One step of a training run a call: plan, trial, fit, evaluate, decide. Results are in the models bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_TRAINING
from andamio.settings import TrainSettings
from andamio.step import NoResult, Step, Steps, logged_step
from andamio.storage.ports import Objects
from training import fit, plan
from training.evaluate import decide, evaluate
from training.events import (
    DecideEvent,
    DecisionSummary,
    EvaluationSummary,
    FitSummary,
    PlanEvent,
    PlanSummary,
    RunEvent,
    TrialEvent,
)
from training.lake_without_holdout import LakeWithoutHoldout
from training.trials import trial
from training.trials.estimate import Limits


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where data versions are read from, and where runs are written to; what the function has for a trial."""

    lake: Objects
    models: Objects
    limits: Limits | None = None


@cache
def connect() -> Buckets:
    """The buckets that this function was deployed for; raises `SettingsError`."""
    settings = TrainSettings.from_env()
    limits = Limits(settings.seconds, settings.memory_mb)
    return Buckets(S3Objects(settings.lake), S3Objects(settings.models), limits)


@cache
def problem() -> Contract:
    """The contract that this function was deployed with; only a plan reads it, later steps the run's own."""
    return load_problem()


def _plan(to: Buckets, event: PlanEvent) -> PlanSummary:
    return plan.summary(
        plan.plan(
            LakeWithoutHoldout(to.lake),
            to.models,
            problem(),
            version=event.input.dataset,
            families=event.input.families,
            trials=event.input.trials,
            budget_minutes=event.input.budget_minutes,
            now=datetime.now(UTC),
        )
    )


def _trial(to: Buckets, event: TrialEvent) -> NoResult:
    lake = LakeWithoutHoldout(to.lake)
    trial.trial(lake, to.models, event.run, event.trial, number=event.round, limits=to.limits)
    return NoResult()


def _fit(to: Buckets, event: RunEvent) -> FitSummary:
    return fit.summary(fit.fit(LakeWithoutHoldout(to.lake), to.models, event.run))


def _evaluate(to: Buckets, event: RunEvent) -> EvaluationSummary:
    return evaluate.summary(evaluate.evaluate(to.lake, to.models, event.run))


def _decide(to: Buckets, event: DecideEvent) -> DecisionSummary:
    return decide.summary(decide.decide(to.lake, to.models, event.run), attempt=event.attempts + 1)


STEPS: Steps[Buckets] = {
    "plan": Step(PlanEvent, _plan),
    "trial": Step(TrialEvent, _trial),
    "fit": Step(RunEvent, _fit),
    "evaluate": Step(RunEvent, _evaluate),
    "decide": Step(DecideEvent, _decide),
}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    return logged_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
