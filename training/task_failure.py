"""Why a task ended without a result, in words for a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from andamio import names
from andamio.step import CaughtError
from training.documents import TaskSize
from training.events import TaskFailureSummary

LogLines = Callable[[str, str], Sequence[str]]
"""From a log group and a stream of it to its last lines."""

_LOST = {
    "SpotInterruption": "AWS took its spot capacity back",
    "TerminationNotice": "AWS took its spot capacity back",
    "TaskFailedToStart": "it did not start",
}
"""Stop codes of ECS that say more than its sentence about them."""


def failure(error: CaughtError, size: TaskSize, log_lines: LogLines) -> TaskFailureSummary:
    """How a task of a size that failed has ended, and the last lines of its log."""
    task = _task(error.cause)
    if task is None:
        return TaskFailureSummary(why=_without_task(error, size))
    container = next(iter(task.get("Containers") or [{}]))
    group, stream = log_of(str(task["TaskArn"]))
    lines = log_lines(group, stream)
    said = "\n".join(f"  {line}" for line in lines) if lines else "  (nothing)"
    return TaskFailureSummary(
        why=f"The task of '{_command(task)}' ended without a result: {_reason(task, container)}. "
        f"The last lines of its log ({group}, stream {stream}):\n{said}"
    )


def _without_task(error: CaughtError, size: TaskSize) -> str:
    if error.error == "States.Timeout":
        return "A task took longer than a task may, and was stopped (States.Timeout)."
    said = ": ".join(filter(None, (error.error, error.cause))) or "no error was given"
    if not said.startswith("ECS."):
        return f"A task could not be run: {said}."
    cpus = int(size.cpu) // 1024
    return (
        f"A task could not be run: {said}. A task of {cpus} vCPU needs a quota of at least {cpus} vCPU of Fargate: "
        "where the account has less, ask AWS for more (Service Quotas, AWS Fargate). Where it has that much, lower "
        "[training] parallel."
    )


def log_of(task_arn: str) -> tuple[str, str]:
    """The log group and the stream of a task; its ARN ends in `task/CLUSTER/ID`."""
    _, cluster, task = task_arn.rsplit(":", 1)[1].split("/")
    return names.task_log_group(cluster), f"{names.TASK_LOG_PREFIX}/{names.TASK_CONTAINER}/{task}"


def _task(cause: str | None) -> dict[str, Any] | None:
    """The description of a task that Step Functions gives as the cause; None where it is another cause."""
    try:
        found = json.loads(cause or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) and str(found.get("TaskArn", "")).count("/") == 2 else None


def _command(task: dict[str, Any]) -> str:
    overrides = (task.get("Overrides") or {}).get("ContainerOverrides") or [{}]
    return " ".join(overrides[0].get("Command") or ["a step"])


def _reason(task: dict[str, Any], container: dict[str, Any]) -> str:
    code = container.get("ExitCode")
    said = [
        _LOST.get(str(task.get("StopCode")), ""),
        f"exit code {code}" if code is not None else "",
        str(container.get("Reason") or ""),
        str(task.get("StoppedReason") or "").rstrip("."),
    ]
    return "; ".join(filter(None, said)) or "no reason was given"
