"""What the API reads and signs, on the buckets and the table that batches leave behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.feedback import read
from andamio.storage import layout
from scoring import remaining
from scoring.batch import prediction_id
from tests.support.api import Api

from .scoring import FEATURES, LINES, Scoring, heart_file


@pytest.fixture
def api(scoring: Scoring) -> Api:
    """The API on buckets and a table of its own, as the deployed function has them."""
    cloud = scoring.cloud
    api = Api(
        objects=S3Objects(cloud.models.bucket),  # type: ignore[arg-type]
        batch=S3Objects(cloud.batch.bucket),  # type: ignore[arg-type]
        lake=S3Objects(cloud.lake.bucket),  # type: ignore[arg-type]
        table=DynamoPredictionStore(cloud.table.table),  # type: ignore[arg-type]
    )
    api.clock.time = datetime.now(UTC)
    return api


def test_batches_are_asked_for_and_their_predictions_found_in_the_table_and_beside_it(
    scoring: Scoring, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = scoring.score("patients.csv", heart_file(50, poisoned=[3])).output["batch"]
    monkeypatch.setattr(remaining, "MAX_STORED_ROWS", 10)
    large = scoring.score("others.csv", heart_file(200, poisoned=[150])).output["batch"]
    assert len(scoring.items()) == 49, "too many rows for the table"

    asked = api.post("/batches", {"name": "more.csv"})
    assert asked.status == 201, asked.text
    assert asked.json["upload"]["fields"]["key"].startswith(layout.INCOMING)
    assert api.get(f"/batches/{asked.json['batch']}").json["status"] == "waiting"
    assert api.get(f"/batches/{large}").json["scored"] == 199
    assert {found["batch"] for found in api.get("/batches", limit="9").json["batches"]} >= {small, large}
    in_table = api.get(f"/predictions/{prediction_id(small, 2)}").json
    looked_up = api.get(f"/predictions/{prediction_id(large, 2)}").json
    assert in_table["record_id"] == looked_up["record_id"] == "patient-0"
    assert looked_up["probabilities"] == pytest.approx(in_table["probabilities"], abs=1e-6)
    rejected = api.get(f"/predictions/{prediction_id(large, 152)}")
    assert (rejected.status, "was rejected" in rejected.text) == (404, True)
    (found,) = api.get("/predictions", record_id="patient-0").json["predictions"]
    assert found["prediction_id"] == in_table["prediction_id"]


def test_a_prediction_reads_the_release_that_the_pointer_names(api: Api) -> None:
    patient = dict(zip(FEATURES, map(float, LINES[0].split(",")[:-1]), strict=True))
    assert api.predict(patient).status == 200
    assert api.get("/version").json["release"]


def test_labels_are_written_into_the_lake_and_nothing_else_is(scoring: Scoring, api: Api) -> None:
    patient = dict(zip(FEATURES, map(float, LINES[0].split(",")[:-1]), strict=True))
    prediction = api.predict(patient).json["prediction_id"]
    said = [{"prediction_id": prediction, "label": 1}, {"record_id": "patient-0", "label": "0"}]
    for _ in range(2):
        answer = api.post("/feedback", said)
        assert answer.status == 202, answer.text
    (info,) = scoring.cloud.lake.list("")
    assert info.key == layout.feedback(api.clock.time, f"{answer.json['feedback_id']}.jsonl")
    found = [(one.prediction_id, one.record_id, one.label) for one in read(info.key, api.lake.get(info.key).body)]
    assert found == [(prediction, None, "1"), (None, "patient-0", "0")]


def test_the_newest_report_of_the_watch_is_read_where_there_is_one(scoring: Scoring, api: Api) -> None:
    assert api.get("/monitoring").status == 404
    key = layout.monitoring(api.clock.time, "report.json")
    scoring.cloud.lake.put(key, b'{"status": "quiet"}')
    scoring.cloud.lake.put(layout.LATEST_REPORT, json.dumps({"report": key}).encode())
    assert api.get("/monitoring").json == {"status": "quiet"}


def test_before_the_first_release_there_is_no_pointer_to_read(scoring: Scoring, api: Api) -> None:
    """Which only a role that may list the bucket is told: another one is told 403."""
    s3 = scoring.cloud.models._s3
    s3.delete_object(Bucket=scoring.cloud.models.bucket, Key=layout.pointer("heart"))
    answer = api.predict({})
    assert (answer.status, answer.json["type"]) == (503, "urn:andamio:problem:not-ready")
