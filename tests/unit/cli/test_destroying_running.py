"""Taking a system down on AWS while it trains: executions and tasks are stopped before the stack is deleted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters import running
from andamio.adapters.aws import Account
from andamio.adapters.running import Running
from andamio.adapters.stacks import Member
from andamio.cli import main
from tests.support.account import STACK, TEMPLATE, Aws, refused

pytestmark = pytest.mark.slow

CLUSTER = "andamio-heart-train"
WAITS = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
TRAINS = {
    "Machine": {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": "andamio-heart-train",
            "RoleArn": "arn:aws:iam::123456789012:role/x",
            "DefinitionString": json.dumps(WAITS),
        },
    },
    "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": CLUSTER}},
}


class Ecs:
    """ECS, as far as it is asked: each task ends so many looks after it was told to stop."""

    def __init__(self, aws: Aws, tasks: int, looks: int = 2) -> None:
        self.aws = aws
        self.left: dict[str, int] = {f"arn:task/{CLUSTER}/{number}": looks for number in range(tasks)}
        self.told: list[str] = []
        self.deleted_before: list[bool] = []
        self.refuses: Exception | None = None

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_tasks"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, *, cluster: str, desiredStatus: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert cluster == CLUSTER
        if self.refuses:
            raise self.refuses
        for arn in self.left:
            if (arn in self.told) == (desiredStatus == "STOPPED"):
                yield {"taskArns": [arn]}

    def describe_tasks(self, *, cluster: str, tasks: list[str]) -> dict[str, Any]:
        for arn in tasks:
            self.left[arn] -= arn in self.told
        return {
            "tasks": [
                {
                    "taskArn": arn,
                    "desiredStatus": "STOPPED" if arn in self.told else "RUNNING",
                    "lastStatus": "STOPPED" if self.left[arn] <= 0 else "RUNNING",
                }
                for arn in tasks
            ]
        }

    def stop_task(self, *, cluster: str, task: str, reason: str) -> None:
        self.told.append(task)
        self.deleted_before.append(bool(self.aws.deletions))


@pytest.fixture
def ecs(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Ecs:
    """The account's ECS, with three tasks of a stack that trains."""
    made = Ecs(aws, tasks=3)
    merged = {**TEMPLATE, "Resources": {**TEMPLATE["Resources"], **TRAINS}}
    aws.client("cloudformation").update_stack(StackName=STACK, TemplateBody=json.dumps(merged))
    real = Account.client

    def client(account: Account, service: str) -> Any:
        return made if service == "ecs" else real(account, service)

    monkeypatch.setattr(Account, "client", client)
    return made


def machine(aws: Aws) -> str:
    (found,) = aws.client("stepfunctions").list_state_machines()["stateMachines"]
    return str(found["stateMachineArn"])


def destroy(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["andamio", "destroy", "--aws", "--yes"])
    with pytest.raises(SystemExit) as leave:
        main.main()
    return int(leave.value.code or 0)


def test_what_runs_is_stopped_and_its_end_is_awaited_before_the_stack_is_deleted(
    aws: Aws, ecs: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=machine(aws))["executionArn"]
    statuses: list[str] = []
    real = Aws.delete

    def delete(self: Aws, stack: str) -> None:
        statuses.append(client.describe_execution(executionArn=execution)["status"])
        assert max(ecs.left.values()) == 0, "no task runs"
        real(self, stack)

    monkeypatch.setattr(Aws, "delete", delete)
    assert destroy(monkeypatch) == 0
    assert statuses == ["ABORTED"]
    assert len(ecs.told) == 3
    assert not any(ecs.deleted_before)
    assert STACK not in aws.live


def test_a_task_that_does_not_end_is_said_and_cloudformation_decides(
    aws: Aws, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ecs.left = dict.fromkeys(ecs.left, 10**6)
    monkeypatch.setattr(running, "_TIMEOUT_SECONDS", 0.0)
    assert destroy(monkeypatch) == 0
    assert "3 tasks still run after 0 minutes, and cost money" in " ".join(capsys.readouterr().err.split())
    assert len(aws.deletions) == 1


def test_who_may_not_stop_tasks_is_told_that_they_may_go_on(
    aws: Aws, ecs: Ecs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ecs.refuses = refused("ListTasks", "AccessDeniedException", "not authorized")
    assert destroy(monkeypatch) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"Tasks of {CLUSTER} may still run, and cost money" in said
    assert "not authorized" in said


def test_what_is_gone_already_is_no_problem(aws: Aws) -> None:
    gone = [
        Member("AWS::StepFunctions::StateMachine", machine_arn("of-before"), "CREATE_COMPLETE"),
        Member("AWS::ECS::Cluster", "of-before", "CREATE_COMPLETE"),
        Member("AWS::ECS::Cluster", "deleted", "DELETE_COMPLETE"),
        Member("AWS::ECS::Cluster", "", "CREATE_FAILED"),
    ]
    assert Running(Account(None, "us-east-1"), gone).stop(lambda at: None) == []


def machine_arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
