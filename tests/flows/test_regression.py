"""A number to predict, from the file that lands to a model that serves, through both state machines."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from andamio.contract import Contract
from andamio.release.pointer import read_pointer
from andamio.release.release import CARD, Release
from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.registry import handler as registry_handler
from lambdas.search import handler as search_handler
from lambdas.train import handler as train_handler

from . import tasks
from .cloud import FUNCTION_SECONDS, account
from .conftest import deploy_etl

DIABETES = Path(__file__).parents[2] / "problems" / "diabetes"
CONTRACT = Contract.load(DIABETES)


def test_a_file_with_a_number_to_predict_becomes_a_model_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    more = {"ANDAMIO_TRACKING_URI": tracking, "ANDAMIO_LOCK": "10c" * 21 + "1"}
    with account(DIABETES, tmp_path, monkeypatch, more) as cloud:
        values: dict[str, str | int] = {
            "TrainFunction": cloud.function("train", train_handler),
            "SearchFunction": cloud.function("search", search_handler),
            "RegistryFunction": cloud.function("registry", registry_handler),
            "Parallel": 2,
            "ApprovalSeconds": 60,
            **tasks.VALUES,
        }
        for function in ("TrainFunction", "SearchFunction", "RegistryFunction"):
            values |= asl.task_seconds(function, FUNCTION_SECONDS)
        deploy_etl(cloud, cloud.machine("later", TRAINING_STARTED, {}))
        cloud.machine("train", asl.FOLDER / "train.asl.json", values)
        cloud.put("raw/diabetes.csv", (DIABETES / "diabetes.csv").read_bytes())
        assert cloud.run("etl", cloud.landed("raw/diabetes.csv")).status == "SUCCEEDED"

        ended = cloud.run("train", {"families": ["ridge", "hist_gradient_boosting"], "trials": 3})

        assert ended.status == "SUCCEEDED", ended.cause
        assert ended.output["status"] == "promoted"
        champion = read_pointer(cloud.models, "diabetes")[0].champion
        assert champion is not None
        release = Release.open(cloud.models, champion.release)
        release.verify()
        assert release.margins() is not None
        assert release.json("decision.json")["rule"] == "median"
        assert release.json("evaluation.json")["success"]["holds"]
        assert "Whether its intervals hold" in release.read(CARD).decode()
        version = MlflowClient(tracking, tracking).get_model_version_by_alias("diabetes", "champion")
        logged = mlflow.models.get_model_info(f"models:/diabetes/{version.version}")
        assert [column.name for column in logged.signature.outputs] == ["value", "interval_low", "interval_high"]
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])
