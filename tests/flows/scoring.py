"""The batch machine in an account of this process: files dropped, and what became of them read back from S3."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from andamio import names
from andamio.contract import Contract
from andamio.storage import layout
from infra import asl
from lambdas.score import handler as score_handler

from .cloud import FUNCTION_SECONDS, Cloud, Execution

HEART = Path(__file__).parents[2] / "problems" / "heart"
CONTRACT = Contract.load(HEART)
SHARD_BYTES = 2_000
"""Some forty records of heart."""

HEADER, *LINES = (HEART / "heart.csv").read_text().splitlines()
FEATURES = HEADER.split(",")[:-1]
# What no rule of the contract lets pass, by the feature that the reject must name.
POISONS = {"cp": "9", "age": "-1", "trestbps": "high"}

Json = dict[str, Any]
Handler = Callable[[Json, Any], Json]


@dataclass(frozen=True)
class Scoring:
    """An account with scoring deployed; `inbox` is a queue that is subscribed to finished batches."""

    cloud: Cloud
    inbox: str

    # Dropping files

    def drop(self, name: str, body: str | bytes) -> Json:
        """Put a file under incoming/; returns the event that EventBridge sends."""
        key = layout.INCOMING + name
        self.cloud.batch.put(key, body.encode() if isinstance(body, str) else body)
        return self.cloud.landed(key, self.cloud.batch)

    def score(self, name: str, body: str | bytes) -> Execution:
        """Drop a file and run the execution that its event starts."""
        return self.cloud.run("batch", self.drop(name, body))

    def resume(self, batch: str) -> Execution:
        """Run the execution that a person starts for a batch that failed."""
        return self.cloud.run("batch", {"batch": batch, "resume": True})

    def instead(self, handler: Handler) -> None:
        """Put another handler in the place of the score function."""
        self.cloud.fake_function("score", handler)

    # Reading what came of them

    def json(self, key: str) -> Json:
        """A JSON object of the batch bucket."""
        content: Json = json.loads(self.cloud.batch.get(key).body)
        return content

    def manifest(self, batch: str) -> Json:
        """What a finished batch was made of and came to."""
        return self.json(layout.batch_manifest(batch))

    def state(self, batch: str) -> Json:
        """Running, failed or done, and why."""
        return self.json(layout.batch(batch, "state.json"))

    def parts(self, batch: str) -> list[str]:
        """The keys of the scored parts."""
        return [info.key for info in self.cloud.batch.list(f"{layout.SCORED}{batch}/")]

    def scored(self, batch: str) -> list[dict[str, str]]:
        """Every scored row of a CSV batch, in order; each part is a file with a header of its own."""
        bodies = [self.cloud.batch.get(key).body.decode() for key in self.parts(batch)]
        return [row for body in bodies for row in csv.DictReader(io.StringIO(body))]

    def rejected(self, batch: str) -> list[Json]:
        """Every rejected row, in order."""
        keys = [info.key for info in self.cloud.batch.list(f"{layout.REJECTED}{batch}/")]
        return [json.loads(line) for key in keys for line in self.cloud.batch.get(key).body.splitlines()]

    def items(self) -> list[Json]:
        """Every item of the predictions table, as DynamoDB keeps it."""
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=self.cloud.table.table)
        return [item for page in pages for item in page["Items"]]

    def versions(self, prefix: str) -> dict[str, int]:
        """How often each key under a prefix was written."""
        pages = boto3.client("s3").get_paginator("list_object_versions").paginate(
            Bucket=self.cloud.batch.bucket, Prefix=prefix
        )  # fmt: skip
        written: dict[str, int] = {}
        for page in pages:
            for version in page.get("Versions", []):
                written[version["Key"]] = written.get(version["Key"], 0) + 1
        return written

    def calls(self, step: str) -> list[Json]:
        """The events of every call of a step."""
        return [call.event for call in self.cloud.calls if call.event.get("step") == step]

    def told(self) -> list[Json]:
        """The notifications that came since the last look."""
        reply = boto3.client("sqs").receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10, VisibilityTimeout=600)
        return [json.loads(message["Body"]) for message in reply.get("Messages", [])]


def lines_of(rows: list[dict[str, str]]) -> list[int]:
    """The line of each scored row, out of its prediction id."""
    return [int(row["prediction_id"].rpartition("-")[2]) for row in rows]


def deploy_scoring(cloud: Cloud, *, workers: int = 4) -> Scoring:
    """Deploy the score function, its machine, and a queue that is told of finished batches."""
    topic = boto3.client("sns").create_topic(Name=names.resource(cloud.problem, "batches"))["TopicArn"]
    inbox = boto3.client("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    queue = boto3.client("sqs").get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue["QueueArn"])
    values: dict[str, str | int] = {
        "ScoreFunction": cloud.function("score", score_handler),
        **asl.task_seconds("ScoreFunction", FUNCTION_SECONDS),
        "Partition": "aws",
        "BatchBucket": cloud.batch.bucket,
        "BatchTopic": topic,
        "Workers": workers,
    }
    cloud.machine("batch", _impatient(asl.load(asl.FOLDER / "batch.asl.json")), values)
    return Scoring(cloud, inbox)


def _impatient(definition: Any) -> Any:
    """The same machine, which waits a second before it tries again."""
    if isinstance(definition, list):
        return [_impatient(item) for item in definition]
    if not isinstance(definition, dict):
        return definition
    quick = {"IntervalSeconds": 1, "BackoffRate": 1.01} if "IntervalSeconds" in definition else {}
    return {key: _impatient(value) for key, value in definition.items()} | quick


def heart_file(rows: int, *, poisoned: Sequence[int] = (), seed: int = 7, target: bool = False) -> str:
    """A CSV file of heart records, each with a `record_id`; those at the places `poisoned` break the contract."""
    drawn = random.Random(seed)
    lines = [",".join(["record_id", *FEATURES, *(["disease"] if target else [])])]
    for number in range(rows):
        cells = LINES[number % len(LINES)].split(",")
        if number in poisoned:
            name = drawn.choice(sorted(POISONS))
            cells[FEATURES.index(name)] = POISONS[name]
        lines.append(",".join([f"patient-{number}", *(cells if target else cells[:-1])]))
    return "\n".join(lines) + "\n"
