"""What the steps of ETL are called with, and what they return (`stepfunctions/etl.asl.json`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from andamio.dataset.documents import InputRows, VersionRows
from andamio.step import StepEvent, StepResult


class CollectEvent(StepEvent):
    """The step `collect`: what started the execution.

    It is the event of EventBridge about a raw file, as AWS has it, {} by hand, or {"because": WHY} from the watch.
    """

    event: dict[str, Any]


class InputEvent(StepEvent):
    """The steps `validate` and `publish`: the digest of what was collected."""

    input: str


class ReportEvent(StepEvent):
    """The step `report`: the data version."""

    version: str


class CommitEvent(InputEvent):
    """The step `commit`: the data version of an input, and what started the execution."""

    version: str
    event: dict[str, Any] = Field(default_factory=dict)


class NoRawFiles(StepResult):
    """There are no raw files."""

    status: Literal["empty"] = "empty"
    message: str


class NewerInput(StepResult):
    """The execution of a newer file reads all files; `input` is null before anything was collected."""

    status: Literal["superseded"] = "superseded"
    input: str | None = None
    message: str


class ChangedInput(StepResult):
    """A source went, or captured records changed, and no other execution comes of that: collect again."""

    status: Literal["changed"] = "changed"
    input: str
    message: str


class InputSummary(StepResult):
    """The raw files are listed; `passed_over` counts objects that are no data files."""

    status: Literal["ready"] = "ready"
    input: str
    passed_over: int


class Rejects(StepResult):
    """The first rows that were rejected, in words, and the key of their file (null where there are none)."""

    first: list[str]
    all: str | None


class ValidInput(StepResult):
    """The rows of an input are checked and staged."""

    status: Literal["valid"] = "valid"
    input: str
    rows: InputRows
    rejects: Rejects


class Rejection(StepResult):
    """There will be no data version of an input, and why; `rows` and `rejects` where its rows are the reason."""

    status: Literal["rejected"] = "rejected"
    input: str
    message: str
    rows: InputRows | None = None
    rejects: Rejects | None = None


class NewVersion(StepResult):
    """The data version is written, and not the current one yet."""

    status: Literal["published"] = "published"
    input: str
    version: str


class ReportSummary(StepResult):
    """The report of a data version: its key."""

    status: Literal["drawn"] = "drawn"
    report: str


class MovedCutoff(StepResult):
    """Another version became current meanwhile and moved the cutoff of the time split: publish again."""

    status: Literal["again"] = "again"
    input: str


class VersionSummary(StepResult):
    """The data version is the current one, since now or before.

    `training` names the execution that trains on it, `report` is the key of its report (null when it could not be
    drawn). `suspects` counts those of the leakage audit; `warnings` has the first of them in words, `findings` the
    first of what else a person should know. `request` is the input of training: the version, and why the watch asked
    for it where it did.
    """

    status: Literal["published", "unchanged"]
    input: str
    version: str
    rows: VersionRows
    rejects: Rejects
    training: str
    suspects: int
    warnings: list[str]
    findings: list[str]
    report: str | None
    request: dict[str, str]
