"""What the steps of the watch are called with, and what they return (`stepfunctions/monitor.asl.json`)."""

from __future__ import annotations

from typing import Any, Literal

from andamio.step import StepEvent, StepResult
from monitoring.report import Alarm, Status


class GatherEvent(StepEvent):
    """The step `gather`: what started the execution (a scheduled event, {} or {"end": ...}), and when it started."""

    event: dict[str, Any]
    started: str


class WindowEvent(StepEvent):
    """The steps after `gather`: the window by its end, ISO 8601."""

    window: str


class NoModel(StepResult):
    """No model is served yet, so there is nothing to compare with."""

    status: Literal["no-model"] = "no-model"
    message: str


class GatheredWindow(StepResult):
    """Window and champion are fixed, and each hour of predictions is one file."""

    status: Literal["ready"] = "ready"
    window: str
    release: str
    hours: int


class ComparedWindow(StepResult):
    """The report is written."""

    window: str
    status: Status
    report: str


class DrawnPage(StepResult):
    """The page of a report: its key."""

    page: str


class Verdict(StepResult):
    """What was found; `tell` says whether there is news for EventBridge, `retrain` whether a training is to start.

    `latest` is false where a newer window has a report already. `moved` names the features that moved most, most
    first; `findings` has the first ones in words. `page` is null where it could not be drawn,
    `retraining` where the contract does not ask for it.
    """

    window: str
    release: str
    status: Status
    message: str
    alarms: list[Alarm]
    persistent: bool
    moved: list[str]
    findings: list[str]
    report: str
    page: str | None
    latest: bool
    tell: bool
    retrain: bool
    retraining: str | None


class Told(StepResult):
    """The events that were sent, by type."""

    sent: list[str]


class ClaimedRetraining(StepResult):
    """A training is to begin, or has: the name of its execution of ETL, and why."""

    status: Literal["claimed"] = "claimed"
    window: str
    execution: str
    because: str


class HeldRetraining(StepResult):
    """Another training keeps this one back."""

    status: Literal["held"] = "held"
    window: str
    message: str


class BegunEvent(StepEvent):
    """The step `begun`: the execution of ETL that is there now."""

    execution: str


class BegunRetraining(StepResult):
    """It is noted and told."""

    status: Literal["begun"] = "begun"
    execution: str
