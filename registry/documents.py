"""What registration writes: `registered/DECISION.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from andamio.gate.decision import Outcome
from andamio.storage.documents import Document


class _Summarised(Document):
    def summary(self) -> dict[str, Any]:
        """What the state machine needs of it."""
        return self.model_dump(exclude={"format"})


class RegisteredRun(_Summarised):
    """A run that ended without a model, in MLflow as `mlflow_run`."""

    run: str
    mlflow_run: str
    metric: str
    status: Literal["no_parity"]


class RegisteredModel(_Summarised):
    """A decided model: its version in MLflow, its release, the metric with its interval, and the gate's reason."""

    run: str
    mlflow_run: str
    metric: str
    status: Outcome
    value: float | None
    low: float | None
    high: float | None
    mlflow_version: str
    release: str
    reason: str


class Conflict(_Summarised):
    """No file: another model was promoted since the decision, so the gate has to decide again."""

    run: str
    attempt: int
    status: Literal["conflict"] = "conflict"


Registered = RegisteredModel | RegisteredRun
REGISTERED: TypeAdapter[Registered] = TypeAdapter(Annotated[Registered, Field(discriminator="status")])
