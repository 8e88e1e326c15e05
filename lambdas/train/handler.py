"""One step of a training run a call: plan, trial, fit, evaluate, decide. Results are in the models bucket.

Where a task does a trial, the fit or the evaluation (`task.py`), the function's step finds the result and returns it;
`task_failed` says why a task left none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast, get_args

from andamio.adapters.logs import last_lines
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.contract.tables import Compute
from andamio.errors import SettingsError, TrainingError
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
    TaskFailedEvent,
    TaskFailureSummary,
    TrialEvent,
)
from training.lake_without_holdout import LakeWithoutHoldout
from training.own import code
from training.own.code import PipelineCode
from training.own.trial import PipelineError
from training.task_failure import LogLines, failure
from training.trials import trial
from training.trials.estimate import Limits


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where data versions are read from, and runs written to; what computes a run and what a trial has;
    how a task's log is read."""

    lake: Objects
    models: Objects
    compute: Compute = "function"
    log_lines: LogLines = last_lines
    limits: Limits | None = None


@cache
def connect() -> Buckets:
    """The buckets that this function was deployed for; raises `SettingsError`."""
    settings = TrainSettings.from_env()
    if settings.compute not in get_args(Compute):
        raise SettingsError(f"ANDAMIO_COMPUTE must be one of {', '.join(get_args(Compute))}. Deploy again.")
    return Buckets(
        S3Objects(settings.lake),
        S3Objects(settings.models),
        cast(Compute, settings.compute),
        limits=Limits(settings.seconds, settings.memory_mb),
    )


@cache
def problem() -> Contract:
    """The contract that this function was deployed with; only a plan reads it, later steps the run's own."""
    return load_problem()


@cache
def own_code() -> PipelineCode | None:
    """The problem's pipeline.py, as this function was deployed with it; raises `TrainingError` where it is not one."""
    try:
        return code.deployed()
    except PipelineError as error:
        raise TrainingError(str(error)) from error


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
            compute=to.compute,
            code=own_code(),
            because=event.input.because,
            now=datetime.now(UTC),
        ),
        problem().release.approve,
    )


def _trial(to: Buckets, event: TrialEvent) -> NoResult:
    lake = LakeWithoutHoldout(to.lake)
    trial.trial(lake, to.models, event.run, event.trial, number=event.round, limits=to.limits, code=own_code())
    return NoResult()


def _fit(to: Buckets, event: RunEvent) -> FitSummary:
    return fit.summary(fit.fit(LakeWithoutHoldout(to.lake), to.models, event.run, code=own_code()))


def _evaluate(to: Buckets, event: RunEvent) -> EvaluationSummary:
    return evaluate.summary(evaluate.evaluate(to.lake, to.models, event.run))


def _decide(to: Buckets, event: DecideEvent) -> DecisionSummary:
    return decide.summary(decide.decide(to.lake, to.models, event.run), attempt=event.attempts + 1)


def _task_failed(to: Buckets, event: TaskFailedEvent) -> TaskFailureSummary:
    return failure(event.error, event.task, to.log_lines)


STEPS: Steps[Buckets] = {
    "plan": Step(PlanEvent, _plan),
    "trial": Step(TrialEvent, _trial),
    "fit": Step(RunEvent, _fit),
    "evaluate": Step(RunEvent, _evaluate),
    "decide": Step(DecideEvent, _decide),
    "task_failed": Step(TaskFailedEvent, _task_failed),
}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    return logged_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
