"""The score function does nothing that its role may not do: emulators would let it, AWS would not."""

from __future__ import annotations

import gzip
import io
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from lambdas.score import handler as score_handler
from tests.infra.test_permissions import EXPECTED

from .scoring import Json, Scoring, heart_file

# What the role in the template allows, which tests/infra holds to be exactly this.
ALLOWED = [line.split(" ", 1) for line in EXPECTED["ScoringFunctionRole"]]
READS = {"GetObject": "GetObject", "HeadObject": "GetObject"}
WRITES = ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
LISTS = {"ListObjectVersions": "ListBucketVersions", "ListObjectsV2": "ListBucket"}


@pytest.fixture
def needed(scoring: Scoring) -> set[tuple[str, str]]:
    """IAM's name for each call that the function makes, and on what: ("s3:GetObject", "Batch/incoming/a.csv")."""
    cloud, seen = scoring.cloud, set[tuple[str, str]]()
    buckets = {cloud.batch.bucket: "Batch", cloud.models.bucket: "Models", cloud.lake.bucket: "Lake"}

    def note(params: Json, model: Any, **_: object) -> None:
        operation = model.name
        if model.service_model.service_name == "dynamodb":
            seen.add((f"dynamodb:{operation}", "Predictions"))
            return
        bucket, key = buckets[params["Bucket"]], params.get("Key", "")
        if operation in LISTS:
            seen.add((f"s3:{LISTS[operation]}", bucket))
        elif operation in READS:
            seen.add((f"s3:{READS[operation]}{'Version' * ('VersionId' in params)}", f"{bucket}/{key}"))
        else:
            seen.add(("s3:PutObject" if operation in WRITES else f"s3:{operation}", f"{bucket}/{key}"))
        if "IfMatch" in params:
            seen.add(("s3:GetObject", f"{bucket}/{key}"))  # whoever compares must be allowed to read

    desk = score_handler.connect()
    for client in {desk.batch._s3, desk.models._s3, desk.table._dynamo}:  # type: ignore[attr-defined]
        client.meta.events.register("before-parameter-build", note)
    return seen


def parquet(rows: int) -> bytes:
    table = pa.csv.read_csv(io.BytesIO(heart_file(rows).encode()))
    file = io.BytesIO()
    pa.parquet.write_table(table, file, row_group_size=50)
    return file.getvalue()


def test_the_function_stays_within_its_role_whatever_the_file_and_however_it_goes(
    scoring: Scoring, needed: set[tuple[str, str]]
) -> None:
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
    event = scoring.drop("failing.csv", heart_file(200, seed=3, poisoned=[1]))
    scoring.cloud.run("batch", event)
    scoring.instead(score_handler.handler)
    assert scoring.resume(scoring.calls("score")[-1]["batch"]).status == "SUCCEEDED"
    refused = {
        (action, what)
        for action, what in needed
        if not any(action == allowed and fnmatchcase(what, pattern) for allowed, pattern in ALLOWED)
    }
    assert refused == set()
    assert {action for action, _ in needed} >= {
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:ListBucketVersions", "dynamodb:BatchWriteItem",
    }, "the calls were seen"  # fmt: skip
