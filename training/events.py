"""What the steps of training are called with, and what they return (`stepfunctions/train.asl.json`)."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from andamio.gate.decision import Figure, Outcome
from andamio.step import CaughtError, StepEvent, StepResult
from training.documents import BestTrial, TaskSize, Where


class TrainingInput(StepEvent):
    """The input of an execution: what takes the place of the current data version and of the contract's settings."""

    model_config = ConfigDict(extra="ignore")  # a console starts an execution with a comment

    dataset: str | None = None
    families: list[str] | None = None
    trials: int | None = None
    budget_minutes: float | None = None
    because: str | None = None


class PlanEvent(StepEvent):
    """The step `plan`."""

    input: TrainingInput


class RunEvent(StepEvent):
    """The steps `fit` and `evaluate`: the id of the run."""

    run: str


class TrialEvent(RunEvent):
    """The step `trial`: one trial of a round."""

    trial: str
    round: int


class AskEvent(RunEvent):
    """The step `ask`: the round after which another one is planned, 0 for the first."""

    after: int


class TellEvent(RunEvent):
    """The step `tell`: the round whose results are read, and when the execution began (ISO 8601)."""

    round: int
    began: str


class LostEvent(RunEvent):
    """The step `lost`: a trial whose function ended without a result, in which execution, and why."""

    trial: str
    execution: str
    error: CaughtError


class TaskFailedEvent(RunEvent):
    """The step `task_failed`: the error of a task, as Step Functions caught it, and the size that it has."""

    error: CaughtError
    task: TaskSize


class DecideEvent(RunEvent):
    """The step `decide`: how often the run was decided on before."""

    attempts: int


class PlanSummary(StepResult):
    """What the state machine knows of a plan; `trials` at most, `skipped` families; `task` is the size of a task.

    `approve` says whether what the gate allows waits for a person.
    """

    run: str
    approve: Literal["auto", "manual"]
    dataset: str
    metric: str
    trials: int
    skipped: list[str]
    compute: Where
    task: TaskSize


class TrialSummary(StepResult):
    """A trial of a round: its id, and what it is computed by."""

    id: str
    compute: Where


class RoundTrialsSummary(StepResult):
    """The trials of a round."""

    round: int
    trials: list[TrialSummary]


class RoundResultSummary(StepResult):
    """What the state machine knows of a round's results; `trials` is how many were offered so far."""

    round: int
    status: Literal["continue", "enough"]
    why: str
    best: BestTrial | None
    trials: int


class FitSummary(StepResult):
    """What the state machine knows of a fit; `trial` and `size_bytes` are null where no export has parity."""

    status: Literal["fitted", "no_parity"]
    run: str
    metric: str
    trial: str | None
    size_bytes: int | None


class TaskFailureSummary(StepResult):
    """Why a task left no result."""

    why: str


class EvaluationSummary(StepResult, Figure):
    """The contract's metric on the holdout."""

    run: str
    metric: str
    rows: int


class DecisionSummary(StepResult, Figure):
    """What the state machine knows of a decision; `decision` is its name, `champion` a release."""

    status: Outcome
    run: str
    decision: str
    attempt: int
    metric: str
    probability: float | None
    against: str
    champion: str | None
