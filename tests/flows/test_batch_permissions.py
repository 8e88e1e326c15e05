"""Functions do nothing with batches that their roles may not do: emulators would let them, AWS would not."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from andamio.adapters.dynamodb import DynamoPredictions
from andamio.adapters.s3 import S3Objects
from andamio.batches import prediction_id
from lambdas.score import handler as score_handler
from scoring import proceed
from tests.infra.test_permissions import EXPECTED
from tests.support.api import Api

from .cloud import Cloud
from .scoring import Json, Scoring, heart_file

READS = ("GetObject", "HeadObject")
WRITES = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
LISTS = {"ListObjectVersions": "ListBucketVersions", "ListObjectsV2": "ListBucket"}

Need = tuple[str, str]
"""IAM's name for a call, and on what it is made: ("s3:GetObject", "Batch/incoming/a.csv")."""


def watch(cloud: Cloud, clients: Iterable[Any]) -> set[Need]:
    """What calls of these clients need, those that a presigned address is for included; grows with each."""
    seen: set[Need] = set()
    buckets = {cloud.batch.bucket: "Batch", cloud.models.bucket: "Models", cloud.lake.bucket: "Lake"}

    def note(params: Json, model: Any, **_: object) -> None:
        operation = model.name
        if model.service_model.service_name == "dynamodb":
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            seen.add((f"dynamodb:{operation}", f"Predictions{index}"))
            return
        bucket, key = buckets[params["Bucket"]], params.get("Key", "")
        if operation == "CreateBucket":
            return  # botocore makes a form's address out of this call, and does not make the call
        if operation in LISTS:
            seen.add((f"s3:{LISTS[operation]}", bucket))
        elif operation in READS:
            seen.add(("s3:GetObjectVersion" if "VersionId" in params else "s3:GetObject", f"{bucket}/{key}"))
        else:
            seen.add(("s3:PutObject" if operation in WRITES else f"s3:{operation}", f"{bucket}/{key}"))
        if "IfMatch" in params and operation in WRITES:
            seen.add(("s3:GetObject", f"{bucket}/{key}"))  # whoever compares must be allowed to read

    for client in set(clients):
        client.meta.events.register("before-parameter-build", note)
    return seen


def refused(needed: Iterable[Need], role: str) -> set[Need]:
    """What the role does not allow; tests/infra holds the template to be exactly `EXPECTED`."""
    allowed = [line.split(" ", 1) for line in EXPECTED[role]]
    return {
        (action, what)
        for action, what in needed
        if not any(action == verb and fnmatchcase(what, pattern) for verb, pattern in allowed)
    }


def parquet(rows: int) -> bytes:
    table = pa.csv.read_csv(io.BytesIO(heart_file(rows).encode()))
    file = io.BytesIO()
    pa.parquet.write_table(table, file, row_group_size=50)
    return file.getvalue()


def test_scoring_stays_within_its_role_whatever_the_file_and_however_it_goes(scoring: Scoring) -> None:
    desk: Any = score_handler.connect()
    needed = watch(scoring.cloud, [desk.batch._s3, desk.models._s3, desk.table._dynamo])

    def failing(event: Json, context: Any) -> Json:
        if event["step"] == "score" and event["shard"] == 1:
            raise MemoryError("out of memory")
        return score_handler.handler(event, context)

    for name, body in {
        "patients.csv": heart_file(900, poisoned=[3]),  # surveyed by a map, some rejected
        "packed.csv.gz": gzip.compress(heart_file(100).encode()),
        "columns.parquet": parquet(200),
        "again.csv": heart_file(900, poisoned=[3]),
        "refused.csv": "a,b\n1,2\n",
    }.items():
        scoring.score(name, body)
    scoring.instead(failing)
    scoring.score("failing.csv", heart_file(200, seed=3, poisoned=[1]))
    scoring.instead(score_handler.handler)
    assert scoring.resume(scoring.calls("score")[-1]["batch"]).status == "SUCCEEDED"
    assert refused(needed, "ScoringFunctionRole") == set()
    assert {action for action, _ in needed} >= {
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucketVersions", "dynamodb:BatchWriteItem",
    }, "the calls were seen"  # fmt: skip


def test_the_api_stays_within_its_role_and_so_do_the_addresses_that_it_signs(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = scoring.cloud
    bucket, table = S3Objects(cloud.batch.bucket), DynamoPredictions(cloud.table.table)
    api = Api(objects=cloud.models, batch=bucket, table=table)  # type: ignore[arg-type]
    api.clock.time = datetime.now(UTC)
    needed = watch(cloud, [bucket._s3, table._dynamo])
    small = scoring.score("patients.csv", heart_file(50, poisoned=[3])).output["batch"]
    monkeypatch.setattr(proceed, "FEW_ROWS", 10)
    large = scoring.score("others.csv", heart_file(200, poisoned=[150])).output["batch"]
    assert len(scoring.items()) == 49, "too many rows for the table"

    asked = api.post("/batches", {"name": "more.csv"})
    assert asked.status == 201, asked.text
    needed.add(("s3:PutObject", f"Batch/{asked.json['upload']['fields']['key']}"))
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

    assert refused(needed, "ApiFunctionRole") == set()
    assert {action for action, _ in needed} >= {
        "s3:GetObject", "s3:PutObject", "s3:ListBucketVersions", "dynamodb:GetItem", "dynamodb:Query",
    }, "the calls were seen"  # fmt: skip
    assert ("s3:GetObject", f"Batch/scored/{large}.csv") in needed, "and so were the signed ones"
