"""What the API logs, in the account: it reaches the lake and the table, and is found by id through the API."""

from __future__ import annotations

import json

import pytest

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.storage import layout
from lambdas.capture import handler as capture
from tests.support.api import Api
from tests.support.capture import delivery, rejection

from .cloud import Cloud
from .scoring import FEATURES, LINES, Scoring


@pytest.fixture
def cloud(scoring: Scoring) -> Cloud:
    """The account with a model that is served, and the function that keeps predictions."""
    scoring.cloud.function("capture", capture)
    return scoring.cloud


def test_an_online_prediction_is_found_by_its_id_once_its_log_line_was_delivered(
    cloud: Cloud, capfd: pytest.CaptureFixture[str]
) -> None:
    api = Api(
        objects=S3Objects(cloud.models.bucket),  # type: ignore[arg-type]
        batch=S3Objects(cloud.batch.bucket),  # type: ignore[arg-type]
        table=DynamoPredictionStore(cloud.table.table),  # type: ignore[arg-type]
    )
    patient = dict(zip(FEATURES, map(float, LINES[0].split(",")[:-1]), strict=True))
    capfd.readouterr()
    made = api.predict(patient).json
    lines = [line for line in capfd.readouterr().out.splitlines() if "andamio.prediction" in line]
    assert api.get(f"/predictions/{made['prediction_id']}").status == 404
    event = json.dumps(delivery([*lines, rejection(1)]))
    for _ in range(2):
        result, failed = cloud.invoke("andamio-heart-capture", event)
        assert not failed, result
    found = api.get(f"/predictions/{made['prediction_id']}").json
    assert (found["label"], found["probabilities"]) == (made["label"], made["probabilities"])
    assert (found["batch"], found["line"]) == (None, None)
    parts = [info.key for info in cloud.lake.list(layout.CAPTURES)]
    assert len(parts) == 2, "the rejection is of another day"
    assert all(part.endswith(".jsonl.gz") for part in parts)
