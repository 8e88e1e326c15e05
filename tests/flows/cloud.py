"""The account of `andamio.testing` for our own tests: what functions call is recorded, and a failure is looked at.

cloud.put("raw/heart.csv", body)
cloud.run("etl", cloud.landed("raw/heart.csv")).output
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from andamio.testing import Call, Execution, Killed, LocalAws, local_aws
from andamio.testing.cloud import FUNCTION_SECONDS
from tests.support.recording import calling, watch

from . import tasks

__all__ = ["FUNCTION_SECONDS", "Call", "Cloud", "Execution", "Killed", "account", "sample_event", "throttled"]

EVENTS = Path(__file__).parents[1] / "events"

Handler = Callable[[dict[str, Any], Any], Any]
Throttled = type("Lambda.TooManyRequestsException", (Exception,), {})
"""What a call that Lambda refuses comes to in Step Functions, where as many run as the account may have."""


class Cloud(LocalAws):
    """An account whose functions' calls are recorded; how an execution ends is for the test to judge."""

    fargate: tasks.RunsTask = staticmethod(partial(tasks.in_process, killed=Killed))

    def run_task(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run a task of Fargate's in this process, noted as a call of the function `task`."""
        described = self.fargate(parameters)
        command = parameters["Overrides"]["ContainerOverrides"][0]["Command"]
        self.calls.append(Call("task", {"step": command[0], "parameters": parameters}, described))
        return described

    def run(self, part: str, event: Mapping[str, Any] | None = None) -> Execution:
        return self.execute(part, event)

    def answer(self, part: str, event: dict[str, Any], context: Any) -> Any:
        with calling(part, str(event.get("step", part))):
            return super().answer(part, event, context)


@contextmanager
def account(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str] | None = None
) -> Iterator[Cloud]:
    """An empty account for the problem in a folder: buckets, the contract's layer, and no functions yet.

    Functions share this process's environment; `more` adds what one of them needs besides the buckets.
    """
    with (
        local_aws(folder, machines=(), environment=more, kind=Cloud) as cloud,
        pytest.MonkeyPatch.context() as patch,
    ):
        buckets = {cloud.lake.bucket: "Lake", cloud.models.bucket: "Models", cloud.batch.bucket: "Batch"}
        _forget_clients()
        watch(patch, {**buckets, cloud.table.table: "Predictions", tasks.LOG: "TasksLogs"})
        tasks.install(patch, cloud.run_task)
        yield cloud


def _forget_clients() -> None:
    """MLflow keeps S3's client for the process: one of an earlier account would count its calls as that account's."""
    kept = sys.modules.get("mlflow.store.artifact.s3_artifact_repo")
    if kept is not None:
        kept._cached_get_s3_client.cache_clear()


def throttled(times: int, answers: Handler, *steps: str) -> Handler:
    """A function that Lambda does not let run when one of the steps is asked for, so many times each."""
    left = dict.fromkeys(steps, times)

    def handler(event: dict[str, Any], context: Any) -> Any:
        if left.get(event["step"], 0) > 0:
            left[event["step"]] -= 1
            raise Throttled("Rate Exceeded.")
        return answers(event, context)

    return handler


def sample_event(name: str) -> dict[str, Any]:
    """tests/events/NAME.json."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return content
