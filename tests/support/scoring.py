"""Files scored as a worker scores them, planned by hand: one shard, or as many as there are cuts.

scored = score_file(contract, body, "csv")
scored.rows            # the scored rows, as texts by column name
scored.rejects         # what was rejected, as written
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.contract.task import Classification, Regression
from andamio.release.answers import answers_of
from andamio.release.model import Model
from andamio.release.release import Release
from andamio.storage import layout
from scoring.batch import BatchPlan, Cut, Shard, ShardResult
from scoring.worker import score_shard
from tests.support.batches import plan_of
from tests.support.releases import seal_release, sealed_with

BATCH = "20260102T030405-0123456789ab"
KEY = f"incoming/{BATCH}/file"


@dataclass
class Scored:
    """What scoring a file left, and everything to score it again."""

    plan: BatchPlan
    cut: Cut
    contract: Contract
    model: Model
    batch: MemoryObjects
    table: MemoryPredictionStore
    results: list[ShardResult] = field(default_factory=list)

    def again(self, number: int = 0, batch: Any = None, table: Any = None) -> ShardResult:
        """Score one shard."""
        return score_shard(
            batch or self.batch,
            table or self.table,
            self.plan,
            self.cut,
            self.cut.shards[number],
            self.contract,
            self.model,
        )

    def part(self, number: int = 0) -> bytes:
        """The bytes of a scored part."""
        return self.batch.get(layout.scored_part(BATCH, number, self.plan.ending)).body

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The scored rows of all parts."""
        rows: list[dict[str, Any]] = []
        for shard in self.cut.shards:
            body = self.part(shard.number)
            if self.plan.input.format == "parquet":
                rows += pq.read_table(io.BytesIO(body)).to_pylist()
            elif self.plan.input.format == "jsonl":
                rows += [json.loads(line) for line in body.decode().splitlines()]
            else:
                text = io.StringIO(body.decode(), newline="")
                rows += csv.DictReader(text, delimiter=self.plan.head.delimiter, skipinitialspace=True)
        return rows

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """What was rejected, in order."""
        bodies = [self.batch.get(info.key).body for info in self.batch.list(f"rejected/{BATCH}/")]
        return [json.loads(line) for body in bodies for line in body.decode().splitlines()]

    @property
    def probabilities(self) -> np.ndarray:
        """What the model said of the scored rows `[rows, outputs]`: the probabilities, or the value."""
        match self.contract.task:
            case Classification():
                said = [f"probability_{name}" for name in self.plan.classes]
            case Regression():
                said = ["value"]
        columns = [self.plan.names_out[name] for name in said]
        comma = self.plan.head.decimal == ","
        return np.array(
            [[float(str(row[name]).replace(",", ".") if comma else row[name]) for name in columns] for row in self.rows]
        ).reshape(-1, len(columns))


def planned(contract: Contract, body: bytes, form: Any = "csv", *, onnx: bytes | None = None, **more: Any) -> Scored:
    """A file that is not scored yet, in one shard; `more` is what its plan says besides."""
    models, batch = MemoryObjects("models"), MemoryObjects("batch")
    release = Release.open(models, seal_release(models, contract, onnx))
    batch.put(KEY, body)
    said: dict[str, Any] = {"delimiter": ",", "columns": (), "body": 0, "line": 1} | more
    end = len(body)
    if form == "csv":
        mark = body.startswith(b"\xef\xbb\xbf") * 3
        header = body.find(b"\n") + 1 or len(body)
        if not said["columns"]:
            text = body[mark:header].decode(said.get("encoding", "utf-8"))
            said["columns"] = tuple(next(csv.reader([text], delimiter=said["delimiter"], skipinitialspace=True)))
        said |= {"body": header, "line": 2}
    elif form == "parquet":
        file = pq.ParquetFile(io.BytesIO(body))
        said["columns"], end = tuple(file.schema_arrow.names), file.num_row_groups
    sealed = sealed_with(contract)
    own = ["prediction_id", *answers_of(contract, sealed).told.columns, "model_version"]
    plan = plan_of(
        {
            "batch": BATCH, "problem": contract.problem.name, "created": "2026-01-02T03:04:05+00:00", "key": KEY,
            "version": "v1", "etag": "", "size": len(body), "format": form, "compression": "", "source": KEY,
            "source_version": "v1", "source_size": len(body), "record_column": None, "release": release.version,
            "classes": contract.classes, "texts": contract.texts, "threshold": sealed.get("threshold"),
            "interval": sealed.get("interval"), "unit": contract.problem.unit or "",
            "names_out": {name: name for name in own}, "store": "auto", "expires": 1_800_000_000,
        } | said
    )  # fmt: skip
    cut = Cut((Shard(0, plan.head.body, end, plan.head.line),), stored=False)
    return Scored(plan, cut, contract, release.model(), batch, MemoryPredictionStore())


def score_file(
    contract: Contract, body: bytes, form: Any = "csv", *, cuts: Sequence[Shard] = (), stored: bool = False, **more: Any
) -> Scored:
    """Score a file, in one shard unless it is cut."""
    scored = planned(contract, body, form, **more)
    scored.cut = Cut(tuple(cuts) or scored.cut.shards, stored)
    scored.results = [scored.again(shard.number) for shard in scored.cut.shards]
    return scored
