"""Fargate in this process: a task is the command that its container would run, and ends as ECS says that one ended.

A task that fails leaves its traceback in a log stream, as the container would.
"""

from __future__ import annotations

import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    _SUPPORTED_API_PARAM_BINDINGS,
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from andamio import names
from lambdas.train import task
from tests.support.recording import calling
from training.task_failure import log_of

CLUSTER = "andamio-heart-train"
LOG = names.task_log_group(CLUSTER)
VALUES: dict[str, str | int] = {
    "Partition": "aws",
    "TaskCluster": CLUSTER,
    "TaskDefinition": CLUSTER,
    "TaskSeconds": 600,
    "TaskSubnetOne": "subnet-1",
    "TaskSubnetTwo": "subnet-2",
    "TaskSecurityGroup": "sg-1",
}
"""What fills in the placeholders of a machine that runs tasks."""

Parameters = dict[str, Any]
Task = dict[str, Any]
RunsTask = Callable[[Parameters], Task]
"""From the parameters of a task's state to how ECS describes the task at its end; raises `NoTask`."""


class NoTask(Exception):
    """No task has ended: the name of the error that Step Functions gives, and its cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


def in_process(parameters: Parameters, killed: type[BaseException]) -> Task:
    """Run the command of a task here; `killed` is what stands for a signal that ends the process."""
    command = parameters["Overrides"]["ContainerOverrides"][0]["Command"]
    try:
        with calling("task", command[0]):
            code, lines = task.main(command), []
    except Exception:
        code, lines = 1, traceback.format_exc().splitlines()
    except killed as error:
        code, lines = 137, [str(error)]
    return ended(parameters, code, lines)


def ended(
    parameters: Parameters, code: int, lines: list[str], stop: str = "EssentialContainerExited"
) -> dict[str, Any]:
    """How ECS describes a task that has ended; its lines are in its log."""
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/{parameters['Cluster']}/{uuid.uuid4().hex}"
    group, stream = log_of(arn)
    _log(group, stream, lines)
    return {
        "TaskArn": arn,
        "StopCode": stop,
        "StoppedReason": "Essential container in task exited",
        "Containers": [{"Name": names.TASK_CONTAINER, "ExitCode": code}],
        "Overrides": parameters["Overrides"],
        "CapacityProviderName": parameters["CapacityProviderStrategy"][0]["CapacityProvider"],
    }


def install(monkeypatch: pytest.MonkeyPatch, runs: RunsTask) -> None:
    """Have moto's interpreter run tasks by a function; a task whose container failed is `States.TaskFailed`."""
    boto3.client("logs").create_log_group(logGroupName=LOG)

    def run(state: Any, env: Any, normalised_parameters: Parameters, **_: object) -> None:
        try:
            env.stack.append(runs(normalised_parameters))
        except NoTask as none:
            failed = TaskFailedEventDetails(
                resource="runTask.sync", resourceType="ecs", error=none.error, cause=none.cause
            )
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=ErrorName(error_name=none.error),
                    event_type=HistoryEventType.TaskFailed,
                    event_details=EventDetails(taskFailedEventDetails=failed),
                )
            ) from none

    def wait(state: Any, env: Any, **_: object) -> None:
        described = env.stack.pop()
        if any(container.get("ExitCode") != 0 for container in described["Containers"]):
            failed = TaskFailedEventDetails(
                resource="runTask.sync",
                resourceType="ecs",
                error=StatesErrorNameType.StatesTaskFailed.to_name(),
                cause=to_json_str(described),
            )
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=StatesErrorName(typ=StatesErrorNameType.StatesTaskFailed),
                    event_type=HistoryEventType.TaskFailed,
                    event_details=EventDetails(taskFailedEventDetails=failed),
                )
            )
        env.stack.append(described)

    known = _SUPPORTED_API_PARAM_BINDINGS["runtask"]  # of which moto lacks one that AWS has
    monkeypatch.setitem(_SUPPORTED_API_PARAM_BINDINGS, "runtask", known | {"CapacityProviderStrategy"})
    monkeypatch.setattr(StateTaskServiceEcs, "_eval_service_task", run)
    monkeypatch.setattr(StateTaskServiceEcs, "_eval_integration_pattern", wait)


def _log(group: str, stream: str, lines: list[str]) -> None:
    logs = boto3.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    if lines:
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
