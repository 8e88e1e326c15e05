"""What of a stack runs: executions of its state machines, and tasks in its clusters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from andamio.adapters.aws import Account
from andamio.adapters.stacks import Member

_MACHINE, _CLUSTER = "AWS::StepFunctions::StateMachine", "AWS::ECS::Cluster"
_PAUSE = 5.0
"""Seconds between two looks."""
_TIMEOUT_SECONDS = 10 * 60.0
"""Seconds after which tasks are no longer waited for: ECS kills a task half a minute after it was told to stop."""
_TASKS_A_CALL = 100
"""How many tasks ECS describes at once."""
_GONE = ("StateMachineDoesNotExist", "ClusterNotFoundException")
_WHY = "Its stack is being deleted"


class Running:
    """The executions and tasks of a stack's resources."""

    def __init__(self, account: Account, members: Iterable[Member]) -> None:
        there = [member for member in members if member.name and member.status != "DELETE_COMPLETE"]
        self._account = account
        self._machines = [member.name for member in there if member.kind == _MACHINE]
        self._clusters = [member.name for member in there if member.kind == _CLUSTER]
        self._stopped: set[str] = set()
        self._problems: dict[str, str] = {}

    def stop(self, progress: Callable[[str], None]) -> list[str]:
        """Stop all executions and tasks, and wait until no task is left, at most ten minutes.

        `progress` receives what runs; returns, a sentence each, what could not be stopped.
        """
        start = time.monotonic()
        while True:
            executions = [arn for machine in self._machines for arn in self._stop_executions(machine)]
            tasks = [arn for cluster in self._clusters for arn in self._stop_tasks(cluster)]
            if not executions and not tasks:
                return list(self._problems.values())
            if time.monotonic() - start > _TIMEOUT_SECONDS:
                late = f"{len(tasks)} tasks still run after {_TIMEOUT_SECONDS / 60:.0f} minutes, and cost money"
                return [*self._problems.values(), *([late] if tasks else [])]
            progress(f"{len(tasks)} tasks are ending" if tasks else f"{len(executions)} executions were stopped")
            time.sleep(_PAUSE)

    def _stop_executions(self, machine: str) -> list[str]:
        """Stop the executions that run; the ARNs of those that were stopped now."""
        client, stopped = self._account.guarded("stepfunctions"), []
        try:
            for page in client.pages("list_executions", stateMachineArn=machine, statusFilter="RUNNING"):
                for execution in page["executions"]:
                    arn = str(execution["executionArn"])
                    if arn not in self._stopped:
                        client.stop_execution(executionArn=arn, error="Andamio.StackDeleted", cause=_WHY)
                        self._stopped.add(arn)
                        stopped.append(arn)
        except ClientError as error:
            self._note(machine, "Executions", error)
        return stopped

    def _stop_tasks(self, cluster: str) -> list[str]:
        """Stop the tasks that run; the ARNs of those that have not ended yet."""
        client, active = self._account.guarded("ecs"), []
        try:
            # All are looked up first: one that is stopped meanwhile would be found again among those that are ending.
            for arn, task in {str(task["taskArn"]): task for task in _tasks(client, cluster)}.items():
                active.append(arn)
                if task["desiredStatus"] != "STOPPED":
                    client.stop_task(cluster=cluster, task=arn, reason=_WHY)
        except ClientError as error:
            self._note(cluster, "Tasks", error)
            return []
        return active

    def _note(self, name: str, what: str, error: ClientError) -> None:
        if error.response["Error"]["Code"] not in _GONE:
            self._problems[name] = f"{what} of {name.rsplit(':', 1)[-1]} may still run, and cost money: {error}"


def _tasks(client: Any, cluster: str) -> Iterator[dict[str, Any]]:
    """The tasks of a cluster that have not ended, those that are ending included."""
    for desired in ("RUNNING", "STOPPED"):
        arns = [
            arn
            for page in client.pages("list_tasks", cluster=cluster, desiredStatus=desired)
            for arn in page["taskArns"]
        ]
        for some in batched(arns, _TASKS_A_CALL, strict=False):
            for task in client.describe_tasks(cluster=cluster, tasks=list(some))["tasks"]:
                if task["lastStatus"] != "STOPPED":
                    yield task
