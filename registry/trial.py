"""What follows the end of a challenger's trial: MLflow says what the pointer says, and the event is sent."""

from __future__ import annotations

from typing import Literal

from andamio.release.pointer import Pointer
from andamio.storage.ports import Objects
from registry.documents import LookResult
from registry.follow import WITHDRAWN, align
from registry.news import News
from registry.record import Trackers

Status = Literal["wait", "promoted", "withdrawn", "ended"]


def conclude_trial(
    models: Objects,
    pointer: Pointer,
    rollout: str,
    status: Status,
    reason: str,
    trackers: Trackers,
    news: News,
    *,
    seconds: int = 0,
    mlflow_run: str = "",
) -> LookResult:
    """The result of a look at a trial; where it is over, aliases and tags follow first, and the event is sent.

    Harmless when repeated. What a person ended was told by that person's command. Raises as `Events.put`.
    """
    release = rollout.rpartition("-")[0]
    result = LookResult(status=status, release=release, rollout=rollout, reason=reason, seconds=seconds)
    if status == "wait":
        return result
    tracker = trackers(pointer.problem)
    align(models, pointer, tracker)
    if not rollout:
        return result  # an alarm that was about no challenger
    version = tracker.version_of(release)
    serves = pointer.champion is not None and pointer.champion.release == release
    if version is not None:
        outcome = "promoted" if serves else WITHDRAWN
        if mlflow_run:
            tracker.conclude(mlflow_run, version, outcome)
        else:
            tracker.tag_outcome(version, outcome)
    if status == "promoted":
        news.won(pointer.problem, rollout, release, reason)
    elif status == "withdrawn":
        news.withdrawn(pointer.problem, rollout, release, reason)
    return result
