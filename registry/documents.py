"""What registration writes: `registered/DECISION.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from andamio.gate.decision import Figure
from andamio.step import StepResult
from andamio.storage.documents import Document

ModelStatus = Literal["promoted", "rejected", "tied", "challenged"]
"""The gate's outcome, and "challenged": what the gate allows is tried first."""


class RunResult(StepResult):
    """A run in MLflow as `mlflow_run`, which ended without a model."""

    run: str
    mlflow_run: str
    metric: str
    status: Literal["no_parity"]


class ModelResult(StepResult, Figure):
    """A decided model: its version in MLflow, its release, the metric with its interval, and the gate's reason.

    "challenged": it is the challenger, and `rollout` names its trial, which decides whether it is promoted.
    """

    run: str
    mlflow_run: str
    metric: str
    status: ModelStatus
    mlflow_version: str
    release: str
    reason: str
    rollout: str | None = None


class Conflict(StepResult):
    """Another model was promoted since the decision, so the gate has to decide again."""

    run: str
    attempt: int
    status: Literal["conflict"] = "conflict"


class ApprovalState(StepResult):
    """Whether a release is approved, declined, or waits to be asked about."""

    status: Literal["approved", "declined", "open"]
    release: str


class AskedResult(StepResult):
    """The release that waits for approval, and until when."""

    release: str
    expires: str


class LookResult(StepResult):
    """What a look at a challenger's trial led to, and in how many `seconds` the next one is due; 0 where it is over."""

    status: Literal["wait", "promoted", "withdrawn", "ended"]
    release: str
    rollout: str
    reason: str
    seconds: int


class AliasResult(StepResult):
    """The release that serves, and its model version in MLflow, which has the alias now; `repaired`: it had it not."""

    release: str | None
    mlflow_version: str | None
    repaired: bool


class RegisteredRun(Document, RunResult):
    """`registered/none.json`: a run that ended without a model."""

    def summary(self) -> RunResult:
        """What the state machine needs of it."""
        return RunResult(**self.model_dump(exclude={"format"}))


class RegisteredModel(Document, ModelResult):
    """`registered/DECISION.json`: a decided model."""

    def summary(self) -> ModelResult:
        """What the state machine needs of it."""
        return ModelResult(**self.model_dump(exclude={"format"}))


Registered = RegisteredModel | RegisteredRun
REGISTERED: TypeAdapter[Registered] = TypeAdapter(Annotated[Registered, Field(discriminator="status")])
