"""The events and results of the steps of scoring (`stepfunctions/batch.asl.json`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict

from andamio.step import CaughtError, StepEvent, StepResult


class PlanEvent(StepEvent):
    """The step `plan`: the input of an execution, and its name.

    The input is an event of S3 as AWS has it, `{"key": KEY}`, or `{"batch": ID, "resume": true}`.
    """

    event: dict[str, Any]
    execution: str = ""


class BatchEvent(StepEvent):
    """The steps `unpack`, `cut`, `verify` and `publish`: the id of the batch."""

    batch: str


class ChunkEvent(BatchEvent):
    """The step `survey`: a chunk of a batch, as `todo/` has it."""

    chunk: int


class ShardEvent(BatchEvent):
    """The step `score`: a shard of a batch, as `todo/` has it."""

    shard: int


class GiveUpEvent(BatchEvent):
    """The step `give_up`: a chunk or a shard, and the error that its function ended with."""

    chunk: int | None = None
    shard: int | None = None
    error: CaughtError


class LastState(StepEvent):
    """The last state of a machine that failed: a result, a caught error, or the input of the execution."""

    model_config = ConfigDict(extra="allow")

    batch: str | None = None
    message: str | None = None
    missing: list[int] | None = None
    error: CaughtError | None = None


class FailEvent(StepEvent):
    """The step `fail`: what the machine knew last, and the name of the execution."""

    input: LastState
    execution: str | None = None


class Refusal(StepResult):
    """No row of the file is scored, and why; an earlier batch of the same bytes was refused where `same_as` names one.

    `batch` is null where it is not known which batch it would be.
    """

    status: Literal["refused"] = "refused"
    batch: str | None
    same_as: str | None = None
    message: str


class NoFile(StepResult):
    """There is no file to score."""

    status: Literal["ignored"] = "ignored"
    message: str


class EarlierFailure(NoFile):
    """The file failed before: only a person resumes its batch."""

    batch: str


class OtherExecution(StepResult):
    """Another execution scores the file."""

    status: Literal["running"] = "running"
    batch: str
    message: str


class EarlierResult(StepResult):
    """The file was scored before, by another batch where `same_as` names one."""

    status: Literal["done"] = "done"
    batch: str
    same_as: str | None = None
    message: str


class UnpackFirst(StepResult):
    """The file has to be unpacked or transcoded first."""

    status: Literal["unpack"] = "unpack"
    batch: str


class WorkItems(StepResult):
    """What the map of chunks or shards works through: the key of a list of `ChunkEvent` or `ShardEvent`."""

    status: Literal["survey", "score"]
    batch: str
    items: str


class Verify(StepResult):
    """Every shard has left a result."""

    status: Literal["verify"] = "verify"
    batch: str


class CompleteBatch(StepResult):
    """Everything is there and is what was written."""

    status: Literal["complete"] = "complete"
    batch: str


class IncompleteBatch(StepResult):
    """Some shards are not scored: the first of their numbers, and why."""

    status: Literal["incomplete"] = "incomplete"
    batch: str
    message: str
    missing: list[int]


class BatchSummary(StepResult):
    """The batch is done: its rows, the release, the key of its manifest."""

    status: Literal["done"] = "done"
    batch: str
    rows: int
    scored: int
    rejected: int
    release: str
    message: str
    manifest: str


Work = WorkItems | Verify
"""What is to be done next of a batch that has a plan."""
NextStep = Refusal | NoFile | OtherExecution | EarlierResult | UnpackFirst | Work
