"""A number to predict, from the file that lands to a model that serves, through both state machines."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from andamio.contract import Contract
from andamio.release.pointer import read_pointer
from andamio.release.release import CARD, Release
from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.monitor import handler as monitor_handler

from .cloud import FUNCTION_SECONDS, Cloud, account
from .conftest import deploy_etl, deploy_training
from .scoring import deploy_scoring

ANSWER = ["value", "interval_low", "interval_high"]
DIABETES = Path(__file__).parents[2] / "problems" / "diabetes"
CONTRACT = Contract.load(DIABETES)


def test_a_file_with_a_number_to_predict_becomes_a_model_that_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    more = {"ANDAMIO_TRACKING_URI": tracking, "ANDAMIO_LOCK": "10c" * 21 + "1", "ANDAMIO_SHARD_BYTES": "10000"}
    more |= {"ANDAMIO_CAPTURE_SHARE": "1"}
    with account(DIABETES, tmp_path, monkeypatch, more) as cloud:
        deploy_etl(cloud, cloud.machine("later", TRAINING_STARTED, {}))
        deploy_training(cloud, parallel=2)
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

        row = _scores_a_file(cloud, release.version)
        loaded = mlflow.pyfunc.load_model(f"models:/diabetes/{version.version}")
        (first, *_) = csv.DictReader(io.StringIO((DIABETES / "diabetes.csv").read_text()))
        answer = loaded.predict(pd.DataFrame([{name: _cell(name, first[name]) for name in CONTRACT.inputs}]))
        assert answer.iloc[0].tolist() == pytest.approx([float(row[name]) for name in ANSWER], rel=1e-5)
        _watches_it(cloud)
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def _cell(name: str, text: str) -> object:
    return text if CONTRACT.inputs[name].type == "category" else float(text)


def _scores_a_file(cloud: Cloud, release: str) -> dict[str, str]:
    """Score the sample with the numbers that came true, and return its first row, which is looked up too."""
    scoring = deploy_scoring(cloud)
    ended = scoring.score("diabetes.csv", (DIABETES / "diabetes.csv").read_bytes())
    assert ended.status == "SUCCEEDED", ended.cause
    batch = ended.output["batch"]
    rows = scoring.scored(batch)
    assert (len(rows), {row["model_version"] for row in rows}) == (442, {release})
    assert all(float(row["interval_low"]) <= float(row["value"]) <= float(row["interval_high"]) for row in rows)
    item = cloud.table.find(rows[0]["prediction_id"])
    assert item is not None
    assert item["value"] == pytest.approx(float(rows[0]["value"]), rel=1e-6)
    assert (item["interval"]["level"], item["unit"]) == (0.9, "points")
    return rows[0]


def _watches_it(cloud: Cloud) -> None:
    """The watch finds the numbers of the file beside its predictions, and draws a page of it."""
    values = {
        "MonitorFunction": cloud.function("monitor", monitor_handler),
        **asl.task_seconds("MonitorFunction", FUNCTION_SECONDS),
        "EtlMachine": cloud.machine("retraining", TRAINING_STARTED, {}),
        "Partition": "aws",
    }
    cloud.machine("monitor", asl.FOLDER / "monitor.asl.json", values)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    scheduled = {"detail-type": "Scheduled Event", "source": "aws.events", "time": f"{hour:%FT%TZ}", "detail": {}}
    ended = cloud.run("monitor", scheduled)
    assert ended.status == "SUCCEEDED", ended.cause
    report = json.loads(cloud.lake.get(ended.output["report"]).body)
    assert report["model"] | {"task": "regression", "unit": "points"} == report["model"]
    assert (report["labels"]["joined"], report["performance"]["status"]) == (442, "ok")
    assert report["performance"]["residuals"]["held"]["value"] > 0.85
    assert report["estimate"] is None
    assert b"Errors and intervals" in cloud.lake.get(ended.output["page"]).body
