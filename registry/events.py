"""What the steps of the registry are called with (`stepfunctions/train.asl.json`); their results are in `documents`."""

from __future__ import annotations

from andamio.step import StepEvent


class RegisterEvent(StepEvent):
    """The step `register`: the run, and the name of its decision, none where it has no model."""

    run: str
    decision: str | None = None


class PromoteEvent(StepEvent):
    """The step `promote`: the run, the name of its decision, and how often it was decided on."""

    run: str
    decision: str
    attempt: int
