"""What the steps of the registry are called with; their results are in `documents`.

`stepfunctions/train.asl.json` and `rollout.asl.json` call them, `andamio promote` and `andamio rollback` call `follow`.
"""

from __future__ import annotations

from andamio.step import CaughtError, StepEvent


class RegisterEvent(StepEvent):
    """The step `register`: the run, and the name of its decision, none where it has no model."""

    run: str
    decision: str | None = None


class PromoteEvent(StepEvent):
    """The step `promote`: the run, the name of its decision, and how often it was decided on."""

    run: str
    decision: str
    attempt: int


class ApprovalEvent(StepEvent):
    """The step `approval`: the run, its decision, and whether the execution waited for it until its time was over."""

    run: str
    decision: str
    waited: bool = False


class AskApprovalEvent(StepEvent):
    """The step `ask_approval`: the run, its decision, the token of the task that waits, and for how many seconds."""

    run: str
    decision: str
    token: str
    seconds: int


class DeclineEvent(StepEvent):
    """The step `decline`: the run, and its decision, which was declined or not answered in time."""

    run: str
    decision: str


class LookEvent(StepEvent):
    """The step `look`: the trial of a challenger, and its run in MLflow."""

    rollout: str
    mlflow_run: str


class WithdrawEvent(StepEvent):
    """The step `withdraw`: the alarm that rang, and when (ISO 8601)."""

    alarm: str
    raised: str


class AbandonEvent(StepEvent):
    """The step `abandon`: the trial of a challenger that nobody can judge, and why."""

    rollout: str
    error: CaughtError


class FollowEvent(StepEvent):
    """The step `follow`: the problem whose pointer MLflow's alias is to follow."""

    problem: str
