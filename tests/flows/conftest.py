"""An account with a machine of the heart problem in it: that of ETL, or that of batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.etl import handler as etl_handler
from tests.support.releases import linear_onnx, serve

from .cloud import FUNCTION_SECONDS, Cloud, account
from .scoring import CONTRACT, HEART, SHARD_BYTES, Scoring, deploy_scoring


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
