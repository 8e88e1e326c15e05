"""An account with the ETL machine of the heart problem in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import asl
from lambdas.etl import handler as etl_handler

from .cloud import Cloud, account

REPOSITORY = Path(__file__).parents[2]
HEART = REPOSITORY / "problems" / "heart"

# Takes the place of training where only its start matters.
TRAINING_STARTED = {"StartAt": "Train", "States": {"Train": {"Type": "Pass", "End": True}}}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An empty account for the heart problem, with ETL deployed and a machine that stands in for training."""
    with account(HEART, tmp_path, monkeypatch) as empty:
        deploy_etl(empty, empty.machine("train", TRAINING_STARTED, {}))
        yield empty


def deploy_etl(cloud: Cloud, train_machine: str) -> None:
    """Deploy the ETL function and its state machine, which starts the given one; files need no quiet time here."""
    values = {"EtlFunction": cloud.function("etl", etl_handler), "TrainMachine": train_machine, "QuietSeconds": 0}
    cloud.machine("etl", asl.FOLDER / "etl.asl.json", values)
