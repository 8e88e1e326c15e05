"""An account with a machine of the heart problem in it: that of ETL, or that of batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.capture import handler as capture_handler
from lambdas.etl import handler as etl_handler
from lambdas.registry import handler as registry_handler
from lambdas.search import handler as search_handler
from lambdas.train import handler as train_handler
from tests.support.releases import linear_onnx, serve

from . import tasks
from .cloud import FUNCTION_SECONDS, Cloud, account
from .scoring import CONTRACT, HEART, SHARD_BYTES, Scoring, deploy_scoring


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, by which `make test` finds them among those that take long."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flows)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that retriers asked to wait, which nobody waits."""
    asked: list[float] = []
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=asked.append))
    return asked


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account for the heart problem, with ETL deployed and a machine that stands in for training."""
    with account(HEART, tmp_path, monkeypatch) as empty:
        deploy_etl(empty, empty.machine("train", TRAINING_STARTED, {}))
        yield empty


@pytest.fixture
def scoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scoring]:
    """An account for the heart problem, with a model that is served, and scoring deployed; shards are small."""
    with account(HEART, tmp_path, monkeypatch, {"ANDAMIO_SHARD_BYTES": str(SHARD_BYTES)}) as empty:
        serve(empty.models, CONTRACT, linear_onnx(CONTRACT, scale=0.01))
        yield deploy_scoring(empty)


def deploy_etl(cloud: Cloud, train_machine: str) -> None:
    """Deploy the ETL function and its state machine, which starts the given one; files need no quiet time here."""
    values = {
        "EtlFunction": cloud.function("etl", etl_handler),
        **asl.task_seconds("EtlFunction", FUNCTION_SECONDS),
        "TrainMachine": train_machine,
        "QuietSeconds": 0,
        "LongestSeconds": 600,
        "Partition": "aws",
    }
    cloud.machine("etl", asl.FOLDER / "etl.asl.json", values)


def deploy_training(
    cloud: Cloud, trial_machine: str | None = None, *, parallel: int = 1, approval_seconds: int = 60
) -> None:
    """Deploy the functions and the state machine of training, which starts the given one for a trial.

    Tasks run in this process. By default a machine stands in for that of trials.
    """
    values: dict[str, str | int] = {"Parallel": parallel, "ApprovalSeconds": approval_seconds, **tasks.VALUES}
    values["RolloutMachine"] = trial_machine or cloud.machine("rollout", TRAINING_STARTED, {})
    for name, module in {"Train": train_handler, "Search": search_handler, "Registry": registry_handler}.items():
        values[f"{name}Function"] = cloud.function(name.lower(), module)
        values |= asl.task_seconds(f"{name}Function", FUNCTION_SECONDS)
    cloud.machine("train", asl.FOLDER / "train.asl.json", values)


def deploy_trials(cloud: Cloud) -> str:
    """Deploy the functions and the state machine of trials, and return the machine."""
    cloud.function("capture", capture_handler)
    values = {
        "RegistryFunction": cloud.function("registry", registry_handler),
        **asl.task_seconds("RegistryFunction", FUNCTION_SECONDS),
    }
    return cloud.machine("rollout", asl.FOLDER / "rollout.asl.json", values)
