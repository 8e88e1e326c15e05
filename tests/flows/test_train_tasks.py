"""Training whose trials, fit and evaluation are Fargate tasks: what they are told, and when one is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from andamio.contract import Contract
from andamio.testing.tracker import MemoryTracker
from tests.support.datasets import heart_cells, publish

from . import tasks
from .cloud import Cloud, account
from .conftest import HEART, deploy_training

ONE_FAMILY = {"families": ["logistic_regression"], "trials": 2}
MORE = {"ANDAMIO_TRACKING_URI": "memory", "ANDAMIO_LOCK": "10c" * 21 + "1", "ANDAMIO_COMPUTE": "task"}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> Iterator[Cloud]:
    """An account with training deployed, which is told to use tasks, and a data version of heart."""
    tracker = MemoryTracker()
    monkeypatch.setattr("registry.mlflow.MlflowTracker", lambda *_: tracker)
    with account(HEART, tmp_path, monkeypatch, MORE) as deployed:
        deploy_training(deployed)
        publish(deployed.lake, Contract.load(HEART), heart_cells())
        yield deployed


def ran(cloud: Cloud) -> list[tuple[str, str]]:
    """Each task that ran: its step, and the capacity that it ran on."""
    return [
        (call.event["step"], call.event["parameters"]["CapacityProviderStrategy"][0]["CapacityProvider"])
        for call in cloud.calls
        if call.function == "task"
    ]


def lose(cloud: Cloud, step: str, times: int, **how: Any) -> None:
    """Have the first tasks of a step end without a result."""
    left, runs = [times], cloud.fargate

    def fargate(parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters["Overrides"]["ContainerOverrides"][0]["Command"][0] == step and left[0] > 0:
            left[0] -= 1
            return tasks.ended(parameters, **how)
        return runs(parameters)

    cloud.fargate = fargate


def test_a_run_of_tasks_serves_a_model(cloud: Cloud) -> None:
    done = cloud.run("train", ONE_FAMILY)
    assert done.status == "SUCCEEDED", done.cause
    assert done.output["status"] == "promoted"
    steps = ran(cloud)
    assert {capacity for step, capacity in steps if step == "trial"} == {"FARGATE_SPOT"}
    assert steps[-2:] == [("fit", "FARGATE"), ("evaluate", "FARGATE")]
    told = next(call.event["parameters"] for call in cloud.calls if call.function == "task")
    assert (told["Overrides"]["Cpu"], told["Overrides"]["Memory"]) == ("2048", "16384")
    assert told["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED"
    assert {call.event["step"] for call in cloud.calls if call.function == "train"} == {
        "plan", "fit", "evaluate", "decide",
    }  # fmt: skip


def test_a_trial_that_loses_its_spot_capacity_runs_again_on_demand(cloud: Cloud) -> None:
    lose(cloud, "trial", 1, code=137, lines=[], stop="SpotInterruption")
    done = cloud.run("train", ONE_FAMILY)
    assert done.status == "SUCCEEDED", done.cause
    assert ran(cloud)[:2] == [("trial", "FARGATE_SPOT"), ("trial", "FARGATE")]


def refuse(cloud: Cloud, capacity: str, error: str, cause: str = "") -> list[str]:
    """Have every task on a capacity end in an error of Step Functions; returns the trials that were asked for."""
    asked, runs = list[str](), cloud.fargate

    def fargate(parameters: dict[str, Any]) -> dict[str, Any]:
        if parameters["CapacityProviderStrategy"][0]["CapacityProvider"] == capacity:
            asked.append(parameters["Overrides"]["ContainerOverrides"][0]["Command"][2])
            raise tasks.NoTask(error, cause)
        return runs(parameters)

    cloud.fargate = fargate
    return asked


def test_a_trial_that_gets_no_spot_capacity_soon_runs_on_demand(cloud: Cloud) -> None:
    asked = refuse(cloud, "FARGATE_SPOT", "ECS.AmazonECSException", "Capacity is unavailable at this time")
    done = cloud.run("train", ONE_FAMILY)
    assert done.status == "SUCCEEDED", done.cause
    trials = [capacity for step, capacity in ran(cloud) if step == "trial"]
    assert set(trials) == {"FARGATE"}
    assert len(asked) == 4 * len(trials)


def test_a_trial_that_takes_too_long_is_lost_and_not_run_again(cloud: Cloud) -> None:
    asked = refuse(cloud, "FARGATE_SPOT", "States.Timeout")
    cloud.run("train", ONE_FAMILY)
    assert "trial" not in [step for step, _ in ran(cloud)], "the same would take as long on demand"
    lost = [info.key for info in cloud.models.list("runs/") if "/lost/" in info.key]
    assert len(lost) == len(asked)
    note = cloud.models.get(lost[0]).body.decode()
    assert "States.Timeout" in note
    assert '"own_fault": true' in note.replace('":true', '": true')


def test_a_fit_that_is_lost_once_runs_again(cloud: Cloud) -> None:
    lose(cloud, "fit", 1, code=143, lines=["Terminated"])
    done = cloud.run("train", ONE_FAMILY)
    assert done.status == "SUCCEEDED", done.cause
    assert [step for step, _ in ran(cloud)].count("fit") == 2


def test_a_fit_that_fails_twice_says_so_with_the_last_lines_of_its_log(cloud: Cloud) -> None:
    lose(cloud, "fit", 2, code=1, lines=[f"line {number}" for number in range(30)] + ["ValueError: nothing to fit"])
    done = cloud.run("train", ONE_FAMILY)
    assert (done.status, done.error) == ("FAILED", "Andamio.Fault")
    assert "The task of 'fit " in done.cause
    assert "exit code 1" in done.cause
    assert done.cause.endswith("ValueError: nothing to fit")
    assert "line 29" in done.cause
    assert "line 5\n" not in done.cause
    assert tasks.LOG in done.cause
    assert cloud.run("train", ONE_FAMILY).status == "SUCCEEDED", "the same command again ends right"


def test_a_trial_that_needs_more_memory_than_its_task_has_is_recorded_as_failed(cloud: Cloud) -> None:
    lose(cloud, "trial", 3, code=137, lines=["OutOfMemoryError: Container killed due to memory usage"])
    done = cloud.run("train", ONE_FAMILY)
    assert done.status == "SUCCEEDED", done.cause
    lost = [info.key for info in cloud.models.list("runs/") if "/lost/" in info.key]
    assert len(lost) == 1
    note = cloud.models.get(lost[0]).body.decode()
    assert "OutOfMemoryError" in note
    assert '"own_fault": true' in note.replace('":true', '": true')
